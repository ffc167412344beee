"""Synthetic people who go by foot, bicycle, car, bus and train: nobody lived them. What a trip's mode is taught from.

The description. Seven places a person, each mostly gone to by one mode, drawn around Germany's shares (Mobilitaet in
Deutschland 2017); one to three rounds a day; back by what one came with. Everything that is not known of real ways is
drawn from wide ranges, anew for each person and ride: speeds, how evenly they are kept, distances between halts and how
long these last, detours, queues, waits, transfers, how often a phone writes, how far off it is, whether speeds are told, and
whether, when and on how many drives the car speaks. So a student is taught what holds over all of them, and not one description's numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, exp, log, pi, radians, sin
from random import Random

from msgspec import Struct

from hearthway.records.life import TravelMode
from hearthway.records.signals import Fix, Signal

Point = tuple[float, float]
Sample = tuple[float, Point, float]  # time_s, where, m/s

FIRST_S = 1_767_571_200.0  # Monday, 5 January 2026
HOME = (52.3, 13.1)
DAY_S, HOUR_S = 86_400.0, 3_600.0
KINDS = ("foot", "bicycle", "car", "bus", "train")
CLASSES: dict[str, TravelMode] = {
    "foot": "foot",
    "bicycle": "bicycle",
    "car": "car",
    "bus": "transit",
    "train": "transit",
}
SHARES = (0.2, 0.14, 0.44, 0.11, 0.11)  # flatter than the shares of ways: each mode has to be seen
KEEPS_TO = 0.4  # shape of the gamma that spreads a person's own shares: most keep to one or two modes, many to the car
FAR_M = {
    "foot": (600.0, 3_000.0),
    "bicycle": (900.0, 12_000.0),
    "car": (700.0, 45_000.0),
    "bus": (1_200.0, 15_000.0),
    "train": (3_000.0, 90_000.0),
}
PLACES = 7
# A way's length by its bee-line: countries' roads have 1.1 to 2.1 between towns (Ballou, Rahardja & Sakai 2002).
DETOUR = (1.02, 1.8)
CAR = "synthetic-car"
USUAL, BACK_THE_SAME = 0.85, 0.95
BURST_S = 2.0


class Way(Struct, frozen=True):
    """A way as it truly was."""

    start_s: float
    end_s: float
    mode: TravelMode


class Style(Struct, frozen=True):
    """How a phone writes: a fix in `every_s`, in bursts or not; the share of told speeds; how far off it is."""

    every_s: tuple[float, float]
    burst: bool
    told: float
    spread_m: float
    hole: float  # of rides, a part of which is not seen


class Ride(Struct, frozen=True):
    """How one ride goes: top speeds and how evenly they are kept, halts, and how hard it speeds up."""

    tops_mps: tuple[float, ...]
    uneven: float
    between_m: float  # halts, on the average; lognormal with `between_sd`
    between_sd: float
    halts_s: tuple[float, float]
    mps2: float
    queue: float  # share of the way in stop-and-go


class Traveller:
    """One person: what the phone and the car told, and what was true. The same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._rng = rng = Random(f"traveller/{seed}")
        self.style = _style(rng)
        self.car_says = rng.choice(("", "", "odometer", "speed", "parked"))
        self._says_every_s = rng.choice((60.0, 300.0, 900.0))
        self._says_on = rng.choice((1.0, 0.9, 0.6))  # of the drives
        self.ways: list[Way] = []
        self.items: list[Fix | Signal] = []
        self._at, self._now_s, self._driven_m = HOME, FIRST_S + 3 * HOUR_S, rng.uniform(1e5, 2e8)
        tempered = [share * rng.gammavariate(KEEPS_TO, 1.0) for share in SHARES]
        self._places = [self._place(kind) for kind in rng.choices(KINDS, tempered, k=PLACES)]

    def live(self, days: int) -> None:
        """So many days."""
        rng = self._rng
        for day in range(days):
            morning_s = FIRST_S + day * DAY_S + rng.uniform(6.0, 10.5) * HOUR_S
            for _ in range(rng.choice((1, 1, 2, 2, 3))):
                self._rest(max(morning_s, self._now_s + rng.uniform(0.5, 3.0) * HOUR_S))
                stops = rng.sample(self._places, rng.choice((1, 1, 1, 2)))
                came = ""
                for kind, spot in stops:
                    usual = kind if rng.random() < USUAL else rng.choices(KINDS, SHARES)[0]
                    came = came if came in ("car", "bicycle") else self._fit(usual, spot)
                    self._go(spot, came)
                    self._rest(self._now_s + rng.lognormvariate(log(1.5), 0.7) * HOUR_S)
                back = came if rng.random() < BACK_THE_SAME else self._fit("bus", HOME)
                self._go(HOME, back)
            self._rest(max(self._now_s + HOUR_S, FIRST_S + (day + 1) * DAY_S + 3 * HOUR_S))
        self.items.sort(key=lambda item: item.time_s)

    def _place(self, kind: str) -> tuple[str, Point]:
        least, most = FAR_M[kind]
        far = exp(self._rng.uniform(log(least), log(most)))
        turn = self._rng.uniform(0.0, 2.0 * pi)
        return kind, _shifted(HOME, far * cos(turn), far * sin(turn))

    def _fit(self, kind: str, spot: Point) -> str:
        """`kind`, or what goes so far."""
        far = _metres(self._at, spot)
        if FAR_M[kind][0] * 0.5 <= far <= FAR_M[kind][1] * 1.3:
            return kind
        return "foot" if far < 1_200.0 else "car" if far > 12_000.0 else "bus"

    def _rest(self, until_s: float) -> None:
        rng = self._rng
        at_s = self._now_s + rng.uniform(1.0, 120.0)
        while at_s < until_s:
            self._write(at_s, self._at, 0.0)
            at_s += rng.uniform(400.0, 1_000.0)
        self._now_s = max(self._now_s, until_s)

    def _go(self, to: Point, kind: str) -> None:
        rng, start_s = self._rng, self._now_s
        metres = _metres(self._at, to) * rng.uniform(*DETOUR)
        if metres < 300.0:
            return
        bend = rng.uniform(-0.3, 0.3)
        samples: list[Sample] = []
        done, now_s = 0.0, start_s
        says = self.car_says if rng.random() < self._says_on else ""
        for what, mps in self._speeds(kind, metres):
            now_s += 1.0
            done += mps
            samples.append((now_s, _along(self._at, to, done / metres, bend), mps))
            if what == "car":
                self._driven_m += mps
                self._car(says, now_s, mps)
        if says == "parked" and kind == "car":
            self._odometer(now_s + rng.uniform(0.0, 300.0))
        self._phone(samples)
        self.ways.append(Way(start_s, now_s, CLASSES[kind]))
        self._at, self._now_s = to, now_s + 1.0

    def _speeds(self, kind: str, metres: float) -> Iterator[tuple[str, float]]:
        """(what carries, m/s) second by second, from door to door."""
        rng = self._rng
        if kind in ("foot", "bicycle", "car"):
            yield from _ridden(kind, metres, rng)
            return
        walks = [min(0.3 * metres, rng.lognormvariate(log(350.0), 0.6)) for _ in range(2)]
        legs = 2 if rng.random() < 0.25 else 1
        left = metres - sum(walks)
        yield from _ridden("foot", walks[0], rng)
        for leg in range(legs):
            for _ in range(int(rng.lognormvariate(log(180.0), 0.8))):
                yield "wait", 0.0
            other = rng.random() < 0.5 and leg > 0
            yield from _ridden(
                ("bus" if kind == "train" else kind) if other else kind, left / legs, rng
            )
        yield from _ridden("foot", walks[1], rng)

    def _car(self, says: str, now_s: float, mps: float) -> None:
        if says == "odometer" and now_s % self._says_every_s < 1.0:
            self._odometer(now_s)
        elif says == "speed" and now_s % 10.0 < 1.0:
            kmh = round(3.6 * mps, 1)
            self.items.append(
                Signal(key="Vehicle.Speed", value=kmh, time_s=now_s, unit="km/h", source=CAR)
            )

    def _odometer(self, now_s: float) -> None:
        metres = float(round(self._driven_m))
        self.items.append(
            Signal(key="Vehicle.TraveledDistance", value=metres, time_s=now_s, unit="m", source=CAR)
        )

    def _phone(self, samples: list[Sample]) -> None:
        rng, style = self._rng, self.style
        hole = (rng.uniform(0.0, 0.7), rng.uniform(0.1, 0.5)) if rng.random() < style.hole else None
        due_s = samples[0][0] + rng.uniform(0.0, style.every_s[1])
        until_s = due_s + rng.uniform(8.0, 40.0)
        for number, (time_s, at, mps) in enumerate(samples):
            if time_s < due_s:
                continue
            share = number / len(samples)
            if hole is None or not hole[0] <= share < sum(hole):
                self._write(time_s, at, mps)
            if style.burst and time_s < until_s:
                due_s = time_s + BURST_S
            else:
                due_s = time_s + rng.uniform(*style.every_s)
                until_s = due_s + rng.uniform(8.0, 40.0)

    def _write(self, time_s: float, at: Point, mps: float) -> None:
        rng, style = self._rng, self.style
        spread = style.spread_m * rng.choice((0.6, 1.0, 1.0, 1.0, 3.0))
        lat, lon = _shifted(at, rng.gauss(0.0, spread), rng.gauss(0.0, spread))
        told = rng.random() < style.told
        self.items.append(
            Fix(
                time_s=round(time_s, 3),
                lat=round(lat, 7),
                lon=round(lon, 7),
                accuracy_m=round(1.5 * spread, 1),
                speed_mps=round(max(0.0, mps + rng.gauss(0.0, 0.5)), 2) if told else None,
            )
        )


