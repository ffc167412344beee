"""Destination while driving: hit-rate within 300 m beside three baselines, on every raw history found.

    python bench/destination.py --data ../shared/data

Runs the walk-forward backtest of `hearthway drive HISTORY` over each `mobility/*raw*.csv.gz` (with --split NAME: only
files whose name holds NAME). The peer of each row is the best of the three baselines on the same trips and places.
The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hearthway.learn.backtest import backtest_file
from hearthway.learn.report import PersonReport, report_lines


def rows_of(case: str, person: PersonReport) -> list[dict[str, Any]]:
    """Bench rows of one person: a hit-rate at each part of the trip, beside the best baseline."""
    rows = []
    for at in person.fractions:
        peer = at.baselines[at.best_baseline]
        if at.hit_rate is None or peer is None:
            continue
        rows.append(
            {
                "case": f"{case}/{person.person}",
                "metric": f"destination within 300 m at {at.percent} % of the trip",
                "unit": "share of trips",
                "ours": at.hit_rate.mean,
                "peer": at.best_baseline,
                "theirs": peer.mean,
                "ratio": round(at.hit_rate.mean / peer.mean, 4) if peer.mean else None,
            }
        )
    return rows


def main() -> int:
    """Run every case; 0 also where there is no data, which is said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    files = sorted(
        path for path in options.data.glob("**/*raw*.csv.gz") if options.split in path.name
    )
    if not files:
        print(f"no raw history under {options.data}", file=sys.stderr)
    for path in files:
        report = backtest_file(path)
        print(f"{path.name}")
        print("\n".join(report_lines(report)))
        case = path.name.removesuffix(".csv.gz")
        for person in report.people:
            rows += rows_of(case, person)
        rows.append(
            {
                "case": case,
                "metric": "cost of the backtest",
                "unit": "CPU s",
                "ours": report.measured.cpu_s,
                "peer": None,
                "theirs": None,
                "ratio": None,
            }
        )
    print(json.dumps({"bench": "destination", "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
