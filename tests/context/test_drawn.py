"""What the calendar makes of a prior: the next entry draws the way to it, as far as there is time for nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.context.destination import REACH_M, DestinationModel
from hearthway.context.drawn import ATTENDS_P, GOAL, Goal, drawn, next_goal
from hearthway.context.places import KnownPlace
from hearthway.context.prior import Departure, PastTrip, Prior
from hearthway.context.routes import Track
from hearthway.records.geo import offset
from hearthway.records.life import Place
from hearthway.records.situation import Planned

WORK = (60.17, 24.94)
NOW = 1_768_230_000.0


def known(index: int, north_m: float, east_m: float = 0.0) -> KnownPlace:
    lat, lon = offset(*WORK, north_m, east_m)
    return KnownPlace(index=index, lat=lat, lon=lon, visits=9, last_s=NOW - 86_400.0)


AT_WORK, FAR_HOME, SHOP = known(0, 0.0), known(1, 25_000.0), known(2, 3_000.0)
PLACES = [AT_WORK, FAR_HOME, SHOP]
USUAL = Prior({1: 0.9, 2: 0.05}, 0.05, [])


def planned(start_s: float, spot: tuple[float, float] | None, **changes: Any) -> Planned:
    place = None if spot is None else Place(place_id="", lat=spot[0], lon=spot[1], visits=0)
    facts = {"title": "Concert", "start_s": start_s, "end_s": start_s + 7200.0, "place": place}
    return Planned(**{**facts, **changes})


def goal_at(north_m: float) -> Goal:
    lat, lon = offset(*WORK, north_m, 0.0)
    return Goal(GOAL, KnownPlace(index=GOAL, lat=lat, lon=lon))


def told(start_in_s: float, goal: Goal) -> Prior:
    found = drawn(USUAL, PLACES, WORK, NOW, NOW + start_in_s, goal)
    assert sum(found.places.values()) + found.new == pytest.approx(1.0)
    return found


def test_home_is_too_far_to_be_back_in_time() -> None:
    found = told(50 * 60.0, goal_at(-2_000.0))
    assert found.places[1] == pytest.approx(0.1 * 0.9)
    assert found.places[GOAL] > 0.8


def test_with_hours_to_go_one_goes_home_first() -> None:
    found = told(6 * 3600.0, goal_at(-2_000.0))
    assert found.places[1] > 0.85
    assert found.places[GOAL] < 0.05


def test_what_is_missed_draws_nobody() -> None:
    assert told(-10 * 60.0, goal_at(-8_000.0)) is USUAL
    assert told(-10 * 60.0, goal_at(-2_000.0)).places[GOAL] == pytest.approx(ATTENDS_P)


def test_who_is_there_comes_back_in_time() -> None:
    """The concert is next door: home is too far, the shop is not, and no drive leads to where one is."""
    found = told(50 * 60.0, goal_at(100.0))
    assert GOAL not in found.places
    assert found.places[1] == pytest.approx(0.1 * 0.9)
    assert found.places[2] > 0.4


def test_a_place_of_ones_own_is_drawn_to_under_its_own_index() -> None:
    found = told(20 * 60.0, Goal(2, SHOP))
    assert found.places[2] > 0.85
    assert GOAL not in found.places


quick = settings(max_examples=150, deadline=None)


@quick
@given(st.floats(-3600.0, 12 * 3600.0), st.floats(-40_000.0, 40_000.0))
def test_it_stays_a_probability(start_in_s: float, north_m: float) -> None:
    found = told(start_in_s, goal_at(north_m))
    assert all(0.0 <= p <= 1.0 for p in found.places.values())
    assert 0.0 <= found.new <= 1.0


def test_the_next_entry_is_one_with_a_time_and_a_place() -> None:
    spot = offset(*WORK, 500.0, 0.0)
    day = planned(NOW, spot, all_day=True)
    nowhere = planned(NOW + 60.0, None)
    missed = planned(NOW - 3600.0, spot)
    shop = Place(place_id="p2", lat=SHOP.lat, lon=SHOP.lon, visits=9)
    own = planned(NOW + 600.0, None, place=shop)
    assert next_goal([day, missed, nowhere], PLACES, NOW) is None
    assert next_goal([missed, day, nowhere, own], PLACES, NOW) == (own, Goal(2, SHOP))
    found = next_goal([planned(NOW + 5.0, spot), own], PLACES, NOW)
    assert found is not None
    assert found[1].index == GOAL


def leg(destination: int, length_m: float, duration_s: float) -> PastTrip:
    return PastTrip(
        origin=0,
        destination=destination,
        depart_s=NOW - 86_400.0,
        local_s=0.0,
        weekday=0,
        new=False,
        length_m=length_m,
        duration_s=duration_s,
    )


LEAVING = Departure(0, NOW, 0.0, 0)


def test_the_posterior_has_the_entry_beside_the_places() -> None:
    model = DestinationModel([leg(1, 30_000.0, 2400.0) for _ in range(8)])
    entry = planned(NOW + 30 * 60.0, offset(*WORK, -2_000.0, 0.0))
    track = Track()
    for step in range(12):
        track.extend(NOW + step * 10.0, *offset(*WORK, -120.0 * step, 0.0))
    usual = model.posterior(LEAVING, PLACES, track)
    with_it = model.posterior(LEAVING, PLACES, track, planned=[entry])
    assert usual.planned == 0.0
    assert with_it.planned > 0.8
    assert GOAL not in dict(with_it.places)
    assert sum(p for _, p in with_it.places) + with_it.new + with_it.planned == pytest.approx(1.0)
    again = model.posterior(LEAVING, PLACES, track)
    assert again == usual  # nothing of a calendar stays in what was learned


@pytest.mark.parametrize(
    ("legs", "reached"),
    [
        ([leg(1, 30_000.0, 2400.0)], False),
        ([leg(1, 30_000.0, 2400.0), leg(1, 500_000.0, 20_000.0)], True),  # driven so far before
        ([leg(1, 30_000.0, 2400.0), leg(1, 500_000.0, 3_000.0)], False),  # flown
    ],
)
def test_home_beyond_what_is_ever_driven_is_no_destination(
    legs: list[PastTrip], reached: bool
) -> None:
    places = [*PLACES, known(3, 4.0 * REACH_M)]
    away = Departure(3, NOW, 0.0, 0)
    found = dict(DestinationModel(legs).posterior(away, places).places)
    assert (1 in found) is reached
    near = dict(DestinationModel(legs).posterior(LEAVING, places).places)
    assert 1 in near  # the control: from work it is one


def test_what_was_learned_before_there_were_stops_is_read() -> None:
    """Fields that came later have defaults."""
    fields = msgspec.to_builtins(leg(1, 1.0, 1.0))
    assert fields.pop("stops") == []
    assert msgspec.convert(fields, PastTrip) == leg(1, 1.0, 1.0)
