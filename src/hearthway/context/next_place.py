"""Where a person goes next, from the visits so far: features of every place he knows and of "somewhere new".

Past transitions vote for their destinations. A vote is weighed by age, by how near its departure was in the day and
the week (kernels on the departure, since the arrival is unknown), and by whether it left from the same place and the
same place before that. Each such level backs off into a plainer one with Dirichlet smoothing, so that little evidence
moves little; its features are what it says beyond the level below. "Somewhere new" is a candidate of its own, with
the rate at which each level led somewhere new.

One visit is learned by appending it: there is no training pass, and forgetting is leaving visits out. The weights
that join the features are `next_score`'s, the same for everybody.
"""

from __future__ import annotations

from math import cos, log, log1p, pi, sin

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hearthway.records.errors import InputError
from hearthway.records.localtime import DAY_S

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

MAX_VISITS = 4_000  # older ones are left out of the votes: some years of a life
CANDIDATES = 64  # places considered, those that the levels of `PLAIN` like best
NEW = -1
BACKOFF = 3.0
NEW_BACKOFF = 8.0
# name, the level it backs off into (-1: evenly, -2: origin and hour as independent witnesses)
LEVELS = (
    ("all", -1),
    ("45 days", 0),
    ("10 days", 1),
    ("3 days", 2),
    ("hour and day", 1),
    ("hour, 20 days", 2),
    ("hour of the week", 4),
    ("yesterday's hour", 5),
    ("origin", 1),
    ("origin, 30 days", 8),
    ("origin, hour and day", -2),
    ("origin, hour, 20 days", 10),
    ("origin, hour of the week", 10),
    ("two places back", 9),
    ("two places back, hour", 10),
)
PLAIN = (2, 4, 9, 10)
RATES = (1, 3, 4, 9, 10)  # levels whose rate of new places speaks for somewhere new
OTHERS = 14
CONTEXT = 11
FEATURES = len(LEVELS) + OTHERS + len(RATES) + CONTEXT + 1


class Visit(Struct, frozen=True, kw_only=True):
    """A stay at a place; local seconds since any Monday's midnight. `at` is a position in km, where known."""

    place: int
    start_s: float
    depart_s: float
    at: tuple[float, float] | None = None


class Question(Struct, frozen=True):
    """The candidates at a departure: place numbers (`NEW` last) and one row of features each."""

    places: NDArray[np.int64]
    rows: Rows


