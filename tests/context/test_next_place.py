"""Next place: what the features are made of, the posterior, and what a person teaches it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.context import next_place
from hearthway.context.next_place import CANDIDATES, FEATURES, LEVELS, NEW, Habits, Visit
from hearthway.context.next_score import Predictor, Scorer
from hearthway.records.errors import InputError

HOUR_S = 3_600.0
DAY_S = 86_400.0


def visit(place: int, day: int, hour: float, hours: float = 1.0) -> Visit:
    start_s = day * DAY_S + hour * HOUR_S
    return Visit(place=place, start_s=start_s, depart_s=start_s + hours * HOUR_S)


def habits(*visits: Visit) -> Habits:
    person = Habits()
    for one in visits:
        person.learn(one)
    return person


def scorer(**weights: float) -> Scorer:
    """A scorer that adds up the levels named, and nothing else."""
    linear = np.zeros(FEATURES)
    for at, (name, _) in enumerate(LEVELS):
        linear[at] = weights.get(name, 0.0)
    return Scorer(
        centre=np.zeros(FEATURES),
        spread=np.ones(FEATURES),
        linear=linear,
        inner=np.zeros((FEATURES, 1)),
        bias=np.zeros(1),
        outer=np.zeros(1),
    )


def level(person: Habits, name: str) -> dict[int, float]:
    question = person.ask()
    at = [known for known, _ in LEVELS].index(name)
    return dict(zip(question.places.tolist(), question.rows[:, at].tolist(), strict=True))


def test_what_followed_this_place_counts_for_it_and_not_what_followed_another() -> None:
    weeks = [
        visit(place, day, 8 + 3 * at) for day in range(9) for at, place in enumerate((1, 2, 3))
    ]
    said = level(habits(*weeks, visit(1, 9, 8)), "origin")
    assert said[2] > 0.5 > 0.0 > said[3]
    said = level(habits(*weeks, visit(1, 9, 8), visit(2, 9, 11)), "origin")
    assert said[3] > 0.5 > 0.0 > said[2]


def test_the_hour_of_departure_tells_two_ways_from_one_place_apart() -> None:
    days = []
    for day in range(12):
        days += [visit(1, day, 7), visit(2, day, 9), visit(1, day, 17), visit(3, day, 19)]
    morning = level(habits(*days, visit(1, 12, 7)), "hour and day")
    assert morning[2] > 0.2 > morning[3]
    evening = level(habits(*days, visit(1, 12, 17)), "hour and day")
    assert evening[3] > 0.2 > evening[2]


def test_the_kernel_goes_round_midnight() -> None:
    days = [
        visit(place, day, 23.5 - 12 * (place == 2), 0.1) for day in range(9) for place in (2, 1)
    ]
    late = habits(*days, visit(1, 9, 24.2, 0.1))
    noon = habits(*days, visit(1, 9, 36.0, 0.1))
    assert level(late, "hour and day")[2] > level(noon, "hour and day")[2]


def test_what_is_long_ago_fades() -> None:
    old = [visit(place, day, 8 + 4 * at) for day in range(6) for at, place in enumerate((1, 2))]
    new = [visit(p, day, 8 + 4 * at) for day in range(200, 206) for at, p in enumerate((1, 3))]
    said = level(habits(*old, *new, visit(1, 206, 8)), "45 days")
    assert said[3] > 0.0 > said[2]


def test_nothing_after_the_departure_is_used() -> None:
    days = [visit(1 + day % 4, day, 9) for day in range(40)]
    person = habits(*days[:20])
    before = person.ask()
    for one in days[20:]:
        person.learn(one)
    again = habits(*days[:20]).ask()
    assert np.array_equal(before.rows, again.rows)
    assert not np.array_equal(before.rows, person.ask().rows)


def test_only_candidates_are_bounded_and_the_plainly_likely_stay() -> None:
    many = [visit(100 + day, day, 9) for day in range(CANDIDATES + 40)]
    usual = [visit(7, day, 12) for day in range(CANDIDATES + 40)]
    both = [one for pair in zip(many, usual, strict=True) for one in pair]
    question = habits(*both).ask()
    assert len(question.places) == CANDIDATES + 1
    assert 7 in question.places
    assert question.places[-1] == NEW


def test_only_the_latest_visits_vote_and_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [visit(3 if day < 60 else 2, day, 12) for day in range(300)]
    pairs = [one for day in days for one in (visit(1, int(day.start_s // DAY_S), 8), day)]
    origin = [name for name, _ in LEVELS].index("origin")
    said = habits(*pairs, visit(1, 300, 8)).ask().rows[:, origin]
    monkeypatch.setattr(next_place, "MAX_VISITS", 50)
    short = habits(*pairs, visit(1, 300, 8))
    assert len(short._moves) <= 128
    assert short.ask().rows[2, origin] > said[2]  # of its 25 mornings all led to 2
    assert short.visits == 601


def test_a_visit_out_of_order_is_refused_and_one_in_order_learned() -> None:
    person = habits(visit(1, 3, 9))
    with pytest.raises(InputError, match="Sort the visits"):
        person.learn(visit(2, 2, 9))
    with pytest.raises(InputError, match="Sort the visits"):
        person.learn(Visit(place=2, start_s=9 * DAY_S, depart_s=8 * DAY_S))
    person.learn(visit(2, 4, 9))
    assert person.visits == 2


def test_asking_about_nobody_is_an_error() -> None:
    with pytest.raises(InputError, match="Learn a visit first"):
        Habits().ask()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40), st.integers(0, 20))
def test_the_posterior_is_a_distribution(places: list[int], gap_h: int) -> None:
    person = Habits()
    predictor = Predictor(scorer(all=1.0, origin=0.7))
    for at, place in enumerate(places):
        known = at > 0 and place in places[:at]
        if at:
            predictor.saw(person.ask(), place if known else NEW)
        person.learn(visit(place, at, float(gap_h)))
    question = person.ask()
    assert np.isfinite(question.rows).all()
    answer = predictor.answer(question)
    assert answer.p.sum() + answer.new == pytest.approx(1.0)
    assert set(answer.places.tolist()) == set(places)
    assert (np.diff(answer.p) <= 0.0).all()


def test_what_he_did_moves_the_answer_and_a_place_that_was_not_asked_about_does_not() -> None:
    question = habits(*[visit(1 + day % 3, day, 9) for day in range(30)]).ask()
    predictor = Predictor(scorer(all=1.0))
    before = dict(
        zip(
            *(
                part.tolist()
                for part in (predictor.answer(question).places, predictor.answer(question).p)
            ),
            strict=True,
        )
    )
    predictor.saw(question, 99)
    assert predictor.answer(question).p.tolist() == list(before.values())
    for _ in range(5):
        predictor.saw(question, 2)
    after = predictor.answer(question)
    assert after.places[0] == 2
    assert after.p[0] > before[2]
    unsure = predictor.answer(question).new
    for _ in range(20):
        predictor.saw(question, NEW)
    assert predictor.answer(question).new > unsure
