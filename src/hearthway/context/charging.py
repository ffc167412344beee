"""Where the car charges, and the first trip of each day that it makes: from what it tells of its charge, and where it stands.

The car is where the last trip ended on which its charge fell or its odometer rose. It charged there where it said so, or
where its charge had risen when it was next heard of, standing there or setting out. What was told anywhere else counts
for no place: then that standing is not counted at all.
"""

from __future__ import annotations

from msgspec import Struct, field

from hearthway.records.localtime import local_day, local_second, utc_offset_s, weekday

from .places import KnownPlace

RISE_PCT = 2.0  # a battery that warms up reads a little more by itself
SETTING_OUT_M = 1_000.0  # of the way: farther off it may have charged on the way
FADE_STOOD = 40  # from so many on, old standings count half: chargers come and go
MAX_FIRSTS = 84  # days: twelve weeks
NIGHT_S = 4 * 3600.0  # who drives before four in the morning has not slept yet


class FirstTrip(Struct, frozen=True, array_like=True):
    """The first trip of a day that the car made."""

    day: int  # local, from four to four
    weekday: int
    local_s: float  # seconds after local midnight at departure
    origin: int
    destination: int
    way_m: float


class CarState(Struct, kw_only=True):
    """Where the car stands, what is known of this standing, and the first trips of past days."""

    at: int | None = None  # index of the place
    low_pct: float | None = None  # the least charge told of while it stands there
    told: bool = False  # anything of the charge, since it stands there
    charged: bool = False
    plugged_s: float | None = None  # since when it says that it is charging
    firsts: list[FirstTrip] = field(default_factory=list)
    last_day: int = -1  # the last day with a trip of the car

    def reading(self, soc_pct: float, beside: int | None) -> None:
        """A charge was told while the person is at, or is just leaving, the place `beside`."""
        if self.at is None or beside != self.at or self.low_pct is None:
            return
        self.told = True
        self.charged = self.charged or soc_pct > self.low_pct + RISE_PCT
        self.low_pct = min(self.low_pct, soc_pct)

    def charging(self, time_s: float, beside: int | None, *, on: bool) -> None:
        """The car says whether it is charging."""
        self.plugged_s = time_s if on else None
        if self.at is not None and beside == self.at:
            self.told = True
            self.charged = self.charged or on

    def parked(
        self, places: list[KnownPlace], place: int, soc_pct: float | None, start_s: float
    ) -> None:
        """A trip with the car, begun then, is over: it stands at `place`, and how it stood before counts there."""
        if self.at is not None and self.told:
            stood = places[self.at]
            stood.car_stood += 1
            stood.car_charged += self.charged
            if stood.car_stood >= FADE_STOOD:
                stood.car_stood, stood.car_charged = stood.car_stood // 2, stood.car_charged // 2
        self.at, self.low_pct = place, soc_pct
        self.told = self.charged = self.plugged_s is not None and self.plugged_s >= start_s

    def drove(
        self, start_s: float, point: tuple[float, float], origin: int, place: int, way_m: float
    ) -> None:
        """The car made a trip that began then at `point`; the first of its day is kept."""
        offset = utc_offset_s(*point, start_s)
        day = day_of(start_s, offset)
        if day == self.last_day:
            return
        self.last_day = day
        second = local_second(start_s, offset)
        self.firsts.append(FirstTrip(day, weekday(day), second, origin, place, round(way_m, 1)))
        del self.firsts[:-MAX_FIRSTS]


def day_of(time_s: float, offset_s: int) -> int:
    """The day of a time, which ends at four in the morning."""
    return local_day(time_s - NIGHT_S, offset_s)
