"""By what a person moved: trips' modes against the truth, and how often one is taken to drive who does not.

    python bench/modes.py --data ../shared/data

Everything goes through `hearthway.context.life`, fix by fix, and nothing looks ahead. A trip's mode is told once it is over: by the
student `modes` where the phone wrote rarely, else by the filter. The student was taught on `hearthway.synthetic.travellers`, and where
it speaks was chosen there (`bench/modes_gate.py`); nothing is fitted to what is judged here. Three kinds of truth:

- *synthetic*: people who go by foot, bicycle, car, bus and train (`_modes`), for each kind of phone; and people who only ever
  drive: a household of `hearthway.synthetic` (its adults' longer ways) and the lives of `_lives`, as their phones write and with
  a fix in five minutes. Nobody lived any of it: that a description is followed says that it does what it is meant to, not that
  people move so.
- *labels*: GeoLife 1.3 as it is distributed (`<uid>/labels.txt` beside `<uid>/Trajectory/*.plt`), wherever in DIR; with --split
  NAME only what has NAME in its path. Each labelled segment of 100 m and a minute is scored.
- *raw* histories (`*raw*.csv.gz`) have no truth: the row tells how the trips are shared out, and how often a trip of the history
  with a fix in five minutes is told as the filter tells it with all of them, where that names a mode.

The peers of a trip are its mean speed (below 2 m/s foot, below 5 bicycle, below 14 car, else transit) and the filter alone. The
peer of a moment is
what stood here before: driving is who was faster than 5.5 m/s in a quarter of the last three minutes. The last line is JSON for
scripts/bench.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from hearthway.atlas.store import Atlas
from hearthway.context.events import TripEnded
from hearthway.context.life import Life
from hearthway.context.mode_judge import judged
from hearthway.context.modes import Judge, ModeFilter
from hearthway.context.motion import mode_of
from hearthway.history.reader import open_history
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.geo import distance_m
from hearthway.records.life import MODES, Reached, TravelMode, Trip
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import normalise
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import generate
from hearthway.synthetic.settings import Settings

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._given import collected, is_history
    from bench._lives import KINDS, begun
    from bench._modes import CLASS, STYLES, Mixed, Went
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started
    from _given import collected, is_history
    from _lives import KINDS, begun
    from _modes import CLASS, STYLES, Mixed, Went

Row = dict[str, Any]
Item = Fix | Signal
LABELS: dict[str, TravelMode] = {
    "walk": "foot",
    "run": "foot",
    "bike": "bicycle",
    "car": "car",
    "taxi": "car",
    "motorcycle": "car",
    "bus": "transit",
    "subway": "transit",
    "train": "transit",
    "airplane": "transit",
    "boat": "transit",
}
BOUNDS_MPS = (2.0, 5.0, 14.0)
SEGMENT_M, SEGMENT_S, SEGMENT_FIXES = 100.0, 60.0, 5
BEFORE_MPS, JITTER_M, SETTLED_S = 5.5, 25.0, 30.0
RARE_EVERY_S = 300.0
ALONE = "the filter alone"
CAR_WAY_M = 1_500.0  # the household's adults walk less far, and drive farther


class Score:
    """Truth beside two answers, the second of them the peer's."""

    def __init__(self, peer: str = "mean speed") -> None:
        self.peer = peer
        self.pairs: list[tuple[TravelMode, str, str]] = []

    def add(self, truth: TravelMode, ours: str, theirs: str) -> None:
        self.pairs.append((truth, ours, theirs))

    def rows(self, case: str, what: str) -> list[Row]:
        """Right; right on the average of the modes; how many are the car's, and how many said to be are."""
        if not self.pairs:
            return []
        said = f"{case}, {len(self.pairs)} {what}"
        known = [mode for mode in MODES if any(truth == mode for truth, _, _ in self.pairs)]
        out = [
            row(said, f"{what} told right", "share", *(self._right(self.pairs, k) for k in (1, 2)))
        ]
        if len(known) > 1:
            by_mode = [[p for p in self.pairs if p[0] == mode] for mode in known]
            even = [sum(self._right(one, k) for one in by_mode) / len(known) for k in (1, 2)]
            out.append(row(said, "the same, each mode alike", "share", *even))
            for mode in known:
                found = [self._recall(mode, k) for k in (1, 2)]
                out.append(row(said, f"{what} by {mode} that are told so", "share", *found))
            out.append(
                row(
                    said,
                    f"{what} told as car that are by car",
                    "share",
                    *(self._precision("car", k) for k in (1, 2)),
                )
            )
        return [one | {"peer": self.peer} for one in out]

    @staticmethod
    def _right(pairs: list[tuple[TravelMode, str, str]], which: int) -> float:
        return sum(pair[0] == pair[which] for pair in pairs) / len(pairs)

    def _recall(self, mode: str, which: int) -> float:
        return self._right([pair for pair in self.pairs if pair[0] == mode], which)

    def _precision(self, mode: str, which: int) -> float:
        said = [pair for pair in self.pairs if pair[which] == mode]
        return self._right(said, which) if said else 0.0


