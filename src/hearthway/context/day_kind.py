"""What kind of day it is: a working day or a free one, and how a day off is read.

Weekends are free. A day off is another day of the week that stands in a calendar which the person imported as holidays.
Whether it changes this life, only this life can tell (`regularity`): one stays at home on public holidays, one has a roster that
knows none, and whoever has a child at school works during its holidays, by other ways. So each such calendar is read in one
of three ways: its days are free ones; they are days like any other; or they are a kind of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field

from hearthway.records.localtime import DAY_S, weekday

FREE, PLAIN, OWN = range(3)
READINGS = (FREE, PLAIN, OWN)
WEEK = 7
MANY = 30  # working days off within a year: of schools, for nobody works so little


class Dated(Protocol):
    """What began on a day of the week, and is off by the calendar of that number (0: by none)."""

    @property
    def weekday(self) -> int: ...

    @property
    def off(self) -> int: ...


def day_kind(day: int, off: int, read: Sequence[int]) -> int:
    """A day of the week (0 = Monday), off by the calendar numbered `off`, as one number: 0 to 6 as it stands, else more.

    `read`: how calendar 1, 2, ... is read; one of which nothing is said has free days.
    """
    if not off:
        return day
    how = read[off - 1] if off <= len(read) else FREE
    if how == PLAIN:
        return day
    return day + WEEK * (1 if how == FREE else 1 + off)


def kind_of(day: int) -> int:
    """Of such a number: 0 a working day, 1 a free one, more for days off that are a kind of their own."""
    return int(day > 4) if day < WEEK else day // WEEK


def free_day(day: int) -> bool:
    """Is it a weekend, or a day off that is read as a free one?"""
    return kind_of(day) == 1


def same_kind(day: int, other: int) -> bool:
    """Are both working days, both free ones, or both of one kind of days off?"""
    return kind_of(day) == kind_of(other)


def alike(day: int, other: int, other_weekday: float, other_kind: float) -> float:
    """What one day says of another: 1, less of another day of its kind, and less of a day of another kind."""
    if day == other:
        return 1.0
    if day < WEEK and other < WEEK:  # as nearly always: asked for each leg of a life
        return other_weekday if (day < 5) == (other < 5) else other_kind
    return other_weekday if same_kind(day, other) else other_kind


def numbered(by_calendar: Mapping[str, Sequence[int]]) -> dict[int, int]:
    """Local day -> number of its calendar, weekends left out. A day in several has that with the fewest days: it says most."""
    found: dict[int, int] = {}
    ordered = sorted(by_calendar.items(), key=lambda one: (len(one[1]), one[0]))
    for number, (_, days) in enumerate(ordered, 1):
        for day in days:
            if weekday(day) < 5:
                found.setdefault(day, number)
    return found


def many(off: Mapping[int, int]) -> tuple[bool, ...]:
    """Of each calendar, from 1 on: has it more than `MANY` days off within a year?"""
    days: list[list[int]] = [[] for _ in range(max(off.values(), default=0))]
    for day, number in sorted(off.items()):
        days[number - 1].append(day)
    return tuple(
        any(last - first < 365 for first, last in zip(one, one[MANY:], strict=False))
        for one in days
    )


class DayKinds(Struct, frozen=True):
    """A person's days off, local day -> number of its calendar, and how each calendar is read."""

    off: Mapping[int, int] = field(default_factory=dict)
    read: tuple[int, ...] = ()

    def of(self, one: Dated) -> int:
        """Of the day of a leg."""
        return day_kind(one.weekday, one.off, self.read)

    def on(self, day: int) -> int:
        """Of a local day."""
        return day_kind(weekday(day), self.off.get(day, 0), self.read)

    def off_after(self, time_s: float, local_s: float, on: int, days: int) -> int:
        """By which calendar the day is off that comes so many days after the one on which that was, a day of the week; 0 by none."""
        if not self.off:
            return 0
        return self.off.get(_local_day(time_s, local_s, on) + days, 0)

    def after(self, time_s: float, local_s: float, on: int, days: int) -> int:
        """Of that day."""
        off = self.off_after(time_s, local_s, on, days)
        return day_kind((on + days) % WEEK, off, self.read)


NO_DAYS_OFF = DayKinds()


def _local_day(time_s: float, local_s: float, on: int) -> int:
    """The local day of what began then: where the clock is 13 hours from UTC, the nearest midnight is another's."""
    near = round((time_s - local_s) / DAY_S)
    return next((day for day in (near, near + 1, near - 1) if weekday(day) == on), near)
