"""The wait of a party that comes now or later: this house's evening is played many times from what it has learned.

Each play draws how much longer the seated stay (given how long they sat already), who else comes and who gives up, and
seats first come, first served, at the smallest table that fits and that this house gives to so few. A party that is only
imagined at each time ahead takes nothing from the others and notes when a table would have been its own. Told is the
mean of its waits: minutes that can be added to a walk and a detour, and that say too little as often as too much.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from math import exp, inf, log
from random import Random
from statistics import NormalDist

from msgspec import Struct

from hearthway.records.venue import Ahead, Party

from .floor import SMALL, Floor, floor
from .seatings import BIN_S, PATIENCE_S, Habits, Meals, learn, size_class, still_here

AHEAD_MIN = (0, 10, 20, 30, 45, 60)
SIZE = 2  # who is asked about: the phone does not say how many come
RUNS = 160
LOW, HIGH = 0.1, 0.9
LONGEST_WAIT_S = 4 * 3_600.0
_OVERDUE = 0.9995
_OVERDUE_S = 600.0
_UNIT = NormalDist()


class _Waiting(Struct):
    came_s: float
    size: int
    gives_up_s: float


def forecast(
    parties: Sequence[Party], tables: Sequence[int], now_s: float
) -> tuple[Ahead, ...] | str:
    """The curve for a party of `SIZE`, or why it is unknown. `tables`: seats of each. The same input, the same curve."""
    if not any(seats >= SIZE for seats in tables):
        return "the place does not say which tables it has"
    habits = learn(parties, now_s)
    if isinstance(habits, str):
        return habits
    seated, queue = still_here(parties, now_s)
    stands = floor(parties, tables, now_s)
    waits: list[list[float]] = [[] for _ in AHEAD_MIN]
    for run in range(RUNS):
        play = _Play(habits, stands, Random(run), seated, queue, now_s)
        for at, wait_s in enumerate(play.waits()):
            waits[at].append(wait_s)
    return tuple(_ahead(in_min, sorted(w)) for in_min, w in zip(AHEAD_MIN, waits, strict=True))


def _ahead(in_min: int, ordered: Sequence[float]) -> Ahead:
    """The mean of the plays, within their 10-90 % range: whom nobody may wait for long is told none, not an average."""
    low, high = (round(ordered[int(quantile * len(ordered))] / 60.0) for quantile in (LOW, HIGH))
    mean = round(sum(ordered) / len(ordered) / 60.0)
    return Ahead(in_min, min(high, max(low, mean)), low, high)


class _Play:
    """One possible evening; seconds count from now."""

    def __init__(
        self,
        habits: Habits,
        stands: Floor,
        random: Random,
        seated: Sequence[Party],
        queue: Sequence[Party],
        now_s: float,
    ) -> None:
        self._habits, self._random, self._clear_s = habits, random, stands.clear_s
        paces, weights = zip(*habits.paces, strict=True)
        self._pace = random.choices(paces, weights)[0]
        sure = random.random()  # one house has one way with its large tables
        self._given = frozenset(seats for seats, chance in stands.given if sure < chance)
        self._free: list[int] = []
        self._busy: list[tuple[float, int]] = []  # when it is ready for the next, seats
        for seats, since_s in stands.free:
            ready_s = since_s + self._clear_s - now_s
            if ready_s <= 0.0:
                self._free.append(seats)
            else:
                heapq.heappush(self._busy, (ready_s, seats))
        self._free.sort()
        for party in seated:
            seats = stands.sits.get(party.number, 0)
            if seats:  # whoever found no table of ours sits on a chair that was put there
                age_s = max(0.0, now_s - (party.seated_s or now_s))
                ready_s = self._left_s(party.size, age_s) + self._clear_s
                heapq.heappush(self._busy, (ready_s, seats))
        self._queue = [
            _Waiting(p.came_s - now_s, p.size, self._gives_up(0.0, now_s - p.came_s)) for p in queue
        ]

    def waits(self) -> list[float]:
        """Seconds that a party would wait, for each time in `AHEAD_MIN`."""
        coming = self._coming()
        asked = [60.0 * minutes for minutes in AHEAD_MIN]
        found: list[float] = [LONGEST_WAIT_S] * len(asked)
        open_: list[int] = []
        for seats in list(
            self._free
        ):  # who queues may fit at a free table: the next word is theirs
            self._free.remove(seats)
            self._ready(0.0, seats, [], asked, found)
        events: list[tuple[float, int, int]] = [(t, 1, size) for t, size in coming]
        events += [(t, 2, at) for at, t in enumerate(asked)]
        events.sort()
        for time_s, kind, what in events:
            self._run_until(time_s, open_, asked, found)
            if kind == 1:
                self._arrives(time_s, what)
            elif any(self._fits(SIZE, seats) for seats in self._free):
                found[what] = 0.0
            else:
                open_.append(what)
        self._run_until(LONGEST_WAIT_S, open_, asked, found)
        return found

    def _run_until(
        self, time_s: float, open_: list[int], asked: Sequence[float], found: list[float]
    ) -> None:
        while self._busy and self._busy[0][0] <= time_s:
            ready_s, seats = heapq.heappop(self._busy)
            self._ready(ready_s, seats, open_, asked, found)

    def _ready(
        self,
        time_s: float,
        seats: int,
        open_: list[int],
        asked: Sequence[float],
        found: list[float],
    ) -> None:
        """A table is ready: the first that fits has it, and so has every imagined party before that one."""
        self._queue = [one for one in self._queue if one.gives_up_s > time_s]
        first = next((one for one in self._queue if self._fits(one.size, seats)), None)
        if self._fits(SIZE, seats):
            for at in [a for a in open_ if first is None or asked[a] < first.came_s]:
                found[at] = time_s - asked[at]
                open_.remove(at)
        if first is None:
            self._free.append(seats)
            self._free.sort()
            return
        self._queue.remove(first)
        self._sits(time_s, first.size, seats)

    def _arrives(self, time_s: float, size: int) -> None:
        seats = self._take(size)
        if seats:
            self._sits(time_s, size, seats)
        else:
            self._queue.append(_Waiting(time_s, size, self._gives_up(time_s, 0.0)))

    def _sits(self, time_s: float, size: int, seats: int) -> None:
        heapq.heappush(self._busy, (time_s + self._left_s(size, 0.0) + self._clear_s, seats))

    def _take(self, size: int) -> int:
        """The smallest free table that fits; 0 where there is none."""
        for at, seats in enumerate(self._free):
            if self._fits(size, seats):
                return self._free.pop(at)
        return 0

    def _fits(self, size: int, seats: int) -> bool:
        return size <= seats and (size > SMALL or seats in self._given)

    def _gives_up(self, time_s: float, waited_s: float) -> float:
        """When a party gives up that has queued for `waited_s` at `time_s`."""
        left = self._random.expovariate(1.0)
        stood_s = waited_s
        for rate, ends_s in zip(self._habits.giving_up, (*PATIENCE_S[1:], inf), strict=True):
            if stood_s < ends_s:
                spent = rate * (ends_s - stood_s)
                if left <= spent:
                    return time_s + stood_s + left / rate - waited_s
                left, stood_s = left - spent, ends_s
        raise AssertionError("the last step has no end")

    def _left_s(self, size: int, age_s: float) -> float:
        """How much longer a party stays that has been seated for `age_s`."""
        meals: Meals = self._habits.meals[size_class(size)]
        mean, chance = meals.mean + self._pace, self._random.random()
        if age_s > 0.0:
            passed = _UNIT.cdf((log(age_s) - mean) / meals.deviation)
            if passed > _OVERDUE:
                return self._random.expovariate(1.0 / _OVERDUE_S)
            chance = passed + (1.0 - passed) * chance
        chance = min(1.0 - 1e-9, max(1e-9, chance))
        return max(0.0, exp(mean + meals.deviation * _UNIT.inv_cdf(chance)) - age_s)

    def _coming(self) -> list[tuple[float, int]]:
        """Who else comes until the last imagined party."""
        shape, rate = self._habits.level
        level = self._random.gammavariate(shape, 1.0 / rate)
        sizes = [size for size, _ in self._habits.sizes]
        weights = [weight for _, weight in self._habits.sizes]
        found: list[tuple[float, int]] = []
        end_s = 60.0 * AHEAD_MIN[-1]
        for at in range(int(end_s / BIN_S)):
            time_s = at * BIN_S
            pace = self._habits.rates[at] * level
            while pace > 0.0:
                time_s += self._random.expovariate(pace)
                if time_s >= (at + 1) * BIN_S:
                    break
                found.append((time_s, self._random.choices(sizes, weights)[0]))
        return found
