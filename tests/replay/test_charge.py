"""A recorded drive with little in the battery, through the phone's real path: store, context, assist, learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hearthway.assist.gate import driving_load
from hearthway.assist.moment import render
from hearthway.assist.settings import GateSettings
from hearthway.atlas.store import Atlas
from hearthway.records.signals import Signal
from hearthway.sense.catalogue import SOC


def with_charge(household: Any, soc_pct: float) -> Any:
    """The same drive, begun with `soc_pct`: what the car used on it stays."""
    ticks = household.drive.ticks
    first = next(s.value for _, signals in ticks for s in signals if s.key == SOC)

    def lowered(signal: Signal) -> Signal:
        if signal.key != SOC or not isinstance(signal.value, float):
            return signal
        return msgspec.structs.replace(signal, value=signal.value - first + soc_pct)

    drive = msgspec.structs.replace(
        household.drive,
        ticks=[(time_s, tuple(lowered(s) for s in signals)) for time_s, signals in ticks],
    )
    return msgspec.structs.replace(household, drive=drive)


def test_a_drive_that_will_not_get_home_is_told_of_chargers(
    household: Callable[..., Any], live_on: Callable[[Any], Any], atlas: Atlas
) -> None:
    evening = live_on(with_charge(household(drive_at="08:00"), 8.0))
    assert [moment.need for moment in evening.suggestions] == ["charge"]
    lines = render(evening.moment)
    assert "charge there: below 5 % at home with p" in lines[1]
    assert evening.moment.options
    for option in evening.moment.options:
        assert atlas.get(option.poi.osm_id) == option.poi
        assert any(line.endswith(f"hours unknown ({option.poi.osm_id})") for line in lines)
    battery = evening.moment.situation.battery
    assert battery is not None
    assert battery.at_arrival_pct > battery.at_home_pct
    assert driving_load(evening.moment.situation) <= GateSettings().max_load


@pytest.mark.parametrize("soc_pct", [60.0, 20.0, 4.0])
def test_with_enough_or_with_too_little_it_says_nothing(
    household: Callable[..., Any], live_on: Callable[[Any], Any], soc_pct: float
) -> None:
    evening = live_on(with_charge(household(drive_at="08:00"), soc_pct))
    assert evening.suggestions == []
