"""The battery as expected: what past trips in this car taught of it, and what the way ahead will take."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field, structs

from .energy import Stretch
from .heights import FRESH_S, Heights, rises
from .range_model import DriveState, Forecast, RangeModel, RangeState

MIN_TRIP_M = 2_000.0
MIN_TRIPS = 3
ROAD_FACTOR = 1.3  # way by road over bee-line, until this person's own trips say otherwise
AIR_FRESH_S = 1_800.0  # as the catalogue has it for the outside temperature
# Without a map a way's speed follows from its length: short ones are town. What a person makes of it is a habit.
TOWN_MPS, COUNTRY_MPS, HALF_WAY_M = 6.0, 26.0, 12_000.0


class Shown(Struct):
    """What was forecast at departure for the place that seemed likeliest."""

    place: int
    forecast: Forecast


class BatteryState(Struct, kw_only=True):
    """What is known of the battery; percentages."""

    soc_pct: float | None = None
    soc_time_s: float = 0.0
    source: str = ""
    start_pct: float | None = None  # at the start of this trip
    rose: bool = False  # charged on the way: such a trip teaches nothing
    air_c: float | None = None
    air_time_s: float = 0.0
    air_source: str = ""
    size_kwh: float | None = None  # as told last; what the range model begins with is its own
    size_s: float = 0.0
    size_source: str = ""
    heights: Heights = field(default_factory=Heights)
    range: RangeState = field(default_factory=RangeState)
    drive: DriveState | None = None
    shown: Shown | None = None

    @property
    def trips(self) -> int:
        """How many trips were learned from."""
        return self.range.trips

    @property
    def fell(self) -> bool:
        """Has the charge fallen on this trip? Then the car went along."""
        start_pct, soc_pct = self.start_pct, self.soc_pct
        return start_pct is not None and soc_pct is not None and start_pct > soc_pct

    def reading(self, soc_pct: float, time_s: float, source: str) -> None:
        """Take a state of charge."""
        if time_s < self.soc_time_s:
            return
        if self.soc_pct is None and self.drive is not None:
            self.drive = self._standing(
                time_s
            )  # the first of all: what it uses is known from here on
        if self.soc_pct is not None and soc_pct > self.soc_pct + 1.0:
            self.rose = True
        self.soc_pct, self.soc_time_s, self.source = soc_pct, time_s, source
        if self.start_pct is None:
            self.start_pct = soc_pct
        if self.drive is not None:
            RangeModel(self.range).charge(self.drive, time_s, soc_pct)

    def air(self, celsius: float, time_s: float, source: str) -> None:
        """Take the outside temperature."""
        if time_s < self.air_time_s:
            return
        self.air_c, self.air_time_s, self.air_source = celsius, time_s, source
        if self.drive is not None:
            RangeModel(self.range).air(self.drive, celsius)

    def capacity(self, kwh: float, time_s: float, source: str) -> None:
        """Take the battery's usable size."""
        if time_s >= self.size_s and kwh > 0.0:
            self.size_kwh, self.size_s, self.size_source = kwh, time_s, source
        RangeModel(self.range).capacity(kwh)

    def depart(self, time_s: float) -> None:
        """A trip begins."""
        self.start_pct = self.soc_pct
        self.rose = False
        self.shown = None
        self.heights.begin()
        self.drive = self._standing(time_s)

    def move(self, time_s: float, mps: float, metres: float) -> None:
        """A position on the way: the speed there, and metres since the last."""
        if self.drive is not None and time_s > self.drive.last_s:
            height_m = self.heights.step(time_s, metres)
            if self.soc_pct is None:
                return  # of a car that told no charge, or of none: nothing is learned of what it uses
            RangeModel(self.range).speed(self.drive, time_s, mps, metres=metres, height_m=height_m)

    @property
    def foretells(self) -> bool:
        """Is enough known for a forecast of this drive?"""
        known = self.soc_pct is not None and self.range.trips >= MIN_TRIPS
        return known and self.drive is not None

    def expect(self, place: int, length_m: float, heights_m: Sequence[float | None] = ()) -> None:
        """At departure: keep what is forecast for the likeliest place, to be held to it."""
        if self.drive is None:
            self.shown = None
            return
        told = self.ahead(self.drive.last_s, [length_m], heights_m)
        self.shown = Shown(place, told[0]) if told else None

    def arrive(self, length_m: float, place: int, *, driven: bool = True) -> None:
        """A trip of `length_m` to `place` is over; it teaches where the car went along and was not charged."""
        drive, soc = self.drive, self.soc_pct
        if (
            driven
            and drive is not None
            and soc is not None
            and self.start_pct is not None
            and not self.rose
            and length_m >= MIN_TRIP_M
            and self.start_pct > soc
        ):
            held = [self.shown.forecast] if self.shown and self.shown.place == place else []
            way = usual(length_m, self.heights.risen_m)
            RangeModel(self.range).arrive(drive, soc, [way], held)
        self.start_pct = soc
        self.rose = False
        self.drive = self.shown = None

    def height(self, now_s: float) -> float | None:
        """How high the car is, metres; None where it told none lately."""
        drive = self.drive
        told = self.heights.since((now_s if drive is None else drive.last_s) - FRESH_S)
        if told is None or drive is None or self.heights.here_m is None:
            return told
        return self.heights.here_m

    def ahead(
        self, now_s: float, lengths_m: Sequence[float], heights_m: Sequence[float | None] = ()
    ) -> list[Forecast]:
        """The charge after each way, one behind the other; empty before `MIN_TRIPS` trips.

        The first goes on from now. Before each further one the car has stood and is as cold as the air.
        `heights_m`: of where the first begins, and of where each ends; none given, all are taken to be level.
        """
        if self.soc_pct is None or self.range.trips < MIN_TRIPS:
            return []
        model, drive = RangeModel(self.range), self.drive or self._standing(now_s)
        driven_m = drive.effort.length_m
        done = [usual(driven_m, self.heights.risen_m)] if driven_m > 0.0 else []
        climbs = rises(heights_m) if heights_m else [0.0] * len(lengths_m)
        told: list[Forecast] = []
        for length_m, rise_m in zip(lengths_m, climbs, strict=True):
            left = told[-1].arrival_pct if told else self.soc_pct
            after = model.forecast(drive, left, [usual(length_m, rise_m)], done)
            told.append(_behind(told[-1], after) if told else after)
            drive, done = self._standing(now_s), []
        return told

    def outside(self, now_s: float) -> float | None:
        """The outside temperature that a forecast made now uses: this trip's, or a fresh one; else None."""
        if self.drive is not None:
            return self.drive.air_c
        return self.air_c if now_s - self.air_time_s <= AIR_FRESH_S else None

    def _standing(self, time_s: float) -> DriveState:
        fresh = self.air_c if time_s - self.air_time_s <= AIR_FRESH_S else None
        return RangeModel(self.range).depart(time_s, self.soc_pct, fresh)


def usual(length_m: float, rise_m: float = 0.0) -> Stretch:
    """A way of which only the length is known, and perhaps how much higher its end is."""
    part = length_m / (length_m + HALF_WAY_M)
    return Stretch(
        length_m=length_m, speed_mps=TOWN_MPS + (COUNTRY_MPS - TOWN_MPS) * part, rise_m=rise_m
    )


def _behind(before: Forecast, after: Forecast) -> Forecast:
    """`after` with the doubt of the way before it, which errs with it."""
    return structs.replace(
        after,
        low_pct=after.low_pct - (before.arrival_pct - before.low_pct),
        high_pct=after.high_pct + (before.high_pct - before.arrival_pct),
        spread_pct=before.spread_pct + after.spread_pct,
    )
