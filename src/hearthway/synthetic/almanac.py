"""What happens on which day: drawn once for the household, before anybody moves.

Every draw has a stream of its own, named by seed, day and purpose, so that changing one thing (the dinner
habit, the driver) leaves all other days as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from math import cos, pi
from random import Random

from hearthway.records.localtime import DAY_S, utc_offset_s

from .motion import Point
from .settings import Settings

ADULTS = ("a", "b")
EPOCH = date(1970, 1, 1)


@dataclass(slots=True)
class Evening:
    """An adult's dinner out: which of the sites (-1: one never tried), when, and the errand's place in it."""

    site: int
    dinner_s: float  # seconds after local midnight
    eat_s: float
    errand_s: float
    errand_first: bool
    explore: bool  # tries a place to eat instead of a favourite


@dataclass(slots=True)
class Day:
    """One local day of the household."""

    number: int  # local days since 1970-01-01
    weekday: int
    away: bool = False  # the family is on holiday elsewhere
    holiday: bool = False
    sick: str = ""  # who stays at home
    guests: bool = False
    hobby_driver: str = ""
    family_out: Evening | None = None
    visit: bool = False  # to the wider family
    evenings: dict[str, Evening] = field(default_factory=dict)
    detours: dict[str, bool] = field(default_factory=dict)


class Calendar:
    """The days of a household, in order; the last is the day of the final drive."""

    def __init__(self, settings: Settings, here: Point, sites: int) -> None:
        self.settings = settings
        self.here = here
        self.last = (settings.end - EPOCH).days
        self.first = self.last - settings.weeks * 7 + 1
        self.evening_weekdays = self._habits()
        self.days = self._draw(sites)

    def unix(self, day: int, second: float) -> float:
        """Unix time of a local second of a local day; in a gap or fold of DST the offset before it."""
        guess = day * DAY_S + second
        first = utc_offset_s(*self.here, guess - utc_offset_s(*self.here, guess))
        return guess - utc_offset_s(*self.here, guess - first)

    def temperature_c(self, day: int) -> float:
        """Synthetic weather: a yearly wave by latitude, no map of the climate."""
        lat = abs(self.here[0])
        season = cos(2 * pi * ((day % 365.25) - 200.0) / 365.25)
        if self.here[0] < 0:
            season = -season
        noise = Random(f"{self.settings.seed}/weather/{day // 4}").gauss(0.0, 3.0)
        return max(-15.0, min(35.0, 27.0 - 0.36 * lat + 0.2 * lat * season + noise))

    def _habits(self) -> dict[str, dict[int, float]]:
        """On which weekdays each adult eats out, and how reliably. Both do on the final weekday."""
        final = (self.last + 3) % 7
        rng = Random(f"{self.settings.seed}/habits")
        rest = [d for d in range(5) if d != final]
        rng.shuffle(rest)
        self.hobby_weekday = rest[1]
        habits: dict[str, dict[int, float]] = {}
        for i, who in enumerate(ADULTS):
            habits[who] = {
                final: rng.uniform(0.82, 0.92),
                rest[2 * i]: rng.uniform(0.7, 0.85),
                rest[2 * i + 1]: rng.uniform(0.4, 0.6),
            }
        return habits

    def _evening(self, rng: Random, sites: int) -> Evening:
        spread_s = self.settings.dinner_sd_min * 60.0
        swing = max(-2.2, min(2.2, rng.gauss(0.0, 1.0)))
        site = 0
        draw = rng.random()
        if draw > 0.95:
            site = -1
        elif draw > 0.9 and sites > 2:
            site = 2
        elif draw > 0.76 and sites > 1:
            site = 1
        return Evening(
            site=site,
            dinner_s=self.settings.dinner_mean_s + swing * spread_s,
            eat_s=rng.uniform(32.0, 65.0) * 60.0,
            errand_s=rng.uniform(22.0, 50.0) * 60.0,
            errand_first=rng.random() < 0.6,
            explore=rng.random() < 0.15,
        )

    def _draw(self, sites: int) -> list[Day]:
        settings, seed = self.settings, self.settings.seed
        rng = Random(f"{seed}/year")
        count = settings.weeks * 7
        away_from = self.first + rng.randrange(10, max(11, count - 20))
        # a week away begins on a Saturday
        away_from += (5 - (away_from + 3) % 7) % 7
        away = range(away_from, away_from + 8) if settings.weeks >= 5 else range(0)
        days: list[Day] = []
        for number in range(self.first, self.last + 1):
            rng = Random(f"{seed}/day/{number}")
            weekday = (number + 3) % 7
            day = Day(number=number, weekday=weekday)
            holiday, sick, sick_who = rng.random(), rng.random(), rng.choice(("a", "b", "child"))
            guests, visit, family = rng.random(), rng.random(), rng.random()
            detours = {who: rng.random() < 0.08 for who in ADULTS}
            final = number == self.last
            day.away = number in away and not final
            day.holiday = holiday < 0.02 and weekday < 5 and not final
            if sick < 0.05 and weekday < 5 and not final:
                day.sick = sick_who
            day.guests = guests < (0.1 if weekday in (4, 5) else 0.03) and not final
            day.detours = detours
            working = weekday < 5 and not day.holiday and not day.away
            for who in ADULTS:
                stream = Random(f"{seed}/evening/{number}/{who}")
                keeps = stream.random()
                evening = self._evening(stream, sites)
                reliable = self.evening_weekdays[who].get(weekday, 0.03 if weekday < 5 else 0.0)
                if (
                    keeps < reliable
                    and not day.away
                    and not day.holiday
                    and not day.guests
                    and day.sick not in (who, "child")
                ):
                    day.evenings[who] = evening
            if weekday == self.hobby_weekday and working and not day.sick and not final:
                free = [who for who in ADULTS if who not in day.evenings]
                day.hobby_driver = rng.choice(free) if free else ""
            if weekday >= 5 and not day.away and not day.evenings and not final:
                if weekday == 5 and family < 0.45 and not day.guests:
                    day.family_out = self._evening(Random(f"{seed}/family/{number}"), sites)
                    day.family_out.site = max(0, day.family_out.site)
                elif visit < 0.35:
                    day.visit = True
            days.append(day)
        return days
