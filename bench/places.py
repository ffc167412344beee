"""Places of a life from raw GPS at any rate: how many true places are found, and whether the found ones are pure.

    python bench/places.py --data ../shared/data --split 001

Synthetic lives with known places, recorded at 1 s to 15 min, with errors of 5 to 50 m and holes. Beside the places as a
node learns them stand the same without joining and dividing (places are what lies within 200 m as stays come), and
DBSCAN over the centres of all stays (one stay makes a core, so it is single linkage), which sees the whole history at once; its radius is
the best of four, chosen on all cases.
Where DIR or its folder mobility holds raw histories (`*raw*.csv` or `.csv.gz`, --split NAME in their name), these are thinned and the places
held against those of the full recording. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearthway.context.events import StayEnded
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace
from hearthway.records.errors import HearthwayError
from hearthway.records.geo import distance_m
from hearthway.records.life import STAY_RADIUS_M, Stay
from hearthway.records.signals import Fix

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._given import collected, find_histories
    from bench._place_lives import Phone, TrueStay, recorded, true_stays
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started
    from _given import collected, find_histories
    from _place_lives import Phone, TrueStay, recorded, true_stays

DAYS = 42
SEEDS = (1, 2)
PHONES = (
    Phone(1.0, 20.0),
    Phone(30.0, 5.0),
    Phone(30.0, 20.0),
    Phone(30.0, 50.0),
    Phone(300.0, 5.0),
    Phone(300.0, 20.0),
    Phone(300.0, 50.0),
    Phone(900.0, 5.0),
    Phone(900.0, 20.0),
    Phone(900.0, 50.0),
)
RADII_M = (60.0, 100.0, 150.0, 200.0)
PART = 50_000
THINNED_S = (30.0, 300.0, 900.0)
Row = dict[str, Any]


class Plain(Life):
    """The same without joining and dividing."""

    def _settle(self, place: KnownPlace) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Score:
    """Places that were truly stayed at and that were found; shares of stays."""

    true: int
    found: int
    purity: float  # stays at a place whose most stays were at the same true place
    whole: float  # stays at the found place that has most stays of their true place


@dataclass(frozen=True, slots=True)
class Seen:
    """The stays that a recording shows, each with the true place it was at."""

    stays: list[Stay]
    truth: list[str]


def lived(life: Life, fixes: Iterable[Fix]) -> list[Stay]:
    """All stays of a recording."""
    return [e.stay for fix in fixes for e in life.observe(fix) if isinstance(e, StayEnded)]


def seen(stays: Sequence[Stay], true: Sequence[TrueStay]) -> Seen:
    """Without those that overlap no true stay."""
    kept, truth, first = [], [], 0
    for stay in stays:
        while first + 1 < len(true) and true[first].end_s < stay.start_s:
            first += 1
        most, place = 0.0, ""
        for one in true[first:]:
            if one.start_s >= stay.end_s:
                break
            shared = min(one.end_s, stay.end_s) - max(one.start_s, stay.start_s)
            if shared > most:
                most, place = shared, one.place
        if place:
            kept.append(stay)
            truth.append(place)
    return Seen(kept, truth)


def score(truth: Sequence[str], found: Sequence[object]) -> Score:
    """How two groupings of the same stays agree."""
    by_found: dict[object, Counter[str]] = {}
    by_true: dict[str, Counter[object]] = {}
    for one, other in zip(truth, found, strict=True):
        by_found.setdefault(other, Counter())[one] += 1
        by_true.setdefault(one, Counter())[other] += 1
    return Score(
        true=len(by_true),
        found=len(by_found),
        purity=sum(max(c.values()) for c in by_found.values()) / len(truth),
        whole=sum(max(c.values()) for c in by_true.values()) / len(truth),
    )


def linked(stays: Sequence[Stay], radius_m: float) -> list[int]:
    """DBSCAN with one stay a core: what is within the radius of one another, and of one another's neighbours."""
    group = list(range(len(stays)))

    def root(i: int) -> int:
        while group[i] != i:
            group[i] = group[group[i]]
            i = group[i]
        return i

    for i, a in enumerate(stays):
        for j in range(i):
            b = stays[j]
            near = abs(a.lat - b.lat) * 111_000.0 <= radius_m
            if near and distance_m(a.lat, a.lon, b.lat, b.lon) <= radius_m:
                group[root(i)] = root(j)
    return [root(i) for i in range(len(stays))]


