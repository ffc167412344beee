"""Walk-forward backtest on a person's own history, through the very code that runs live.

Each trip is predicted at 0, 25, 50 and 75 % of its time by `Life.situation` and `Life.aim`, fed with fixes up to that
moment only. A first pass over the history finds the trips and their truths; the second replays it and asks.

Recording holes: a hole is a stay only if both of its ends lie within the radius. Else a hole of 20 minutes ends a leg,
and legs are what is predicted; what comes of trips that go on through their holes is reported beside. A trip with no
raw fix between its stays has no truth: it is counted, not predicted (the person's life learns its two ends all the
same). A trip's time runs from its first to its last raw fix, so a night with the logger off is no part of it.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from pathlib import Path

from hearthway.context.life import Life
from hearthway.history.ordered import OrderedFixes
from hearthway.history.reader import open_history
from hearthway.records.life import LIVED, PlaceWord
from hearthway.records.poi import PoiIndex, RoadNear
from hearthway.records.signals import Fix
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Silence, Suggestion

from .bootstrap import Interval
from .came_true import Words
from .dials import DialLogged, DialReplayed, judged
from .foreseen import summary
from .mapped import STEPS, Ways, mapped, regions_for
from .report import DEFINITIONS, NEEDS_MAP, BacktestReport, Measured, PersonReport, report_lines
from .trips import Asker, Found, Holes, Peers, find_trips

__all__ = ["BacktestReport", "backtest", "backtest_file", "report_lines"]

SPEAK_EVERY_S = 30.0

Speaker = Callable[[Situation, Life], Suggestion | Silence]
Replay = Callable[[], Iterable[Fix]]
Dialled = Callable[[], tuple[DialReplayed, ...]]


def backtest(
    histories: Mapping[str, Replay],
    *,
    pois: PoiIndex | None = None,
    roads: RoadNear | None = None,
    speakers: Mapping[str, Speaker] | None = None,
    dial: str = "normal",
    replayed: Mapping[str, Dialled] | None = None,
    logs: Mapping[str, tuple[DialLogged, ...]] | None = None,
    words: Mapping[str, Sequence[PlaceWord]] | None = None,
    seed: int = 0,
    read: str = "",
    source: str = "",
    progress: Callable[[int], None] | None = None,
) -> BacktestReport:
    """Backtest each person alone. `histories` gives a person's fixes in time order, as often as called.

    `speakers`, one a setting of the dial, are asked every 30 s of a trip; `dial` is the one that the report is about.
    Without them or without a map, what would have been said "needs a map". `replayed`: finds each person's settings from more
    than positions; then nobody is asked here. `logs` is what answers told of the settings.
    `words` is what each person calls the places: it stands on the map and changes nothing that is foreseen.
    """
    if speakers is not None and dial not in speakers:
        raise ValueError(f"no speaker for the dial at {dial}")
    begun_s = time.process_time()
    people = tuple(
        _person(
            uid,
            histories[uid],
            pois,
            roads,
            speakers,
            dial,
            seed,
            progress,
            replayed=(replayed or {}).get(uid),
            log=(logs or {}).get(uid, ()),
            words=(words or {}).get(uid, ()),
        )
        for uid in sorted(histories)
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
    roads: RoadNear | None = None,
    speakers: Mapping[str, Speaker] | None = None,
    dial: str = "normal",
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
        roads=roads,
        speakers=speakers,
        dial=dial,
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


class _Walk:
    """The second pass over one person: asks at each cut, then lets the next fix in."""

    def __init__(
        self,
        person: str,
        found: Found,
        pois: PoiIndex | None,
        roads: RoadNear | None,
        speakers: Mapping[str, Speaker] | None,
    ) -> None:
        self.life = Life(person, pois=pois, roads=roads)
        self.legs = Asker(self.life, found.legs)
        self.whole = Asker(self.life, found.whole)
        self.speech = _Speech(speakers) if speakers is not None and pois is not None else None
        self.fixes = 0
        self._peers = Peers(self.life)

    def take(self, fix: Fix) -> None:
        """Ask what is due before this fix, then observe it."""
        self._ask(fix.time_s)
        if self.speech is not None:
            self.speech.before(fix, self.life)
        self.fixes += 1
        self._peers.listen(self.life.observe(fix), fix)

    def finish(self) -> None:
        """Ask what is still due after the last fix."""
        self._ask(inf)

    def _ask(self, until_s: float) -> None:
        for asker in (self.legs, self.whole):
            asker.until(until_s, self._peers.named)


class _Speech:
    """What each setting would have said along the drives, and whether the person then went there."""

    def __init__(self, speakers: Mapping[str, Speaker]) -> None:
        self.told = {dial: Words() for dial in speakers}
        self._speakers = speakers
        self._due_s: float | None = None

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
                situation = life.situation(self._due_s)
                for dial, speaker in self._speakers.items():
                    said = speaker(situation, life)
                    if isinstance(said, Suggestion):
                        self.told[dial].add(said)
                self._due_s += SPEAK_EVERY_S
                if self._due_s < fix.time_s:
                    self._due_s = fix.time_s
        for one in self.told.values():
            one.watch(fix)

    def replayed(self, days: int) -> tuple[DialReplayed, ...]:
        """Each setting, as far as the drives went."""
        return tuple(judged(dial, one, days) for dial, one in self.told.items())


def _person(
    uid: str,
    replay: Replay,
    pois: PoiIndex | None,
    roads: RoadNear | None,
    speakers: Mapping[str, Speaker] | None,
    dial: str,
    seed: int,
    progress: Callable[[int], None] | None,
    *,
    replayed: Dialled | None,
    log: tuple[DialLogged, ...],
    words: Sequence[PlaceWord],
) -> PersonReport:
    found = find_trips(uid, replay())
    # Places that the owner joined or divided are counted as habit has them: all else here does so too.
    for word in words:
        if word.kind in ("name", *LIVED):
            found.life.hear(word)
    walk = _Walk(uid, found, pois, roads, speakers)
    holes = Holes(found.whole)
    regions = regions_for(found.life, found.legs)
    ways = Ways(found.legs, regions[0].wide_m / STEPS if regions else 0.0)
    for fix in replay():
        walk.take(fix)
        holes.take(fix)
        ways.take(fix)
        if progress is not None and walk.fixes % 20_000 == 0:
            progress(walk.fixes)
    walk.finish()
    spoken: int | str = NEEDS_MAP
    a_day: float | str = NEEDS_MAP
    rightly: Interval | str | None = NEEDS_MAP
    state = found.life.state
    if walk.speech is not None:
        dials = walk.speech.replayed(state.days)
    else:
        dials = () if replayed is None else replayed()
    if dials:
        chosen = next(one for one in dials if one.dial == dial)
        spoken, a_day, rightly = chosen.spoken, chosen.spoken_a_day, chosen.rightly
    places = found.life.places()
    return PersonReport(
        person=uid,
        fixes=walk.fixes,
        days=state.days,
        stays=state.stays,
        places=len(places),
        places_on_map=None if pois is None else sum(pois.covers(p.lat, p.lon) for p in places),
        unseen=sum(not place.visits and not place.blank for place in state.places),
        trips=len(walk.legs.told),
        trips_unrecorded=found.unrecorded,
        trips_with_hole=holes.count,
        legs=summary(walk.legs.told, seed),
        whole=summary(walk.whole.told, seed),
        spoken=spoken,
        spoken_a_day=a_day,
        rightly=rightly,
        dials=dials,
        by_mode=walk.life.trips_by_mode(),
        log=log,
        map=mapped(found.life, found.legs, walk.legs.told, ways, regions, pois),
    )
