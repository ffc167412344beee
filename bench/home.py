"""Next event at home, walk-forward, beside first-order Markov and Home Assistant's part of the day.

    python bench/home.py --data ../shared/data

Reads every `house*.sensors` (van Kasteren et al. 2008, Tapia et al. 2004: start, seconds, sensor) and
`Ordonez*_Sensors.txt` (Ordonez et al. 2013) under DIR; with --split NAME only those whose path holds NAME. The last 30 % of each home's
events is the test: every method sees one event at a time, says what comes next, and then learns it. Nothing is fitted
beforehand. Two readings: *changes*, where a run of one sensor is one event, and *as logged*, where a sensor that
reports the same thing again and again decides (house B: nine of ten events repeat the one before). The part of the day is
the method of `usage_prediction` in Home Assistant: counts of the last 30 days in four parts of the day, the first eight;
here it counts anew at every event, not once a day. Intervals: 95 %, days of each home drawn with replacement.
The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from calendar import timegm
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np
from msgspec import Struct, field

from hearthway.context.happenings import Happening, HomeState
from hearthway.context.next_event import NextEvent
from hearthway.records.errors import HearthwayError, InputError

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started

TEST_SHARE = 0.3
BAD_LINES = 0.01  # more than this share of a file is not a log of this form
LEAST_EVENTS = 10
DAY_S = 86_400
DRAWS = 4_000
SEED = 28
BINS = 10
CHANGES = "changes"
LOGGED = "as logged"
Event = tuple[int, str]
Guess = list[tuple[str, float]]


class Method(Protocol):
    """Something that says what comes next."""

    def guess(self) -> Guess:
        """Things and their shares, the likeliest first."""

    def learn(self, event: Event) -> None:
        """What really came."""


class Ours:
    """`hearthway.context.next_event`."""

    def __init__(self) -> None:
        self.model = NextEvent()

    def guess(self) -> Guess:
        """Without what was never seen."""
        shares = self.model.shares()
        del shares[""]
        return sorted(shares.items(), key=lambda pair: -pair[1])

    def learn(self, event: Event) -> None:
        """One event."""
        self.model.observe(Happening(float(event[0]), float(event[0] % DAY_S), event[1]))


class Markov:
    """What followed the last event most often; the most frequent where nothing did."""

    def __init__(self) -> None:
        self.after: dict[str, Counter[str]] = {}
        self.often: Counter[str] = Counter()
        self.last = ""

    def guess(self) -> Guess:
        """Those that followed, then the others by frequency."""
        row = self.after.get(self.last, Counter())
        whole = sum(row.values()) or 1
        first = [(what, times / whole) for what, times in row.most_common()]
        return first + [(what, 0.0) for what, _ in self.often.most_common() if what not in row]

    def learn(self, event: Event) -> None:
        """One event."""
        self.after.setdefault(self.last, Counter())[event[1]] += 1
        self.often[event[1]] += 1
        self.last = event[1]


class PartOfDay:
    """Home Assistant's common control: the eight most used in this part of the day, of 30 days.

    Not so there: where the last thing cannot come next (`others`) it is left out, which makes it better.
    """

    def __init__(self, *, others: bool) -> None:
        self.others = others
        self.counts = [Counter[str]() for _ in range(4)]
        self.window: deque[Event] = deque()

    @staticmethod
    def part(time_s: int) -> int:
        """Night, morning from 6, afternoon from 12, evening from 18 to 22."""
        hour = time_s % DAY_S // 3600
        return 1 if 6 <= hour < 12 else 2 if 12 <= hour < 18 else 3 if 18 <= hour < 22 else 0

    def guess(self) -> Guess:
        """For the part of the day of the last event."""
        if not self.window:
            return []
        time_s, last = self.window[-1]
        row = Counter(self.counts[self.part(time_s)])
        if self.others:
            del row[last]
        whole = sum(row.values()) or 1
        return [(what, times / whole) for what, times in row.most_common(8) if times]

    def learn(self, event: Event) -> None:
        """One event; those older than 30 days go."""
        self.window.append(event)
        self.counts[self.part(event[0])][event[1]] += 1
        while self.window[0][0] < event[0] - 30 * DAY_S:
            old = self.window.popleft()
            self.counts[self.part(old[0])][old[1]] -= 1


class Score(Struct):
    """What one method did on the test events of some homes."""

    ranks: list[int] = field(default_factory=list)  # 0 where the guess did not hold it
    sure: list[float] = field(default_factory=list)  # share of the first guess
    cpu_s: float = 0.0
    seen: int = 0  # events learned in that time


class Home(Struct):
    """One home in one reading: the day of each test event, and the methods' scores."""

    name: str
    days: list[int]
    scores: dict[str, Score]
    state: HomeState