class Habits:
    """One person's visits, in the order they happened."""

    def __init__(self) -> None:
        self.visits = 0
        self._names: list[int] = []
        self._index: dict[int, int] = {}
        self._counts = np.zeros(16)
        self._last_s = np.zeros(16)
        self._first_s = np.zeros(16)
        self._last_at = np.zeros(16)
        self._at = np.zeros((16, 2))
        # A transition: origin, place before it, destination, departure, second of the week, led somewhere new.
        self._moves = np.zeros((64, 6))
        self._made = 0
        self._recent: list[Visit] = []

    def learn(self, visit: Visit) -> None:
        """A visit began; visits come in order of time."""
        if visit.depart_s < visit.start_s or (
            self._recent and visit.start_s < self._recent[-1].start_s
        ):
            raise InputError(
                "A visit begins before the one that was learned last, or ends before it begins.",
                "Sort the visits by time.",
            )
        new = visit.place not in self._index
        place = self._place(visit)
        if self._recent:
            self._move(place, new)
        self._counts[place] += 1.0
        self._last_s[place] = visit.start_s
        self._last_at[place] = self.visits
        self.visits += 1
        self._recent.append(visit)
        del self._recent[:-16]

    def _place(self, visit: Visit) -> int:
        index = self._index.get(visit.place)
        if index is None:
            index = self._index[visit.place] = len(self._names)
            self._names.append(visit.place)
            if index == len(self._counts):
                for name in ("_counts", "_last_s", "_first_s", "_last_at", "_at"):
                    old = getattr(self, name)
                    setattr(self, name, np.concatenate((old, np.zeros_like(old))))
            self._first_s[index] = visit.start_s
            if visit.at is not None:
                self._at[index] = visit.at
        return index

    def _move(self, place: int, new: bool) -> None:
        if self._made == len(self._moves):
            self._moves = np.concatenate((self._moves, np.zeros_like(self._moves)))
        if self._made == 2 * MAX_VISITS:
            self._moves[:MAX_VISITS] = self._moves[MAX_VISITS : self._made]
            self._made = MAX_VISITS
        origin, before = self._origin(), self._before()
        depart_s = self._recent[-1].depart_s
        self._moves[self._made] = (origin, before, place, depart_s, depart_s % (7 * DAY_S), new)
        self._made += 1

    def _origin(self) -> int:
        return self._index[self._recent[-1].place]

    def _before(self) -> int:
        return self._index[self._recent[-2].place] if len(self._recent) > 1 else NEW

    def ask(self) -> Question:
        """The candidates as the last visit ends."""
        if not self._recent:
            raise InputError("Nothing is known of this person yet.", "Learn a visit first.")
        known = len(self._names)
        moves = self._moves[max(0, self._made - MAX_VISITS) : self._made]
        weights, clock_gap_s = self._weights(moves)
        levels = len(LEVELS)
        cell = (moves[:, 2].astype(np.int64)[:, None] * levels + np.arange(levels)).ravel()
        votes = np.bincount(cell, weights.ravel(), known * levels).astype(np.float64)
        votes = votes.reshape(known, levels)
        mass = weights.sum(axis=0)
        smooth, said = self._smooth(votes, mass)
        keep = np.arange(known)
        if known > CANDIDATES:
            plain = np.log(smooth[:, PLAIN]).sum(axis=1)
            keep = np.sort(np.argsort(-plain, kind="stable")[:CANDIDATES])
        rows = np.zeros((len(keep) + 1, FEATURES), dtype=np.float32)
        rows[:-1, :levels] = said[keep]
        rows[:-1, levels : levels + OTHERS] = self._others(keep, moves, clock_gap_s)
        at = levels + OTHERS
        rows[-1, at : at + len(RATES)] = self._rates(moves, weights, mass)
        at += len(RATES)
        rows[:, at : at + CONTEXT] = self._context(mass, smooth[:, 10])
        rows[-1, -1] = 1.0
        return Question(np.append(np.asarray(self._names, dtype=np.int64)[keep], NEW), rows)

    def _weights(self, moves: Floats) -> tuple[Floats, Floats]:
        """(weight of each transition at each level, how far its departure was in the day, seconds)."""
        now_s = self._recent[-1].depart_s
        age = np.maximum(0.0, now_s - moves[:, 3]) / DAY_S
        week_s = np.abs(moves[:, 4] - now_s % (7 * DAY_S))
        week_s = np.minimum(week_s, 7 * DAY_S - week_s)
        day_s = week_s % DAY_S
        day_s = np.minimum(day_s, DAY_S - day_s)
        weekend = (moves[:, 4] >= 5 * DAY_S) == (now_s % (7 * DAY_S) >= 5 * DAY_S)
        kind = np.where(week_s < DAY_S / 2, 1.0, np.where(weekend, 0.6, 0.2))
        hour = np.exp(-0.5 * (day_s / 3_600.0) ** 2)
        wide = np.exp(-0.5 * (day_s / 7_200.0) ** 2)
        of_week = np.exp(-0.5 * (week_s / 3_000.0) ** 2)
        e45, e10, e3, e30, e90 = (np.exp(-age / days) for days in (65.0, 14.0, 4.0, 43.0, 130.0))
        same = (moves[:, 0] == self._origin()).astype(np.float64)
        both = same * (moves[:, 1] == self._before())
        hour_kind = hour * kind
        weights = np.stack(
            (
                np.ones_like(age),
                e45,
                e10,
                e3,
                hour_kind * e90,
                wide * e30,
                of_week,
                hour_kind * e3,
                same,
                same * e30,
                same * hour_kind * e90,
                same * wide * e30,
                same * of_week,
                both * e90,
                both * wide * kind * e90,
            ),
            axis=1,
        )
        return weights, day_s

    def _smooth(self, votes: Floats, mass: Floats) -> tuple[Floats, Floats]:
        """(probability by place and level, what each level says beyond the one it backs off into)."""
        known = len(votes)
        smooth = np.empty_like(votes)
        said = np.empty_like(votes)
        for level, (_, under) in enumerate(LEVELS):
            if under == -1:
                base = (self._counts[:known] + 0.3) / (self.visits + 0.3 * known)
            elif under == -2:
                product = smooth[:, 9] * smooth[:, 4] / smooth[:, 1]
                base = product / product.sum()
            else:
                base = smooth[:, under]
            smooth[:, level] = (votes[:, level] + BACKOFF * base) / (mass[level] + BACKOFF)
            said[:, level] = np.log(smooth[:, level]) - (np.log(base) if level else 0.0)
        return smooth, said

    def _others(self, keep: NDArray[np.int64], moves: Floats, clock_gap_s: Floats) -> Floats:
        """What else speaks for a place: recency, rhythm, the last time here and at this hour, distance."""
        last, origin = self._recent[-1], self._origin()
        out = np.zeros((len(keep), OTHERS))
        counts = self._counts[keep]
        away = np.maximum(0.0, last.depart_s - self._last_s[keep]) / DAY_S
        rhythm = (self._last_s[keep] - self._first_s[keep]) / DAY_S / np.maximum(1.0, counts - 1.0)
        out[:, 0] = np.log1p(away * 4.0)
        out[:, 1] = np.log1p(self.visits - 1.0 - self._last_at[keep])
        out[:, 2] = np.where(counts > 1, np.log((away + 0.2) / (rhythm + 0.2)), 0.0)
        out[:, 3] = np.log(counts)
        out[:, 4] = counts == 1.0
        out[:, 5] = keep == origin
        out[:, 6] = keep == self._before()
        if len(self._recent) > 2:
            out[:, 7] = keep == self._index[self._recent[-3].place]
        today = last.depart_s // DAY_S
        out[:, 8] = self._last_s[keep] // DAY_S == today
        here = np.flatnonzero(moves[:, 0] == origin)
        if len(here):
            out[:, 9] = keep == moves[here[-1], 2]
        alike = np.flatnonzero(clock_gap_s < 3_600.0)
        if len(alike):
            out[:, 10] = keep == moves[alike[-1], 2]
        if last.at is not None:
            gap = np.hypot(*(self._at[keep] - self._at[origin]).T)
            out[:, 11] = np.log1p(gap)
            out[:, 12] = np.exp(-gap) * (keep != origin)
            out[:, 13] = np.exp(-gap / 0.2) * (keep != origin)
        return out

    def _rates(self, moves: Floats, weights: Floats, mass: Floats) -> Floats:
        """Log-odds of somewhere new at the levels of `RATES`."""
        fresh = moves[:, 5] @ weights
        under = (fresh[0] + 1.0) / (mass[0] + 2.0)
        out = np.empty(len(RATES))
        for at, level in enumerate(RATES):
            rate = (fresh[level] + NEW_BACKOFF * under) / (mass[level] + NEW_BACKOFF)
            out[at] = log(rate / (1.0 - rate))
        return out

    def _context(self, mass: Floats, spread: Floats) -> Floats:
        """The circumstances, the same for every candidate; what they change is for `next_score` to say."""
        last = self._recent[-1]
        angle = last.depart_s % DAY_S / DAY_S * 2 * pi
        days = max(0.0, last.depart_s - self._first_s[0]) / DAY_S
        today = last.depart_s // DAY_S
        return np.array(
            (
                log1p(self.visits),
                log1p(len(self._names)),
                log1p(days),
                log1p(mass[8]),
                log1p(mass[10]),
                log1p(mass[14]),
                float(-(spread * np.log(spread)).sum()),
                cos(angle),
                sin(angle),
                log1p((last.depart_s - last.start_s) / 3_600.0),
                log1p(sum(visit.start_s // DAY_S == today for visit in self._recent)),
            )
        )
