"""What goes along on trips from home: from tags alone, and only where they tell."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest

from hearthway.context.items import (
    MAX_OUTINGS,
    MAX_READINGS,
    MAX_THINGS,
    ItemsState,
    habits_of,
    occasions,
    returned,
    take,
)
from hearthway.context.life import Life
from hearthway.context.prior import PastTrip
from hearthway.context.state import LifeState
from hearthway.records.codec import pack
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Habit

LEFT_S, THERE_S = 10_000.0, 12_000.0
HOME, WORK, POOL = 0, 1, 2
TUESDAY, SATURDAY = 1, 5


def home(time_s: float, value: bool | None, name: str = "Bag") -> Signal:
    return Signal(key=f"Home.Items.{name}.Present", value=value, time_s=time_s)


def phone(time_s: float, value: bool | None, name: str = "Bag") -> Signal:
    return Signal(key=f"Person.Items.{name}.WithPhone", value=value, time_s=time_s)


ALONG = [home(5000.0, True), home(9800.0, False)]
STAYED = [home(5000.0, True), home(10_100.0, True)]


@pytest.mark.parametrize(
    ("readings", "along"),
    [
        (ALONG, True),
        ([home(5000.0, True), home(10_050.0, False)], True),
        (STAYED, False),
        ([phone(10_100.0, True)], True),
        ([*STAYED, phone(10_200.0, True)], True),  # a receiver at home that sees the drive as well
        ([], None),
        ([home(5000.0, True)], None),  # nobody told after leaving
        ([home(5000.0, True), home(9000.0, True)], None),
        ([home(5000.0, False), home(10_100.0, False)], None),  # it was gone before
        ([home(9800.0, False)], None),  # was it there?
        ([home(5000.0, True), home(9800.0, None)], None),
        ([phone(5000.0, True), phone(10_100.0, False)], None),  # not with the phone: in the car?
        ([home(5000.0, True), home(12_500.0, False)], None),  # only after one was there
    ],
)
def test_what_one_trip_tells(readings: list[Signal], along: bool | None) -> None:
    for order in permutations(readings):
        state = ItemsState()
        for one in order:
            take(state, one)
        returned(state, LEFT_S, THERE_S)
        assert [one.along for one in state.outings] == ([] if along is None else [along])


def test_the_next_trip_knows_what_was_last_told() -> None:
    state = ItemsState()
    for one in (*STAYED, home(13_000.0, False), home(20_000.0, True)):
        take(state, one)
    returned(state, LEFT_S, THERE_S)
    take(state, home(30_050.0, True))
    returned(state, 30_000.0, 31_000.0)
    assert [(one.depart_s, one.along) for one in state.outings] == [
        (LEFT_S, False),
        (30_000.0, False),
    ]
    assert len(state.at_home["Bag"]) == 1, "what is judged is kept no longer"


def test_nothing_grows_without_bound() -> None:
    state = ItemsState()
    for n in range(500):
        take(state, home(float(n), n % 2 == 0, f"t{n % 40}"))
        take(state, home(float(n), n % 2 == 0, "t0"))
        take(state, Signal(key="Home.Items.t0.Present", value=3.0, time_s=9e9))
    assert len(state.at_home) == len(state.with_phone) == MAX_THINGS
    assert len(state.at_home["t0"]) == MAX_READINGS
    for n in range(400):
        take(state, home(1e6 + 1000.0 * n, True, "t0"))
        take(state, home(1e6 + 1000.0 * n, True, "t1"))
        for k in range(10):
            returned(state, 1e6 + 1000.0 * n - 1.0, 1e6 + 1000.0 * n + 100.0 + k)
    assert len(state.outings) == MAX_OUTINGS


def trip(depart_s: float, destination: int, weekday: int, origin: int = HOME) -> PastTrip:
    return PastTrip(
        origin=origin,
        destination=destination,
        depart_s=depart_s,
        local_s=27_000.0,
        weekday=weekday,
        new=False,
        length_m=5_000.0,
        duration_s=600.0,
    )


def test_only_trips_from_home_count_and_by_their_start() -> None:
    state = ItemsState()
    trips = [trip(1e5, WORK, 0), trip(2e5, WORK, 1, origin=POOL), trip(3e5, HOME, 2)]
    for depart_s in (1e5, 2e5, 3e5, 4e5):
        take(state, phone(depart_s + 10.0, True))
        returned(state, depart_s, depart_s + 600.0)
    (found,) = occasions(state.outings, trips, HOME).values()
    assert [(t.depart_s, along) for t, along in found] == [(1e5, True)]


def past(destination: int, weekday: int, along: int, stayed: int) -> list[tuple[PastTrip, bool]]:
    return [(trip(0.0, destination, weekday), n < along) for n in range(along + stayed)]


@pytest.mark.parametrize(
    ("known", "weekday", "want"),
    [
        (past(WORK, TUESDAY, 6, 0) + past(WORK, 2, 0, 9), TUESDAY, ("on Tuesdays", 6, 6)),
        (past(WORK, TUESDAY, 6, 0) + past(WORK, 2, 0, 9), 2, ("on Wednesdays", 0, 9)),
        (past(WORK, TUESDAY, 4, 0) + past(WORK, 2, 1, 3), TUESDAY, ("on weekdays", 5, 8)),
        (past(WORK, SATURDAY, 4, 0) + past(WORK, 2, 0, 3), SATURDAY, ("on any day", 4, 7)),
        (past(WORK, SATURDAY, 4, 0), SATURDAY, None),
        (past(WORK, SATURDAY, 0, 2) + past(WORK, 2, 30, 0), SATURDAY, ("on Saturdays", 0, 2)),
        (past(WORK, 6, 0, 1) + past(WORK, 2, 30, 0), SATURDAY, ("at weekends", 0, 1)),
        (past(WORK, 6, 1, 0) + past(WORK, 2, 30, 0), SATURDAY, None),  # hardly ever at weekends
        (past(WORK, 6, 2, 0) + past(WORK, 2, 30, 0), SATURDAY, ("on any day", 32, 32)),
    ],
)
def test_the_narrowest_kind_with_enough_occasions(
    known: list[tuple[PastTrip, bool]], weekday: int, want: tuple[str, int, int] | None
) -> None:
    found = habits_of(known + past(POOL, 3, 4, 0), weekday, lambda index: f"p{index}")
    if want is None:
        assert found == ()
        return
    like, along, times = want
    assert found == (Habit(place_id="p1", like=like, along=along, times=times),)


def lived(folded: bool) -> Life:
    """Eight days: home, work five kilometres away, home; the bag goes along but on the last, the umbrella never."""
    life = Life("anna")
    start_s = 1_770_000_000.0 // 86_400.0 * 86_400.0
    items: list[tuple[float, Fix | Signal]] = []
    for day in range(9):
        for minute in range(0, 1440, 2):
            time_s = start_s + 86_400.0 * day + 60.0 * minute
            share = min(max((minute - 420.0) / 20.0, 0.0), max(0.0, (960.0 - minute) / 20.0), 1.0)
            if day == 8 and minute > 424:
                break
            items.append((time_s, Fix(time_s=time_s, lat=60.17 + 0.045 * share, lon=24.94)))
            away = 418 <= minute < 958
            if minute % 4 == 0:
                seen = not away or day == 8
                items.append((time_s + 1.0, home(time_s + 1.0, seen)))
                items.append((time_s + 1.0, home(time_s + 1.0, True, "Umbrella")))
    signals_late = sorted(
        items, key=lambda one: one[0] + (90.0 if folded and isinstance(one[1], Signal) else 0.0)
    )
    for _, one in signals_late:
        if isinstance(one, Fix):
            life.observe(one)
        else:
            life.observe_signal(one)
    return life


@pytest.mark.parametrize("late", [False, True])
def test_a_life_knows_what_goes_along_to_work(late: bool) -> None:
    life = lived(late)
    known = life.along()
    assert {name: sorted({a for _, a in one}) for name, one in known.items()} == {
        "Bag": [True],
        "Umbrella": [False],
    }
    (bag,), (umbrella,) = life.along_to(known["Bag"]), life.along_to(known["Umbrella"])
    assert bag.along == bag.times >= 5
    assert umbrella.along == 0
    goal = life.posterior()
    assert goal is not None
    assert bag.place_id == f"p{goal.places[0][0]}"


def test_tags_that_come_later_than_positions_teach_the_same() -> None:
    assert lived(folded=True).state.items.outings == lived(folded=False).state.items.outings


def test_a_life_kept_before_things_were_known_opens() -> None:
    old = msgspec.to_builtins(LifeState(person="anna", days=4))
    del old["items"]
    life = Life.load(pack(old))
    assert life.state.items == ItemsState()
    assert life.along() == {}
