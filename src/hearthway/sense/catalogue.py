"""Every signal key Hearthway knows, with unit, type, range, freshness and whose business it is.

`Vehicle.*` are paths of the COVESA Vehicle Signal Specification 6.0 with VSS's own units (speed is km/h, the
state of charge percent, distances metres). `Home.*` follow Matter's cluster attributes. `Person.*` are the phone's.
"""

from __future__ import annotations

import re
from math import isfinite

from msgspec import Struct

from hearthway.records.errors import InputError
from hearthway.records.signals import Signal, Value


class SignalKind(Struct, frozen=True, kw_only=True):
    """One row: what a key means. `freshness_s` is how long a value may be acted on."""

    key: str
    type: str  # "float", "bool", "str"
    unit: str
    low: float | None = None
    high: float | None = None
    freshness_s: float
    personal: bool  # says something about a person: never leaves a node without a rule
    values: tuple[str, ...] = ()
    about: str = ""


def _n(
    key: str,
    unit: str,
    low: float | None,
    high: float | None,
    fresh_s: float,
    about: str,
    *,
    personal: bool = False,
) -> SignalKind:
    return SignalKind(
        key=key,
        type="float",
        unit=unit,
        low=low,
        high=high,
        freshness_s=fresh_s,
        personal=personal,
        about=about,
    )


def _b(key: str, fresh_s: float, about: str, *, personal: bool = False) -> SignalKind:
    return SignalKind(
        key=key, type="bool", unit="", freshness_s=fresh_s, personal=personal, about=about
    )


BATTERY = "Vehicle.Powertrain.TractionBattery"
SOC = f"{BATTERY}.StateOfCharge.Current"
CAPACITY = f"{BATTERY}.NetCapacity"
OUTSIDE = "Vehicle.Exterior.AirTemperature"
CHARGING = f"{BATTERY}.Charging.IsCharging"
PLUGGED = f"{BATTERY}.Charging.IsChargingCableConnected"
ODOMETER = "Vehicle.TraveledDistance"
SPEED = "Vehicle.Speed"
CAR_POSITION = "Vehicle.CurrentLocation"
ALTITUDE = f"{CAR_POSITION}.Altitude"
PHONE_POSITION = "Person.Location"
PHONE_BATTERY = "Person.Phone.Battery"
PRESENCE = "Home.Presence.Occupied"
WITH_CAR = "Person.WithCar"
HOUSE = "Home."  # the stem of every key that tells of the house
PRICE = "Home.Energy.Price"
ROOM = "Home.Climate.Temperature"
SETPOINT = "Home.Climate.Setpoint"
HEATING = "Home.Climate.IsHeating"
NEXT_HEATING = "Home.Climate.NextHeating"
_ITEM = re.compile(r"(Home|Person)\.Items\.([A-Za-z0-9_-]{1,32})\.(Present|WithPhone)")
_LIGHT = re.compile(r"Home\.Lights\.([A-Za-z0-9_-]{1,32})\.OnOff")
LIGHT = "Home.Lights.*.OnOff"

