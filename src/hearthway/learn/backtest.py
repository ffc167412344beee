"""Walk-forward backtest on a person's own history, through the very code that runs live.

Each trip is predicted at 0, 25, 50 and 75 % of its time by `Life.situation` and `Life.aim`, fed with fixes up to that
moment only. A first pass over the history finds the trips and their truths; the second replays it and asks.

Recording holes: the definitions are kept strict. A hole makes a stay only if both of its ends lie within the
radius; otherwise the trip goes on through the hole. A trip with no raw fix between its stays has no truth: it is
counted, not predicted (the person's life learns its two ends all the same). A trip's time runs from its first to
its last raw fix, so a night with the logger off before departure is no part of the trip.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import log
from pathlib import Path

from msgspec import Struct

from hearthway.context.events import LifeEvent, TripEnded, TripStarted
from hearthway.context.life import Life
from hearthway.history.ordered import OrderedFixes
from hearthway.history.reader import open_history
from hearthway.records.geo import distance_m
from hearthway.records.life import HIT_RADIUS_M, STAY_MIN_S, Place
from hearthway.records.localtime import local_day, local_second, utc_offset_s, weekday
from hearthway.records.poi import PoiIndex
from hearthway.records.signals import Fix
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Silence, Suggestion

from .baselines import NAMES, Leaving, Went, baselines
from .bootstrap import Interval, mean_interval
from .report import (
    DEFINITIONS,
    NEEDS_MAP,
    AtFraction,
    BacktestReport,
    CalibrationBin,
    Measured,
    PersonReport,
    report_lines,
)

__all__ = ["BacktestReport", "backtest", "backtest_file", "report_lines"]

FRACTIONS = (0, 25, 50, 75)
SPEAK_EVERY_S = 30.0
RIGHT_WITHIN_S = 90 * 60.0
RIGHT_RADIUS_M = 100.0
HOLE_S = 15 * 60.0
BINS = 10
P_FLOOR = 1e-6

Speaker = Callable[[Situation, Life], Suggestion | Silence]
Replay = Callable[[], Iterable[Fix]]


class Guess(Struct, frozen=True):
    """One prediction at one moment of one trip."""

    hit: bool
    confidence: float
    log_loss: float


class Told(Struct, frozen=True):
    """One trip, predicted."""

    known: bool
    peers: dict[str, bool]
    guesses: tuple[Guess, ...]  # one a fraction


def backtest(
    histories: Mapping[str, Replay],
    *,
    pois: PoiIndex | None = None,
    speaker: Speaker | None = None,
    seed: int = 0,
    read: str = "",
    source: str = "",
    progress: Callable[[int], None] | None = None,
) -> BacktestReport:
    """Backtest each person alone. `histories` gives a person's fixes in time order, as often as called.

    `speaker` is asked every 30 s of a trip; without it or without a map, what would have been said "needs a map".
    """
    begun_s = time.process_time()
    people = tuple(
        _person(uid, histories[uid], pois, speaker, seed, progress) for uid in sorted(histories)
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    return BacktestReport(
        people=people,
        seed=seed,
        read=read,
        source=source,
        definitions=DEFINITIONS,
        measured=Measured(
            cpu_s=round(time.process_time() - begun_s, 3),
            max_rss_mb=round(peak if sys.platform != "darwin" else peak / 1024.0, 1),
        ),
    )


def backtest_file(
    path: Path,
    *,
    pois: PoiIndex | None = None,
    speaker: Speaker | None = None,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> BacktestReport:
    """Backtest everybody in a history file; InputError when the file cannot be used.

    `progress` hears how many fixes have been read, then how many have been replayed.
    """
    begun_s = time.process_time()
    history = open_history(path)
    fixes = OrderedFixes.collect(history, progress=progress)
    history.report.duplicates = fixes.duplicates
    report = backtest(
        {uid: _replay(fixes, uid) for uid in fixes.people()},
        pois=pois,
        speaker=speaker,
        seed=seed,
        read=history.report.words(),
        source=path.name,
        progress=progress,
    )
    return BacktestReport(
        people=report.people,
        seed=seed,
        read=report.read,
        source=report.source,
        definitions=report.definitions,
        measured=Measured(
            cpu_s=round(time.process_time() - begun_s, 3), max_rss_mb=report.measured.max_rss_mb
        ),
    )


def _replay(fixes: OrderedFixes, uid: str) -> Replay:
    return lambda: fixes.of(uid)


class Truth(Struct, frozen=True):
    """A trip as hindsight knows it."""

    start_s: float
    end_s: float
    lat: float
    lon: float


def find_trips(person: str, fixes: Iterable[Fix]) -> tuple[list[Truth], int, Life]:
    """(trips to predict, trips not recorded on the way, the life at its end)."""
    life = Life(person)
    truths: list[Truth] = []
    unrecorded = 0
    for fix in fixes:
        for event in life.observe(fix):
            if isinstance(event, TripEnded):
                trip = event.trip
                if event.fixes == 0:
                    unrecorded += 1
                else:
                    truths.append(Truth(trip.start_s, trip.end_s, trip.last_lat, trip.last_lon))
    return truths, unrecorded, life


class _Walk:
    """The second pass over one person: asks at each cut, then lets the next fix in."""

    def __init__(
        self, person: str, truths: list[Truth], pois: PoiIndex | None, speaker: Speaker | None
    ) -> None:
        self.life = Life(person, pois=pois)
        self.told: list[Told] = []
        self.speech = _Speech(speaker) if speaker is not None and pois is not None else None
        self.fixes = 0
        self.holes = 0
        self._truths = truths
        self._cuts = self._plan()
        self._next = next(self._cuts, None)
        self._partial: list[Guess] = []
        self._known = False
        self._peers: dict[str, bool] = {}
        self._leaving: Leaving | None = None
        self._went: list[Went] = []

    def _plan(self) -> Iterator[tuple[float, int, Truth]]:
        for truth in self._truths:
            for percent in FRACTIONS:
                yield (
                    truth.start_s + percent / 100.0 * (truth.end_s - truth.start_s),
                    percent,
                    truth,
                )

    def take(self, fix: Fix) -> None:
        """Ask what is due before this fix, then observe it."""
        while self._next is not None and self._next[0] < fix.time_s:
            self._ask(*self._next)
            self._next = next(self._cuts, None)
        if self.speech is not None:
            self.speech.before(fix, self.life)
        self.fixes += 1
        for event in self.life.observe(fix):
            self._listen(event, fix)

    def finish(self) -> None:
        """Ask what is still due after the last fix."""
        while self._next is not None:
            self._ask(*self._next)
            self._next = next(self._cuts, None)

    def _ask(self, now_s: float, percent: int, truth: Truth) -> None:
        situation = self.life.situation(now_s)
        if percent == FRACTIONS[0]:
            self._start(truth)
        inside = 0.0
        for option in situation.destinations:
            place = option.place
            if distance_m(place.lat, place.lon, truth.lat, truth.lon) <= HIT_RADIUS_M:
                inside += option.p
        aim = self.life.aim(now_s)
        hit = aim is not None and distance_m(aim.lat, aim.lon, truth.lat, truth.lon) <= HIT_RADIUS_M
        p_truth = inside if self._known else situation.p_new
        self._partial.append(
            Guess(hit, aim.p if aim is not None else 0.0, -log(max(P_FLOOR, p_truth)))
        )
        if percent == FRACTIONS[-1]:
            self.told.append(Told(self._known, self._peers, tuple(self._partial)))
            self._partial = []

    def _start(self, truth: Truth) -> None:
        life = self.life
        near = [
            distance_m(place.lat, place.lon, truth.lat, truth.lon) <= HIT_RADIUS_M
            for place in life.state.places
        ]
        self._known = any(near)
        self._peers = dict.fromkeys(NAMES, False)
        leaving = self._leaving
        if leaving is not None:
            for name, index in baselines(leaving, life.state.places, self._went).items():
                self._peers[name] = index is not None and near[index]

    def _listen(self, event: LifeEvent, fix: Fix) -> None:
        """What the peers learn from: the same trips, the same places."""
        if isinstance(event, TripStarted):
            offset = utc_offset_s(fix.lat, fix.lon, fix.time_s)
            self._leaving = Leaving(
                self._index(event.origin),
                fix.time_s,
                local_second(fix.time_s, offset),
                weekday(local_day(fix.time_s, offset)),
            )
        elif isinstance(event, TripEnded) and self._leaving is not None:
            self._went.append(Went(self._leaving, self._index(event.destination)))

    @staticmethod
    def _index(place: Place) -> int:
        return int(place.place_id[1:])


class _Speech:
    """What would have been said along the drives, and whether the person then went there."""

    def __init__(self, speaker: Speaker) -> None:
        self.spoken = 0
        self.right = 0
        self._speaker = speaker
        self._due_s: float | None = None
        self._open: list[tuple[Suggestion, dict[str, float | None]]] = []

    def before(self, fix: Fix, life: Life) -> None:
        """Ask at each 30 s of the trip up to this fix; then see where the fix stands."""
        moving = life.state.departure is not None and life.state.here is None
        last = life.state.last
        if not moving or last is None:
            self._due_s = None
        else:
            if self._due_s is None:
                self._due_s = last.time_s
            # In a recording hole nothing new is known: ask once, not for each half minute of a night.
            if self._due_s < fix.time_s:
                said = self._speaker(life.situation(self._due_s), life)
                if isinstance(said, Suggestion):
                    self.spoken += 1
                    self._open.append((said, {o.poi.osm_id: None for o in said.options}))
                self._due_s += SPEAK_EVERY_S
                if self._due_s < fix.time_s:
                    self._due_s = fix.time_s
        self._watch(fix)

    def _watch(self, fix: Fix) -> None:
        still = []
        for said, since in self._open:
            done = False
            waiting = False
            for option in said.options:
                poi = option.poi
                begin = since[poi.osm_id]
                if distance_m(poi.lat, poi.lon, fix.lat, fix.lon) > RIGHT_RADIUS_M:
                    since[poi.osm_id] = None
                elif begin is None:
                    since[poi.osm_id] = fix.time_s
                elif fix.time_s - begin >= STAY_MIN_S and begin <= said.time_s + RIGHT_WITHIN_S:
                    done = True
                begin = since[poi.osm_id]
                waiting |= begin is not None and begin <= said.time_s + RIGHT_WITHIN_S
            if done:
                self.right += 1
            elif waiting or fix.time_s <= said.time_s + RIGHT_WITHIN_S:
                still.append((said, since))
        self._open = still


def _person(
    uid: str,
    replay: Replay,
    pois: PoiIndex | None,
    speaker: Speaker | None,
    seed: int,
    progress: Callable[[int], None] | None,
) -> PersonReport:
    truths, unrecorded, whole = find_trips(uid, replay())
    walk = _Walk(uid, truths, pois, speaker)
    holes = _Holes(truths)
    for fix in replay():
        walk.take(fix)
        holes.take(fix)
        if progress is not None and walk.fixes % 20_000 == 0:
            progress(walk.fixes)
    walk.finish()
    told = walk.told
    spoken: int | str = NEEDS_MAP
    a_day: float | str = NEEDS_MAP
    rightly: Interval | str | None = NEEDS_MAP
    if walk.speech is not None:
        speech = walk.speech
        spoken = speech.spoken
        a_day = round(speech.spoken / max(1, whole.state.days), 4)
        rightly = mean_interval(
            [1.0] * speech.right + [0.0] * (speech.spoken - speech.right), seed=seed
        )
    at_50 = [one.guesses[FRACTIONS.index(50)] for one in told]
    bins = _calibration(at_50)
    return PersonReport(
        person=uid,
        fixes=walk.fixes,
        days=whole.state.days,
        stays=whole.state.stays,
        places=len(whole.state.places),
        trips=len(told),
        trips_unrecorded=unrecorded,
        trips_with_hole=holes.count,
        visited_before=mean_interval([float(one.known) for one in told], seed=seed),
        fractions=tuple(_at(told, i, seed) for i in range(len(FRACTIONS))) if told else (),
        calibration=bins,
        ece_at_50=_ece(bins),
        spoken=spoken,
        spoken_a_day=a_day,
        rightly=rightly,
    )


class _Holes:
    """Counts the trips in which the recording has a hole of `HOLE_S` or more."""

    def __init__(self, truths: list[Truth]) -> None:
        self.count = 0
        self._truths = iter(truths)
        self._trip = next(self._truths, None)
        self._last_s: float | None = None
        self._counted = False

    def take(self, fix: Fix) -> None:
        """Take the next fix."""
        while self._trip is not None and fix.time_s > self._trip.end_s:
            self._trip = next(self._truths, None)
            self._counted = False
        trip, last_s = self._trip, self._last_s
        if (
            trip is not None
            and last_s is not None
            and last_s >= trip.start_s
            and fix.time_s - last_s >= HOLE_S
            and not self._counted
        ):
            self.count += 1
            self._counted = True
        self._last_s = fix.time_s


def _at(told: list[Told], which: int, seed: int) -> AtFraction:
    ours = [float(one.guesses[which].hit) for one in told]
    peers = {name: [float(one.peers[name]) for one in told] for name in NAMES}
    best = max(NAMES, key=lambda name: sum(peers[name]))
    bins = _calibration([one.guesses[which] for one in told])
    return AtFraction(
        percent=FRACTIONS[which],
        hit_rate=mean_interval(ours, seed=seed),
        baselines={name: mean_interval(peers[name], seed=seed) for name in NAMES},
        best_baseline=best,
        gain=mean_interval([a - b for a, b in zip(ours, peers[best], strict=True)], seed=seed),
        mean_log_loss=round(sum(one.guesses[which].log_loss for one in told) / len(told), 6),
        ece=_ece(bins),
        mean_confidence=round(sum(one.guesses[which].confidence for one in told) / len(told), 6),
    )


def _calibration(guesses: list[Guess]) -> tuple[CalibrationBin, ...]:
    out = []
    for i in range(BINS):
        inside = [g for g in guesses if min(BINS - 1, int(g.confidence * BINS)) == i]
        if inside:
            out.append(
                CalibrationBin(
                    low=i / BINS,
                    high=(i + 1) / BINS,
                    n=len(inside),
                    confidence=round(sum(g.confidence for g in inside) / len(inside), 6),
                    hit_rate=round(sum(g.hit for g in inside) / len(inside), 6),
                )
            )
    return tuple(out)


def _ece(bins: tuple[CalibrationBin, ...]) -> float | None:
    total = sum(b.n for b in bins)
    if not total:
        return None
    return round(sum(b.n * abs(b.confidence - b.hit_rate) for b in bins) / total, 6)
