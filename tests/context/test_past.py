"""What is found of past legs is what going through all of them finds, whatever became of places and legs meanwhile."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hearthway.context.agenda import MAX_TRIPS, MAX_WAYS, WAY_MIN_M, OwnWays
from hearthway.context.destination import MAX_TRIPS as KEPT_LEGS
from hearthway.context.destination import DestinationModel
from hearthway.context.flat import gap_m
from hearthway.context.kept import EARLY_S, LATE_S, _gone_to
from hearthway.context.life import Life
from hearthway.context.places import NOWHERE, KnownPlace, PlaceBook
from hearthway.context.prior import PastTrip
from hearthway.context.remap import renumber
from hearthway.context.state import LifeState
from hearthway.records.geo import offset
from hearthway.records.life import PlaceWord
from hearthway.records.signals import Fix
from hearthway.records.situation import OwnTrip

T = TypeVar("T")
PLACES = 5
SPOTS = [offset(60.2, 24.9, 900.0 * i * i, 0.0) for i in range(PLACES)]
LEG = PastTrip(
    origin=0,
    destination=1,
    depart_s=0.0,
    local_s=0.0,
    weekday=0,
    new=False,
    length_m=1_000.0,
    duration_s=600.0,
)

legs = st.tuples(st.integers(NOWHERE, PLACES - 1), st.integers(NOWHERE, PLACES - 1))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("leg"), legs),
        st.tuples(st.just("ask"), legs),
        st.tuples(st.just("renumber"), legs),
        st.tuples(st.just("move"), legs),
    ),
    max_size=40,
)


def _same(found: list[T], wanted: list[T]) -> bool:
    return len(found) == len(wanted) and all(a is b for a, b in zip(found, wanted, strict=True))


def _ways(trips: list[PastTrip], places: list[KnownPlace]) -> tuple[float, list[OwnTrip]]:
    """The longest trip and the latest of each of the latest ways, by going through all."""
    farthest_m, seen, latest = 0.0, set[tuple[int, int]](), list[OwnTrip]()
    for trip in reversed(trips):
        way = trip.origin, trip.destination
        if way in seen or min(way) < 0:
            continue
        seen.add(way)
        a, b = places[trip.origin], places[trip.destination]
        away_m = gap_m(a.lat, a.lon, b.lat, b.lon)
        farthest_m = max(farthest_m, away_m)
        if away_m >= WAY_MIN_M and len(latest) < MAX_WAYS:
            latest.append(OwnTrip(a.lat, a.lon, b.lat, b.lon, trip.duration_s))
    return farthest_m, latest


@given(steps)
def test_it_finds_what_going_through_all_finds(
    done: list[tuple[str, tuple[int, int]]],
) -> None:
    places = [KnownPlace(index=i, lat=a, lon=b, visits=1) for i, (a, b) in enumerate(SPOTS)]
    state = LifeState(places=places)
    book, model = PlaceBook(places), DestinationModel(state.trips)
    past, own = model.past, OwnWays(state, book, model.past)
    for number, (what, (a, b)) in enumerate(done):
        if what == "leg":
            model.learn(replace(LEG, origin=a, destination=b, depart_s=1e4 * number))
        elif what == "renumber":
            renumber(state, a, b)
            book.changed()
            model.places_changed()
        elif what == "move" and a >= 0:
            places[a].lat += 0.001 * b
            book.changed()
        else:
            trips = state.trips
            assert _same([*past.to(b)], [t for t in trips if t.destination == b])
            way = [t for t in trips if (t.origin, t.destination) == (a, b)]
            assert _same([*past.between(a, b)], way)
            assert own.trips_s(a, b) == tuple(t.duration_s for t in way)[-MAX_TRIPS:]
            assert past.between(None, b) == ()
            assert (own.farthest_m, [*own.latest]) == _ways(trips, places)


def test_legs_that_are_forgotten_are_found_no_more() -> None:
    trips = [replace(LEG, depart_s=float(at), destination=at % 3) for at in range(KEPT_LEGS)]
    model = DestinationModel(trips)
    assert len(model.past.to(1)) == KEPT_LEGS // 3
    model.learn(replace(LEG, depart_s=1e6))
    assert len(trips) < KEPT_LEGS
    assert _same([*model.past.to(1)], [t for t in trips if t.destination == 1])


def test_another_model_has_other_legs() -> None:
    model = DestinationModel([LEG])
    other = model.like(trips=[replace(LEG, destination=2)])
    assert (len(model.past.to(1)), len(model.past.to(2))) == (1, 0)
    assert (len(other.past.to(1)), len(other.past.to(2))) == (0, 1)


@given(st.lists(st.floats(0.0, 5e3), max_size=20), st.floats(0.0, 5e4))
def test_what_was_gone_to_is_the_last_leg_that_ended_about_then(
    gaps_s: list[float], start_s: float
) -> None:
    trips, at_s = list[PastTrip](), 0.0
    for gap_s in gaps_s:
        at_s += gap_s
        trips.append(replace(LEG, depart_s=at_s, duration_s=gap_s / 2.0))
        at_s += gap_s / 2.0
    fit = [t for t in trips if start_s - EARLY_S <= t.depart_s + t.duration_s <= start_s + LATE_S]
    assert _gone_to(trips, start_s) is (fit[-1] if fit else None)


def test_a_life_keeps_it_in_step_while_places_are_joined_and_divided() -> None:
    """Two doors of one house become one place by themselves, are divided by the owner, and joined again."""
    life, became = Life("ada"), set[tuple[int, ...]]()
    home, way = (60.2, 24.9), (60.21, 24.9)
    doors = [offset(*home, 3_000.0, east_m) for east_m in (-115.0, 115.0)]
    at = doors * 2 + [offset(*home, 3_000.0, east_m) for east_m in (-45.0, 45.0)] * 4
    for day, there in enumerate(at + doors * 2):
        begin_s = 1_709_510_400.0 + day * 86_400.0
        for minute in range(0, 121, 5):
            lat, lon = home if minute < 60 else way if minute == 60 else there
            life.observe(Fix(time_s=begin_s + minute * 60.0, lat=lat, lon=lon))
        if day in (12, 14):
            said = PlaceWord(
                kind="split" if day == 12 else "merge",
                time_s=begin_s + 8_000.0,
                lat=doors[0][0],
                lon=doors[0][1],
                to_lat=doors[1][0],
                to_lon=doors[1][1],
            )
            life.hear(said)
        past, trips = life.model.past, life.trips
        for place in life.state.places:
            mine = [trip for trip in trips if trip.destination == place.index]
            assert _same([*past.to(place.index)], mine)
        if len(trips) >= 6:
            became.add(tuple(trip.destination for trip in trips[:6]))
    assert len(became) > 1  # they were renumbered
