"""Hybrid logical clock (Kulkarni et al. 2014): orders writes of several nodes close to real time, whatever their clocks do.

A stamp from hours or years ahead is taken as it is, and every clock that has seen it counts on from there: no write
is lost, and none holds its key for ever. One from centuries ahead moves no clock; whoever writes its key writes after it.
"""

from __future__ import annotations

import math
import re

from msgspec import Struct

from hearthway.records.errors import WireError

CAP_MS = 253_402_300_799_999  # the last millisecond of the year 9999
HORIZON_MS = 16_725_225_600_000  # the year 2500: no clock counts on from later, or one write would stop them all
COUNT_MAX = 0xFFFFFF  # six hex digits; one more write and the millisecond moves on
_TEXT = re.compile(r"([0-9a-f]{12})-([0-9a-f]{6})-(.+)", re.DOTALL)


class Hlc(Struct, frozen=True, order=True):
    """A moment in the order of writes. Compares by time, then count, then node."""

    wall_ms: int
    count: int
    node: str

    def encode(self) -> str:
        """Sorts as text as it sorts as a moment (until the year 10889)."""
        return f"{self.wall_ms:012x}-{self.count:06x}-{self.node}"

    @classmethod
    def decode(cls, text: str) -> Hlc:
        """The moment in `text`; WireError when it is none."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise WireError(f"{text!r} is not a logical time.", "Was the database edited?")
        return cls(int(found[1], 16), int(found[2], 16), found[3])


def check(seen: Hlc) -> Hlc:
    """`seen` itself; WireError when no clock may count on from there."""
    if not (0 <= seen.wall_ms <= CAP_MS and 0 <= seen.count <= COUNT_MAX):
        raise WireError(
            f"A write of {seen.node} is dated after the year 9999 or before 1970.",
            "Set the clock of that node, then write it again. Its other writes are kept.",
        )
    return seen


def following(wall_ms: int, count: int, now_ms: int) -> tuple[int, int]:
    """The first moment after (`wall_ms`, `count`) that is not before `now_ms`; a full count moves the time on."""
    if now_ms > wall_ms:
        return now_ms, 0
    if count < COUNT_MAX:
        return wall_ms, count + 1
    return wall_ms + 1, 0


def usable_ms(now_s: float) -> int:
    """A clock's milliseconds; 0 for one that shows no time at all, or none before the year 10000."""
    if not math.isfinite(now_s) or now_s < 0.0:
        return 0
    now_ms = int(now_s * 1000)
    return now_ms if now_ms <= CAP_MS else 0


class HlcClock:
    """One node's clock. It never goes back; `last` carries it over a restart."""

    def __init__(self, node: str, last: Hlc | None = None) -> None:
        self.node = node
        self._wall_ms = last.wall_ms if last else 0
        self._count = last.count if last else 0

    def tick(self, now_s: float) -> Hlc:
        """The moment of a write made here at `now_s` (Unix seconds), after everything seen; WireError past year 9999.

        A clock that shows no usable time only counts on.
        """
        moment = check(Hlc(*following(self._wall_ms, self._count, usable_ms(now_s)), self.node))
        self._wall_ms, self._count = moment.wall_ms, moment.count
        return moment

    def observe(self, seen: Hlc) -> None:
        """What is written here from now on comes after `seen`, unless that lies past the year 2500: it counts for its key alone.

        WireError when it lies past the year 9999.
        """
        check(seen)
        if seen.wall_ms > HORIZON_MS:
            return
        self._wall_ms, self._count = max((self._wall_ms, self._count), (seen.wall_ms, seen.count))
