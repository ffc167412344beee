"""Destination on raw GPS: hit-rate within 300 m and error in metres, walk-forward, beside three baselines and the ceiling.

    python bench/destination.py --data ../shared/data --split 001 --plot calibration.html

Runs the walk-forward backtest of `hearthway drive HISTORY` over each raw history (`*raw*.csv` or `.csv.gz`) in DIR or
its folder mobility; with --split NAME, over those whose name holds NAME. Nothing is fitted: the constants are in the
code, what is learned is the person's own past. All trips are predicted: those cut where nothing was recorded for 20
minutes, and the same from stay to stay. The peer of a row is the best of the three baselines on the same trips and
places. Intervals are 95 %, days drawn with replacement. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from hearthway.context.life import Life
from hearthway.learn.backtest import backtest_file
from hearthway.learn.foreseen import AtFraction, Foreseen
from hearthway.learn.report import PersonReport, report_lines
from hearthway.records.errors import InputError
from hearthway.records.localtime import DAY_S

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._given import collected, find_histories
    from bench._reliability import reliability_svg
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started
    from _given import collected, find_histories
    from _reliability import reliability_svg

Row = dict[str, Any]
NO_PEER: Row = {"peer": None, "theirs": None, "ratio": None}
YEAR_DAYS = 365.0


def rows_of(case: str, kind: str, found: Foreseen) -> list[Row]:
    """Bench rows of one person's trips of one kind; `others` says what stands beside the figure."""
    rows: list[Row] = []
    if found.visited_before is not None:
        ceiling = found.visited_before.mean
        rows.append(_row(case, f"{kind}: destinations visited before", "share of trips", ceiling))
    for at in found.fractions:
        where = f"at {at.percent} % of the trip"
        peer = at.baselines[at.best_baseline]
        if at.hit_rate is None or peer is None:
            continue
        rows.append(
            _row(case, f"{kind}: within 300 m {where}", "share of trips", at.hit_rate.mean)
            | {
                "peer": at.best_baseline,
                "theirs": peer.mean,
                "ratio": round(at.hit_rate.mean / peer.mean, 4) if peer.mean else None,
                "interval": _pair(at.hit_rate),
                "over_best_baseline": _pair(at.gain),
                "over_start": at.gain_from_start.mean if at.gain_from_start else None,
                "halves": [half.mean if half else None for half in at.halves],
                "already_there": at.already_there,
            }
        )
        if at.hit_rate_known is not None:
            rows.append(
                _row(
                    case,
                    f"{kind}: to places visited before {where}",
                    "share of trips",
                    at.hit_rate_known.mean,
                )
                | {"interval": _pair(at.hit_rate_known)}
            )
        theirs = at.baseline_errors[at.best_baseline]
        for name, ours, other in (
            ("median", at.error.median_m, theirs.median_m),
            ("mean", at.error.mean_m, theirs.mean_m),
        ):
            rows.append(
                _row(case, f"{kind}: {name} error {where}", "m", ours)
                | {
                    "peer": at.best_baseline,
                    "theirs": other,
                    "ratio": round(ours / other, 4) if other else None,
                }
            )
        rows.append(
            _row(case, f"{kind}: calibration error {where}", "share", at.ece)
            | {
                "bins": [
                    {"n": b.n, "confidence": b.confidence, "hit_rate": b.hit_rate}
                    for b in at.calibration
                ]
            }
        )
    return rows


def _pair(interval: Any) -> list[float] | None:
    return None if interval is None else [interval.mean, interval.low, interval.high]


def _row(case: str, metric: str, unit: str, ours: float) -> Row:
    return {"case": case, "metric": metric, "unit": unit, "ours": ours} | NO_PEER


def calibration_lines(fractions: tuple[AtFraction, ...]) -> list[str]:
    """The calibration table of one person's trips."""
    lines = ["  calibration: confidence -> share that was right (predictions)"]
    for at in fractions:
        cells = [f"{b.confidence:.2f} -> {b.hit_rate:.2f} ({b.n})" for b in at.calibration]
        lines.append(f"  {at.percent:>5} %   " + "  ".join(cells) + f"   error {at.ece:.3f}")
    return lines


def cost_rows(case: str, path: Path) -> list[Row]:
    """What a node pays for each person: time of one signal with the question asked, and what is kept in a year."""
    fixes = collected(path)
    rows: list[Row] = []
    for uid in fixes.people():
        life, spent_s, asked_s = Life(uid), list[float](), list[float]()
        for number, fix in enumerate(fixes.of(uid)):
            began = time.perf_counter()
            life.observe(fix)
            middle = time.perf_counter()
            spent_s.append(middle - began)
            if number % 20 == 0 and life.posterior() is not None:
                life.situation(fix.time_s)
                asked_s.append(time.perf_counter() - middle)
        kept = len(life.dump()) / 1e6 / max(1, life.state.days) * YEAR_DAYS
        who = f"{case}/{uid}"
        rows += [
            _row(who, "one signal, median", "ms", round(1e3 * median(spent_s), 4)),
            _row(who, "learned state, for 365 days like these", "MB", round(kept, 3)),
        ]
        if asked_s:
            rows.append(
                _row(who, "one question on the way, median", "ms", round(1e3 * median(asked_s), 4))
            )
        span_days = (fix.time_s - (life.state.first_s or fix.time_s)) / DAY_S
        print(
            f"person {uid}: one signal {1e3 * median(spent_s):.3f} ms median, a question on the way "
            f"{1e3 * median(asked_s) if asked_s else 0.0:.3f} ms; {len(life.dump()) / 1e6:.3f} MB after "
            f"{life.state.days} recorded of {span_days:.0f} days"
        )
    return rows


def plot_page(pictures: list[tuple[str, PersonReport]]) -> str:
    """All diagrams on one page."""
    body = "\n".join(
        reliability_svg(f"{case}, {report.legs.trips} trips", report.legs.fractions)
        for case, report in pictures
        if report.legs.fractions
    )
    return f'<!doctype html><meta charset="utf-8"><title>Calibration</title>\n{body}\n'


def main() -> int:
    """Every history; an error that says what to do where there is none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    parser.add_argument("--plot", type=Path, help="write the calibration as an HTML page of SVG")
    options = parser.parse_args()
    rows: list[Row] = []
    pictures: list[tuple[str, PersonReport]] = []
    try:
        for path in find_histories(options.data, options.split):
            report = backtest_file(path)
            print(f"{path.name}")
            print("\n".join(report_lines(report)))
            case = path.name.split(".csv")[0]
            for person in report.people:
                who = f"{case}/{person.person}"
                pictures.append((who, person))
                print(f"person {person.person}")
                print("\n".join(calibration_lines(person.legs.fractions)))
                rows += rows_of(who, "trips", person.legs)
                rows += rows_of(who, "stay to stay", person.whole)
            rows += cost_rows(case, path)
            rows.append(_row(case, "cost of the backtest", "CPU s", report.measured.cpu_s))
        if options.plot is not None:
            options.plot.write_text(plot_page(pictures), encoding="utf-8")
    except InputError as error:
        return refused(error)
    except OSError as error:
        print(f"{error.filename} cannot be written ({error.strerror}).", file=sys.stderr)
        return 1
    finish("destination", rows)
    return 0


if __name__ == "__main__":
    started(main)
