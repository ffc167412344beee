"""Spots of a place: dense clusters of its stays, at most `MAX_SPOTS`. From them it is seen where a place is two.

A stay that is over belongs to the nearest spot within `SPOT_M`, else it makes a new one; where there are too many, the
two nearest become one. A place with one spot keeps no list: it is that spot itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import hypot

from msgspec import Struct

from hearthway.records.life import Stay
from hearthway.records.localtime import DAY_S, utc_offset_s, weekday

from .day_kind import free_day
from .flat import east_north_m, gap_m

SPOT_M = 60.0
MAX_SPOTS = 8
SPLIT_M = 150.0  # between the middles of two clusters that are two places
SPLIT_STAYS = 5  # in each of them
SPLIT_RATIO = (
    5.0  # that distance over the scatter along it; two halves of a bell have 2.7, of a street 3.5
)
OWNER_M, OWNER_STAYS, OWNER_RATIO = 80.0, 2, 4.0  # when the owner asks for it
ROUNDS = 4


class Tally(Struct, kw_only=True):
    """What is counted of stays: of a place, and of each of its spots."""

    lat: float
    lon: float
    visits: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    night_s: float = 0.0  # seconds stayed between 22:00 and 06:00
    office_s: float = 0.0  # seconds stayed on weekdays between 09:00 and 17:00
    office_days: int = 0
    last_office_day: int = -1
    total_s: float = 0.0
    weeks: int = 0  # local weeks with a stay
    last_week: int = -1
    scatter_m2: float = 0.0  # sum over the stays of their squared distance from the middle


class Spot(Tally, kw_only=True, omit_defaults=True):
    """One cluster."""


class Pair(Struct, frozen=True):
    """Two clusters that the spots of a place form, the one with more stays first, and how far apart they are."""

    larger: list[Spot]
    smaller: list[Spot]
    apart_m: float


def turn(degrees: float) -> float:
    """A difference of longitudes, across the date line as well."""
    return (degrees + 180.0) % 360.0 - 180.0


def absorb(into: Tally, other: Tally) -> None:
    """Add the stays of `other`; the middle and the scatter are those of all. A day or week of both counts twice."""
    visits = into.visits + other.visits
    if other.visits:
        away = _gap(into, other)
        share = other.visits / visits
        into.scatter_m2 += other.scatter_m2 + away * away * into.visits * share
        into.lat += (other.lat - into.lat) * share
        into.lon = turn(into.lon + turn(other.lon - into.lon) * share)
        into.first_s = min(into.first_s, other.first_s) if into.visits else other.first_s
    into.visits = visits
    into.last_s = max(into.last_s, other.last_s)
    into.night_s += other.night_s
    into.office_s += other.office_s
    into.office_days += other.office_days
    into.last_office_day = max(into.last_office_day, other.last_office_day)
    into.total_s += other.total_s
    into.weeks += other.weeks
    into.last_week = max(into.last_week, other.last_week)


def count(tally: Tally, stay: Stay) -> None:
    """Count the time of a stay that is over; its days and weeks once each."""
    tally.last_s = stay.end_s
    tally.total_s += stay.end_s - stay.start_s
    offset = utc_offset_s(stay.lat, stay.lon, stay.start_s)
    begin, end = stay.start_s + offset, min(stay.end_s, stay.start_s + 14 * DAY_S) + offset
    week = int((begin + 3 * DAY_S) // (7 * DAY_S))  # 1 January 1970 was a Thursday
    if week != tally.last_week:
        tally.weeks += 1
        tally.last_week = week
    for day in range(int(begin // DAY_S) - 1, int(end // DAY_S) + 1):
        tally.night_s += _overlap(begin, end, day * DAY_S + 22 * 3600, (day + 1) * DAY_S + 21600)
        if not free_day(weekday(day)):
            hours = _overlap(begin, end, day * DAY_S + 9 * 3600, day * DAY_S + 17 * 3600)
            tally.office_s += hours
            if hours > 3600.0 and day != tally.last_office_day:
                tally.office_days += 1
                tally.last_office_day = day


def as_spot(tally: Tally) -> Spot:
    """The same counts as a spot."""
    return Spot(**{name: getattr(tally, name) for name in Tally.__struct_fields__})


def total(spots: Sequence[Tally]) -> Spot:
    """All of them as one."""
    whole = as_spot(spots[0])
    for spot in spots[1:]:
        absorb(whole, spot)
    return whole


def nearest_spot(spots: Sequence[Spot], lat: float, lon: float) -> tuple[Spot, float]:
    """The nearest spot, the first of equals, and how far it is."""
    return min(
        ((spot, gap_m(spot.lat, spot.lon, lat, lon)) for spot in spots), key=lambda pair: pair[1]
    )


def add_stay(spots: list[Spot], stay: Stay) -> None:
    """A stay that is over joins its spot, or makes one."""
    spot, away = nearest_spot(spots, stay.lat, stay.lon)
    if away > SPOT_M:
        spot, away = Spot(lat=stay.lat, lon=stay.lon, first_s=stay.start_s), 0.0
        spots.append(spot)
    spot.visits += 1
    spot.scatter_m2 += away * away * (spot.visits - 1) / spot.visits
    spot.lat += (stay.lat - spot.lat) / spot.visits
    spot.lon = turn(spot.lon + turn(stay.lon - spot.lon) / spot.visits)
    count(spot, stay)
    tidy(spots)


def tidy(spots: list[Spot]) -> None:
    """Spots nearer to one another than half a spot become one, and so do the nearest where there are too many."""
    while len(spots) > 1:
        a, b = min(combinations(range(len(spots)), 2), key=lambda p: _gap(spots[p[0]], spots[p[1]]))
        if len(spots) <= MAX_SPOTS and _gap(spots[a], spots[b]) > SPOT_M / 2.0:
            return
        absorb(spots[a], spots.pop(b))


def two_of(
    spots: Sequence[Spot],
    *,
    apart_m: float = SPLIT_M,
    stays: int = SPLIT_STAYS,
    ratio: float = SPLIT_RATIO,
) -> Pair | None:
    """The two clusters that the spots form; None where they form one. Two means, from every pair of spots as seeds."""
    best: tuple[float, Pair] | None = None
    for a, b in combinations(spots, 2):
        if _gap(a, b) < apart_m:
            continue
        groups = _two_means(spots, a, b)
        if groups is None:
            continue
        first, second = total(groups[0]), total(groups[1])
        away = _gap(first, second)
        if away < apart_m or min(first.visits, second.visits) < stays:
            continue
        scatter = _along(groups, first, second) / (first.visits + second.visits)
        if away * away < ratio * ratio * scatter or (best is not None and scatter >= best[0]):
            continue
        larger, smaller = groups if first.visits >= second.visits else (groups[1], groups[0])
        best = scatter, Pair(larger, smaller, away)
    return None if best is None else best[1]


def divided(
    spots: Sequence[Spot], one: tuple[float, float], other: tuple[float, float]
) -> tuple[list[Spot], list[Spot]]:
    """The spots nearer to one point and to the other; equally near ones go to the first."""
    groups: tuple[list[Spot], list[Spot]] = ([], [])
    for spot in spots:
        second = gap_m(spot.lat, spot.lon, *other) < gap_m(spot.lat, spot.lon, *one)
        groups[second].append(spot)
    return groups


def _two_means(spots: Sequence[Spot], a: Spot, b: Spot) -> tuple[list[Spot], list[Spot]] | None:
    one, other = (a.lat, a.lon), (b.lat, b.lon)
    groups: tuple[list[Spot], list[Spot]] = ([], [])
    for _ in range(ROUNDS):
        groups = divided(spots, one, other)
        if not groups[0] or not groups[1]:
            return None
        first, second = total(groups[0]), total(groups[1])
        one, other = (first.lat, first.lon), (second.lat, second.lon)
    return groups


def _along(groups: tuple[list[Spot], list[Spot]], first: Spot, second: Spot) -> float:
    """Sum of squares, m², along the line between the two middles, within the clusters."""
    east, north = east_north_m(first.lat, first.lon, second.lat, second.lon)
    length = hypot(east, north)
    squares = 0.0
    for group, middle in zip(groups, (first, second), strict=True):
        for spot in group:
            e, n = east_north_m(middle.lat, middle.lon, spot.lat, spot.lon)
            off = (e * east + n * north) / length
            squares += spot.visits * off * off + spot.scatter_m2 / 2.0
    return squares


def _gap(a: Tally, b: Tally) -> float:
    return gap_m(a.lat, a.lon, b.lat, b.lon)


def _overlap(a: float, b: float, c: float, d: float) -> float:
    return max(0.0, min(b, d) - max(a, c))
