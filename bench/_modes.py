"""Synthetic people who go by foot, bicycle, car, bus and train: nobody lived them, and `hearthway.synthetic` made no part.

The description. One home; five places, each gone to by one mode and always by it: a cafe on foot, a gym by bicycle, a shop by
car, a friend by bus, an office by train. Every day has two or three of them, home in between or not; the way back is by what one
came with. A ride by car begins at the door; one by bus or train after a walk and a wait, with stops (a bus each 300 to 550 m,
lights besides; a train each 1 to 3 km or, on a faster line, each 4 to 12) and ends with a walk. Speeds are trapezoids between two
halts, second by second, at a pace of the day; walkers and cyclists wait at crossings. Ways are bent lines on a plane: no map.

Every second person's car tells its odometer once a minute while it moves. Phones are those of `_lives`, and one more that
writes a fix in five minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import cos, pi, sin, sqrt
from random import Random
from typing import TYPE_CHECKING

from hearthway.records.life import TravelMode
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import ODOMETER

if TYPE_CHECKING:
    from bench._lives import DAY_S, FIRST_DAY, HOUR_S, Phone, Point, shifted, unix
else:  # its own folder is on the path
    from _lives import DAY_S, FIRST_DAY, HOUR_S, Phone, Point, shifted, unix

HOME = (48.2, 11.5)
FAR_M: dict[str, tuple[float, float]] = {
    "foot": (750.0, 2_200.0),
    "bicycle": (2_000.0, 7_000.0),
    "car": (3_000.0, 25_000.0),
    "bus": (2_500.0, 9_000.0),
    "train": (9_000.0, 60_000.0),
}
CLASS: dict[str, TravelMode] = {
    "bus": "transit",
    "train": "transit",
    "foot": "foot",
    "bicycle": "bicycle",
    "car": "car",
}
STYLES = ("bursts", "steady", "sparse", "rare")
Sample = tuple[float, Point, float]


@dataclass(slots=True)
class Went:
    """A way as it truly was."""

    start_s: float
    end_s: float
    mode: TravelMode
    ride_start_s: float
    ride_end_s: float


class OwnPhone(Phone):
    """A phone of `_lives`, and one that writes rarely."""

    def drive(self, samples: list[Sample]) -> None:
        if self._style != "rare":
            super().drive(samples)
            return
        due_s = samples[0][0] + self._rng.uniform(0.0, 300.0)
        for time_s, point, mps in samples:
            if time_s >= due_s:
                self.write(time_s, point, mps)
                due_s = time_s + 300.0


def _hop(length_m: float, most_mps: float, mps2: float, rng: Random) -> Iterator[float]:
    """Metres a second from a halt to the next."""
    peak = min(most_mps, sqrt(length_m * mps2))
    done, mps = 0.0, 0.0
    while done < length_m - 0.5:
        brakes = sqrt(2.0 * mps2 * max(0.0, length_m - done))
        mps = min(mps + mps2, peak * rng.uniform(0.93, 1.03), max(0.5, brakes))
        done += mps
        yield mps


def _ridden(mode: str, metres: float, rng: Random) -> Iterator[float]:
    """Metres a second of a way of that length by that mode."""
    left, fast = metres, rng.random() < 0.5
    pace = {"foot": rng.gauss(1.33, 0.12), "bicycle": rng.gauss(4.7, 0.5)}.get(
        mode, rng.uniform(0.9, 1.1)
    )
    while left > 1.0:
        if mode == "foot":
            length, most, mps2, halt_s = (
                rng.expovariate(1 / 250.0) + 30.0,
                pace,
                0.8,
                rng.uniform(3, 25),
            )
        elif mode == "bicycle":
            length, most, mps2, halt_s = (
                rng.expovariate(1 / 650.0) + 60.0,
                pace,
                0.7,
                rng.uniform(3, 30),
            )
        elif mode == "car":
            town = metres < 6_000.0 or left > metres - 1_500.0 or left < 1_500.0
            length = rng.expovariate(1 / (600.0 if town else 4_000.0)) + 50.0
            most = pace * (rng.uniform(10.0, 15.0) if town else rng.choice((19.0, 24.0, 31.0)))
            mps2, halt_s = rng.uniform(1.2, 2.3), rng.uniform(2, 40)
        elif mode == "bus":
            length, most = rng.uniform(150.0, 550.0), pace * rng.uniform(9.0, 13.5)
            mps2, halt_s = rng.uniform(0.8, 1.3), rng.uniform(8, 30)
        else:
            length = rng.uniform(4_000.0, 12_000.0) if fast else rng.uniform(1_000.0, 3_000.0)
            most = pace * (rng.uniform(30.0, 42.0) if fast else rng.uniform(15.0, 22.0))
            mps2, halt_s = rng.uniform(0.5, 1.0), rng.uniform(25, 60)
        length = min(length, left)
        yield from _hop(length, most, mps2, rng)
        left -= length
        if left > 1.0:
            yield from [0.0] * int(halt_s)


@dataclass
class Mixed:
    """One person: what the phone and the car told, and what was true."""

    seed: int
    style: str
    tells: bool
    ways: list[Went] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    driven_m: float = 9_000_000.0

    def __post_init__(self) -> None:
        self._rng = rng = Random(f"mixed/{self.seed}/{self.style}")
        self.phone = OwnPhone(rng, self.style)
        turn = rng.uniform(0.0, 2 * pi)
        self.places: dict[str, Point] = {}
        for mode, (least, most) in FAR_M.items():
            turn += 2 * pi / len(FAR_M) * rng.uniform(0.8, 1.2)
            far = rng.uniform(least, most)
            self.places[mode] = shifted(HOME, far * cos(turn), far * sin(turn))
        self.at, self.now_s, self.day = HOME, unix(FIRST_DAY, 3 * HOUR_S, HOME), FIRST_DAY

    def live(self, days: int) -> None:
        """So many days."""
        rng = self._rng
        for _ in range(days):
            out = rng.sample(sorted(self.places), rng.choice((2, 2, 3)))
            leave_s = unix(self.day, rng.gauss(8.0, 0.7) * HOUR_S, HOME)
            for mode in out:
                self._rest(max(leave_s, self.now_s + 1_500.0))
                self._go(self.places[mode], mode)
                self._rest(self.now_s + rng.uniform(0.7, 3.0) * HOUR_S)
                self._go(HOME, mode)
                leave_s = self.now_s + rng.uniform(0.5, 1.5) * HOUR_S
            self._rest(unix(self.day, DAY_S + 3 * HOUR_S, HOME))
            self.day += 1

    def items(self) -> list[Fix | Signal]:
        """All that was told, in order."""
        told: list[Fix | Signal] = [*self.signals, *self.phone.fixes]
        return sorted(told, key=lambda item: item.time_s)

    def _rest(self, until_s: float) -> None:
        if until_s > self.now_s:
            self.phone.rest(self.now_s, until_s, self.at)
            self.now_s = until_s

    def _go(self, to: Point, mode: str) -> None:
        rng, begin_s = self._rng, self.now_s
        line = _bent(self.at, to)
        parts = [("foot", rng.uniform(15.0, 70.0)), (mode, 0.0), ("foot", rng.uniform(15.0, 90.0))]
        if mode in ("bus", "train"):
            parts = [
                ("foot", rng.uniform(180.0, 700.0)),
                ("wait", rng.uniform(40.0, 540.0)),
                (mode, 0.0),
                ("foot", rng.uniform(120.0, 600.0)),
            ]
        elif mode == "foot":
            parts = [("foot", 0.0)]
        rest_m = line.length_m - sum(m for what, m in parts if what == "foot")
        samples: list[Sample] = [(begin_s, line.at(0.0), 0.0)]
        done, ride = 0.0, (begin_s, begin_s)
        for what, amount in parts:
            from_s = samples[-1][0]
            speeds = [0.0] * int(amount) if what == "wait" else _ridden(what, amount or rest_m, rng)
            told_s = from_s
            for mps in speeds:
                done += mps
                samples.append((samples[-1][0] + 1.0, line.at(done), mps))
                if what == "car":
                    self.driven_m += mps
                    if self.tells and samples[-1][0] - told_s >= 60.0:
                        told_s = samples[-1][0]
                        self._tell(told_s)
            if what == mode:
                ride = from_s, samples[-1][0]
                if what == "car" and self.tells:
                    self._tell(samples[-1][0])
        self.phone.drive(samples)
        self.at, self.now_s = to, samples[-1][0] + 1.0
        self.ways.append(Went(begin_s, samples[-1][0], CLASS[mode], *ride))

    def _tell(self, time_s: float) -> None:
        metres = float(round(self.driven_m))
        self.signals.append(
            Signal(
                key=ODOMETER, value=metres, time_s=round(time_s, 3), unit="m", source="bench-car"
            )
        )


@dataclass
class _Line:
    """A bent line from a to b."""

    points: list[Point]
    step_m: float

    @property
    def length_m(self) -> float:
        return self.step_m * (len(self.points) - 1)

    def at(self, metres: float) -> Point:
        """The point so far along it."""
        where = min(max(0.0, metres / self.step_m), len(self.points) - 1.001)
        i = int(where)
        part = where - i
        a, b = self.points[i], self.points[i + 1]
        return a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])


def _bent(a: Point, b: Point) -> _Line:
    """The same curve there and back, about a tenth longer than the bee-line."""
    low, high = min(a, b), max(a, b)
    side = Random(repr((low, high))).uniform(0.06, 0.12)
    north, east = (
        (high[0] - low[0]) * 111_195.0,
        (high[1] - low[1]) * 111_195.0 * cos(low[0] * pi / 180),
    )
    count = max(20, int(sqrt(north * north + east * east) / 50.0))
    points = []
    for i in range(count + 1):
        t = i / count
        bend = side * sin(2 * pi * t)
        line = low[0] + t * (high[0] - low[0]), low[1] + t * (high[1] - low[1])
        points.append(shifted(line, -bend * east, bend * north))
    metres = sum(
        sqrt(
            ((q[0] - p[0]) * 111_195.0) ** 2
            + ((q[1] - p[1]) * 111_195.0 * cos(p[0] * pi / 180)) ** 2
        )
        for p, q in pairwise(points)
    )
    return _Line(points if low == a else points[::-1], metres / count)
