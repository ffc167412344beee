"""What the next place is predicted with elsewhere: most frequent, first-order Markov, and a mix of 13 features.

The mix is an online softmax over visited places, without "somewhere new": frequency, 7- and 30-day decayed frequency,
Markov of order 1 and 2 with and without decay, hour of day, hour of week, Markov x hour, recency of the last two,
the last place at this hour, and the gap since the last visit. It is fitted by the same fitter, on the same
other people.
"""

from __future__ import annotations

import numpy as np

from hearthway.context.next_place import Floats, Question, Visit
from hearthway.records.localtime import DAY_S

HOUR_S = 3_600.0
MIX = 13
MIX_NAME = "13-feature mix"
FLOOR = 0.02


class Peers:
    """One person's visits as the peers see them: each place by its share in like circumstances."""

    def __init__(self) -> None:
        self._names: list[int] = []
        self._index: dict[int, int] = {}
        self._visits: list[Visit] = []
        self._at = np.zeros((0, 4))  # place, start, hour of the day, hour of the week
        self._made = 0

    def learn(self, visit: Visit) -> None:
        """A visit began."""
        index = self._index.setdefault(visit.place, len(self._names))
        if index == len(self._names):
            self._names.append(visit.place)
        if self._made == len(self._at):
            self._at = np.concatenate((self._at, np.zeros((64 + self._made, 4))))
        hour = visit.start_s / HOUR_S
        self._at[self._made] = (index, visit.start_s, hour % 24, hour % 168)
        self._made += 1
        self._visits.append(visit)

    def ask(self) -> tuple[Question, dict[str, list[int]]]:
        """(the mix's question as the last visit ends, the ranking of each simple peer)."""
        at, known, now_s = self._at[: self._made], len(self._names), self._visits[-1].depart_s
        place = at[:, 0].astype(np.int64)
        age = np.maximum(0.0, now_s - at[:, 1]) / DAY_S
        day = _near(at[:, 2], now_s / HOUR_S % 24, 24.0)
        week = _near(at[:, 3], now_s / HOUR_S % 168, 168.0)
        month, days7 = np.exp2(-age / 30.0), np.exp2(-age / 7.0)
        after = np.zeros(len(at))  # visits that followed one at this place
        after[1:] = place[:-1] == place[-1]
        after2 = np.zeros(len(at))
        if len(at) > 2:
            after2[2:] = after[2:] * (place[:-2] == place[-2])
        votes = (
            np.ones(len(at)),
            days7,
            month,
            after,
            after * month,
            after2,
            after2 * month,
            day,
            week,
            after * day,
        )
        counts = np.stack([np.bincount(place, w, known) for w in votes], axis=1)
        rows = np.zeros((known, MIX), dtype=np.float32)
        rows[:, :10] = np.log(counts / np.maximum(1.0, counts.sum(axis=0)) + FLOOR)
        latest = np.full(known, -np.inf)
        np.maximum.at(latest, place, at[:, 1])
        rows[place[-1], 10] = 1.0
        if len(at) > 1:
            rows[place[-2], 10] += 0.5
        same_hour = np.flatnonzero(day > 0.5)
        if len(same_hour):
            rows[place[same_hour[-1]], 11] = 1.0
        rows[:, 12] = np.log1p(np.maximum(0.0, now_s - latest) / DAY_S)
        names = np.asarray(self._names, dtype=np.int64)
        often = counts[:, 0] + 1e-9 * np.argsort(np.argsort(latest))
        simple = {
            "most frequent": names[np.argsort(-often, kind="stable")].tolist(),
            "Markov-1": names[np.argsort(-(1e6 * counts[:, 3] + often), kind="stable")].tolist(),
        }
        return Question(names, rows, self._made), simple


def _near(hours: Floats, now: float, round_h: float) -> Floats:
    gap = np.abs(hours - now)
    return np.asarray(np.exp(-0.5 * (np.minimum(gap, round_h - gap) / 1.0) ** 2))
