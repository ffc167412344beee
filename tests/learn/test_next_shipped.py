"""What a phone would have said of the visits of others: the same code, fed as a phone is."""

from __future__ import annotations

from hearthway.context.next_place import NEW, Visit
from hearthway.learn.next_shipped import (
    FITTED,
    as_shipped,
    known_before,
    while_staying,
    with_shipped,
)
from hearthway.learn.next_walk import TRAIN, Outcome, Person

DAY_S = 86_400.0
HOME, WORK, SHOP = 7, 3, 9


def person(days: int) -> Person:
    """Home, work from 8 to 17, the shop at 18."""
    visits = []
    for day in range(days):
        for place, start_h, end_h in ((WORK, 8.5, 17.0), (HOME, 17.5, 18.0), (SHOP, 18.5, 19.0)):
            at = (float(place), 0.0)
            start_s, depart_s = day * DAY_S + start_h * 3600.0, day * DAY_S + end_h * 3600.0
            visits.append(Visit(place=place, start_s=start_s, depart_s=depart_s, at=at))
        start_s, depart_s = day * DAY_S + 19.5 * 3600.0, (day + 1) * DAY_S + 8 * 3600.0
        visits.append(Visit(place=HOME, start_s=start_s, depart_s=depart_s, at=(7.0, 0.0)))
    return Person(visits, [TRAIN] * len(visits))


def test_a_phone_holds_what_was_before_and_nothing_else() -> None:
    seen = 0
    for known in known_before(person(5)):
        seen += 1
        assert len(known.trips) == seen - 1
        assert sum(place.visits for place in known.places) == seen
        assert all(place.last_s <= known.here.time_s for place in known.places)
        assert known.truth == NEW or known.truth < len(known.places)
    assert seen == 4 * 5 - 1


def test_a_settled_habit_is_named_first_and_its_first_time_is_new() -> None:
    said = as_shipped(person(15))
    assert [rank for rank, _, _ in said[:1]] == [0]  # home was never seen before
    assert [rank for rank, _, _ in said[-8:]] == [1] * 8
    assert all(p <= together <= 1.0 for _, p, together in said)


def test_asked_in_the_evening_only_the_likely_departure_knows_the_morning() -> None:
    """At home at 19:50 one left for the shop at that hour, and leaves next for work."""
    life = person(20)
    asked = [False] * (len(life.visits) - 1)
    asked[-4] = True  # the night before the last day
    assert while_staying(life, asked) == [(True, False)]
    assert while_staying(life, [False] * len(asked)) == []


def test_the_fitted_model_becomes_a_peer() -> None:
    life = person(4)
    found = [
        Outcome(
            who=0,
            visit=at + 2,
            target=True,
            in_part=True,
            ours=5,
            confidence=0.1,
            shortlist=0.2,
            peers={"Markov-1": 2},
            mix_confidence=0.5,
        )
        for at in range(len(life.visits) - 1)
    ]
    said = with_shipped(found, [life])
    assert [one.ours for one in said] == [rank for rank, _, _ in as_shipped(life)]
    assert said[3].peers == {"Markov-1": 2, FITTED: 5}
    assert found[3].ours == 5
