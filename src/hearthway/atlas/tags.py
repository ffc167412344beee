"""What OpenStreetMap's tags mean here: which things are POIs, which ways a car may drive, and how fast.

Sources: the OpenStreetMap wiki (Key:access, Key:oneway, Key:maxspeed and its implicit values).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from hearthway.records.poi import FOOD

MAX_TEXT = 200  # characters of a name; longer ones are vandalism or an essay
MAX_HOURS = 1000
AREA_SHOPS = ("mall", "department_store", "supermarket")

# Speed limit where none is tagged (km/h), and the share of the limit that a car keeps over a whole
# street: junctions, lights and bends. The shares are assumptions for daytime traffic, not measured.
CLASSES: dict[str, tuple[int, float]] = {
    "motorway": (120, 0.90),
    "motorway_link": (60, 0.80),
    "trunk": (90, 0.85),
    "trunk_link": (50, 0.80),
    "primary": (70, 0.75),
    "primary_link": (45, 0.75),
    "secondary": (60, 0.70),
    "secondary_link": (40, 0.70),
    "tertiary": (50, 0.65),
    "tertiary_link": (35, 0.65),
    "unclassified": (50, 0.60),
    "residential": (40, 0.60),
    "road": (40, 0.60),
    "living_street": (15, 0.80),
    "service": (20, 0.75),
    "track": (20, 0.75),
    "ferry": (20, 1.0),
}
ONLY_WITH_CONSENT = ("track",)  # drivable only where a tag says so
# Where no limit is tagged, a built-up area's limit caps these classes.
IMPLICIT_KMH = {"urban": 50, "rural": 80, "trunk": 100, "motorway": 120, "living_street": 15}

NO_ENTRY = (
    "no",
    "private",
    "agricultural",
    "forestry",
    "agricultural;forestry",
    "emergency",
    "delivery",
    "military",
    "psv",
    "bus",
    "permit",
)
BLOCKING = ("block", "bollard", "jersey_barrier", "log", "debris", "planter", "sump_buster")
_OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
USED = ("name", "brand", "cuisine", "opening_hours", "type")  # of a POI: the rest is let go at once
_OUTPUT = re.compile(r"socket:[a-z0-9_]+:output|charging_station:output")
_POWER = re.compile(r"(\d{1,7}(?:[.,]\d{1,3})?)\s*(kw|w)", re.IGNORECASE)
MAX_KW = 1000.0  # more is a slip of a unit
PASSABLE = ("yes", "permissive", "designated", "destination", "customers")


class Direction(NamedTuple):
    """May a car drive along the way, and against it?"""

    forward: bool
    backward: bool


class RoadClass(NamedTuple):
    """A drivable way: its directions and the speed a car keeps on it, in tenths of km/h."""

    direction: Direction
    speed_dkmh: int


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text for people: any script, no control or direction-override characters, bounded length."""
    kept = "".join(
        " " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c
        for c in text[: 4 * limit]
        if c not in _OVERRIDES
    )
    return " ".join(kept.split())[:limit]


def poi_kind(tags: Mapping[str, str]) -> str | None:
    """The kind of POI these tags make, or None."""
    if tags.get("disused") == "yes" or tags.get("abandoned") == "yes":
        return None
    amenity = tags.get("amenity", "")
    for value in amenity.split(";"):
        if value.strip() in FOOD:
            return value.strip()
    if amenity in ("charging_station", "parking"):
        if tags.get("access") in ("no", "private"):
            return None
        return "charger" if amenity == "charging_station" else "parking"
    shop = tags.get("shop", "")
    if not shop or shop in ("no", "vacant"):
        return None
    values = [value.strip() for value in shop.split(";")]
    return next((kind for kind in AREA_SHOPS if kind in values), "shop")


def cuisines(tags: Mapping[str, str]) -> tuple[str, ...]:
    """The cuisines as tagged, lower case, in their order, at most eight."""
    parts = re.split(r"[;,]", tags.get("cuisine", "").lower())
    cleaned = (clean(part, 40).replace(" ", "_") for part in parts)
    return tuple(dict.fromkeys(part for part in cleaned if part))[:8]


def tells_power(key: str) -> bool:
    """Is this the key of what a charger gives?"""
    return _OUTPUT.fullmatch(key) is not None


