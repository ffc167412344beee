"""Where a person goes next, from the visits so far: features of every place he knows and of "somewhere new".

Past transitions vote for their destinations. A vote is weighed by age, by how near its departure was in the day and
the week (kernels on the departure, since the arrival is unknown), and by whether it left from the same place and the
same place before that. Each such level backs off into a plainer one with Dirichlet smoothing, so that little evidence
moves little; its features are what it says beyond the level below. "Somewhere new" is a candidate of its own, with
the rate at which each level led somewhere new. Those are the first features. Further ones, for who is known longer, say how far
each level was right with this person (`next_trust`), how a place stands among the others (`next_marks`), and what lies near it.

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

from .next_marks import LAST, last_times, standing
from .next_near import NEAR, NEAR_HERE, Around, near_by
from .next_trust import Trust

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
AGES_DAYS = np.array((65.0, 14.0, 4.0, 43.0, 130.0))[:, None]  # of the levels' memories
PLAIN = [2, 4, 9, 10]
RATES = (1, 3, 4, 9, 10)  # levels whose rate of new places speaks for somewhere new
OTHERS = 14
CONTEXT = 11
FIRST = len(LEVELS) + OTHERS + len(RATES) + CONTEXT + 1  # columns for anybody
RANKED = (10, 4, 2, 9)  # levels whose ranking of the places is told as well
PLAINEST = 1
TRACKED = (2, 4, 9, 10, 13)  # whose success with this person is told, against that of PLAINEST
MIXED, DAYS = 3, 3
LATELY_DAYS = (1.0, 7.0, 30.0)
MARKS = LAST + len(RANKED) + MIXED + DAYS + NEAR
FEATURES = FIRST + MARKS + len(TRACKED) + 1 + len(LATELY_DAYS) + NEAR_HERE
_GROWING = ("_counts", "_last_s", "_first_s", "_last_at", "_at", "_days_at", "_today_at")


class Visit(Struct, frozen=True, kw_only=True):
    """A stay at a place; local seconds since any Monday's midnight. `at` is a position in km, where known."""

    place: int
    start_s: float
    depart_s: float
    at: tuple[float, float] | None = None


class Question(Struct, frozen=True):
    """The candidates at a departure: place numbers (`NEW` last), one row of features each, and after how many visits."""

    places: NDArray[np.int64]
    rows: Rows
    visits: int


