"""The prior: what past legs say of a departure, and how unseen stays become places without becoming stays."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from hearthway.context import places
from hearthway.context.destination import DestinationModel
from hearthway.context.events import LegEnded, StayStarted
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace, PlaceBook
from hearthway.context.prior import HEEDED_DAYS, Departure, PastTrip, _Ballot, heeded, prior_of
from hearthway.context.settling import Change
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Stay
from hearthway.records.localtime import DAY_S
from hearthway.records.signals import Fix

HOME = (60.20, 24.90)
MONDAY_S = 1_709_510_400.0
HOME_I, WORK, SHOP, SPORT = range(4)


def _places() -> list[KnownPlace]:
    spots = [HOME, offset(*HOME, 5_000, 0), offset(*HOME, 0, 4_000), offset(*HOME, -3_000, 0)]
    return [
        KnownPlace(index=i, lat=lat, lon=lon, visits=5, last_s=MONDAY_S)
        for i, (lat, lon) in enumerate(spots)
    ]


def _trip(day: int, hour: float, origin: int, goal: int, *, new: bool = False) -> PastTrip:
    return PastTrip(
        origin=origin,
        destination=goal,
        depart_s=MONDAY_S + day * DAY_S + hour * 3600.0,
        local_s=hour * 3600.0,
        weekday=day % 7,
        new=new,
        length_m=5_000.0,
        duration_s=600.0,
    )


def _leaving(day: int, hour: float, origin: int | None) -> Departure:
    return Departure(origin, MONDAY_S + day * DAY_S + hour * 3600.0, hour * 3600.0, day % 7)


def _weeks(days: Sequence[int]) -> list[PastTrip]:
    trips = []
    for day in days:
        trips += [_trip(day, 8.0, HOME_I, WORK), _trip(day, 17.0, WORK, SHOP)]
        trips += [_trip(day, 18.0, SHOP, HOME_I)]
    return trips


def test_the_hour_and_the_origin_tell_the_destinations_apart() -> None:
    trips = _weeks([d for d in range(28) if d % 7 < 5])
    places = _places()
    morning = prior_of(_leaving(28, 8.0, HOME_I), places, trips)
    evening = prior_of(_leaving(28, 17.0, WORK), places, trips)
    assert max(morning.places, key=lambda p: morning.places[p]) == WORK
    assert max(evening.places, key=lambda p: evening.places[p]) == SHOP
    assert morning.places[WORK] > 0.6
    for prior in (morning, evening):
        assert sum(prior.places.values()) + prior.new == pytest.approx(1.0)
        assert all(p > 0.0 for p in prior.places.values())
    assert HOME_I not in morning.places  # a leg does not end where it began
    assert HOME_I in evening.places


@pytest.mark.parametrize("origin", [HOME_I, None])
def test_a_change_that_is_not_believed_says_what_no_change_says(origin: int | None) -> None:
    trips, places = _weeks([d for d in range(28) if d % 7 < 5]), _places()
    leaving = _leaving(28, 8.0, origin)
    plain = prior_of(leaving, places, trips)
    moved = MONDAY_S + 20 * DAY_S
    doubted, believed = (
        prior_of(leaving, places, trips, [Change("work", WORK, SPORT, moved, p)])
        for p in (0.0, 0.9)
    )
    assert doubted == plain
    assert believed.places[SPORT] > 5.0 * plain.places[SPORT]


def test_what_was_done_lately_outweighs_what_was_done_long_ago() -> None:
    old = [_trip(day, 18.0, WORK, SHOP) for day in range(30)]
    late = [_trip(day, 18.0, WORK, SPORT) for day in range(30, 37)]
    places = _places()
    before = prior_of(_leaving(30, 18.0, WORK), places, old)
    after = prior_of(_leaving(37, 18.0, WORK), places, old + late)
    assert before.places[SHOP] > before.places[SPORT]
    assert after.places[SPORT] > before.places[SPORT] * 3


def test_new_destinations_raise_the_rate_of_new_ones() -> None:
    places = _places()
    usual = prior_of(
        _leaving(20, 18.0, WORK), places, [_trip(d, 18.0, WORK, SHOP) for d in range(20)]
    )
    roaming = [_trip(d, 18.0, WORK, SHOP, new=True) for d in range(20)]
    assert prior_of(_leaving(20, 18.0, WORK), places, roaming).new > 3 * usual.new


def test_where_nothing_is_known_it_leads_somewhere_new() -> None:
    assert prior_of(_leaving(0, 8.0, None), [], []).new == 1.0
    alone = prior_of(_leaving(0, 8.0, HOME_I), _places()[:1], [])
    assert (alone.places, alone.new) == ({}, 1.0)


def test_a_leg_learned_changes_the_next_answer_and_not_the_cached_one() -> None:
    model = DestinationModel(_weeks(range(5)))
    places, leaving = _places(), _leaving(6, 8.0, HOME_I)
    first = model.posterior(leaving, places)
    assert model.posterior(leaving, places) == first
    model.learn(_trip(5, 8.0, HOME_I, SPORT))
    again = model.posterior(leaving, places)
    assert dict(again.places)[SPORT] > dict(first.places)[SPORT]
    assert again == DestinationModel(model.trips).posterior(leaving, places)


def test_a_presumed_place_becomes_a_place_with_its_first_stay() -> None:
    book = PlaceBook()
    shop = offset(*HOME, 0, 4_000)
    place, new = book.presume(MONDAY_S, *shop)
    assert (new, place.visits, place.unseen) == (True, 0, 1)
    again, new = book.presume(MONDAY_S + DAY_S, *offset(*shop, 60, 0))
    assert (again is place, new, place.unseen) == (True, False, 2)
    assert distance_m(place.lat, place.lon, *shop) == pytest.approx(30.0, abs=1.0)
    at = offset(*shop, 50, 50)
    stay = Stay(start_s=MONDAY_S + 2 * DAY_S, end_s=MONDAY_S + 2.1 * DAY_S, lat=at[0], lon=at[1])
    arrived, new = book.arrive(stay)
    assert (arrived is place, new, place.visits) == (True, True, 1)
    assert (place.lat, place.lon) == pytest.approx(at, abs=1e-9)
    assert place.first_s == stay.start_s
    assert book.arrive(stay)[1] is False


def test_a_point_where_nobody_was_seen_falls_out_after_a_season_and_a_place_does_not() -> None:
    book = PlaceBook()
    for day in range(400):
        book.presume(MONDAY_S + day * DAY_S, *offset(*HOME, 1_000.0 + 500.0 * day, 0.0))
    visited = book.places[3]
    visited.visits = 1
    prior = prior_of(_leaving(400, 8.0, None), book.places, [])
    assert sorted(prior.places) == [visited.index, *range(311, 400)]
    assert sum(prior.places.values()) + prior.new == pytest.approx(1.0)


def _way(start_s: float, at: tuple[float, float], to: tuple[float, float]) -> list[Fix]:
    steps = int(distance_m(*at, *to) / 100)
    return [
        Fix(
            time_s=start_s + 10.0 * i,
            lat=at[0] + (to[0] - at[0]) * i / steps,
            lon=at[1] + (to[1] - at[1]) * i / steps,
        )
        for i in range(1, steps + 1)
    ]


def _silent_shop(days: int) -> list[Fix]:
    """Home, a shop without reception for 40 min each evening, home again."""
    pick = random.Random(1)
    shop = offset(*HOME, 0, 4_000)
    fixes: list[Fix] = []
    for day in range(days):
        leave = MONDAY_S + day * DAY_S + 18 * 3600.0 + pick.gauss(0, 300)
        home = [leave - 3600.0 + 60.0 * i for i in range(60)]
        fixes += [Fix(time_s=t, lat=HOME[0], lon=HOME[1]) for t in home]
        out = _way(leave, HOME, shop)
        back = _way(out[-1].time_s + 2400.0, offset(*shop, 300, 0), HOME)
        fixes += out + back
        fixes += [
            Fix(time_s=back[-1].time_s + 60.0 * i, lat=HOME[0], lon=HOME[1]) for i in range(1, 90)
        ]
    return fixes


def test_the_way_to_a_place_without_reception_is_learned_and_so_is_the_way_back() -> None:
    life, stays, legs = Life("ada"), 0, list[LegEnded]()
    fixes = _silent_shop(7)
    shop = offset(*HOME, 0, 4_000)
    for fix in fixes:
        for event in life.observe(fix):
            stays += isinstance(event, StayStarted)
            legs += [event] if isinstance(event, LegEnded) else []
    assert len(life.places()) == 1  # nothing of it is called a stay
    assert life.state.trip_count == 0
    assert len(legs) == 14
    assert stays == life.state.stays
    assert {leg.destination for leg in legs[1::2]} == {0}
    goal = life.state.places[legs[0].destination]
    assert distance_m(goal.lat, goal.lon, *shop) < 50.0
    last = fixes[-1].time_s
    for fix in _way(last + 16 * 3600.0, HOME, shop)[:15]:
        life.observe(fix)
        now_s = fix.time_s
    aim = life.aim()
    assert aim is not None
    assert distance_m(aim.lat, aim.lon, *shop) < 300.0
    situation = life.situation(now_s)
    assert situation.places_known == 1
    again = Life.load(life.dump())
    assert again.situation(now_s) == situation


def test_points_where_nobody_was_seen_are_bounded_and_the_oldest_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two fixes each half hour, always somewhere else: each is a point where a way may have begun or ended."""
    monkeypatch.setattr(places, "MAX_UNSEEN", 20)
    life = Life("ada")
    for fix in _way(MONDAY_S - 86_400.0, offset(*HOME, 0, -2_000), HOME):
        life.observe(fix)
    for minute in range(600):
        life.observe(Fix(time_s=MONDAY_S - 36_000.0 + 60.0 * minute, lat=HOME[0], lon=HOME[1]))
    home = life.places()[0]
    for i in range(200):
        east, north = 3_000.0 * (i % 14 + 1), 1_000.0 * (i // 14 + 1)
        for minute, on in ((0, 0.0), (5, 1_200.0)):
            lat, lon = offset(*HOME, north, east + on)
            life.observe(Fix(time_s=MONDAY_S + 1_800.0 * i + 60.0 * minute, lat=lat, lon=lon))
    state = life.state
    unseen = [p for p in state.places if not p.visits]
    assert len(unseen) == 20
    assert [p.index for p in state.places] == list(range(len(state.places)))
    assert state.places[int(home.place_id[1:])].visits == home.visits
    held = {p.index: (p.lat, p.lon) for p in state.places}
    assert len(state.trips) > 100
    for trip in state.trips[-100:]:
        assert trip.end is not None
        if trip.destination != places.NOWHERE:  # what is kept of a trip leads where it led
            assert distance_m(*trip.end, *held[trip.destination]) < 50.0
    assert sum(trip.destination == places.NOWHERE for trip in state.trips) > 60
    assert sum(trip.destination in held for trip in state.trips) >= 10
    aim = life.aim()
    assert aim is not None
    assert 0.0 < aim.p <= 1.0
    again = Life.load(life.dump())
    assert again.dump() == life.dump()
    assert again.aim() == aim


def test_a_point_that_is_still_needed_or_named_is_not_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "MAX_UNSEEN", 3)
    book = PlaceBook()
    for i in range(4):
        book.presume(MONDAY_S + i, *offset(*HOME, 1_000.0 * i, 0.0))
    far = offset(*HOME, 0.0, 9_000.0)
    oldest = book.outlived(*far, ())
    assert oldest is book.places[0]
    book.places[1].name = "the hut"
    needed = book.outlived(*far, (0, None))
    assert needed is book.places[2]
    assert book.outlived(*far, (0, 2, 3)) is None
    assert book.outlived(*HOME, ()) is None  # a point is known here


