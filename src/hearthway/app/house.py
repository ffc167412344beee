"""What a phone knows of the house: each key's latest word, and which of them its store keeps to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from hearthway.context.items import MAX_THINGS
from hearthway.context.life import Life
from hearthway.records.signals import Signal
from hearthway.records.situation import Evidence, House, Situation, Told
from hearthway.sense.catalogue import (
    HEATING,
    NEXT_HEATING,
    PRESENCE,
    ROOM,
    SETPOINT,
    is_fresh,
    item_of,
    kind_of,
)

CLIMATE = (ROOM, SETPOINT, HEATING, NEXT_HEATING, PRESENCE)
ROOM_STEP_C = 0.3  # a smaller change of temperature teaches nothing and would fill the store


class HouseHeard:
    """In memory: the latest of every key, and the last that was kept."""

    def __init__(self) -> None:
        self.latest: dict[str, Signal] = {}
        self._kept: dict[str, Signal] = {}
        self._kept_s = float("-inf")

    def hear(self, signals: Iterable[Signal]) -> None:
        """Whatever is told, kept or not: what is known now is as old as the last word of it."""
        for signal in signals:
            last = self.latest.get(signal.key)
            if not of_house(signal) or (last is None and not self._has_room(signal.key)):
                continue
            if last is None or signal.time_s >= last.time_s:
                self.latest[signal.key] = signal

    def _has_room(self, key: str) -> bool:
        """Of things only as many are heard as can be learned of; the climate's few keys always are."""
        names = {item_of(one) for one in self.latest} - {""}
        return item_of(key) in {"", *names} or len(names) < MAX_THINGS

    def note(self, signal: Signal) -> None:
        """That one is in the store."""
        if of_house(signal):
            self.hear([signal])
            self._kept[signal.key] = signal
            if signal.key in CLIMATE:
                self._kept_s = max(self._kept_s, signal.time_s)

    def keeps(self, signal: Signal, left_s: float | None = None) -> bool:
        """Is it to be stored? What changed, and what stays the same once in the time it is fresh for.

        Of a thing's tag that stays the same, once after this person left (`left_s`): that is what tells what stayed.
        One from before what is stored already comes too late to be learned from in its order.
        """
        last = self._kept.get(signal.key)
        if signal.key not in self.latest:
            return False
        if item_of(signal.key):
            return self._keeps_item(signal, last, left_s)
        if signal.time_s < self._kept_s:
            return False
        if last is None or signal.time_s - last.time_s >= kind_of(signal.key).freshness_s:
            return True
        new, old = signal.value, last.value
        if isinstance(new, float) and isinstance(old, float) and signal.key == ROOM:
            return abs(new - old) >= ROOM_STEP_C
        return new != old

    @staticmethod
    def _keeps_item(signal: Signal, last: Signal | None, left_s: float | None) -> bool:
        if last is None:
            return True
        if signal.time_s <= last.time_s:
            return False
        again = left_s is not None and last.time_s <= left_s < signal.time_s
        return again or signal.value != last.value

    def clear(self) -> None:
        """The store was changed from outside: nothing that was forgotten may be told of from memory."""
        self.latest.clear()
        self._kept.clear()
        self._kept_s = float("-inf")


def of_house(signal: Signal) -> bool:
    """Is it learned apart from positions, in its own order?"""
    return signal.key in CLIMATE or bool(item_of(signal.key))


def with_house(life: Life, latest: Mapping[str, Signal], situation: Situation) -> Situation:
    """The situation with what is freshly known of the house, on a drive; unchanged where that is nothing."""
    now_s, home = situation.time_s, situation.home
    if home is None or situation.mode != "driving":
        return situation
    fresh = {key: s for key, s in latest.items() if key in CLIMATE and is_fresh(s, now_s)}
    told = {key: found for key, s in fresh.items() if (found := _told(s, now_s)) is not None}
    if not told:
        return situation
    occupied = told.get(PRESENCE)
    empty = ROOM in told and occupied is not None and not occupied.value
    house = House(
        room=told.get(ROOM),
        setpoint=told.get(SETPOINT),
        heating=told.get(HEATING),
        next_heating=told.get(NEXT_HEATING),
        occupied=occupied,
        habits=life.house_habits((home.lat, home.lon), now_s) if empty else None,
    )
    used = tuple(
        Evidence(key=key, source=one.source, age_s=one.age_s) for key, one in sorted(told.items())
    )
    return replace(situation, house=house, evidence=(*situation.evidence, *used))


def _told(signal: Signal, now_s: float) -> Told | None:
    value = signal.value
    if value is None or isinstance(value, str):
        return None
    return Told(value=value, age_s=now_s - signal.time_s, source=signal.source)
