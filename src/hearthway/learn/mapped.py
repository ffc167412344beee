"""What a life looks like on a map: its places, where trips ended that were foreseen or not, and the ways they took.

Positions are rounded to about a metre. A trip counts at the place it led to, wherever its last fix was, as the life knows it
in the end; one that led to no place that was stayed at counts where it ended.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from math import floor, hypot, inf

from msgspec import UNSET, Struct, UnsetType

from hearthway.context.flat import east_north_m, gap_m
from hearthway.context.life import Life
from hearthway.context.places import NOWHERE
from hearthway.records.life import HIT_RADIUS_M, Place
from hearthway.records.poi import PoiIndex
from hearthway.records.signals import Fix

from .regions import Region, regions_of
from .trips import FRACTIONS, Told, Truth

HALF = FRACTIONS.index(50)
DIGITS = 5  # of a degree: about a metre
CELL_DIGITS = 3  # about 100 m: ends so near one another are one mark
ROW_DEG = 0.01  # more than the hit radius
MOST_WAYS = 1_500  # trips, the latest
MOST_POINTS = 12_000  # of all ways together: a report of 20 years stays small
TRACK_POINTS = 2_000  # of one way before it is straightened: beyond it, its steps double
FINEST_M = 5.0  # no receiver is better on the way
STEPS = 1_440  # parts of a region's width that a picture tells apart
Point = tuple[float, float]


class PlaceMapped(Struct, frozen=True, kw_only=True):
    """A place stayed at. `led` trips that were predicted led there; `named`: half way, within 300 m of their end."""

    lat: float
    lon: float
    stays: int
    called: str = ""  # the owner's name, else home or work
    led: int = 0
    named: int = 0
    on_map: bool | UnsetType = UNSET  # where there is a map


class EndMapped(Struct, frozen=True, kw_only=True):
    """Where predicted trips ended at no place that was stayed at."""

    lat: float
    lon: float
    ended: int
    named: int = 0


class LifeMap(Struct, frozen=True, kw_only=True):
    """All of it, most stays and latest ways first; `regions` are the parts that a page draws, most stays first."""

    places: tuple[PlaceMapped, ...]
    ends: tuple[EndMapped, ...]
    ways: tuple[tuple[Point, ...], ...]  # of the latest predicted trips, thinned
    ways_older: int = 0  # of earlier ones, left out
    regions: tuple[Region, ...]


class Ways:
    """The ways of the latest trips, thinned as each is over."""

    def __init__(self, truths: Sequence[Truth], apart_m: float) -> None:
        """`apart_m`: how far a way may be drawn from where it was."""
        self._apart_m = max(FINEST_M, apart_m)
        self.older = max(0, len(truths) - MOST_WAYS)  # ways that were left out
        self._truths = iter(truths[-MOST_WAYS:])
        self._kept: deque[tuple[Point, ...]] = deque()
        self._points = 0
        self._track: list[Point] = []
        self._last: Point | None = None
        self._step_m = self._apart_m
        self._start_s = self._end_s = inf
        self._next()

    def take(self, fix: Fix) -> None:
        """Take the next fix."""
        if fix.time_s < self._start_s:
            return
        while fix.time_s > self._end_s:
            self._finish()
        if fix.time_s < self._start_s:
            return
        track, self._last = self._track, (fix.lat, fix.lon)
        if not track or gap_m(*track[-1], *self._last) >= self._step_m:
            track.append(self._last)
            if len(track) > TRACK_POINTS:
                del track[1::2]
                self._step_m *= 2.0

    def latest(self) -> tuple[tuple[Point, ...], ...]:
        """The ways, the latest first; call once, after the last fix."""
        self._finish()
        return tuple(reversed(self._kept))

    def _next(self) -> None:
        truth = next(self._truths, None)
        self._start_s, self._end_s = (inf, inf) if truth is None else (truth.start_s, truth.end_s)

    def _finish(self) -> None:
        track, last = self._track, self._last
        if last is not None and last != track[-1]:
            track.append(last)
        if len(track) > 1:
            way = straightened(track, self._apart_m)
            self._kept.append(tuple((round(lat, DIGITS), round(lon, DIGITS)) for lat, lon in way))
            self._points += len(way)
            while self._points > MOST_POINTS:
                self._points -= len(self._kept.popleft())
                self.older += 1
        self._track, self._last, self._step_m = [], None, self._apart_m
        self._next()


def straightened(track: Sequence[Point], apart_m: float) -> list[Point]:
    """The points that a way cannot do without (Ramer 1972, Douglas & Peucker 1973): none left out lies `apart_m` off."""
    flat = [east_north_m(*track[0], lat, lon) for lat, lon in track]
    kept = {0, len(track) - 1}
    todo = [(0, len(track) - 1)]
    while todo:
        first, last = todo.pop()
        (x0, y0), (x1, y1) = flat[first], flat[last]
        dx, dy = x1 - x0, y1 - y0
        long = hypot(dx, dy)
        worst, worst_m = first, apart_m
        for i in range(first + 1, last):
            x, y = flat[i][0] - x0, flat[i][1] - y0
            along = (x * dx + y * dy) / long if long else 0.0
            if 0.0 < along < long:
                off_m = abs(x * dy - y * dx) / long
            else:
                off_m = hypot(x, y) if along <= 0.0 else hypot(x - dx, y - dy)
            if off_m > worst_m:
                worst, worst_m = i, off_m
        if worst != first:
            kept.add(worst)
            todo += [(first, worst), (worst, last)]
    return [track[i] for i in sorted(kept)]


def regions_for(life: Life, truths: Sequence[Truth]) -> tuple[Region, ...]:
    """Where this life is drawn: by its stays, or by where its trips ended where nobody was seen to stay."""
    stayed = [(place.lat, place.lon, float(place.visits)) for place in life.places()]
    ended = Counter(_cell(truth) for truth in truths)
    return regions_of(stayed or [(*cell, float(count)) for cell, count in ended.items()])


def _cell(truth: Truth) -> Point:
    return round(truth.lat, CELL_DIGITS), round(truth.lon, CELL_DIGITS)


def mapped(
    life: Life,
    truths: Sequence[Truth],
    told: Sequence[Told],
    ways: Ways,
    regions: tuple[Region, ...],
    pois: PoiIndex | None,
) -> LifeMap | None:
    """The map of a life that is over so far; `told` is what was said of each of `truths`. None where there is nothing."""
    if not regions:
        return None
    indices = [index for index, place in enumerate(life.state.places) if place.visits]
    places = dict(zip(indices, life.places(), strict=True))
    led_to = {trip.depart_s: trip.destination for trip in life.trips}
    near = _Near(places)
    counts = {index: [0, 0] for index in places}
    elsewhere: dict[Point, list[int]] = {}
    for truth, one in zip(truths, told, strict=True):
        index = led_to.get(truth.start_s, NOWHERE)
        if index not in counts:  # to no place stayed at, or longer ago than a life keeps its trips
            index = near.of(truth.lat, truth.lon)
        count = counts[index] if index in counts else elsewhere.setdefault(_cell(truth), [0, 0])
        count[0] += 1
        count[1] += one.guesses[HALF].hit
    return LifeMap(
        places=tuple(
            PlaceMapped(
                lat=round(place.lat, DIGITS),
                lon=round(place.lon, DIGITS),
                stays=place.visits,
                called=place.called,
                led=counts[index][0],
                named=counts[index][1],
                on_map=UNSET if pois is None else pois.covers(place.lat, place.lon),
            )
            for index, place in sorted(places.items(), key=lambda one: (-one[1].visits, one[0]))
        ),
        ends=tuple(
            EndMapped(lat=lat, lon=lon, ended=ended, named=named)
            for (lat, lon), (ended, named) in sorted(
                elsewhere.items(), key=lambda one: (-one[1][0], one[0])
            )
        ),
        ways=ways.latest(),
        ways_older=ways.older,
        regions=regions,
    )


class _Near:
    """The nearest place within the hit radius, found by rows of latitude."""

    def __init__(self, places: Mapping[int, Place]) -> None:
        self._rows: dict[int, list[tuple[int, Place]]] = {}
        for index, place in places.items():
            self._rows.setdefault(floor(place.lat / ROW_DEG), []).append((index, place))

    def of(self, lat: float, lon: float) -> int:
        """Its index; NOWHERE where there is none."""
        row = floor(lat / ROW_DEG)
        found = (
            (gap_m(lat, lon, place.lat, place.lon), index)
            for beside in (row - 1, row, row + 1)
            for index, place in self._rows.get(beside, ())
        )
        away_m, index = min(found, default=(inf, NOWHERE))
        return index if away_m <= HIT_RADIUS_M else NOWHERE
