"""Coordinates of one moment and one source become one fix."""

from __future__ import annotations

from itertools import permutations

import pytest

from hearthway.records.signals import Signal
from hearthway.sense.fixes import FixAssembler, Located

LAT, LON, SPEED = (
    "Vehicle.CurrentLocation.Latitude",
    "Vehicle.CurrentLocation.Longitude",
    "Vehicle.Speed",
)


def _s(key: str, value: float, time_s: float = 1.0, source: str = "car") -> Signal:
    return Signal(key=key, value=value, time_s=time_s, source=source, person="p")


def _feed(*signals: Signal) -> list[Located]:
    assembler = FixAssembler()
    return [found for signal in signals if (found := assembler.feed(signal)) is not None]


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_order_of_halves_does_not_matter(order: tuple[int, ...]) -> None:
    halves = [_s(LAT, 60.1), _s(LON, 24.9)]
    (found,) = _feed(_s(SPEED, 36.0), *[halves[i] for i in order])
    assert (found.fix.lat, found.fix.lon, found.fix.speed_mps) == (60.1, 24.9, 10.0)
    assert (found.source, found.prefix, found.person) == ("car", "Vehicle.CurrentLocation", "p")


def test_halves_of_different_moments_or_sources_do_not_join() -> None:
    assert _feed(_s(LAT, 60.1), _s(LON, 24.9, time_s=2.0)) == []
    assert _feed(_s(LAT, 60.1), _s(LON, 24.9, source="other")) == []
    assert _feed(_s(LAT, 60.1), _s("Person.Location.Longitude", 24.9)) == []


def test_the_origin_of_a_dead_receiver_is_no_fix() -> None:
    assert _feed(_s(LAT, 0.0), _s(LON, 0.0)) == []


def test_a_late_speed_serves_the_next_fix_only_for_a_while() -> None:
    found = _feed(
        _s(LAT, 60.1),
        _s(LON, 24.9),
        _s(SPEED, 72.0),
        _s(LAT, 60.2, 5.0),
        _s(LON, 24.9, 5.0),
        _s(LAT, 60.3, 50.0),
        _s(LON, 24.9, 50.0),
    )
    assert [one.fix.speed_mps for one in found] == [None, 20.0, None]


def test_lonely_halves_do_not_pile_up() -> None:
    assembler = FixAssembler()
    for i in range(1000):
        assembler.feed(_s(LAT, 60.0, float(i)))
    assert sum(len(stream.moments) for stream in assembler.streams) <= 8


def test_names_of_sources_from_outside_pile_up_nowhere() -> None:
    assembler = FixAssembler()
    for n in range(500):
        assembler.feed(_s(LAT, 60.1, source=f"made-up-{n}"))
    assert len(assembler.streams) <= 64
    assembler.feed(_s(LAT, 60.1))
    assert assembler.feed(_s(LON, 24.9)) is not None  # the control
