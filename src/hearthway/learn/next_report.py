"""Rows and lines on the next place: shares with 95 % intervals over people, beside the peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hearthway.records.count import count_of
from hearthway.records.errors import InputError

from .bootstrap import Interval, pooled_interval
from .next_peers import MIX_NAME
from .next_sure import EARLY as COLD
from .next_walk import Outcome

SEED = 2
BINS = 10
SETTLED = 50
SURE = (0.64, 0.70, 0.75)
TOP = 3
Row = dict[str, object]


def main_rows(case: str, found: list[Outcome], lines: list[str]) -> list[Row]:
    """Acc@1 and MRR on the targets beside each peer, the paired gain over the mix, and calibration; `lines` are for people."""
    targets = [one for one in found if one.target]
    if not targets:
        raise InputError(
            f"There is no visit to predict in {case}: none has three in the week before it.",
            "Give longer histories.",
        )
    rows = _accuracy(case, targets, "", lines)
    rows += _accuracy(case, [one for one in found if one.in_part], ", every visit", lines)
    ours = _ece([one.confidence for one in targets], [one.ours == 1 for one in targets])
    mix = _ece(
        [one.mix_confidence for one in targets], [one.peers[MIX_NAME] == 1 for one in targets]
    )
    rows.append(_row(case, "calibration error (ECE, 10 bins)", "probability", ours, MIX_NAME, mix))
    lines.append(f"{case}: ECE {ours:.4f}, {MIX_NAME} {mix:.4f}")
    return rows


def cold_rows(case: str, found: list[Outcome], lines: list[str]) -> list[Row]:
    """Precision and coverage where it is sure enough, in the first stays and once settled."""
    cold = [one for one in found if one.visit <= COLD]
    settled = [one for one in found if one.visit > SETTLED]
    rows: list[Row] = []
    for name, some in ((f"first {COLD} stays", cold), (f"after stay {SETTLED}", settled)):
        if not some:
            continue
        for least in SURE:
            rows += _sure(
                case, f"{name}, first place", some, least, lambda one: one.confidence, 1, lines
            )
        rows += _sure(
            case, f"{name}, first three", some, 0.80, lambda one: one.shortlist, TOP, lines
        )
        ece = _ece([one.confidence for one in some], [one.ours == 1 for one in some])
        lines.append(f"{case}: {name}: ECE {ece:.4f} over {len(some)} stays")
        rows.append(_row(case, f"{name}: calibration error", "probability", ece))
    return rows


def staying_rows(
    case: str, found: list[tuple[int, tuple[bool, bool]]], lines: list[str]
) -> list[Row]:
    """(who, right as of the likely departure and as if one left now) of questions asked when a stay is certain."""
    if not found:
        return []
    whom = [who for who, _ in found]
    likely = _pooled(whom, [float(right) for _, (right, _) in found])
    now = _pooled(whom, [float(right) for _, (_, right) in found])
    metric, peer = "Acc@1, asked 20 min into the stay", "as if one left now"
    lines.append(f"{case}: {metric} {_text(likely)}, {peer} {_text(now)} ({likely.n})")
    return [_row(case, metric, "share of visits", likely.mean, peer, now.mean)]


def _accuracy(case: str, some: list[Outcome], of: str, lines: list[str]) -> list[Row]:
    rows: list[Row] = []
    measures: tuple[tuple[str, Callable[[int], float]], ...] = (
        ("Acc@1", _first),
        ("MRR", _reciprocal),
    )
    for measure, value in measures:
        ours = _over(some, [value(one.ours) for one in some])
        lines.append(f"{case}: {measure}{of} {_text(ours)} over {count_of(ours.n, 'visit')}")
        for peer in some[0].peers:
            theirs = _over(some, [value(one.peers[peer]) for one in some])
            rows.append(_row(case, measure + of, "share of visits", ours.mean, peer, theirs.mean))
            lines.append(f"{case}:   {peer} {_text(theirs)}")
        gain = _over(some, [value(one.ours) - value(one.peers[MIX_NAME]) for one in some])
        lines.append(f"{case}:   paired gain over {MIX_NAME} {_text(gain, sign='+')}")
        for end, at in (("", gain.mean), (", low end", gain.low), (", high end", gain.high)):
            rows.append(
                _row(
                    case, f"{measure}{of}, paired gain over {MIX_NAME}{end}", "share of visits", at
                )
            )
    return rows


def _sure(
    case: str,
    name: str,
    some: list[Outcome],
    least: float,
    sure: Callable[[Outcome], float],
    within: int,
    lines: list[str],
) -> list[Row]:
    said = [one for one in some if sure(one) >= least]
    label = f"{name}, sure by {least:.2f}"
    covered = _over(some, [float(sure(one) >= least) for one in some])
    rows = [_row(case, f"{label}: coverage", "share of stays", covered.mean)]
    if not said:
        lines.append(f"{case}: {label}: never")
        return rows
    right = _over(said, [float(1 <= one.ours <= within) for one in said])
    lines.append(f"{case}: {label}: right {_text(right)} ({right.n}), coverage {_text(covered)}")
    for end, at in (("", right.mean), (", low end", right.low), (", high end", right.high)):
        rows.append(_row(case, f"{label}: precision{end}", "share of suggestions", at))
    return rows


def _first(rank: int) -> float:
    return float(rank == 1)


def _reciprocal(rank: int) -> float:
    return 1.0 / rank if rank else 0.0


def _over(some: list[Outcome], values: list[float]) -> Interval:
    """The mean of `values`, one a visit, with whole people drawn."""
    return _pooled([one.who for one in some], values)


def _pooled(whom: Sequence[int], values: Sequence[float]) -> Interval:
    """The mean of `values`, one a visit of each of `whom`, with whole people drawn."""
    people = {who: at for at, who in enumerate(dict.fromkeys(whom))}
    sums, counts = [0.0] * len(people), [0.0] * len(people)
    for who, value in zip(whom, values, strict=True):
        sums[people[who]] += value
        counts[people[who]] += 1.0
    interval = pooled_interval(sums, counts, seed=SEED)
    if interval is None:
        raise ValueError("no outcome to average")
    return interval


def _ece(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error of the first place, ten even bins (Naeini et al. 2015)."""
    p, hit = np.asarray(confidence), np.asarray(right, dtype=np.float64)
    bins = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, p - hit, BINS)
    return round(float(np.abs(gaps).sum() / len(p)), 4)


def _text(interval: Interval, sign: str = "") -> str:
    return f"{interval.mean:{sign}.4f} [{interval.low:{sign}.4f}, {interval.high:{sign}.4f}]"


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
        "ours": ours,
        "peer": peer,
        "theirs": theirs,
        "ratio": round(ours / theirs, 4) if theirs else None,
    }
