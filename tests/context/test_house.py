"""What a house's own readings teach: how warm it is with somebody in, and how fast it warms."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from random import Random

import msgspec
import pytest

from hearthway.context.house import KEPT_DAYS, MAX_WARMINGS, HouseState, habits, take
from hearthway.context.life import Life
from hearthway.context.state import LifeState
from hearthway.records.codec import pack
from hearthway.records.signals import Signal
from hearthway.records.situation import HouseHabits
from hearthway.sense.catalogue import HEATING, PRESENCE, ROOM, SETPOINT

HERE = (60.17, 24.94)
MIDNIGHT_S = 1_769_896_800.0  # 2026-02-01 00:00 in Helsinki, a Sunday
DAY_S, HOUR_S = 86_400.0, 3_600.0


def said(hour: float, key: str, value: float | bool | None, day: int = 0) -> Signal:
    return Signal(key=key, value=value, time_s=MIDNIGHT_S + day * DAY_S + hour * HOUR_S)


def learned(signals: Iterable[Signal]) -> HouseState:
    state = HouseState()
    for one in sorted(signals, key=lambda s: s.time_s):
        take(state, one)
    return state


def morning(day: int, *, per_hour_c: float = 1.5, wanted: bool = False) -> list[Signal]:
    """From 18° at six the heating warms to 21°, then holds it until ten; somebody is in from midnight to noon."""
    end = 6.0 + 3.0 / per_hour_c
    day_long = [said(hour, PRESENCE, True, day) for hour in range(12)]
    rise = [
        said(6.0 + n / 6.0, ROOM, min(21.0, 18.0 + per_hour_c * n / 6.0), day)
        for n in range(int((end - 6.0) * 6) + 13)
    ]
    cold = [said(hour, ROOM, 18.0, day) for hour in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.5)]
    held = [said(hour / 2.0, ROOM, 21.0, day) for hour in range(int(2 * end + 5), 24)]
    heat = [said(hour, HEATING, True, day) for hour in (6.0, 7.0, 8.0, 9.0)]
    setpoint = [said(5.9, SETPOINT, 21.0, day)] if wanted else []
    gone = [said(10.0, HEATING, False, day), said(12.0, PRESENCE, False, day)]
    return [*day_long, *cold, *rise, *held, *heat, *setpoint, *gone]


def at(state: HouseState, hour: float, day: int) -> HouseHabits:
    return habits(state, HERE, MIDNIGHT_S + day * DAY_S + hour * HOUR_S)


def test_how_warm_it_is_by_the_hour_with_somebody_in() -> None:
    state = learned(s for day in range(6) for s in morning(day))
    night, _, _, _ = at(state, 3.0, 6).usual
    assert (night.celsius, night.days) == (18.0, 6)
    ten = at(state, 10.0, 6).usual
    assert (ten[0].celsius, ten[0].days) == (21.0, 6)
    assert ten[3].days == 0, "after noon nobody was ever in"
    assert ten[3].celsius is None


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("per_hour_c", [0.75, 1.5, 3.0])
def test_how_fast_it_warms(per_hour_c: float, wanted: bool) -> None:
    """Holding the temperature afterwards is no part of it, whether the wanted one is told or not."""
    state = learned(
        s for day in range(3) for s in morning(day, per_hour_c=per_hour_c, wanted=wanted)
    )
    found = at(state, 3.0, 3).warmings
    assert len(found) == 3
    for rise_c, seconds in found:
        assert rise_c / (seconds / HOUR_S) == pytest.approx(per_hour_c, rel=0.12)


@pytest.mark.parametrize(
    "spoiled",
    [
        [said(5.0, ROOM, None), said(7.0, ROOM, 20.0)],  # from which temperature is not known
        [said(0.0, ROOM, 18.0), said(7.0, ROOM, 20.0)],  # that was six hours ago
        [said(5.9, ROOM, 18.0), said(6.5, ROOM, 18.8)],  # it rose too little
        [said(5.9, ROOM, 18.0), said(6.2, ROOM, 20.0)],  # the sun, or a sensor by the stove
        [said(5.9, ROOM, 18.0)],  # nobody told how it went on
    ],
)
def test_a_warming_that_was_not_seen_teaches_nothing(spoiled: list[Signal]) -> None:
    on = [said(6.0, HEATING, True), said(7.2, HEATING, False), said(8.0, PRESENCE, True)]
    assert learned([*spoiled, *on]).warmings == []
    seen = [said(5.9, ROOM, 18.0), said(6.5, ROOM, 19.0), said(7.0, ROOM, 20.0)]
    (control,) = learned([*seen, *on]).warmings
    assert (control.rise_c, control.seconds) == (2.0, HOUR_S)


def test_a_sensor_that_fell_silent_says_nothing_of_the_hours_after() -> None:
    state = learned([said(0.0, PRESENCE, True), said(0.0, ROOM, 20.0), said(9.0, ROOM, 20.0)])
    assert sum(one.seconds for one in state.hours) == 2 * 1800.0
    quiet = learned([said(0.0, PRESENCE, None), said(0.0, ROOM, 20.0), said(1.0, ROOM, 20.0)])
    assert quiet.hours == []


def test_readings_of_one_instant_may_come_in_any_order() -> None:
    signals = sorted(
        (s for day in range(4) for s in morning(day, wanted=True)), key=lambda s: s.time_s
    )
    want = pack(learned(signals))
    for seed in range(20):
        rng, state = Random(seed), HouseState()
        for _, group in groupby(signals, key=lambda s: s.time_s):
            together = list(group)
            rng.shuffle(together)
            for one in together:
                take(state, one)
        assert pack(state) == want


def test_what_comes_late_or_again_changes_nothing() -> None:
    signals = sorted((s for day in range(2) for s in morning(day)), key=lambda s: s.time_s)
    state = learned(signals)
    before = pack(state)
    for one in signals[:-20]:
        take(state, one)
    take(state, said(3.0, ROOM, 30.0))
    take(state, Signal(key=ROOM, value="warm", time_s=MIDNIGHT_S + 9 * DAY_S))
    take(state, Signal(key="Vehicle.Speed", value=3.0, time_s=MIDNIGHT_S + 9 * DAY_S))
    assert pack(state) == before


def test_a_heating_with_a_programme_is_known_by_what_it_did_with_nobody_in() -> None:
    signals = []
    for day in range(14):
        signals += [said(hour, PRESENCE, False, day) for hour in (15.0, 15.9)]
        signals += [said(16.0, HEATING, True, day), said(18.0, HEATING, False, day)]
    state = learned(signals)
    # the 15th of February is a Sunday, with four days of weekends before it; ten weekdays before the Monday
    assert at(state, 16.5, 14).alone_days == 4
    assert at(state, 16.5, 15).alone_days == 10
    assert at(state, 12.0, 15).alone_days == 0
    together = learned([*signals, *(said(15.95, PRESENCE, True, day) for day in range(14))])
    assert at(together, 16.5, 15).alone_days == 0


def test_nothing_grows_without_bound() -> None:
    state = learned(s for day in range(200) for s in morning(day, wanted=True))
    assert len(state.hours) <= KEPT_DAYS * 24
    assert len(state.warmings) == MAX_WARMINGS
    assert len(pack(state)) < 30_000


def test_a_life_kept_before_houses_were_learned_of_opens() -> None:
    """The stored state of an earlier version has no such field."""
    old = msgspec.to_builtins(LifeState(person="anna", days=4))
    del old["house"]
    life = Life.load(pack(old))
    assert life.state.days == 4
    assert life.state.house == HouseState()
    life.observe_signal(said(1.0, ROOM, 20.0))
    assert life.house_habits(HERE, MIDNIGHT_S).warmings == ()


def test_who_always_comes_home_to_a_cold_house_is_used_to_it() -> None:
    """So no word every evening: usual is what it was with somebody in, and at half past five that is still cold."""
    signals = []
    for day in range(10):
        signals += [said(hour / 2.0, ROOM, 16.5, day) for hour in range(20, 36)]
        signals += [said(hour, PRESENCE, False, day) for hour in (10.0, 12.0, 14.0, 16.0)]
        signals += [said(17.5 + n, PRESENCE, True, day) for n in range(6)]
        signals += [said(17.5, HEATING, True, day), said(21.0, HEATING, False, day)]
        signals += [said(17.7 + n / 5.0, ROOM, 16.5 + 0.3 * (n + 1), day) for n in range(15)]
    (usual, _, _, late) = at(learned(signals), 17.4, 10).usual
    assert usual.celsius is not None
    assert usual.celsius - 16.5 < 1.0
    assert late.celsius is not None
    assert late.celsius - 16.5 > 3.0
