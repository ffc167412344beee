"""Which tables are taken and how this house hands them out, as far as its book of parties tells. Pure.

No entry names a table. The book is walked from its first party on: whoever sat down is put at the smallest table that
was free and fits, whoever had waited at the one that was just left. What this shows of the house: how long a table
stands between two parties while somebody waits, and whether two guests are given a table that is large for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from msgspec import Struct

from hearthway.records.venue import Party

from .seatings import LONGEST_MEAL_S, LONGEST_QUEUE_S, faded

CLEAR_S = 240.0  # from one party's leaving to the next one's sitting down, where nothing was seen
CLEAR_PRIOR = 4.0  # seatings
LONGEST_CLEAR_S = 1_200.0  # a table that stood longer was not waited for
AT_ONCE_S = 120.0  # whoever sits so soon did not wait
SETTLED_S = 900.0  # so long after it was left, a table is surely ready
SMALL, LARGE = 2, 6  # guests, and seats of a table that a house may keep from so few
GIVEN_PRIOR, KEPT_PRIOR = 1.0, 0.1  # most houses give any free table


class Floor(Struct, frozen=True, kw_only=True):
    """The tables at one moment, and the house's way with them."""

    sits: dict[int, int]  # a seated party's number, seats of its table (0: on chairs put there)
    free: tuple[tuple[int, float], ...]  # seats, and since when nobody sits there (s; -inf: never)
    clear_s: float
    given: tuple[tuple[int, float], ...]  # seats, chance that up to `SMALL` guests get such a table


def floor(parties: Iterable[Party], tables: Sequence[int], now_s: float) -> Floor:
    """The floor at `now_s`. `tables`: seats of each. Entries after `now_s` are passed over; order does not matter."""
    walk = _Walk(tables, now_s)
    for time_s, kind, _, party in sorted(_events(parties, now_s), key=lambda e: e[:3]):
        (walk.leaves, walk.comes, walk.sits_down, walk.leaves)[kind](party, time_s)
    return walk.seen()


def _events(parties: Iterable[Party], now_s: float) -> list[tuple[float, int, int, Party]]:
    """In a moment whoever sat before leaves first, and whoever has only come or sat down leaves last.

    The second is how a clock that was put back leaves its mark: the book lets nobody leave before they sat down.
    """
    found = []
    for party in parties:
        if party.came_s > now_s:
            continue
        found.append((party.came_s, 1, party.number, party))
        since_s, longest_s = party.came_s, LONGEST_QUEUE_S
        if party.seated_s is not None and party.seated_s <= now_s:
            since_s, longest_s = party.seated_s, LONGEST_MEAL_S
            found.append((since_s, 2, party.number, party))
        left_s = since_s + longest_s  # by then at the latest, whenever it was entered
        if party.left_s is not None:
            left_s = min(left_s, max(party.left_s, since_s))
        if left_s <= now_s:
            found.append((left_s, 0 if left_s > since_s else 3, party.number, party))
    return found


class _Walk:
    """The floor while the book is read."""

    def __init__(self, tables: Sequence[int], now_s: float) -> None:
        self._now_s = now_s
        self._free: list[tuple[int, float]] = [(seats, -inf) for seats in sorted(tables)]
        self._sits: dict[int, int] = {}
        self._queue: dict[int, Party] = {}
        self._clear_s, self._cleared = CLEAR_S, CLEAR_PRIOR
        self._given = dict.fromkeys(tables, 0.0)
        self._kept = dict.fromkeys(tables, 0.0)

    def comes(self, party: Party, time_s: float) -> None:
        """Somebody is at the door."""
        if party.size <= SMALL:
            self._judge(party, time_s)
        self._queue[party.number] = party

    def sits_down(self, party: Party, time_s: float) -> None:
        """And is given a table."""
        self._queue.pop(party.number, None)
        fitting = [table for table in self._free if table[0] >= party.size]
        if not fitting:
            largest = max(self._free, default=None)
            self._sits[party.number] = largest[0] if largest else 0
            if largest:
                self._free.remove(largest)
            return
        waited = time_s - party.came_s > AT_ONCE_S
        table = (self._just_left(fitting, time_s) if waited else None) or self._usual(
            fitting, time_s
        )
        self._free.remove(table)
        self._sits[party.number] = table[0]

    def leaves(self, party: Party, time_s: float) -> None:
        """And is gone, from a table or from the queue."""
        self._queue.pop(party.number, None)
        seats = self._sits.pop(party.number, 0)
        if seats:
            self._free.append((seats, time_s))

    def seen(self) -> Floor:
        """What was learned, and who sits where at the end. What was kept at some size is kept at each larger one."""
        sizes = sorted(self._given)
        smallest = min((seats for seats in sizes if seats >= SMALL), default=0)
        shares = []
        for seats in sizes:
            given = GIVEN_PRIOR + sum(self._given[other] for other in sizes if other >= seats)
            kept = KEPT_PRIOR + sum(self._kept[other] for other in sizes if other <= seats)
            sure = seats < LARGE or seats <= smallest
            shares.append((seats, 1.0 if sure else given / (given + kept)))
        return Floor(
            sits=self._sits,
            free=tuple(sorted(self._free)),
            clear_s=self._clear_s,
            given=tuple(shares),
        )

    def _judge(self, party: Party, time_s: float) -> None:
        """A small party came while the smallest free table has long been ready: was it given?"""
        seats = min((s for s, _ in self._free if s >= party.size), default=None)
        if seats is None or all(
            since_s > time_s - SETTLED_S for s, since_s in self._free if s == seats
        ):
            return
        before = (one for one in self._queue.values() if time_s - one.came_s < LONGEST_QUEUE_S)
        if any(SMALL < one.size <= seats for one in before):
            return
        at_once_s = time_s + AT_ONCE_S
        weight = faded(self._now_s - time_s)
        if party.seated_s is not None and party.seated_s <= min(at_once_s, self._now_s):
            self._given[seats] += weight
        elif at_once_s < self._now_s and (party.left_s is None or party.left_s > at_once_s):
            self._kept[seats] += weight

    def _just_left(
        self, fitting: Sequence[tuple[int, float]], time_s: float
    ) -> tuple[int, float] | None:
        """The table that a waiting party was given: the one left about as long ago as is usual here."""
        lately = [table for table in fitting if time_s - table[1] <= LONGEST_CLEAR_S]
        if not lately:
            return None
        table = min(lately, key=lambda t: (abs(time_s - t[1] - self._clear_s), t))
        self._cleared += 1.0
        self._clear_s += (time_s - table[1] - self._clear_s) / self._cleared
        return table

    def _usual(self, fitting: Sequence[tuple[int, float]], time_s: float) -> tuple[int, float]:
        ready = [table for table in fitting if time_s - table[1] >= 0.95 * self._clear_s]
        return min(ready) if ready else min(fitting, key=lambda t: (t[1], t[0]))
