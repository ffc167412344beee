"""One catalogue of keys: units converted, nonsense refused with a sentence."""

from __future__ import annotations

import pytest

from hearthway.records.errors import InputError
from hearthway.records.signals import Signal, Value
from hearthway.sense.catalogue import (
    CATALOGUE,
    SOC,
    SPEED,
    is_fresh,
    item_of,
    normalise,
    row_of,
)


def _signal(key: str, value: Value, unit: str = "", time_s: float = 100.0) -> Signal:
    return Signal(key=key, value=value, time_s=time_s, unit=unit, source="car-1", person="p")


@pytest.mark.parametrize(
    ("key", "value", "unit", "want"),
    [
        (SPEED, 10.0, "m/s", 36.0),
        (SPEED, 36, "km/h", 36.0),
        (SOC, 0.31, "ratio", 31.0),
        (SOC, 31.0, "%", 31.0),
        ("Vehicle.TraveledDistance", 12.0, "km", 12000.0),
        ("Home.Climate.Temperature", 68.0, "°F", 20.0),
    ],
)
def test_units_become_the_catalogues(key: str, value: Value, unit: str, want: float) -> None:
    out = normalise(_signal(key, value, unit))
    assert out.value == pytest.approx(want)
    assert out.unit == CATALOGUE[key].unit
    assert (out.source, out.person, out.time_s) == ("car-1", "p", 100.0)


def test_normalising_twice_changes_nothing() -> None:
    once = normalise(_signal(SPEED, 10.0, "m/s"))
    assert normalise(once) is once
    whole = _signal(SPEED, 10, "km/h")
    assert type(normalise(whole).value) is float
    assert normalise(_signal(SPEED, 10.0)).unit == "km/h"


def test_a_reading_of_another_kind_becomes_a_signal() -> None:
    """A line of a recording has the same fields, and is none."""

    class Line(Signal, frozen=True, kw_only=True):
        pass

    line = Line(key=SPEED, value=10.0, time_s=1.0, unit="km/h", source="car")
    assert type(normalise(line)) is Signal


def test_a_row_of_many_keys_is_not_the_row_of_its_own() -> None:
    for key, row in CATALOGUE.items():
        assert row_of(key) is (None if "*" in key else row)


@pytest.mark.parametrize(
    ("signal", "said"),
    [
        (_signal("Vehicle.Wings", 1.0), "no signal"),
        (_signal(SOC, 101.0), "out of its range"),
        (_signal(SOC, float("nan")), "finite"),
        (_signal(SOC, float("inf")), "finite"),
        (_signal(SOC, "full"), "must be a number"),
        (_signal(SOC, True), "must be a number"),
        (_signal(SOC, 3.0, "furlong"), "percent"),
        (_signal("Vehicle.IsMoving", 1.0), "true or false"),
        (_signal(SOC, 3.0, time_s=float("nan")), "no time"),
    ],
)
def test_nonsense_is_refused(signal: Signal, said: str) -> None:
    with pytest.raises(InputError, match=said):
        normalise(signal)


def test_unknown_stays_unknown() -> None:
    assert normalise(_signal(SOC, None)).value is None


def test_freshness() -> None:
    soc = _signal(SOC, 50.0, time_s=1000.0)
    assert is_fresh(soc, 1000.0)
    assert is_fresh(soc, 1900.0)
    assert not is_fresh(soc, 1901.0)
    assert not is_fresh(soc, 999.0)


def test_every_position_is_personal() -> None:
    for key, row in CATALOGUE.items():
        assert row.key == key
        assert row.freshness_s > 0
        if "Location" in key or key.startswith("Person."):
            assert row.personal, key


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Home.Items.Sports-bag_2.Present", "Sports-bag_2"),
        ("Person.Items.Keys.WithPhone", "Keys"),
        ("Home.Items.Items.Present", "Items"),
        ("Home.Items.Keys.WithPhone", ""),  # a home sees no phone
        ("Home.Items.*.Present", ""),
        ("Home.Items..Present", ""),
        ("Home.Items.a.b.Present", ""),
        (f"Home.Items.{'x' * 33}.Present", ""),
        ("Home.Items.Käse.Present", ""),
        ("Home.Climate.Temperature", ""),
    ],
)
def test_a_thing_with_a_tag_has_a_name_and_its_row(key: str, name: str) -> None:
    assert item_of(key) == name
    row = row_of(key)
    if name:
        assert row is not None
        assert row.key == key.replace(f".{name}.", ".*.") or name == "Items"
        assert normalise(_signal(key, True)).key == key
        with pytest.raises(InputError, match="true or false"):
            normalise(_signal(key, 1.0))
    elif "Items" in key:
        assert row is None
        with pytest.raises(InputError, match="no signal"):
            normalise(_signal(key, True))
