"""Next place as a stay ends (when the next begins is unknown), beside a 13-feature mix, Markov-1 and most frequent.

    python bench/next_place.py --data ../shared/data --split valid

Reads geolife_*.csv and foursquare_*.csv from DIR or DIR/mobility. With --split valid the history is the training part,
with any other NAME training and validation parts; the targets are the part NAME. Every person is walked forward, one
visit at a time, by weights that saw nothing of him: people are dealt into folds, a fold's weights are fitted on the
training part of the other folds, and how sure they make of the first place on the other folds' validation part. Targets have three visits
in the seven days before, within their part, as in the published records; a place never visited counts as wrong for
everybody. "As shipped" is what a phone says: constants in the code, nothing fitted. Intervals are 95 %, people drawn
with replacement. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections import defaultdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hearthway.context.next_blend import Blend
from hearthway.context.next_place import Visit
from hearthway.learn.next_fit import calibrate_blend, fit, fit_blend, pack
from hearthway.learn.next_report import Row, cold_rows, main_rows, staying_rows
from hearthway.learn.next_shipped import while_staying, with_shipped
from hearthway.learn.next_sure import EARLY, Sure, fit_sure
from hearthway.learn.next_walk import (
    TARGET,
    TRAIN,
    VALID,
    Outcome,
    Person,
    Walk,
    early_told,
    outcomes,
    walk_all,
)
from hearthway.records.errors import InputError
from hearthway.records.localtime import DAY_S

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started

CASES = ("geolife", "foursquare")
FOLDS = 3
CALIBRATE_ON = 100  # people of the other folds, at most
SEED = 1
MIX_HIDDEN = 1  # the fitter's smallest network: a little more than the linear mix of the records
MINUTE_S = 60.0
AS_PUBLISHED = "A visit has user_id, location_id, start_day, start_min and weekday."
KM_A_UNIT = 24.0  # the coordinates are scaled to -1..1 over New York, about 24 km a unit


def run(case: str, people: list[Person]) -> list[Row]:
    """Rows of one data set; what was measured is printed as it comes."""
    began = time.process_time()
    last = max(part for person in people for part in person.parts)
    walks, peer_cpu_s = walk_all(people)
    walk_cpu_s = time.process_time() - began - peer_cpu_s
    found: list[Outcome] = []
    fit_cpu_s = 0.0
    for fold in range(FOLDS):
        mine = [walk for at, walk in enumerate(walks) if at % FOLDS == fold]
        others = [walk for at, walk in enumerate(walks) if at % FOLDS != fold]
        began = time.process_time()
        blend, early, late = _fitted(others)
        fit_cpu_s += time.process_time() - began
        asked = pack([one for walk in others for one in walk.train_mix()], seed=SEED)
        mix = fit(asked, seed=SEED, hidden=MIX_HIDDEN)
        said, spent_s = outcomes(mine, blend, mix, part=last)
        walk_cpu_s += spent_s
        found += [_as_sure(one, early, late) for one in said]
        heat = f"{blend.first.temperature}, later {blend.temperature}"
        print(f"{case}: fold {fold + 1} of {FOLDS}, temperature {heat}", flush=True)
    lines: list[str] = []
    rows = main_rows(case, found, lines) + cold_rows(case, found, lines)
    began = time.process_time()
    rows += _as_shipped(case, people, walks, found, lines)
    shipped_cpu_s = time.process_time() - began
    print("\n".join(lines))
    for metric, spent in (
        ("walk and predict", walk_cpu_s),
        ("fit on others, all folds", fit_cpu_s),
        ("as shipped", shipped_cpu_s),
    ):
        print(f"{case}: {metric} {spent:.1f} CPU s")
        rows.append(
            {
                "case": case,
                "metric": metric,
                "unit": "CPU s",
                "ours": round(spent, 2),
                "peer": None,
                "theirs": None,
                "ratio": None,
            }
        )
    return rows


def _as_shipped(
    case: str, people: list[Person], walks: list[Walk], found: list[Outcome], lines: list[str]
) -> list[Row]:
    """Rows of what a phone says, beside the same peers and the fitted model."""
    name = f"{case}, as shipped"
    said = with_shipped(found, people)
    rows = main_rows(name, said, lines) + cold_rows(name, said, lines)
    targets: dict[int, list[bool]] = defaultdict(list)
    for one in sorted(found, key=lambda one: (one.who, one.visit)):
        targets[one.who].append(one.target)
    stays = [
        (who, right)
        for who, asked in targets.items()
        if any(visit.depart_s > visit.start_s for visit in people[who].visits)
        for right in while_staying(people[who], asked)
    ]
    return rows + staying_rows(name, stays, lines)


def _as_sure(one: Outcome, early: Sure, late: Sure) -> Outcome:
    sure = early if one.visit <= EARLY else late
    return replace(one, confidence=sure(one.visit, one.confidence))


def _fitted(others: list[Walk]) -> tuple[Blend, Sure, Sure]:
    """The model, and how sure its first place really is over the first stays and after them."""
    blend = fit_blend([one for walk in others for one in walk.train()], seed=SEED)
    some = others[:: max(1, len(others) // CALIBRATE_ON)]
    blend, told = calibrate_blend(blend, [walk.validation() for walk in some])
    early = fit_sure(early_told(others, blend, EARLY), by_count=True)
    late = fit_sure([one for one in told if one[0] > EARLY], by_count=False)
    return blend, early, late


def read_people(data: Path, case: str, split: str) -> list[Person]:
    """Everybody with a visit in the training part; the targets are the part `split`. InputError where nobody has one."""
    if split == "train":
        raise InputError("The training part is what is learned from.", "Ask for --split valid.")
    names = {"train": TRAIN, "valid": VALID}
    if split != "valid":
        names[split] = TARGET
    rows: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
    for name, part in names.items():
        path = _find(data, f"{case}_{name}.csv")
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                for row in csv.DictReader(lines):
                    rows[row.get("user_id") or ""].append((part, row))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path} cannot be read as CSV ({error}).", AS_PUBLISHED) from None
    known = {user: mine for user, mine in rows.items() if mine[0][0] == TRAIN}
    asked = names[split]
    if not any(part == asked for mine in known.values() for part, _ in mine):
        raise InputError(
            f"Nobody of {case}'s training part has a visit in its part {split}.",
            "Give a part of the same people: user_id says who it is.",
        )
    if len(known) < len(rows):
        left = f"{len(rows) - len(known)} people without a training part are left out"
        print(f"{case}: {left}", file=sys.stderr)
    return [_person(case, user, mine) for user, mine in known.items()]


def _find(data: Path, name: str) -> Path:
    for path in (data / name, data / "mobility" / name):
        if path.is_file():
            return path
    raise InputError(
        f"{name} is neither in {data} nor in its folder mobility.",
        "Give --data the folder with the stay-point files, and --split the name of a part that is there.",
    )


def _person(case: str, user: str, rows: list[tuple[int, dict[str, str]]]) -> Person:
    try:
        first = rows[0][1]
        monday = (int(first["weekday"]) - int(first["start_day"])) % 7
        visits = [_visit(row, monday) for _, row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"A visit of person {user!r} in {case} cannot be read ({error}).", AS_PUBLISHED
        ) from None
    return Person(visits, [part for part, _ in rows])


def _visit(row: dict[str, str], monday: int) -> Visit:
    start_s = (int(row["start_day"]) + monday) * DAY_S + int(row["start_min"]) * MINUTE_S
    depart_s = start_s
    if "end_day" in row:  # a check-in has no end: its departure is taken as its time
        end_s = (int(row["end_day"]) + monday) * DAY_S + int(row["end_min"]) * MINUTE_S
        depart_s = max(start_s, end_s)
    at = None
    if "latitude" in row:
        at = (float(row["latitude"]) * KM_A_UNIT, float(row["longitude"]) * KM_A_UNIT)
        if not all(map(isfinite, at)):
            raise ValueError("a place that is nowhere")
    return Visit(place=int(row["location_id"]), start_s=start_s, depart_s=depart_s, at=at)


def main() -> int:
    """Both data sets; 2 where a file is missing or damaged."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="valid")
    options = parser.parse_args()
    rows: list[Row] = []
    try:
        cases = {case: read_people(options.data, case, options.split) for case in CASES}
        for case, people in cases.items():
            rows += run(case, people)
    except InputError as error:
        return refused(error)
    finish("next_place", rows)
    return 0


if __name__ == "__main__":
    started(main)
