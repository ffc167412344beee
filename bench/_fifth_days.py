"""A day of the fifth description: outings by whatever means, a car that stands where it was left, and a calendar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import merge
from typing import TYPE_CHECKING

from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m
from hearthway.records.localtime import zone_at
from hearthway.records.signals import Fix, Signal

if TYPE_CHECKING:
    from bench._fifth_town import FIRST_DAY, Land, Place, Sample, moving
    from bench._lives import DAY_S, HOUR_S, USES_PCT_PER_KM, Leg, Lived, Point, unix
else:
    from _fifth_town import FIRST_DAY, Land, Place, Sample, moving
    from _lives import DAY_S, HOUR_S, USES_PCT_PER_KM, Leg, Lived, Point, unix

KNOWN = 4  # so often the car has stood where it goes on a quiet day
LOW_PCT = 33.0
WALK_M = 25.0  # nearer than this to the car one does not walk to it
FAR_M = 400.0  # nobody walks farther to the car
MIN_S = 60.0


@dataclass(slots=True)
class Visit:
    """One stop: for so many minutes, and at least until this hour of the day; `stroll`: on foot somewhere and back in its middle."""

    place: Place
    stay: float = 0.0
    until: float = 0.0
    eats: bool = False
    stroll: Place | None = None


@dataclass(slots=True)
class Outing:
    """From the hour on, by "car", "bus", "bicycle", "foot" or "ride" in somebody's car; home again unless it ends elsewhere."""

    hour: float
    by: str
    visits: list[Visit]
    home: bool = True


@dataclass(slots=True)
class Entry:
    """In the calendar: on which day, when, how long (0: all day) and where."""

    day: int
    hour: float
    hours: float
    title: str
    place: Place | None = None
    cancelled: bool = False