_ROWS = (
    _n(f"{CAR_POSITION}.Latitude", "degrees", -90, 90, 30, "the car's latitude", personal=True),
    _n(f"{CAR_POSITION}.Longitude", "degrees", -180, 180, 30, "the car's longitude", personal=True),
    _n(f"{CAR_POSITION}.Heading", "degrees", 0, 360, 30, "course over ground", personal=True),
    _n(ALTITUDE, "m", -500, 9000, 30, "height", personal=True),
    _n(
        f"{CAR_POSITION}.HorizontalAccuracy",
        "m",
        0,
        1e5,
        30,
        "95 % radius of the position",
        personal=True,
    ),
    _n(SPEED, "km/h", -100, 500, 10, "the car's speed", personal=True),
    _b("Vehicle.IsMoving", 10, "does the car move", personal=True),
    _n(ODOMETER, "m", 0, 4.3e9, 3600, "odometer", personal=True),
    _n(SOC, "percent", 0, 100, 900, "state of charge"),
    _n(f"{BATTERY}.StateOfCharge.CurrentEnergy", "kWh", 0, 500, 900, "energy left"),
    _n(CAPACITY, "kWh", 0, 500, 1e9, "usable capacity"),
    _n(f"{BATTERY}.Range", "m", 0, 4.3e9, 900, "range by the car's own estimate"),
    _b(CHARGING, 900, "is it charging"),
    _b(PLUGGED, 900, "is the charging cable in"),
    _n(OUTSIDE, "celsius", -60, 70, 1800, "outside temperature"),
    _n("Vehicle.Cabin.HVAC.AmbientAirTemperature", "celsius", -60, 90, 600, "cabin temperature"),
    _n(
        f"{PHONE_POSITION}.Latitude", "degrees", -90, 90, 300, "the phone's latitude", personal=True
    ),
    _n(
        f"{PHONE_POSITION}.Longitude",
        "degrees",
        -180,
        180,
        300,
        "the phone's longitude",
        personal=True,
    ),
    _n(f"{PHONE_POSITION}.Speed", "m/s", 0, 350, 60, "the phone's speed", personal=True),
    _n(
        f"{PHONE_POSITION}.Accuracy",
        "m",
        0,
        1e6,
        300,
        "68 % radius of the position",
        personal=True,
    ),
    _n(PHONE_BATTERY, "percent", 0, 100, 1800, "the phone's own battery", personal=True),
    _b("Person.Presence.Home", 3600, "is this person at home", personal=True),
    _b(PRESENCE, 3600, "is somebody at home", personal=True),
    _n("Home.Presence.Count", "", 0, 1000, 3600, "people at home", personal=True),
    _n(ROOM, "celsius", -40, 60, 1800, "room temperature", personal=True),
    _n(SETPOINT, "celsius", 5, 35, 86400, "wanted temperature", personal=True),
    _b(HEATING, 3600, "does the heating heat now", personal=True),
    _n(
        NEXT_HEATING,
        "s",
        0,
        4.3e9,
        86400,
        "when the heating's own schedule heats next (Unix time)",
        personal=True,
    ),
    _b("Home.Items.*.Present", 900, "is that thing at home: its tag is seen there", personal=True),
    _b("Person.Items.*.WithPhone", 900, "does the phone see that thing's tag", personal=True),
    _b(
        WITH_CAR,
        120,
        "does this person's phone ride along: still with the car after 500 m",
        personal=True,
    ),
    _b("Home.Light.OnOff", 86400, "is a light on", personal=True),
    _b(
        LIGHT,
        86400,
        "is that light on; the name is said as it stands, _ for a space",
        personal=True,
    ),
    _n(PRICE, "per kWh", -10, 100, 3600, "price of energy now"),
)
CATALOGUE: dict[str, SignalKind] = {row.key: row for row in _ROWS}

# What other units come to, as (factor, offset): canonical = value * factor + offset.
_CONVERSIONS: dict[tuple[str, str], tuple[float, float]] = {
    ("m/s", "km/h"): (3.6, 0.0),
    ("km/h", "m/s"): (1 / 3.6, 0.0),
    ("mph", "km/h"): (1.609344, 0.0),
    ("mph", "m/s"): (0.44704, 0.0),
    ("km", "m"): (1000.0, 0.0),
    ("mi", "m"): (1609.344, 0.0),
    ("ratio", "percent"): (100.0, 0.0),
    ("Wh", "kWh"): (0.001, 0.0),
    ("fahrenheit", "celsius"): (5 / 9, -160 / 9),
    ("rad", "degrees"): (57.29577951308232, 0.0),
}
_SAME = {"%": "percent", "deg": "degrees", "degree": "degrees", "kmh": "km/h", "Celsius": "celsius"}
_SAME |= {"°C": "celsius", "°F": "fahrenheit", "°": "degrees", "kph": "km/h"}


