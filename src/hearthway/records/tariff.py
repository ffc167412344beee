"""What a kWh costs when: windows of the local day, or prices told for each hour."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from .errors import InputError

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
QUARTER_S = 900


class Window(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"begin": "from"}
):
    """A price from one local time of the day to another, past midnight where the second is earlier."""

    begin: str
    to: str
    buy: float
    sell: float | None = None
    days: tuple[Day, ...] = DAYS  # on which it begins

    def holds(self, local: datetime) -> bool:
        """Whether it is in force at that local time."""
        minute = local.hour * 60 + local.minute
        begin, end = minute_of(self.begin), minute_of(self.to)
        today = DAYS[local.weekday()] in self.days
        if begin < end:
            return today and begin <= minute < end
        return (today and minute >= begin) or (
            DAYS[local.weekday() - 1] in self.days and minute < end
        )


class Told(Struct, frozen=True, array_like=True):
    """A price from a moment (Unix) to the next one's."""

    begin_s: float
    buy: float
    sell: float


class Tariff(Struct, frozen=True, kw_only=True):
    """Prices a kWh in one currency. Told prices stand before windows, the first window that holds before `buy`."""

    zone: str
    currency: str
    buy: float | None = None
    sell: float = 0.0
    windows: tuple[Window, ...] = ()
    told: tuple[Told, ...] = field(default=())
    told_until_s: float = 0.0

    def local(self, time_s: float) -> datetime:
        """The local time then."""
        return datetime.fromtimestamp(time_s, ZoneInfo(self.zone))

    def offset_s(self, time_s: float) -> int:
        """Seconds to add to Unix time for local time then."""
        offset = self.local(time_s).utcoffset()
        return 0 if offset is None else int(offset.total_seconds())

    def price(self, time_s: float) -> tuple[float, float]:
        """What a kWh costs and what it earns then; InputError where no price is known."""
        if self.told and self.told[0].begin_s <= time_s < self.told_until_s:
            now = self.told[bisect_right(self.told, time_s, key=lambda one: one.begin_s) - 1]
            return now.buy, now.sell
        local = self.local(time_s)
        for window in self.windows:
            if window.holds(local):
                return window.buy, self.sell if window.sell is None else window.sell
        if self.buy is None:
            raise InputError(
                f"The tariff has no price for {local:%Y-%m-%d %H:%M}.",
                "Give an earlier departure, prices until then, or `buy` for all other times.",
            )
        return self.buy, self.sell


def minute_of(clock: str) -> int:
    """Minutes of "22:15", and 1440 of "24:00"; InputError elsewhere, and between quarters."""
    hour, colon, minute = clock.partition(":")
    if colon and hour.isdecimal() and minute.isdecimal() and len(hour) <= 2 == len(minute):
        total = int(hour) * 60 + int(minute)
        if total <= 1_440 and int(minute) % 15 == 0:
            return total
    raise InputError(
        f"{clock[:40]!r} is no full quarter of a day.", "Write it as 22:15, from 00:00 to 24:00."
    )
