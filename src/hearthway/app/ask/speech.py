"""When somebody who speaks has done so: by loudness, as no recogniser behind Wyoming says it."""

from __future__ import annotations

import math
import sys
from array import array

WIDTH = 2  # bytes of a sample
QUIET_S = 0.8  # after speech: it is over
NOTHING_S = 4.0  # without any: nobody says anything
LONGEST_S = 12.0
LOUD = 300.0  # root mean square of 16-bit samples: softer is silence
SHARE = 0.15  # of the loudest so far: softer is the room


def level_of(sound: bytes) -> float:
    """Root mean square of little-endian 16-bit samples; 0 for none."""
    samples = array("h", sound[: len(sound) // WIDTH * WIDTH])
    if sys.byteorder == "big":
        samples.byteswap()
    return math.sqrt(sum(one * one for one in samples) / len(samples)) if samples else 0.0


class SpeechEnd:
    """Fed with each piece of sound as it comes."""

    def __init__(self) -> None:
        self._loudest = self._quiet_s = self._whole_s = 0.0

    def heard(self, level: float, seconds: float) -> bool:
        """Is it over with this piece?"""
        self._whole_s += seconds
        self._loudest = max(self._loudest, level)
        quiet = level < max(LOUD, SHARE * self._loudest)
        self._quiet_s = self._quiet_s + seconds if quiet else 0.0
        enough_s = QUIET_S if self._loudest >= LOUD else NOTHING_S
        return self._quiet_s >= enough_s or self._whole_s >= LONGEST_S
