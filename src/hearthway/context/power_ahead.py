"""How much the house will draw and the sun will give, as equally likely surpluses of each slot ahead.

An ensemble of the house's own past days, one member a day (the analogue method of load forecasting): what that day did in
this slot, moved by how today differs from it so far. The load moves by the difference of the last hours, which fades with
the lead, and by a share of that of the last day. The sun moves by clearness, which is its share of the most seen in that slot of
the day in four weeks. It is learned online, and nothing but these values is used.

Load goes by the local clock, as people do; PV by UTC, as the sun does. Whoever calls says the offset.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp, inf, isfinite, nan

from msgspec import Struct, field

DAY_S = 86_400
HOUR_S = 3_600
KEPT_DAYS = 28
LEAST_DAYS = 3  # members that a slot needs
SURPLUSES = 9  # equally likely values that are handed on
LOAD_RECENT_H = 2.0
LOAD_FADE_H = 3.0
LOAD_SHARE = 0.5
LEVEL_SHARE = 0.6  # of a difference in the means of the last 24 hours
SUN_RECENT_H = 1.5  # lit ones
SUN_FADE_H = 6.0
DARK_KW = 0.02  # where the most seen is below this, a slot tells nothing of the clearness
Offset = Callable[[float], int]  # seconds to add to Unix time for local time


class PowerState(Struct, kw_only=True):
    """The last four weeks: mean load and PV of each slot, kW; nan where unknown."""

    version: int = 1
    slot_s: int = 1_800
    next: int = 0  # number of the slot after the last one held; Unix time is slot * slot_s
    load_kw: list[float] = field(default_factory=list)
    pv_kw: list[float] = field(default_factory=list)


class _Difference(Struct, frozen=True):
    """How now differs from the same moment so many days ago; 0 where that is not known."""

    recent_kw: float
    level_kw: float
    clearness: float


class PowerAhead:
    """Learns slot after slot, and says what may come."""

    def __init__(self, offset_s: Offset, state: PowerState | None = None) -> None:
        self.state = PowerState() if state is None else state
        self._offset_s = offset_s
        self._day = DAY_S // self.state.slot_s
        self._differences: tuple[int, list[_Difference]] = (-1, [])  # as of this slot

    def learn(self, begin_s: float, load_kw: float, pv_kw: float) -> None:
        """The means of the slot that began then; nan where one is not known. What came before is passed over."""
        state = self.state
        slot = int(begin_s // state.slot_s)
        if not state.load_kw or slot - state.next > KEPT_DAYS * self._day:
            state.load_kw, state.pv_kw, state.next = [], [], slot
        hole = slot - state.next
        if hole < 0:
            return
        state.load_kw += [nan] * hole + [load_kw]
        state.pv_kw += [nan] * hole + [pv_kw]
        state.next = slot + 1
        over = len(state.load_kw) - KEPT_DAYS * self._day
        if over > 0:
            del state.load_kw[:over], state.pv_kw[:over]

    def surpluses(self, begin_s: float) -> tuple[float, ...]:
        """Equally likely PV less load, kW, of the slot that begins then, lowest first; empty where too little is known."""
        slot = int(begin_s // self.state.slot_s)
        lead_h = max(0.0, slot + 0.5 - self.state.next) * self.state.slot_s / HOUR_S
        most = self._most(slot)
        first = max(1, ceil((slot + 1 - self.state.next) / self._day))
        members = [
            self._sun(slot, days, most, lead_h) - self._house(slot, days, lead_h)
            for days in range(first, KEPT_DAYS + 1)
        ]
        known = sorted(filter(isfinite, members))
        return _spread(known) if len(known) >= LEAST_DAYS else ()

    def _house(self, slot: int, days: int, lead_h: float) -> float:
        clock_s = self._offset_s(slot * self.state.slot_s)
        clock_s -= self._offset_s((slot - days * self._day) * self.state.slot_s)
        then = slot - days * self._day + clock_s // self.state.slot_s
        differs = self._differs(days)
        moved = LOAD_SHARE * exp(-lead_h / LOAD_FADE_H) * differs.recent_kw
        moved += LEVEL_SHARE * differs.level_kw
        return _within(self._at(self.state.load_kw, then) + moved, inf)

    def _sun(self, slot: int, days: int, most: float, lead_h: float) -> float:
        moved = exp(-lead_h / SUN_FADE_H) * self._differs(days).clearness * most
        return _within(self._at(self.state.pv_kw, slot - days * self._day) + moved, most)

    def _differs(self, days: int) -> _Difference:
        if self._differences[0] != self.state.next:
            every = [self._difference(back) for back in range(KEPT_DAYS + 1)]
            self._differences = (self.state.next, every)
        return self._differences[1][days]

    def _difference(self, days: int) -> _Difference:
        recent = round(LOAD_RECENT_H * HOUR_S / self.state.slot_s)
        lit = self._lit()
        most = sum(share for _, share in lit)
        sun = [
            self._at(self.state.pv_kw, at) - self._at(self.state.pv_kw, at - days * self._day)
            for at, _ in lit
        ]
        return _Difference(
            self._more_load(days, recent),
            self._more_load(days, self._day),
            sum(sun) / most if most and isfinite(sum(sun)) else 0.0,
        )

    def _lit(self) -> list[tuple[int, float]]:
        """The last slots of SUN_RECENT_H in which there could be sun, and the most seen in each."""
        wanted = round(SUN_RECENT_H * HOUR_S / self.state.slot_s)
        found = []
        for slot in range(self.state.next - 1, self.state.next - 1 - self._day, -1):
            most = self._most(slot)
            if most > DARK_KW:
                found.append((slot, most))
            if len(found) == wanted:
                break
        return found

    def _most(self, slot: int) -> float:
        """The most PV in this slot of the day."""
        back = len(self.state.pv_kw) - self.state.next
        return max(
            filter(isfinite, self.state.pv_kw[(slot + back) % self._day :: self._day]), default=0.0
        )

    def _more_load(self, days: int, slots: int) -> float:
        """The mean of the last slots less that of the same ones so many days ago; 0 where half of them are unknown."""
        now = self.state.next
        pairs = [
            self._at(self.state.load_kw, at) - self._at(self.state.load_kw, at - days * self._day)
            for at in range(now - slots, now)
        ]
        known = [each for each in pairs if isfinite(each)]
        return sum(known) / len(known) if 2 * len(known) > slots else 0.0

    def _at(self, values: list[float], slot: int) -> float:
        index = slot - self.state.next + len(values)
        return values[index] if 0 <= index < len(values) else nan


def _within(value: float, most: float) -> float:
    """Not below nothing, nor above the most; what is unknown stays so (`max(0.0, nan)` is 0)."""
    return value if not isfinite(value) else min(most, max(0.0, value))


def _spread(ordered: list[float]) -> tuple[float, ...]:
    """The middles of SURPLUSES equal shares of the values, on the line between two; all of them where there are fewer."""
    if len(ordered) <= SURPLUSES:
        return tuple(ordered)
    found = []
    for i in range(SURPLUSES):
        at = (i + 0.5) / SURPLUSES * len(ordered) - 0.5
        low = min(int(at), len(ordered) - 2)
        found.append(ordered[low] + (at - low) * (ordered[low + 1] - ordered[low]))
    return tuple(found)