METHODS = ("ours", "Markov-1", "part of the day")


def methods(reading: str) -> dict[str, Method]:
    """All of them, new."""
    return dict(zip(METHODS, (Ours(), Markov(), PartOfDay(others=reading == CHANGES)), strict=True))


def log_of(path: Path) -> list[Event]:
    """Events in order of their start; InputError where the file is no such log."""
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    lines = [line.split() for line in text.splitlines()]
    lines = [line for line in lines if line and line[0][0].isdigit()]
    read = _van_kasteren if path.suffix == ".sensors" else _ordonez
    events = [event for event in map(read, lines) if event is not None]
    bad = len(lines) - len(events)
    if len(events) < LEAST_EVENTS or bad > BAD_LINES * len(lines):
        raise InputError(
            f"{path} is no log to learn from: {len(events)} events, {bad} lines that could not be read.",
            "Give the set as it was published.",
        )
    if bad:
        print(f"{path.name}: {bad} of {len(lines)} lines could not be read and are left out")
    return sorted(events, key=lambda event: event[0])


def _van_kasteren(words: list[str]) -> Event | None:
    if len(words) != 3 or not all(word.isascii() and word.isdigit() for word in words):
        return None
    return int(words[0]), words[2]


def _ordonez(words: list[str]) -> Event | None:
    try:
        begin = time.strptime(" ".join(words[:2]), "%Y-%m-%d %H:%M:%S")
        time.strptime(" ".join(words[2:4]), "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
    return (timegm(begin), "/".join(words[4:])) if len(words) > 4 else None


def changes(events: list[Event]) -> list[Event]:
    """Runs of one sensor as one event."""
    return [each for i, each in enumerate(events) if i == 0 or each[1] != events[i - 1][1]]


def walked(name: str, events: list[Event], reading: str) -> Home:
    """Every method over one home's events, scored on the last part."""
    begin = int(len(events) * (1 - TEST_SHARE))
    scores = {}
    for label, method in methods(reading).items():
        score = scores[label] = Score(seen=len(events))
        begun_s = time.process_time()
        for i, event in enumerate(events):
            guess = method.guess()
            if i >= begin:
                names = [what for what, _ in guess]
                score.ranks.append(names.index(event[1]) + 1 if event[1] in names else 0)
                score.sure.append(guess[0][1] if guess else 0.0)
            method.learn(event)
        score.cpu_s = time.process_time() - begun_s
        if isinstance(method, Ours):
            state = method.model.state
    return Home(name, [event[0] // DAY_S for event in events[begin:]], scores, state)


def ece(ranks: list[int], sure: list[float]) -> float:
    """Expected calibration error of the first guess, ten bins of equal width."""
    hit, said = np.array(ranks) == 1, np.array(sure)
    at = np.minimum((said * BINS).astype(int), BINS - 1)
    return sum(abs(float((hit - said)[at == i].sum())) for i in range(BINS)) / len(hit)


def interval(homes: list[Home], gains: list[list[float]]) -> tuple[float, float, float]:
    """Mean over all events, with a 95 % interval: whole days drawn anew within each home."""
    rng = np.random.default_rng(SEED)
    sums, counts = np.zeros(DRAWS), np.zeros(DRAWS)
    for home, values in zip(homes, gains, strict=True):
        _, at = np.unique(home.days, return_inverse=True)
        total, events = np.bincount(at, weights=values), np.bincount(at)
        drawn = rng.integers(len(events), size=(DRAWS, len(events)))
        sums += total[drawn].sum(axis=1)
        counts += events[drawn].sum(axis=1)
    low, high = np.quantile(sums / counts, [0.025, 0.975])
    whole = [value for values in gains for value in values]
    return sum(whole) / len(whole), float(low), float(high)


def measures(homes: list[Home], label: str) -> dict[str, float]:
    """Accuracy in the first and the first three, mean reciprocal rank, calibration error, CPU."""
    ranks = [rank for home in homes for rank in home.scores[label].ranks]
    sure = [each for home in homes for each in home.scores[label].sure]
    mine = [home.scores[label] for home in homes]
    return {
        "Acc@1": sum(rank == 1 for rank in ranks) / len(ranks),
        "Acc@3": sum(0 < rank <= 3 for rank in ranks) / len(ranks),
        "MRR": sum(1 / rank for rank in ranks if rank) / len(ranks),
        "ECE": ece(ranks, sure),
        "CPU": 1e3 * sum(each.cpu_s for each in mine) / sum(each.seen for each in mine),
    }


UNITS = {"Acc@1": "share", "Acc@3": "share", "MRR": "", "ECE": "", "CPU": "ms an event"}


def report(case: str, homes: list[Home]) -> list[dict[str, Any]]:
    """Prints one table and gives its rows."""
    all_of = {label: measures(homes, label) for label in METHODS}
    events = sum(len(home.days) for home in homes)
    print(f"{case}: {events} test events of {sum(len(set(home.days)) for home in homes)} days")
    for label, values in all_of.items():
        told = "  ".join(f"{name} {value:.3f}" for name, value in values.items())
        print(f"  {label:16}{told}")
    rows = []
    ours = all_of["ours"]
    for label in METHODS[1:]:
        for name, value in ours.items():
            rows.append(row(case, name, UNITS[name], value, label, all_of[label][name]))
        gains = [
            [
                float((a == 1) - (b == 1))
                for a, b in zip(home.scores["ours"].ranks, home.scores[label].ranks, strict=True)
            ]
            for home in homes
        ]
        mean, low, high = interval(homes, gains)
        print(f"  ours - {label}, Acc@1, paired: {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
        for name, value in (("", mean), (", low", low), (", high", high)):
            rows.append(row(case, f"paired gain of Acc@1{name}", "share", value, label, 0.0))
    return rows


def row(
    case: str, metric: str, unit: str, ours: float, peer: str | None, theirs: float | None
) -> dict[str, Any]:
    """One row for scripts/bench."""
    ratio = round(ours / theirs, 4) if theirs else None
    value = round(ours, 5)
    told = None if theirs is None else round(theirs, 5)
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": value,
        "peer": peer,
        "theirs": told,
        "ratio": ratio,
    }


def kept(homes: list[Home]) -> list[dict[str, Any]]:
    """What the largest state takes, written down and in memory."""
    largest = max((msgspec.msgpack.encode(home.state) for home in homes), key=len)
    tracemalloc.start()
    state = msgspec.msgpack.decode(largest, type=HomeState)
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    print(
        f"largest state: {len(largest)} bytes written, {memory} in memory, {len(state.rows)} rows"
    )
    return [
        row("largest state", "written", "bytes", len(largest), None, None),
        row("largest state", "in memory", "bytes", memory, None, None),
    ]


def found(data: Path, split: str) -> list[Path]:
    """The logs; InputError where there is none."""
    paths = sorted([*data.glob("**/house*.sensors"), *data.glob("**/Ordonez*_Sensors.txt")])
    chosen = [path for path in paths if split in str(path.relative_to(data))]
    if not chosen:
        there = (
            ", ".join(path.name for path in paths) or "no house*.sensors, no Ordonez*_Sensors.txt"
        )
        raise InputError(
            f"No home's log {f'with {split!r} in its path ' if split else ''}under {data}; there: {there}.",
            "Give --data a folder that holds one, and --split a part of its path or nothing.",
        )
    return chosen


def main() -> int:
    """Every home and all together, in both readings; 2 where there is no usable log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    options = parser.parse_args()
    try:
        logs = {path: log_of(path) for path in found(options.data, options.split)}
    except HearthwayError as error:
        return refused(error)
    rows: list[dict[str, Any]] = []
    every: list[Home] = []
    for reading in (CHANGES, LOGGED):
        homes = [
            walked(path.stem, changes(events) if reading == CHANGES else events, reading)
            for path, events in logs.items()
        ]
        for home in homes:
            rows += report(f"{home.name}, {reading}", [home])
        rows += report(f"all, {reading}", homes)
        every += homes
    rows += kept(every)
    finish("home", rows)
    return 0


if __name__ == "__main__":
    started(main)
