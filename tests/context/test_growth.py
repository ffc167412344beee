"""A look costs the same however long a life is: how many of its legs and meals it goes through is bounded.

Counted, not timed. The first look of a stay or of a leg goes through the legs, of which a life keeps so many; the others do not.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.context.counted import Counted

from hearthway.context import agenda
from hearthway.context.destination import MAX_TRIPS as KEPT_LEGS
from hearthway.context.flat import gap_m
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace
from hearthway.context.prior import HEEDED_DAYS, MAX_PATHS, PastTrip
from hearthway.context.routines import Meal
from hearthway.context.state import LifeState, Moment
from hearthway.records.calendar import CalendarEntry
from hearthway.records.geo import offset
from hearthway.records.localtime import DAY_S
from hearthway.records.signals import Fix
from hearthway.records.situation import MealVisit

HOME = (60.2, 24.9)
SPOTS = [HOME, *(offset(*HOME, 3_000.0, 2_000.0 * i) for i in range(3))]
NOW_S = 1_760_475_600.0  # noon in Helsinki
LEGS_A_DAY = 4


def _leg(number: int, of: int) -> PastTrip:
    """Each second one leads home."""
    there = 1 + number // 2 % 3
    before_s = (of - number) * DAY_S / LEGS_A_DAY
    return PastTrip(
        origin=there if number % 2 else 0,
        destination=0 if number % 2 else there,
        depart_s=NOW_S - before_s,
        local_s=(43_200.0 - before_s) % DAY_S,
        weekday=number // LEGS_A_DAY % 7,
        new=False,
        length_m=3_600.0,
        duration_s=600.0,
        end=SPOTS[0 if number % 2 else there],
    )


def _meal(number: int, of: int) -> Meal:
    start_s = NOW_S - (of - number) * DAY_S
    visit = MealVisit(
        start_s=start_s, end_s=start_s + 3_000.0, osm_id="", lat=SPOTS[3][0], lon=SPOTS[3][1]
    )
    return Meal(visit=visit, day=number, local_s=43_200.0, weekday=number % 7, place=3)


def _life(legs: int) -> Life:
    """Somebody at home after so many legs, and a meal out for each fourth."""
    places = [
        KnownPlace(index=i, lat=lat, lon=lon, visits=legs, last_s=NOW_S - DAY_S)
        for i, (lat, lon) in enumerate(SPOTS)
    ]
    state = LifeState(
        person="ada",
        places=places,
        here=0,
        previous_place=0,
        last=Moment(NOW_S, *HOME),
        first_s=NOW_S - legs * DAY_S,
        days=legs // LEGS_A_DAY,
        stays=legs,
        trips=Counted(_leg(number, legs) for number in range(legs)),
        meals=Counted(_meal(number, legs // LEGS_A_DAY) for number in range(legs // LEGS_A_DAY)),
    )
    return Life("ada", state=state)


def _entry(hours: float) -> CalendarEntry:
    start_s = NOW_S + hours * 3600.0
    lat, lon = SPOTS[1]
    return CalendarEntry(
        uid="u", occurs_s=start_s, start_s=start_s, end_s=start_s + 1.0, lat=lat, lon=lon
    )


def _staying(life: Life, look: int) -> None:
    past = [_entry(-24.0 * days) for days in range(1, 20)]
    now_s = NOW_S + 5.0 * look
    life.situation(now_s, agenda=life.agenda([_entry(2.0)], past))
    life.leaving(now_s, [_entry(2.0)])


def _on_the_way(life: Life, look: int) -> None:
    if life.state.here is not None:
        life.state.here = None
    at = offset(*HOME, 30.0 * look, 20.0 * look)
    life.observe(Fix(time_s=NOW_S + 5.0 * (look + 1), lat=at[0], lon=at[1]))
    life.situation(NOW_S + 5.0 * (look + 1))
    assert life.aim() is not None


def _seen(life: Life, ask: Callable[[Life, int], None], look: int) -> tuple[int, int]:
    trips, meals = life.state.trips, life.state.meals
    assert isinstance(trips, Counted)
    assert isinstance(meals, Counted)
    trips.seen = meals.seen = 0
    ask(life, look)
    return trips.seen, meals.seen


@pytest.mark.parametrize(
    ("ask", "most"), [(_staying, 0), (_on_the_way, MAX_PATHS + 200)], ids=["staying", "on the way"]
)
def test_a_later_look_goes_through_no_more_legs_in_a_longer_life(
    ask: Callable[[Life, int], None], most: int
) -> None:
    short, long = _life(800), _life(3_200)
    for life in (short, long):
        ask(life, 0)
    for look in range(1, 40):
        legs, meals = _seen(short, ask, look)
        assert _seen(long, ask, look) == (legs, meals)
        assert legs <= most
        assert meals <= 2  # is it still the latest?


def test_the_first_look_of_a_stay_goes_through_the_legs_once_and_asks_those_that_are_heeded() -> (
    None
):
    _seen(life := _life(KEPT_LEGS), _staying, 0)
    life.state.stays += 1  # another stay: what the first look of all put together is known
    legs, _ = _seen(life, _staying, 1)
    assert KEPT_LEGS <= legs <= KEPT_LEGS + LEGS_A_DAY * HEEDED_DAYS + 50


def test_meals_and_their_hours_are_asked_for_anew_once_one_was_learned() -> None:
    life = _life(400)
    before = life.situation(NOW_S)
    assert life.situation(NOW_S + 5.0).routines is before.routines
    life.state.meals.append(_meal(200, 100))
    after = life.situation(NOW_S + 10.0)
    assert after.routines[0].days == before.routines[0].days + 1
    life.state.days += 200
    assert life.situation(NOW_S + 15.0).routines[0].share_of_days < after.routines[0].share_of_days
    life.state.places[3].given = "work"
    life._book.changed()
    assert life.situation(NOW_S + 20.0).routines == ()


def test_how_far_own_ways_lead_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done, life = list[int](), _life(400)

    def counted(*points: float) -> float:
        done.append(1)
        return gap_m(*points)

    monkeypatch.setattr(agenda, "gap_m", counted)
    _staying(life, 0)
    assert len(done) == 6  # three ways there, three back
    _staying(life, 1)
    assert len(done) == 6
    life.state.trips.append(_leg(1, 400))
    _staying(life, 2)
    assert len(done) == 12