def scores_of(phone: Phone) -> tuple[dict[str, list[Score]], float]:
    """Scores by method over the seeds, and microseconds a fix."""
    out: dict[str, list[Score]] = {}
    spent_s, count = 0.0, 0
    for seed in SEEDS:
        true = true_stays(seed, DAYS)
        ours, plain, stays = Life("bench"), Plain("bench"), list[Stay]()
        fixes = recorded(true, phone, seed)
        while part := list(islice(fixes, PART)):  # of one fix a second there are millions
            began = time.process_time()
            stays += lived(ours, part)
            spent_s, count = spent_s + time.process_time() - began, count + len(part)
            lived(plain, part)
        shown = seen(stays, true)
        for name, life in (("ours", ours), ("plain", plain)):
            at = [
                life.place_at(stay.lat, stay.lon) or number
                for number, stay in enumerate(shown.stays)
            ]
            out.setdefault(name, []).append(score(shown.truth, at))
        for radius_m in RADII_M:
            groups = linked(shown.stays, radius_m)
            out.setdefault(f"DBSCAN {radius_m:.0f} m", []).append(score(shown.truth, groups))
    return out, 1e6 * spent_s / count


def harmonic(scores: Sequence[Score]) -> float:
    """Harmonic mean of purity and wholeness over all."""
    purity = sum(s.purity for s in scores) / len(scores)
    whole = sum(s.whole for s in scores) / len(scores)
    return 2.0 * purity * whole / (purity + whole)


def synthetic_rows() -> list[Row]:
    """All cases, against the best of the others for each."""
    found = {phone: scores_of(phone) for phone in PHONES}
    names = [name for name in found[PHONES[0]][0] if name.startswith("DBSCAN")]
    dbscan = max(names, key=lambda n: sum(harmonic(found[p][0][n]) for p in PHONES))
    rows: list[Row] = []
    print(
        f"{'interval':>8} {'error':>6}  {'method':<14} {'true':>4} {'found':>5} {'purity':>6} {'whole':>6} {'both':>6}"
    )
    for phone, (methods, micro_s) in found.items():
        case = f"synthetic, {phone.every_s:.0f} s, {phone.jitter_m:.0f} m"
        for name in ("ours", "plain", dbscan):
            every = methods[name]
            print(
                f"{phone.every_s:>6.0f} s {phone.jitter_m:>4.0f} m  {name:<14} {sum(s.true for s in every):>4}"
                f" {sum(s.found for s in every):>5} {sum(s.purity for s in every) / len(every):>6.3f}"
                f" {sum(s.whole for s in every) / len(every):>6.3f} {harmonic(every):>6.3f}"
            )
        peer = max(("plain", dbscan), key=lambda n: harmonic(methods[n]))
        ours, theirs = harmonic(methods["ours"]), harmonic(methods[peer])
        rows.append(_row(case, "purity and wholeness, harmonic mean", "share", ours, peer, theirs))
        fragments = sum(s.found for s in methods["ours"]) / sum(s.true for s in methods["ours"])
        others = sum(s.found for s in methods[peer]) / sum(s.true for s in methods[peer])
        rows.append(_row(case, "places found over true places", "ratio", fragments, peer, others))
        rows.append(_row(case, "one fix", "us", micro_s))
    return rows


def real_rows(path: Path) -> list[Row]:
    """Places of a real history, thinned, held against those of the full recording with two stays or more."""
    rows: list[Row] = []
    ordered = collected(path)
    for uid in ordered.people():
        whole = Life(uid)
        for fix in ordered.of(uid):
            whole.observe(fix)
        known = [p for p in whole.places() if p.visits > 1]
        for every_s in THINNED_S:
            life, last_s = Life(uid), float("-inf")
            for fix in ordered.of(uid):
                if fix.time_s - last_s >= every_s:
                    life.observe(fix)
                    last_s = fix.time_s
            again = life.places()
            near = [
                p
                for p in known
                if any(distance_m(p.lat, p.lon, q.lat, q.lon) <= STAY_RADIUS_M for q in again)
            ]
            case = f"{path.name.split('.csv')[0]}/{uid}, {every_s:.0f} s"
            print(
                f"{case}: {len(near)} of {len(known)} places again, {len(again)} in all ({len(whole.places())} at the full rate)"
            )
            if known:
                rows.append(
                    _row(
                        case, "places of the full rate found again", "share", len(near) / len(known)
                    )
                )
            same = {p.label: p for p in known if p.label in ("home", "work")}
            for label, place in same.items():
                other = next((p for p in again if p.label == label), None)
                hit = other is not None and (
                    distance_m(place.lat, place.lon, other.lat, other.lon) <= STAY_RADIUS_M
                )
                rows.append(_row(case, f"{label} is the same place", "share", float(hit)))
    return rows


def _row(
    case: str,
    metric: str,
    unit: str,
    ours: float,
    peer: str | None = None,
    theirs: float | None = None,
) -> Row:
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 4),
        "peer": peer,
        "theirs": None if theirs is None else round(theirs, 4),
        "ratio": round(ours / theirs, 4) if theirs else None,
    }


def main() -> int:
    """Both parts; an error that says what to do where there is no history."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    options = parser.parse_args()
    try:
        histories = find_histories(options.data, options.split)
        real = [
            row for path in histories for row in real_rows(path)
        ]  # what is damaged is told first
        rows = synthetic_rows() + real
    except HearthwayError as why:
        return refused(why)
    finish("places", rows)
    return 0


if __name__ == "__main__":
    started(main)
