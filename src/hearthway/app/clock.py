"""The wall clock's only home, and the clock a replay sets."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where a node's time comes from."""

    def now_s(self) -> float: ...


class SystemClock:
    """Unix time of this machine."""

    def now_s(self) -> float:
        return time.time()


class EventClock:
    """The time of the event at hand: set by a replay, never going backwards."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        return self._now_s

    def set(self, time_s: float) -> None:
        self._now_s = max(self._now_s, time_s)