class _Said(Struct, frozen=True):
    """The votes as the last visit ends: a row a level, by transition or by place."""

    moves: Floats
    weights: Floats
    mass: Floats
    day_gap_s: Floats
    week_gap_s: Floats
    smooth: Floats
    beyond: Floats


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
        self._day = -1.0
        self._days = 0.0
        self._days_at = np.zeros(16)
        self._today_at = np.zeros(16)  # visits on the day of the last one
        self._trust = Trust(len(LEVELS), TRACKED, PLAINEST)
        self._said: _Said | None = None  # for the last visit

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
            if not new:
                self._trust.came(self._levels().smooth[:, place])
            self._move(place, new)
        self._said = None
        self._count_day(place, visit.start_s // DAY_S)
        self._counts[place] += 1.0
        self._last_s[place] = visit.start_s
        self._last_at[place] = self.visits
        self.visits += 1
        self._recent.append(visit)
        del self._recent[:-16]

    def _count_day(self, place: int, day: float) -> None:
        if day != self._day:
            self._today_at[:] = 0.0
            self._days += 1.0
            self._day = day
        self._days_at[place] += self._today_at[place] == 0.0
        self._today_at[place] += 1.0

    def _place(self, visit: Visit) -> int:
        index = self._index.get(visit.place)
        if index is None:
            index = self._index[visit.place] = len(self._names)
            self._names.append(visit.place)
            if index == len(self._counts):
                for name in _GROWING:
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
        said = self._levels()
        keep = np.arange(len(self._names))
        if len(keep) > CANDIDATES:
            plain = np.log(said.smooth[PLAIN]).sum(axis=0)
            keep = np.sort(np.argsort(-plain, kind="stable")[:CANDIDATES])
        levels = len(LEVELS)
        rows = np.zeros((len(keep) + 1, FEATURES), dtype=np.float32)
        rows[:-1, :levels] = said.beyond[:, keep].T
        rows[:-1, levels : levels + OTHERS] = self._others(keep, said)
        at = levels + OTHERS
        rows[-1, at : at + len(RATES)] = self._rates(said)
        at += len(RATES)
        rows[:, at : at + CONTEXT] = self._context(said)
        rows[-1, FIRST - 1] = 1.0
        self._further(rows[:, FIRST:], keep, said)
        names = np.asarray(self._names, dtype=np.int64)[keep]
        return Question(np.append(names, NEW), rows, self.visits)

    def _levels(self) -> _Said:
        """What each level says as the last visit ends."""
        if self._said is None:
            known, levels = len(self._names), len(LEVELS)
            moves = self._moves[max(0, self._made - MAX_VISITS) : self._made]
            day_gap_s, week_gap_s = self._gaps(moves)
            weights = self._weights(moves, day_gap_s, week_gap_s)
            cell = (np.arange(levels)[:, None] * known + moves[:, 2].astype(np.int64)).ravel()
            votes = np.bincount(cell, weights.ravel(), levels * known).astype(np.float64)
            mass = weights.sum(axis=1)
            smooth, beyond = self._smooth(votes.reshape(levels, known), mass)
            self._said = _Said(moves, weights, mass, day_gap_s, week_gap_s, smooth, beyond)
        return self._said

    def _gaps(self, moves: Floats) -> tuple[Floats, Floats]:
        """How far each departure was from this one in the day and in the week, seconds."""
        week_s = np.abs(moves[:, 4] - self._recent[-1].depart_s % (7 * DAY_S))
        week_s = np.minimum(week_s, 7 * DAY_S - week_s)
        day_s = week_s % DAY_S
        return np.minimum(day_s, DAY_S - day_s), week_s

    def _weights(self, moves: Floats, day_s: Floats, week_s: Floats) -> Floats:
        """The weight of each transition at each level."""
        now_s = self._recent[-1].depart_s
        age = np.maximum(0.0, now_s - moves[:, 3]) / DAY_S
        weekend = (moves[:, 4] >= 5 * DAY_S) == (now_s % (7 * DAY_S) >= 5 * DAY_S)
        kind = np.where(week_s < DAY_S / 2, 1.0, np.where(weekend, 0.6, 0.2))
        hour = np.exp(-0.5 * (day_s / 3_600.0) ** 2)
        wide = np.exp(-0.5 * (day_s / 7_200.0) ** 2)
        of_week = np.exp(-0.5 * (week_s / 3_000.0) ** 2)
        e45, e10, e3, e30, e90 = np.exp(-age / AGES_DAYS)
        same = (moves[:, 0] == self._origin()).astype(np.float64)
        both = same * (moves[:, 1] == self._before())
        hour_kind_e90, wide_e30, both_e90 = hour * kind * e90, wide * e30, both * e90
        return np.stack(
            (
                np.ones_like(age),
                e45,
                e10,
                e3,
                hour_kind_e90,
                wide_e30,
                of_week,
                hour * kind * e3,
                same,
                same * e30,
                same * hour_kind_e90,
                same * wide_e30,
                same * of_week,
                both_e90,
                both_e90 * wide * kind,
            )
        )

    def _smooth(self, votes: Floats, mass: Floats) -> tuple[Floats, Floats]:
        """(probability a row a level, and what each level says beyond the one it backs off into)."""
        known = votes.shape[1]
        smooth, base = np.empty_like(votes), np.empty_like(votes)
        for level, (_, under) in enumerate(LEVELS):
            if under == -1:
                base[level] = (self._counts[:known] + 0.3) / (self.visits + 0.3 * known)
            elif under == -2:
                product = smooth[9] * smooth[4] / smooth[1]
                base[level] = product / product.sum()
            else:
                base[level] = smooth[under]
            np.multiply(base[level], BACKOFF, out=smooth[level])
            smooth[level] += votes[level]
            smooth[level] /= mass[level] + BACKOFF
        base[0] = 1.0  # the plainest is told as it is
        return smooth, np.log(smooth) - np.log(base)

    def _others(self, keep: NDArray[np.int64], said: _Said) -> Floats:
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
        here = np.flatnonzero(said.moves[:, 0] == origin)
        if len(here):
            out[:, 9] = keep == said.moves[here[-1], 2]
        alike = np.flatnonzero(said.day_gap_s < 3_600.0)
        if len(alike):
            out[:, 10] = keep == said.moves[alike[-1], 2]
        if last.at is not None:
            gap = np.hypot(*(self._at[keep] - self._at[origin]).T)
            out[:, 11] = np.log1p(gap)
            out[:, 12] = np.exp(-gap) * (keep != origin)
            out[:, 13] = np.exp(-gap / 0.2) * (keep != origin)
        return out

    def _rates(self, said: _Said) -> Floats:
        """Log-odds of somewhere new at the levels of `RATES`."""
        fresh, mass = said.weights @ said.moves[:, 5], said.mass
        under = (fresh[0] + 1.0) / (mass[0] + 2.0)
        out = np.empty(len(RATES))
        for at, level in enumerate(RATES):
            rate = (fresh[level] + NEW_BACKOFF * under) / (mass[level] + NEW_BACKOFF)
            out[at] = log(rate / (1.0 - rate))
        return out

    def _context(self, said: _Said) -> Floats:
        """The circumstances, the same for every candidate; what they change is for `next_score` to say."""
        last, mass, spread = self._recent[-1], said.mass, said.smooth[10]
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

    def _further(self, rows: Rows, keep: NDArray[np.int64], said: _Said) -> None:
        """Fills the columns after the first ones."""
        last, smooth = self._recent[-1], said.smooth[:, keep].T
        mixed = np.log(self._trust.mixed(smooth))
        here = np.log(smooth[:, RANKED[0]])
        moves, origin = said.moves, self._origin()
        departure = (origin, self._before())
        marks = np.zeros((len(keep), MARKS))
        marks[:, :LAST] = last_times(keep, moves, departure, said.day_gap_s, said.week_gap_s)
        at = LAST + len(RANKED)
        marks[:, LAST:at] = standing(smooth[:, RANKED])
        of_mixture = (here - here.max(), mixed, mixed - mixed.max())
        marks[:, at:-NEAR] = np.stack((*of_mixture, *self._days_of(keep)), axis=1)
        around = np.zeros(NEAR_HERE)
        if last.at is not None:
            known = len(self._names)
            levels = (said.smooth[level] for level in (PLAINEST, 4, 9, 10))
            whole = Around(self._at[:known], self._counts[:known], *levels)
            alike = said.weights[4]
            marks[:, -NEAR:], around = near_by(whole, keep, origin, moves, last.depart_s, alike)
        age = (last.depart_s - moves[:, 3]) / DAY_S
        lately = [log1p(1.0 + int((age < days).sum())) for days in LATELY_DAYS]
        rows[:-1, :MARKS] = marks
        rows[:, MARKS:] = np.concatenate((self._trust.track, lately, around))

    def _days_of(self, keep: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """Visits today, on what share of the days one was there, and how often on such a day."""
        today = self._today_at[keep] * (self._recent[-1].depart_s // DAY_S == self._day)
        share = np.log((self._days_at[keep] + 0.5) / (self._days + 1.0))
        return today, share, np.log(self._counts[keep] / self._days_at[keep])