def power_kw(tags: Mapping[str, str]) -> float | None:
    """The most that any plug of a charger gives (Key:socket); None where no output has a unit, for then it is a guess."""
    found = []
    for key, value in tags.items():
        if not tells_power(key):
            continue
        for part in value[:MAX_TEXT].split(";"):
            match = _POWER.fullmatch(part.strip())
            if match is not None:
                number = float(match[1].replace(",", "."))
                found.append(number if match[2].lower() == "kw" else number / 1000.0)
    return max((kw for kw in found if 0.0 < kw <= MAX_KW), default=None)


def _entry(tags: Mapping[str, str]) -> str | None:
    for key in ("motorcar", "motor_vehicle", "vehicle", "access"):
        value = tags.get(key)
        if value is not None:
            return value
    return None


def barrier_blocks(tags: Mapping[str, str]) -> bool:
    """Does a node with these tags stop a car?"""
    barrier = tags.get("barrier")
    if barrier is None:
        return False
    entry = _entry(tags)
    if entry is not None:
        return entry in NO_ENTRY
    return barrier in BLOCKING


def maxspeed_kmh(value: str) -> int | None:
    """The limit in km/h; the lowest of several; None where it says nothing."""
    found: list[int] = []
    for raw in value.lower().split(";"):
        part = raw.strip()
        if part == "none":
            found.append(130)
            continue
        if part == "walk":
            found.append(7)
            continue
        match = re.fullmatch(r"(\d{1,3})(?:\.\d+)?\s*(km/h|kmh|kph|mph|knots)?", part)
        if match:
            scale = {"mph": 1.609344, "knots": 1.852}.get(match[2] or "", 1.0)
            found.append(round(int(match[1]) * scale))
            continue
        implicit = re.fullmatch(r"[a-z]{2}(?:-[a-z]+)?:(?:zone:?)?([a-z_]+|\d{1,3})", part)
        if implicit:
            name = implicit[1]
            kmh = int(name) if name.isdigit() else IMPLICIT_KMH.get(name)
            if kmh is not None:
                found.append(kmh)
    usable = [kmh for kmh in found if 5 <= kmh <= 150]
    return min(usable) if usable else None


def _direction(tags: Mapping[str, str], highway: str) -> Direction:
    oneway = tags.get("oneway:motor_vehicle", tags.get("oneway", ""))
    if oneway in ("yes", "1", "true"):
        return Direction(forward=True, backward=False)
    if oneway in ("-1", "reverse"):
        return Direction(forward=False, backward=True)
    if oneway == "reversible":
        return Direction(forward=False, backward=False)
    implied = highway in ("motorway", "motorway_link") or tags.get("junction") in (
        "roundabout",
        "circular",
    )
    if implied and oneway not in ("no", "0", "false"):
        return Direction(forward=True, backward=False)
    return Direction(forward=True, backward=True)


def _ferry(tags: Mapping[str, str]) -> RoadClass | None:
    if tags.get("route") != "ferry" or _entry(tags) not in PASSABLE:
        return None  # without a word about cars a ferry may well carry people only
    return RoadClass(_direction(tags, "ferry"), CLASSES["ferry"][0] * 10)


def road(tags: Mapping[str, str]) -> RoadClass | None:
    """How a car drives a way with these tags; None where it may not."""
    highway = tags.get("highway", "")
    if not highway:
        return _ferry(tags)
    rule = CLASSES.get(highway)
    if rule is None or highway == "ferry" or tags.get("area") == "yes":
        return None
    entry = _entry(tags)
    if entry in NO_ENTRY or tags.get("service") == "emergency_access":
        return None
    if highway in ONLY_WITH_CONSENT and entry not in PASSABLE:
        return None
    if tags.get("impassable") == "yes" or tags.get("smoothness") == "impassable":
        return None
    direction = _direction(tags, highway)
    if not (direction.forward or direction.backward):
        return None
    default_kmh, share = rule
    limit_kmh = maxspeed_kmh(tags.get("maxspeed", "")) or default_kmh
    if tags.get("junction") in ("roundabout", "circular"):
        limit_kmh = min(limit_kmh, 40)
    if highway == "service":
        limit_kmh = min(limit_kmh, default_kmh)
    return RoadClass(direction, max(40, round(limit_kmh * share * 10)))
