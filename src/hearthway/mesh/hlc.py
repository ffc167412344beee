"""Hybrid logical clock (Kulkarni et al. 2014): orders writes of several nodes close to real time, whatever their clocks do."""

from __future__ import annotations

from msgspec import Struct

from hearthway.records.errors import WireError

MAX_AHEAD_S = 24 * 3600.0  # a node whose clock is wilder than this must not win for ever


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
        parts = text.split("-", 2)
        try:
            wall_ms, count, node = int(parts[0], 16), int(parts[1], 16), parts[2]
        except (ValueError, IndexError):
            raise WireError(
                f"{text!r} is not a logical time.", "Was the database edited?"
            ) from None
        return cls(wall_ms, count, node)


class HlcClock:
    """One node's clock. It never goes back; `last` carries it over a restart."""

    def __init__(self, node: str, last: Hlc | None = None) -> None:
        self.node = node
        self._wall_ms = last.wall_ms if last else 0
        self._count = last.count if last else 0

    def tick(self, now_s: float) -> Hlc:
        """The moment of a write made here at `now_s` (Unix seconds)."""
        now_ms = int(now_s * 1000)
        if now_ms > self._wall_ms:
            self._wall_ms, self._count = now_ms, 0
        else:
            self._count += 1
        return Hlc(self._wall_ms, self._count, self.node)

    def merge(self, seen: Hlc, now_s: float) -> Hlc:
        """The moment of having received `seen`; WireError when it lies more than a day ahead."""
        now_ms = int(now_s * 1000)
        if seen.wall_ms > now_ms + int(MAX_AHEAD_S * 1000):
            raise WireError(
                f"A write of {seen.node} is dated {(seen.wall_ms - now_ms) / 3_600_000:.0f} h ahead.",
                "Set the clock of that node.",
            )
        top = max(now_ms, self._wall_ms, seen.wall_ms)
        counts = [-1]
        if top == self._wall_ms:
            counts.append(self._count)
        if top == seen.wall_ms:
            counts.append(seen.count)
        self._wall_ms, self._count = top, max(counts) + 1
        return Hlc(self._wall_ms, self._count, self.node)
