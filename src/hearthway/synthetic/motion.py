"""How a car moves along a way: a documented speed profile where nobody recorded one.

A way is a chain of pieces. A *ruled* piece has points and a speed limit a segment; a car on it accelerates
at 1.6 m/s2, brakes at 2.0 m/s2, slows at corners and halts at drawn stops (lights, crossings). A *recorded*
piece is a drive out of SUMO's traffic, one sample a second, played as it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random

from hearthway.records.geo import bearing_deg, distance_m

ACCELERATION_MPS2 = 1.6
BRAKING_MPS2 = 2.0
CORNER_MPS = 6.0
CORNER_DEG = 50.0
WALK_MPS = 1.3

Point = tuple[float, float]


def gap_m(a: Point, b: Point) -> float:
    """Great-circle metres between two points."""
    return distance_m(a[0], a[1], b[0], b[1])


@dataclass(frozen=True, slots=True)
class Ruled:
    """Points with one limit (m/s) a segment; `stops_per_km` is the mean number of halts drawn."""

    points: tuple[Point, ...]
    limits_mps: tuple[float, ...]
    stops_per_km: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """One sample a second: latitude, longitude, m/s. `battery_wh` by temperature, from FASTSim."""

    samples: tuple[tuple[float, float, float], ...]
    battery_wh: tuple[float, ...] = ()


Piece = Ruled | Recorded


@dataclass(frozen=True, slots=True)
class Motion:
    """One journey: (seconds since its start, latitude, longitude, m/s), in order of time."""

    samples: tuple[tuple[float, float, float, float], ...]
    distance_m: float
    # stretches as (first sample, last sample, Wh by temperature if recorded)
    recorded: tuple[tuple[int, int, tuple[float, ...]], ...] = ()

    @property
    def duration_s(self) -> float:
        """Seconds from the first sample to the last."""
        return self.samples[-1][0]


def _constraints(
    piece: Ruled, rng: Random, end_mps: float
) -> tuple[list[float], list[tuple[float, float, float]]]:
    """Cumulative metres, and (metre, m/s allowed there, seconds to halt) in order, braking kept feasible."""
    points = piece.points
    metres = [0.0]
    for a, b in itertools.pairwise(points):
        metres.append(metres[-1] + distance_m(*a, *b))
    total = metres[-1]
    marks: list[tuple[float, float, float]] = []
    for i in range(1, len(points) - 1):
        allowed = piece.limits_mps[i]
        if metres[i] - metres[i - 1] > 8.0 and metres[i + 1] - metres[i] > 8.0:
            turn = abs(
                (
                    bearing_deg(*points[i], *points[i + 1])
                    - bearing_deg(*points[i - 1], *points[i])
                    + 180.0
                )
                % 360.0
                - 180.0
            )
            if turn > CORNER_DEG:
                allowed = min(allowed, CORNER_MPS)
        marks.append((metres[i], allowed, 0.0))
    expected = piece.stops_per_km * total / 1000.0
    marks.extend(
        (rng.uniform(0.05, 0.95) * total, 0.0, rng.uniform(4.0, 35.0))
        for _ in range(int(expected) + (rng.random() < expected % 1.0))
    )
    marks.append((total, end_mps, 0.0))
    marks.sort()
    for i in range(len(marks) - 2, -1, -1):
        at, allowed, halt = marks[i]
        room = marks[i + 1][0] - at
        feasible = sqrt(marks[i + 1][1] ** 2 + 2.0 * BRAKING_MPS2 * room)
        if feasible < allowed:
            marks[i] = (at, feasible, halt)
    return metres, marks


def _drive_ruled(
    piece: Ruled,
    rng: Random,
    *,
    start_s: float,
    start_mps: float,
    end_mps: float,
    step_s: float,
    out: list[tuple[float, float, float, float]],
) -> tuple[float, float, float]:
    """Appends samples; returns (time at the end, speed at the end, metres)."""
    metres, marks = _constraints(piece, rng, end_mps)
    total = metres[-1]
    pace = rng.uniform(0.9, 1.04)  # this day's traffic and temper
    at, speed, time_s = 0.0, start_mps, start_s
    segment, mark = 0, 0
    points = piece.points
    limits = piece.limits_mps
    while at < total - 0.5:
        while mark < len(marks) - 1 and marks[mark][0] <= at + 0.5:
            halt = marks[mark][2]
            mark += 1
            if halt > 0.0:
                a, b = points[segment], points[segment + 1]
                length = metres[segment + 1] - metres[segment]
                share = (at - metres[segment]) / length if length > 0.0 else 0.0
                lat, lon = a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
                speed = 0.0
                end_s = time_s + halt
                while time_s < end_s:
                    out.append((time_s, lat, lon, 0.0))
                    time_s += step_s
        while segment < len(limits) - 1 and metres[segment + 1] <= at:
            segment += 1
        mark_at, mark_mps, _ = marks[mark]
        room = max(0.0, mark_at - at)
        ceiling = min(limits[segment] * pace, sqrt(mark_mps**2 + 2.0 * BRAKING_MPS2 * room))
        a, b = points[segment], points[segment + 1]
        length = metres[segment + 1] - metres[segment]
        share = (at - metres[segment]) / length if length > 0.0 else 0.0
        out.append((time_s, a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), speed))
        if speed < ceiling:
            speed = min(ceiling, speed + ACCELERATION_MPS2 * step_s)
        else:
            speed = max(ceiling, speed - 2.0 * BRAKING_MPS2 * step_s)
        # a crawl of 1 m/s keeps the last metres before a mark from taking for ever
        moved = max(1.0, speed) * step_s
        if marks[mark][2] > 0.0 or mark == len(marks) - 1:
            moved = min(moved, max(0.5, room))
        at += moved
        time_s += step_s
    return time_s, speed, total


def drive(pieces: Sequence[Piece], rng: Random, *, step_s: float = 1.0) -> Motion:
    """Drive a chain of pieces from standstill to standstill; deterministic in `rng`."""
    out: list[tuple[float, float, float, float]] = []
    recorded: list[tuple[int, int, tuple[float, ...]]] = []
    time_s, speed, metres = 0.0, 0.0, 0.0
    for i, piece in enumerate(pieces):
        if isinstance(piece, Recorded):
            first = len(out)
            previous: tuple[float, float] | None = None
            for lat, lon, mps in piece.samples:
                out.append((time_s, lat, lon, mps))
                time_s += 1.0
                if previous is not None:
                    metres += distance_m(*previous, lat, lon)
                previous = (lat, lon)
            speed = piece.samples[-1][2]
            recorded.append((first, len(out) - 1, piece.battery_wh))
            continue
        end_mps = 0.0
        if i + 1 < len(pieces):
            following = pieces[i + 1]
            end_mps = (
                following.samples[0][2]
                if isinstance(following, Recorded)
                else min(piece.limits_mps[-1], following.limits_mps[0])
            )
        time_s, speed, length = _drive_ruled(
            piece,
            rng,
            start_s=time_s,
            start_mps=speed,
            end_mps=end_mps,
            step_s=step_s,
            out=out,
        )
        metres += length
    last = pieces[-1]
    lat, lon = last.points[-1] if isinstance(last, Ruled) else last.samples[-1][:2]
    out.append((time_s, lat, lon, 0.0))
    return Motion(samples=tuple(out), distance_m=metres, recorded=tuple(recorded))


def walk(a: Point, b: Point, rng: Random) -> Motion:
    """On foot in a straight line at about 1.3 m/s, a sample every 5 s."""
    metres = distance_m(*a, *b)
    pace = rng.uniform(0.85, 1.15) * WALK_MPS
    steps = max(1, int(metres / pace / 5.0))
    samples = tuple(
        (
            5.0 * i,
            a[0] + (b[0] - a[0]) * i / steps,
            a[1] + (b[1] - a[1]) * i / steps,
            pace if i < steps else 0.0,
        )
        for i in range(steps + 1)
    )
    return Motion(samples=samples, distance_m=metres)