def _style(rng: Random) -> Style:
    every_s = rng.choice(
        ((2.0, 2.0), (3.0, 8.0), (8.0, 16.0), (25.0, 80.0), (150.0, 420.0), (20.0, 80.0))
    )
    return Style(
        every_s=every_s,
        burst=every_s == (20.0, 80.0),
        told=rng.choice((0.0, 0.0, 0.5, 0.95, 1.0)),
        spread_m=rng.uniform(2.0, 15.0),
        hole=rng.choice((0.0, 0.0, 0.1, 0.25)),
    )


def _ride(kind: str, metres: float, rng: Random) -> Ride:
    """A ride of that kind, drawn from what such rides may be."""
    uneven = rng.uniform(0.02, 0.2)
    if kind == "foot":
        runs = rng.random() < 0.06
        top = rng.uniform(2.2, 3.6) if runs else rng.uniform(0.95, 1.75)
        return Ride((top,), uneven, rng.uniform(100, 700), 0.8, (2.0, 45.0), 0.8, 0.0)
    if kind == "bicycle":
        top = rng.uniform(3.2, 7.4)
        return Ride((top,), 0.15, rng.uniform(200, 1_500), 0.9, (2.0, 45.0), 0.8, 0.0)
    if kind == "car":
        town = (8.3, 13.9, 13.9, 15.3)
        fast = (19.4, 25.0, 27.8, 33.3, 36.0)
        far = metres > 5_000.0 and rng.random() < 0.8
        tops = tuple(rng.choices(town + fast if far else town, k=max(2, int(metres / 1_500.0))))
        between = rng.uniform(250, 1_200) if not far else rng.uniform(700, 6_000)
        queue = rng.choice((0.0, 0.0, 0.05, 0.25))
        return Ride(tops, uneven, between, 0.9, (1.0, 70.0), rng.uniform(1.0, 2.6), queue)
    if kind == "bus":
        express = rng.random() < 0.2
        top = rng.uniform(15.0, 23.0) if express else rng.uniform(8.0, 14.5)
        between = rng.uniform(900, 4_000) if express else rng.uniform(180, 700)
        return Ride((top,), uneven, between, 0.45, (5.0, 45.0), rng.uniform(0.7, 1.5), 0.03)
    top, between = rng.choice(
        (
            (rng.uniform(12.0, 22.0), rng.uniform(500, 1_600)),
            (rng.uniform(20.0, 39.0), rng.uniform(1_500, 6_000)),
            (rng.uniform(33.0, 60.0), rng.uniform(5_000, 30_000)),
        )
    )
    return Ride((top,), 0.03, between, 0.4, (15.0, 80.0), rng.uniform(0.4, 1.1), 0.0)


