"""What is left in the phone's own battery, as it tells itself, and how much more seldom it therefore looks."""

from __future__ import annotations

from collections.abc import Iterable

from hearthway.records.signals import Signal
from hearthway.sense.catalogue import PHONE_BATTERY, is_fresh

# Below so much it looks so many times more seldom: on a drive each half minute, at rest with an entry near each six.
LOW_PCT, RARER = 20.0, 6


class OwnBattery:
    """The newest word of it; kept nowhere."""

    def __init__(self) -> None:
        self._told: Signal | None = None

    def hear(self, signals: Iterable[Signal]) -> None:
        """Of what came, its own word, unless a newer one is known."""
        for signal in signals:
            newest = self._told is None or signal.time_s >= self._told.time_s
            if signal.key == PHONE_BATTERY and newest:
                self._told = signal

    def rarer(self, now_s: float) -> int:
        """How many times more seldom than usual to look: 1, unless little was told to be left, lately."""
        told = self._told
        if told is None or not is_fresh(told, now_s) or not isinstance(told.value, float):
            return 1
        return RARER if told.value < LOW_PCT else 1
