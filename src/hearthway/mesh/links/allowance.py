"""How much is taken from whoever can say any sender's name: a neighbour that hands on, a router."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

_RATE_BYTES_S = 2 * 1024 * 1024  # and how much at once
_BURST_BYTES = 8 * 1024 * 1024
_RATE_FRAMES_S, _BURST_FRAMES = 500.0, 1000.0


@dataclass
class Allowance:
    """How much may still come; refills with time."""

    bytes: float = float(_BURST_BYTES)
    frames: float = _BURST_FRAMES
    at_s: float = field(default_factory=time.monotonic)

    def take(self, size: int) -> bool:
        """May a frame of so many bytes pass? Then it is counted."""
        now_s = time.monotonic()
        past_s, self.at_s = now_s - self.at_s, now_s
        self.bytes = min(float(_BURST_BYTES), self.bytes + past_s * _RATE_BYTES_S)
        self.frames = min(_BURST_FRAMES, self.frames + past_s * _RATE_FRAMES_S)
        if self.bytes < size or self.frames < 1.0:
            return False
        self.bytes -= size
        self.frames -= 1.0
        return True
