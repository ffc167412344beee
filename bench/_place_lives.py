"""Synthetic lives whose true places are known, as a phone records them: at any interval, with jitter, bias and holes.

Nobody lived them. One works, sleeps at home and goes to some places often and to others once, on foot and by car. Three
of the places are hard: a house before which one parks on either side, the first two times far off; an office and a gym
next door, 180 m apart; and three halls of a campus, 160 m from one to the next, of which the middle one is seen first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import exp
from random import Random

from hearthway.records.geo import distance_m, offset
from hearthway.records.localtime import DAY_S
from hearthway.records.signals import Fix

HOUR_S = 3_600.0
MONDAY_S = 1_709_510_400.0  # Monday 4 March 2024, 00:00 UTC
HOME = (60.20, 24.90)
STEADY_S = 60.0  # in which the error of a position loses all but 1/e
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class TrueStay:
    """Where somebody was, really: a true place, the point of this stay, and from when to when."""

    place: str
    at: Point
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Phone:
    """How a phone records."""

    every_s: float
    jitter_m: float
    hole_p: float = 0.15  # of an hour in which it records nothing


def sites(seed: int, occasional: int = 12) -> dict[str, Point]:
    """The true places: home, the hard ones, shops, and some that are seen once or twice."""
    pick = Random(f"{seed} sites")
    office = offset(*HOME, 2_500.0, 1_500.0)
    campus = offset(*HOME, -3_000.0, 2_500.0)
    found = {
        "home": HOME,
        "office": office,
        "gym": offset(*office, 0.0, 180.0),
        "hall A": offset(*campus, 0.0, -160.0),
        "hall B": campus,
        "hall C": offset(*campus, 0.0, 160.0),
        "friends": offset(*HOME, 1_500.0, -3_500.0),
        "shop": offset(*HOME, -900.0, -800.0),
    }
    while len(found) < 8 + occasional:
        at = offset(*HOME, pick.uniform(-7_000, 7_000), pick.uniform(-7_000, 7_000))
        if min(distance_m(*at, *other) for other in found.values()) > 700.0:
            found[f"once {len(found)}"] = at
    return found


def stays(seed: int, days: int) -> Iterator[TrueStay]:
    """The days in order; between two stays somebody is on the way for a quarter of an hour."""
    pick, where = Random(f"{seed} days"), sites(seed)
    once = sorted(name for name in where if name.startswith("once"))
    visits = 0
    since = MONDAY_S
    for day in range(days):
        midnight = MONDAY_S + day * DAY_S
        plan: list[tuple[str, float, float]] = []
        if day % 7 < 5:
            plan.append(("office", 8.0, 8.5))
            if day % 7 in (1, 3):
                plan += [("shop", 17.1, 0.6), ("gym", 18.7, 1.4)]
            elif day % 7 == 2:
                hall = "hall B" if day < 7 else ("hall A", "hall C")[day // 7 % 2]
                plan += [(hall, 17.0, 1.5)]
            else:
                plan.append(("shop", 17.1, 0.6))
            if day % 7 == 4 and once:
                plan.append((once.pop(0), 18.8, 1.2))
        else:
            halls = ["hall B"] * 2 if day < 7 else ["hall C", "hall A"]
            plan += [(halls[0], 9.0, 1.5), (halls[1], 11.0, 1.5), ("friends", 14.0, 2.5)]
            if once and day % 7 == 6:
                plan.append((once.pop(0), 17.5, 1.0))
        for name, hour, hours in plan:
            begin = midnight + (hour + pick.uniform(-0.15, 0.15)) * HOUR_S
            if begin - since > 2_700.0:
                yield TrueStay("home", HOME, since, begin - 900.0)
            at = where[name]
            if name == "friends":
                side = 1 if visits % 2 else -1
                at = offset(*at, 0.0, side * (115.0 if visits < 2 else 45.0))
                visits += 1
            end = begin + hours * HOUR_S * pick.uniform(0.9, 1.05)
            yield TrueStay(name, at, begin, end)
            since = end + 900.0
    yield TrueStay("home", HOME, since, MONDAY_S + days * DAY_S)


def true_stays(seed: int, days: int) -> list[TrueStay]:
    """The stays in order, all of at least 20 minutes."""
    return list(stays(seed, days))


def recorded(found: list[TrueStay], phone: Phone, seed: int) -> Iterator[Fix]:
    """What a phone writes of it: error that wanders, a bias of each stay of half of it, and hours without a fix."""
    noise, holes = Random(f"{seed} noise {phone.jitter_m}"), Random(f"{seed} holes")
    legs = [*pairwise(found), (found[-1], None)]
    at, bias = 0, (0.0, 0.0)
    hole, silent = -1, False
    time_s, east, north = found[0].start_s, 0.0, 0.0
    fade = exp(-phone.every_s / STEADY_S)
    fresh = (1.0 - fade * fade) ** 0.5
    while time_s < found[-1].end_s:
        while at + 1 < len(legs) and time_s >= legs[at + 1][0].start_s:
            at += 1
            half = phone.jitter_m / 2.0
            bias = noise.gauss(0.0, half), noise.gauss(0.0, half)
        if int(time_s // HOUR_S) != hole:
            hole = int(time_s // HOUR_S)
            silent = holes.random() < phone.hole_p
        east = fade * east + fresh * noise.gauss(0.0, phone.jitter_m)
        north = fade * north + fresh * noise.gauss(0.0, phone.jitter_m)
        if not silent:
            stay, after = legs[at]
            lat, lon = stay.at
            if time_s > stay.end_s and after is not None:
                part = (time_s - stay.end_s) / max(1.0, after.start_s - stay.end_s)
                lat += (after.at[0] - lat) * part
                lon += (after.at[1] - lon) * part
            lat, lon = offset(lat, lon, north + bias[0], east + bias[1])
            yield Fix(time_s=time_s, lat=lat, lon=lon)
        time_s += phone.every_s