def item_of(key: str) -> str:
    """The name of the thing whose tag `key` is about; "" for every other key."""
    found = _ITEM.fullmatch(key)
    return found[2] if found and _family(found) in CATALOGUE else ""


def light_of(key: str) -> str:
    """The name of the light that `key` is about; "" for every other key."""
    found = _LIGHT.fullmatch(key)
    return found[1] if found else ""


def light_key(name: str) -> str:
    """The key of the light of that name; InputError where it can be none."""
    key = LIGHT.replace("*", name)
    if light_of(key) != name:
        raise InputError(f"{name[:40]!r} is no name of a light.", "Use letters, digits, - and _.")
    return key


def row_of(key: str) -> SignalKind | None:
    """The row of a key, that of a thing included; None for an unknown one."""
    row = CATALOGUE.get(key)
    if row is not None:  # nearly always: an import asks this for every reading of a life
        return None if "*" in key else row
    found = _ITEM.fullmatch(key)
    if found is not None:
        return CATALOGUE.get(_family(found))
    return CATALOGUE[LIGHT] if light_of(key) else None


def _family(found: re.Match[str]) -> str:
    return f"{found[1]}.Items.*.{found[3]}"


def kind_of(key: str) -> SignalKind:
    """The row of a key; InputError for an unknown one."""
    row = row_of(key)
    if row is None:
        raise InputError(
            f'"{key[:80]}" is no signal Hearthway knows.',
            "The keys stand in hearthway.sense.catalogue; an adapter maps its own names to them.",
        )
    return row


def normalise(signal: Signal) -> Signal:
    """The same reading in the catalogue's unit and type; InputError names key and fault."""
    row = kind_of(signal.key)
    if not isfinite(signal.time_s):
        raise InputError(f"{signal.key} has no time.", "Send Unix seconds with every signal.")
    value = _value(row, signal.value, signal.unit)
    if value is signal.value and signal.unit == row.unit and type(signal) is Signal:
        return signal  # frozen, and in order as it came
    return Signal(
        key=signal.key,
        value=value,
        time_s=signal.time_s,
        unit=row.unit,
        source=signal.source,
        person=signal.person,
    )


def is_fresh(signal: Signal, now_s: float) -> bool:
    """May this value still be acted on at `now_s`? (A value from the future may not.)"""
    return 0.0 <= now_s - signal.time_s <= kind_of(signal.key).freshness_s


def _value(row: SignalKind, value: Value, unit: str) -> Value:
    if value is None:
        return None
    if row.type == "bool":
        if isinstance(value, bool):
            return value
        raise InputError(f"{row.key} must be true or false, not {value!r:.40}.", "")
    if row.type == "str":
        if isinstance(value, str) and (not row.values or value in row.values):
            return value
        raise InputError(f"{row.key} must be one of {', '.join(row.values)}.", "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{row.key} must be a number, not {value!r:.40}.", "")
    number = _convert(row, float(value), unit)
    if not isfinite(number):
        raise InputError(f"{row.key} is not a finite number.", "Leave out readings that failed.")
    if (row.low is not None and number < row.low) or (row.high is not None and number > row.high):
        raise InputError(
            f"{row.key} = {number:g} {row.unit} is out of its range {row.low:g} to {row.high:g}.",
            "Check the unit the source sends.",
        )
    return number


def _convert(row: SignalKind, number: float, unit: str) -> float:
    unit = _SAME.get(unit, unit)
    if unit in ("", row.unit):
        return number
    rule = _CONVERSIONS.get((unit, row.unit))
    if rule is None:
        raise InputError(
            f'{row.key} is in {row.unit or "no unit"}, not "{unit[:20]}".', "Convert at the source."
        )
    return number * rule[0] + rule[1]