@dataclass
class Days(Lived):
    """One life of this description, by whatever means its person moves."""

    day: int = FIRST_DAY
    outings: Callable[[int, bool], list[Outing]] = lambda _day, _quiet: []
    entries: Callable[[int], list[Entry]] = lambda _day: []
    space: Point = (0.0, 0.0)  # where the car stands
    stood: Counter[Point] = field(default_factory=Counter)
    gone: list[tuple[float, float]] = field(default_factory=list)
    left_s: float | None = None

    @property
    def land(self) -> Land:
        """The town, with its places."""
        assert isinstance(self.town, Land)
        return self.town

    def live(self, days: int, *, quiet: bool) -> None:
        """So many days more, each until three at night, or until who works then comes home."""
        for _ in range(days):
            for outing in self.outings(self.day - FIRST_DAY, quiet):
                self._out(outing, quiet=quiet)
            self.rest(self.unix(DAY_S + 3 * HOUR_S))
            self.day += 1

    def _out(self, outing: Outing, *, quiet: bool) -> None:
        """Goes; on a quiet day without what would be a need."""
        new = quiet and outing.by == "car"
        visits = [
            v
            for v in outing.visits
            if not (quiet and v.eats) and not (new and self.stood[v.place.door] < KNOWN)
        ]
        if not visits and self.at == self.town.home:
            return
        self.rest(self.unix(outing.hour * HOUR_S))
        for visit in visits:
            if visit.place.door != self.at:
                self._to(visit.place.door, outing.by, eats=visit.eats)
            until_s = max(self.now_s + visit.stay * MIN_S, self.unix(visit.until * HOUR_S))
            if visit.stroll is not None:
                self.rest((self.now_s + until_s) / 2)
                self._to(visit.stroll.door, "foot")
                self.rest(self.now_s + self.rng.uniform(6, 18) * MIN_S)
                self._to(visit.place.door, "foot")
            self.rest(until_s)
        if outing.home and self.at != self.town.home:
            self._to(self.town.home, outing.by)

    def _to(self, door: Point, by: str, *, eats: bool = False) -> None:
        if by == "car":
            self.go(door, eats=eats)
            return
        self._leaves()
        if by == "foot":
            self._moves(self.land.on_foot(self.at, door), "foot")
        elif by == "bicycle":
            self._moves(self.town.way(self.at, door), "bicycle")
        else:
            stops = self.land.places[self.at].park, self.land.places[door].park
            self._walks(stops[0])
            self.rest(self.now_s + self.rng.uniform(1, 9) * MIN_S)
            self._moves(self.town.way(*stops), "bus" if by == "bus" else "car")
            self._walks(door)
        self._arrives(door)

    def go(self, to: Point, *, eats: bool = False, new: bool = False) -> Leg:
        """Walk to the car, drive there now, and walk to the door."""
        if distance_m(*self.at, *self.space) > FAR_M:
            raise InputError(f"The car of the {self.kind} stands elsewhere.", "Mend its plan.")
        place, begin_s, begin_pct = self.land.places[to], self.now_s, self.soc_pct
        self._leaves()
        self._walks(self.space)
        way = self.town.way(self.space, place.park)
        samples = self._moves([*way, *self.land.around(place.park)] if place.dense else way, "car")
        rate, told_s, done_m = USES_PCT_PER_KM * self.rng.uniform(0.8, 1.25), 0.0, 0.0
        for time_s, _, mps in samples:
            done_m += mps
            if time_s - told_s >= 60.0 or time_s == samples[-1][0]:
                told_s = time_s
                spent = rate * done_m / 1000.0
                self._tell(time_s, begin_pct - spent, self.driven_m + done_m)
        self.soc_pct, self.driven_m = begin_pct - rate * done_m / 1000.0, self.driven_m + done_m
        low = self.electric and self.soc_pct < LOW_PCT
        self.legs.append(Leg(begin_s, self.now_s, to, eats, low, new))
        self.space, self.stood[to] = self.at, self.stood[to] + 1
        self._walks(to)
        self._arrives(to)
        return self.legs[-1]

    def _leaves(self) -> None:
        self.left_s = self.now_s if self.left_s is None else self.left_s

    def _arrives(self, door: Point) -> None:
        self.at = door
        if door == self.town.home and self.left_s is not None:
            self.gone.append((self.left_s, self.now_s))
            self.left_s = None

    def _walks(self, to: Point) -> None:
        if distance_m(*self.at, *to) > WALK_M:
            self._moves(self.land.on_foot(self.at, to), "foot")
        self.at = to

    def _moves(self, points: list[Point], by: str) -> list[Sample]:
        second = (self.now_s - self.unix(0.0)) / HOUR_S
        slow = (self.day - FIRST_DAY) % 7 < 5 and (7.4 < second < 8.8 or 16.0 < second < 17.6)
        samples = list(moving(points, self.now_s, self.rng, by, 0.75 if slow else 1.0))
        self.phone.drive(samples)
        self.now_s, self.at = samples[-1][0], points[-1]
        return samples

    def rest(self, until_s: float) -> None:
        """Where one is; the car charges where it is plugged in, whoever is with it, and tells of it."""
        if until_s <= self.now_s:
            return
        self.phone.rest(self.now_s, until_s, self.at)
        plug = self.land.places[self.charges_at or self.town.home].park
        if self.electric and self.space == plug and self.soc_pct < 70.0:
            begin_pct, begin_s = self.soc_pct, self.now_s
            for at_s in range(1800, int(until_s - begin_s), 1800):
                self.soc_pct = min(82.0, begin_pct + 11.0 * at_s / HOUR_S)
                self._tell(begin_s + at_s, self.soc_pct, self.driven_m)
        self.now_s = until_s

    def away(self) -> list[tuple[float, float]]:
        """When this person was out, by whatever means: from each departure at home until back there."""
        return self.gone + ([] if self.left_s is None else [(self.left_s, self.now_s)])

    def monday_s(self) -> float:
        """The midnight before the first day."""
        return unix(FIRST_DAY, 0.0, self.town.middle)

    def items(self, from_s: float, until_s: float) -> Iterator[Fix | Signal]:
        """What was told in that time, in order."""
        kept: tuple[list[Fix] | list[Signal], ...] = self.phone.fixes, self.signals
        told = ([i for i in one if from_s <= i.time_s < until_s] for one in kept)
        return merge(*told, key=lambda item: item.time_s)

    def calendar(self, first: int, days: int) -> str:
        """What stands in the calendar of so many days from that one on, as a calendar program writes it; "" for no entry."""
        begin, zone, lines = first - FIRST_DAY, zone_at(*self.town.middle), list[str]()
        found = (one for day in range(begin, begin + days) for one in self.entries(day))
        for number, one in enumerate(found):
            date = datetime.fromtimestamp((FIRST_DAY + one.day) * DAY_S, UTC)
            lines += ["BEGIN:VEVENT", f"UID:fifth-{number}", f"SUMMARY:{one.title}"]
            if one.hours:
                for what, hour in (("DTSTART", one.hour), ("DTEND", one.hour + one.hours)):
                    clock = f"{int(hour):02d}{round(hour % 1 * 60):02d}00"
                    lines.append(f"{what};TZID={zone}:{date:%Y%m%d}T{clock}")
            else:
                lines.append(f"DTSTART;VALUE=DATE:{date:%Y%m%d}")
            lines += [f"GEO:{one.place.door[0]:.6f};{one.place.door[1]:.6f}"] if one.place else []
            lines += ["STATUS:CANCELLED"] if one.cancelled else []
            lines.append("END:VEVENT")
        whole = ("BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", "")
        return "\r\n".join(whole) if lines else ""