def _ridden(kind: str, metres: float, rng: Random) -> Iterator[tuple[str, float]]:
    """(kind, m/s) second by second, until so many metres are done."""
    ride = _ride(kind, metres, rng)
    left = metres
    while left > 1.0:
        hop = min(left, max(20.0, rng.lognormvariate(log(ride.between_m), ride.between_sd)))
        part = min(int((1.0 - left / metres) * len(ride.tops_mps)), len(ride.tops_mps) - 1)
        top = ride.tops_mps[part]
        if rng.random() < ride.queue:
            top, hop = rng.uniform(1.5, 6.0), min(hop, 250.0)
        for mps in _hop(hop, top, ride, rng):
            left -= mps
            yield kind, mps
        if left > 1.0:
            for _ in range(int(rng.uniform(*ride.halts_s))):
                yield kind, 0.0


def _hop(metres: float, top: float, ride: Ride, rng: Random) -> Iterator[float]:
    """From a halt to the next: the speed wanders around its top (a first-order autoregression)."""
    done, mps, drift = 0.0, 0.0, 0.0
    while done < metres - 0.5:
        drift = 0.95 * drift + rng.gauss(0.0, 0.3 * ride.uneven)
        stops = (2.0 * ride.mps2 * (metres - done)) ** 0.5
        mps = max(0.4, min(mps + ride.mps2, top * (1.0 + drift), stops, metres - done))
        done += mps
        yield mps


def _metres(a: Point, b: Point) -> float:
    north = (b[0] - a[0]) * 111_195.0
    east = (b[1] - a[1]) * 111_195.0 * cos(radians(a[0]))
    return float((north * north + east * east) ** 0.5)


def _shifted(point: Point, north_m: float, east_m: float) -> Point:
    lat = point[0] + north_m / 111_195.0
    return lat, point[1] + east_m / (111_195.0 * cos(radians(point[0])))


def _along(a: Point, b: Point, share: float, bend: float) -> Point:
    """The point at that share of a bent line from a to b."""
    share = min(1.0, max(0.0, share))
    aside = bend * sin(pi * share)
    north = (b[0] - a[0]) * 111_195.0
    east = (b[1] - a[1]) * 111_195.0 * cos(radians(a[0]))
    return _shifted(a, share * north - aside * east, share * east + aside * north)