def row(case: str, metric: str, unit: str, ours: float, theirs: float | None = None) -> Row:
    """One line of the table."""
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 4),
        "peer": "" if theirs is None else "mean speed",
        "theirs": None if theirs is None else round(theirs, 4),
        "ratio": round(ours / theirs, 4) if theirs else None,
    }


def by_mean_speed(mps: float) -> TravelMode:
    """The peer."""
    return MODES[bisect_right(BOUNDS_MPS, mps)]


class Walk:
    """A life, fix by fix, with the trips it told and how fast each was on the average."""

    def __init__(self, roads: Atlas | None = None, judge: Judge = judged) -> None:
        self.life = Life("bench", roads=roads, judge=judge)
        self.trips: list[tuple[Trip, float]] = []
        self._went: list[tuple[float, float]] = []  # time_s, metres gone
        self._mark: Fix | None = None

    def take(self, item: Item) -> None:
        """The next."""
        if not isinstance(item, Fix):
            self.life.observe_signal(item)
            return
        if self._mark is None:
            self._mark = item
        metres = distance_m(self._mark.lat, self._mark.lon, item.lat, item.lon)
        if metres >= max(JITTER_M, 2.0 * (item.accuracy_m or 0.0)):
            before = self._went[-1][1] if self._went else 0.0
            self._went.append((item.time_s, before + metres))
            self._mark = item
        for event in self.life.observe(item):
            if isinstance(event, TripEnded):
                trip = event.trip
                metres = self._gone(trip.end_s) - self._gone(trip.start_s)
                self.trips.append((trip, metres / max(1.0, trip.end_s - trip.start_s)))

    def _gone(self, time_s: float) -> float:
        at = bisect_right(self._went, (time_s, float("inf")))
        return self._went[at - 1][1] if at else 0.0

    def doing(self, now_s: float) -> tuple[str, bool]:
        """(what is said of this moment, whether the rule of before says driving)."""
        state = self.life.state
        staying = state.here is not None
        said, _ = mode_of(state.recent, ModeFilter(state.modes), staying=staying, now_s=now_s)
        speeds = [m.speed_mps for m in state.recent if m.speed_mps is not None]
        fast = sum(speed >= BEFORE_MPS for speed in speeds)
        return said, not staying and bool(speeds) and fast >= max(1, len(speeds) // 4)


def truth_of(trip: Trip, ways: Iterable[Went]) -> TravelMode | None:
    """What the way that this trip was on truly was; None where it was on none."""
    best, most_s = None, 0.0
    for way in ways:
        shared_s = min(way.end_s, trip.end_s) - max(way.start_s, trip.start_s)
        if shared_s > most_s:
            best, most_s = way.mode, shared_s
    return best


def mixed_rows(style: str, people: int, days: int, seed: int) -> list[Row]:
    """People of `_modes` with one kind of phone: trips, moments, and how places are known to be reached."""
    score, alone, moments = Score(), Score(ALONE), Counter[tuple[bool, str]]()
    places = Counter[str]()
    for number in range(people):
        one = Mixed(seed + number, style, tells=number % 2 == 1)
        one.live(days)
        walk, filtered, ahead = Walk(), Walk(judge=ModeFilter.trip), iter(one.ways)
        way = next(ahead, None)
        for item in one.items():
            walk.take(item)
            filtered.take(item)
            while way is not None and item.time_s > way.end_s:
                way = next(ahead, None)
            riding = (
                way is not None and way.ride_start_s + SETTLED_S <= item.time_s <= way.ride_end_s
            )
            if way is not None and riding and isinstance(item, Fix):
                said, before = walk.doing(item.time_s)
                moments[way.mode == "car", "all"] += 1
                moments[way.mode == "car", "ours"] += said == "driving"
                moments[way.mode == "car", "before"] += before
        for (trip, mps), (same, _) in zip(walk.trips, filtered.trips, strict=True):
            truth = truth_of(trip, one.ways)
            if truth is not None:
                score.add(truth, trip.mode, by_mean_speed(mps))
                alone.add(truth, trip.mode, same.mode)
        places += reached(walk, one)
    case = f"synthetic, {style} phone, {people} people"
    out = [*score.rows(case, "trips"), *alone.rows(case, "trips")]
    for car, words in ((True, "in a car"), (False, "otherwise")):
        total = moments[car, "all"]
        shares = [moments[car, which] / max(1, total) for which in ("ours", "before")]
        named = row(
            case, f"moments under way {words} told as driving, of {total}", "share", *shares
        )
        out.append(named | {"peer": "the rule before"})
    out.append(row(case, "places, most of whose trips are told right", "places", places["right"]))
    out.append(row(case, "places come to at all", "places", places["all"]))
    out.append(row(case, "places by car said to be never driven to", "places", places["wrong"]))
    out.append(row(case, "places not by car said to be so", "places", places["told"]))
    return out


def reached(walk: Walk, one: Mixed) -> Counter[str]:
    """How many of this person's places are known by how one comes there."""
    found = Counter[str]()
    for kind, spot in one.places.items():
        near = [p for p in walk.life.places() if distance_m(p.lat, p.lon, *spot) <= 200.0]
        came = near[0].reached if near else None
        if not isinstance(came, Reached):
            continue
        truth = CLASS[kind]
        counts = {mode: getattr(came, mode) for mode in MODES}
        found["all"] += 1
        found["right"] += 2 * counts[truth] > sum(counts.values()) + came.unknown
        found["wrong"] += truth == "car" and came.never_by_car
        found["told"] += truth != "car" and came.never_by_car
    return found


def car_rows(case: str, lives: Iterable[tuple[Iterable[Item], float]], roads: Atlas) -> list[Row]:
    """People who only ever drive (farther than the given metres): as their phones write, and rarely."""
    usual, seldom = (Score(), Score(ALONE)), (Score(), Score(ALONE))
    for items, least_m in lives:
        kept = list(items)
        for told, (score, alone) in ((kept, usual), (list(rarely(kept)), seldom)):
            walk, filtered = Walk(roads), Walk(roads, ModeFilter.trip)
            for item in told:
                walk.take(item)
                filtered.take(item)
            for (trip, mps), (same, _) in zip(walk.trips, filtered.trips, strict=True):
                a, b = trip.origin, trip.destination
                if distance_m(a.lat, a.lon, b.lat, b.lon) >= least_m:
                    score.add("car", trip.mode, by_mean_speed(mps))
                    alone.add("car", trip.mode, same.mode)
    words = "trips, all by car,"
    return [
        *(one for score in usual for one in score.rows(case, words)),
        *(one for score in seldom for one in score.rows(f"{case}, rare phone", words)),
    ]


def rarely(items: Iterable[Item]) -> Iterator[Item]:
    """The same told by a phone that writes a fix in five minutes."""
    last_s = float("-inf")
    for item in items:
        if not isinstance(item, Fix):
            yield item
        elif item.time_s - last_s >= RARE_EVERY_S:
            last_s = item.time_s
            yield item


def household(seed: int, atlas: Atlas) -> Iterator[tuple[Iterable[Item], float]]:
    """The adults of the generator's household, six weeks."""
    made = generate(
        Settings(seed=seed, weeks=6), atlas, atlas, DrivePool.bundled(), atlas.place_name
    )
    for member in made.people:
        if member.car_signals:
            signals: Iterable[Item] = [normalise(signal) for signal in member.car_signals]
            fixes: Iterable[Item] = member.fixes
            yield heapq.merge(signals, fixes, key=lambda item: item.time_s), CAR_WAY_M


def drivers(seed: int, atlas: Atlas) -> Iterator[tuple[Iterable[Item], float]]:
    """The lives of the other description, 30 days."""
    for kind in KINDS:
        life = begun(kind, atlas, seed)
        life.live(30, quiet=False)
        yield life.items(0.0, float("inf")), 0.0


class Segment(Struct):
    """A labelled stretch."""

    start_s: float
    end_s: float
    mode: TravelMode


def read_labels(path: Path) -> list[Segment]:
    """Of one person, by start; InputError where a line is none."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        cells = line.split("\t")
        if number == 1 or not line.strip():
            continue
        try:
            times = [
                datetime.strptime(c, "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC) for c in cells[:2]
            ]
            mode = LABELS[cells[2].strip()]
            found.append(Segment(times[0].timestamp(), times[1].timestamp(), mode))
        except (ValueError, LookupError):
            raise InputError(
                f"{path}, line {number}, is no label.",
                "GeoLife has `start<TAB>end<TAB>mode`, times as 2008/04/02 11:24:21.",
            ) from None
    return sorted(found, key=lambda one: one.start_s)


class Tally(Struct):
    """What was seen on one segment."""

    fixes: int = 0
    metres: float = 0.0
    by_class: list[float] = field(default_factory=lambda: [0.0] * len(MODES))


def score_labels(folder: Path, score: Score) -> int:
    """One person of GeoLife; how many segments were too short to score."""
    segments = read_labels(folder / "labels.txt")
    starts = [one.start_s for one in segments]
    tallies = [Tally() for _ in segments]
    life, mark = Life("bench"), None
    for fix in plt_fixes(folder):
        life.observe(fix)
        mark = mark or fix
        at = bisect_right(starts, fix.time_s) - 1
        if at < 0 or fix.time_s > segments[at].end_s:
            mark = fix
            continue
        tally = tallies[at]
        tally.fixes += 1
        metres = distance_m(mark.lat, mark.lon, fix.lat, fix.lon)
        if metres >= JITTER_M:
            mark = fix
            tally.metres += metres
            p = ModeFilter(life.state.modes).classes()
            tally.by_class = [b + metres * q for b, q in zip(tally.by_class, p, strict=True)]
    short = 0
    for segment, tally in zip(segments, tallies, strict=True):
        seconds = segment.end_s - segment.start_s
        if tally.metres < SEGMENT_M or seconds < SEGMENT_S or tally.fixes < SEGMENT_FIXES:
            short += 1
            continue
        best = max(range(len(MODES)), key=lambda i: (tally.by_class[i], -i))
        score.add(segment.mode, MODES[best], by_mean_speed(tally.metres / seconds))
    return short


def plt_fixes(folder: Path) -> Iterator[Fix]:
    """All fixes of one person; InputError where there is no recording."""
    paths = sorted((folder / "Trajectory").glob("*.plt"))
    if not paths:
        raise InputError(
            f"{folder} has labels and no Trajectory/*.plt.", "Unpack GeoLife 1.3 whole."
        )
    for _, fix in chain.from_iterable(open_history(path) for path in paths):
        yield fix


def label_rows(data: Path, split: str) -> list[Row]:
    """GeoLife with labels, all persons together; empty where there are none."""
    score, people, short = Score(), 0, 0
    for path in sorted(data.glob("**/labels.txt")):
        if split in str(path.relative_to(data)):
            short += score_labels(path.parent, score)
            people += 1
    rows = score.rows(f"GeoLife labels, {people} people", "segments")
    if rows:
        rows.append(
            row(f"GeoLife labels, {people} people", "segments too short", "segments", short)
        )
    return rows


def raw_rows(data: Path, split: str) -> list[Row]:
    """How the trips of histories without labels are shared out."""
    rows = []
    for path in sorted(p for p in data.glob("**/*raw*.csv*") if is_history(p, split)):
        fixes = collected(path)
        for uid in fixes.people():
            walk = Walk()
            for fix in fixes.of(uid):
                walk.take(fix)
            modes = Counter(trip.mode for trip, _ in walk.trips)
            peers = Counter(by_mean_speed(mps) for _, mps in walk.trips)
            for mode in (*MODES, "unknown"):
                case = f"raw {path.name.split('.')[0]}/{uid}, no truth"
                theirs = float(peers[mode]) if mode in MODES else None
                rows.append(row(case, f"trips by {mode}", "trips", modes[mode], theirs))
            rows += thinned_rows(path.name.split(".")[0] + "/" + uid, list(fixes.of(uid)))
    return rows


def thinned_rows(name: str, fixes: list[Fix]) -> list[Row]:
    """A real history with a fix in five minutes, beside what the filter says of it with all of them."""
    whole, walk, filtered = Walk(judge=ModeFilter.trip), Walk(), Walk(judge=ModeFilter.trip)
    for fix in fixes:
        whole.take(fix)
    for item in rarely(fixes):
        walk.take(item)
        filtered.take(item)
    named = [Went(t.start_s, t.end_s, t.mode, 0.0, 0.0) for t, _ in whole.trips if t.mode in MODES]
    mean, alone = Score(), Score(ALONE)
    for (trip, mps), (same, _) in zip(walk.trips, filtered.trips, strict=True):
        told = truth_of(trip, named)
        if told is not None:
            mean.add(told, trip.mode, by_mean_speed(mps))
            alone.add(told, trip.mode, same.mode)
    case = f"{name}, a fix in five minutes, all fixes for the truth"
    return [*mean.rows(case, "trips"), *alone.rows(case, "trips")]


def measured(data: Path, split: str, people: int, days: int, seed: int) -> list[Row]:
    """All rows; InputError where DIR has nothing for this split."""
    if not data.is_dir():
        raise InputError(f"There is no folder {data}.", "Give --data the folder of the data sets.")
    found = label_rows(data, split) + raw_rows(data, split)
    if split and not found:
        raise InputError(
            f"Nothing under {data} has {split!r} in its name and labels or raw positions in it.",
            "Leave out --split, or name a part of a path that is there.",
        )
    if not any(each["case"].startswith("GeoLife labels") for each in found):
        print("no labels.txt here: GeoLife's labels are not scored", file=sys.stderr)
    rows = [r for style in STYLES for r in mixed_rows(style, people, days, seed)]
    atlas = Atlas.bundled()
    rows += car_rows("synthetic household", household(seed, atlas), atlas)
    rows += car_rows("synthetic, other description", drivers(seed, atlas), atlas)
    return rows + found


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    parser.add_argument("--people", type=int, default=6, help="for each kind of phone")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    try:
        rows = measured(given.data, given.split, given.people, given.days, given.seed)
    except HearthwayError as why:
        return refused(why)
    for each in rows:
        print(*(str(each[key]) for key in each if each[key] not in (None, "")), sep="  ")
    finish("modes", rows)
    return 0


if __name__ == "__main__":
    started(main)