def test_what_is_asked_costs_no_more_with_the_years() -> None:
    days = range(0, int(3 * HEEDED_DAYS), 2)
    trips, places = _weeks(days), _places()
    leaving = _leaving(days[-1] + 1, 8.0, HOME_I)
    first = heeded(trips, leaving.time_s)
    assert (leaving.time_s - trips[first].depart_s) / DAY_S <= HEEDED_DAYS
    assert (leaving.time_s - trips[first - 1].depart_s) / DAY_S > HEEDED_DAYS
    prior = prior_of(leaving, places, trips)
    assert prior.votes[:first] == [0.0] * first
    assert len(prior.votes) == len(trips)
    late = prior_of(leaving, places, trips[first:])
    assert (prior.places, prior.new) == (late.places, late.new)


def test_a_leg_of_long_ago_said_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trips, places = _weeks(range(0, 800, 2)), _places()
    leaving = _leaving(801, 17.0, WORK)
    told = prior_of(leaving, places, trips)
    monkeypatch.setattr("hearthway.context.prior.HEEDED_DAYS", 10_000.0)
    whole = prior_of(leaving, places, trips)
    assert whole.votes[0] > 0.0
    for index, p in whole.places.items():
        assert told.places[index] == pytest.approx(p, abs=0.001)


@pytest.mark.parametrize("origin", [None, HOME_I, WORK])
@pytest.mark.parametrize("seed", range(5))
def test_where_nothing_changed_the_short_count_is_the_whole_one(
    origin: int | None, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    trips = [
        _trip(day, rng.uniform(0.0, 24.0), rng.randrange(4), rng.randrange(5), new=not day % 9)
        for day in range(90)
    ]  # some led to a place that is none any more
    leaving, places = _leaving(90, 17.0, origin), _places()
    told = prior_of(leaving, places, trips)
    monkeypatch.setattr(_Ballot, "_vote_plain", _Ballot._vote_changed)
    whole = prior_of(leaving, places, trips)
    assert told.new == pytest.approx(whole.new, abs=1e-12)
    assert told.places == pytest.approx(whole.places, abs=1e-12)
    assert told.votes == pytest.approx(whole.votes, abs=1e-12)
