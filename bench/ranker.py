"""What a ranker of others' answers is worth on people it never saw: the coupon survey (UCI 603), by respondent.

    python bench/ranker.py --data ../shared/data [--split NAME] [--folds 5] [--seed 1] [--recipe FILE]

Each fold is distilled by the shipped recipe (`hearthway distill ranker`) from the other folds' respondents: the larger teacher, the
student in floats, and its int8 file run in plain Python. With --split NAME all of coupon.csv teaches and coupon_NAME.csv is judged.
"Today" is what a node's counts tell without the moment: kind of POI and own visits. Figures:

- AUC, log loss, calibration error (ten bins), agreement with the teacher, of whole moments and with facts unknown;
- the order: of two kinds at one moment of one respondent (the same hour, goal, company, warmth and weather), one taken and one not, how
  often the taken one stands first; beside own visits alone, by which a node ranks kinds without a ranker, and beside "today";
- utility per 1,000 moments of a gate (a yes is worth 1, a no costs 2 or 4), a word a day, with the person's own weights
  (assist/willing.py) learned from what was said, over either belief.

Intervals are 95 % over respondents. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hearthway.assist.gate import shift
from hearthway.assist.memory import DAY_S, topics
from hearthway.assist.ranker import FEATURES, LABELS, Ranker, row
from hearthway.assist.willing import Heard, sigmoid, willing
from hearthway.distill.recipe import Recipe, read_recipe, shipped_recipe, table
from hearthway.distill.tabular.arrays import TEST, TRAIN, Floats, Ints, softmax
from hearthway.distill.tabular.export import Feature, as_file
from hearthway.distill.tabular.figures import auc, calibration_error
from hearthway.distill.tabular.net import INPUT_SCALE, Net, NetSettings, Scaling, train
from hearthway.distill.tabular.others import OthersSettings
from hearthway.distill.tabular.ranker import (
    RankerSettings,
    answers,
    by_class,
    by_habit,
    copied,
    moment,
    numbered,
    numbers,
    taught,
    without,
)
from hearthway.distill.tabular.survey import Row
from hearthway.records.errors import HearthwayError
from hearthway.student.header import About

if TYPE_CHECKING:
    from bench._coupon import case_of, parts_of, refuse_shared
    from bench._ends import finish, refused, started
else:  # run as a script, its own folder is on the path
    from _coupon import case_of, parts_of, refuse_shared
    from _ends import finish, refused, started

SEED = 1
COSTS = (2.0, 4.0)
DRAWS = 2_000
SPOKEN = 200  # moments whose answers are timed
TODAY, TEACHER, FLOATS, INT8 = "today", "teacher", "student, floats", "student, int8"
VISITS = "own visits alone"
UNKNOWN = {  # what is not known, beside whole moments
    "as a node knows it": ("company.", "way."),
    "kind, visits, hour, goal": ("company.", "air", "way."),
}
SAME = ("respondent", "Time", "Destination", "Passanger", "Temperature", "Weather")


class Judged(Struct):
    """A fold's respondents: their moments, answers, and log-odds by model."""

    rows: list[Row]
    y: Ints
    scores: dict[str, Floats]
    visits: Floats  # own visits a month to the kind; -1 where they are unknown


def distilled(
    survey: list[Row], part: Ints, recipe: Recipe, seed: int
) -> tuple[Floats, Net, Scaling, bytes]:
    """(the teacher's log-odds of every moment, the student, how it scales, its file) by the recipe."""
    corpus = table(recipe.corpus, RankerSettings, "[corpus]")
    settings = table(recipe.student, NetSettings, "[student]")
    x, y = numbers(survey), answers(survey)
    told = taught(
        survey, part, table(recipe.teacher, OthersSettings, "[teacher]"), seed, lambda _: None
    )
    many, which = copied(x, part, corpus, seed)
    mine = part[which] == TRAIN
    scaling = Scaling.of(many[mine])
    net = train(
        scaling.quantised(many[mine]) * INPUT_SCALE,
        softmax(by_class(told[which[mine]]) / settings.temperature),
        y[which[mine]],
        settings,
        seed=seed,
        tell=lambda _: None,
    )
    features = [Feature(name, unit) for name, unit in FEATURES]
    about = About(title="bench", licence="", attribution=(), recipe={})
    return told, net, scaling, as_file(net, scaling, features, LABELS, task="ranker", about=about)


def judged(
    taught_on: list[Row], asked: list[Row], recipe: Recipe, seed: int
) -> tuple[Judged, Ranker]:
    """One fold; InputError where a respondent is on both sides."""
    refuse_shared(taught_on, asked)
    both = taught_on + asked
    part = np.array([TRAIN] * len(taught_on) + [TEST] * len(asked), dtype=np.int64)
    told, net, scaling, file = distilled(both, part, recipe, seed)
    ranker = Ranker(file)
    known, x = numbers(taught_on), numbers(asked)
    floats = net.logits(scaling.quantised(x) * INPUT_SCALE)
    moments = [moment(one) for one in asked]
    scores = {
        TODAY: by_habit(known, answers(taught_on), numbered(taught_on), x),
        TEACHER: told[part == TEST],
        FLOATS: floats[:, 1] - floats[:, 0],
        INT8: np.array([ranker.says(one) for one in moments]),
    }
    for words, groups in UNKNOWN.items():
        scores[f"{INT8}, {words}"] = np.array([said(ranker, one) for one in without(x, *groups)])
    visits = [-1.0 if one.visits_month is None else one.visits_month for one in moments]
    return Judged(asked, answers(asked), scores, np.array(visits)), ranker


def said(ranker: Ranker, numbers_of: Sequence[float]) -> float:
    """Log-odds of a row of the ranker's numbers."""
    no, yes = ranker.student.logits(list(map(float, numbers_of)))
    return (yes - no) * ranker.student.scale


def losses(score: Floats, y: Ints) -> Floats:
    """Log loss of each moment, in nats."""
    return np.asarray(np.logaddexp(0.0, np.where(y == 1, -score, score)))


def by_person(rows: Sequence[Row], values: NDArray[Any]) -> tuple[Floats, Floats]:
    """(sum, count) of each respondent's values."""
    _, who = np.unique([one["respondent"] for one in rows], return_inverse=True)
    sums = np.bincount(who, values).astype(np.float64)
    return sums, np.bincount(who).astype(np.float64)


def interval(sums: Floats, counts: Floats) -> tuple[float, float, float]:
    """(mean, low, high) of what is summed by respondent."""
    drawn = np.random.default_rng(SEED).integers(0, len(sums), size=(DRAWS, len(sums)))
    means = np.sort(sums[drawn].sum(axis=1) / np.maximum(1.0, counts[drawn].sum(axis=1)))
    return (
        float(sums.sum() / counts.sum()),
        float(means[int(0.025 * DRAWS)]),
        float(means[int(0.975 * DRAWS) - 1]),
    )


def auc_gain(parts: Sequence[Judged], model: str, peer: str) -> tuple[float, float, float]:
    """Mean over the folds of how much more area `model` has than `peer`, respondents of each fold drawn again."""
    rng = np.random.default_rng(SEED)
    drawn = []
    for _ in range(300):
        gains = []
        for one in parts:
            _, who = np.unique([row["respondent"] for row in one.rows], return_inverse=True)
            of = np.argsort(who, kind="stable")
            starts = np.searchsorted(who[of], np.arange(who.max() + 2))
            people = rng.integers(0, who.max() + 1, who.max() + 1)
            at = np.concatenate([of[starts[p] : starts[p + 1]] for p in people])
            y = one.y[at] == 1
            gains.append(auc(y, one.scores[model][at]) - auc(y, one.scores[peer][at]))
        drawn.append(float(np.mean(gains)))
    drawn.sort()
    mean = float(
        np.mean([auc(p.y == 1, p.scores[model]) - auc(p.y == 1, p.scores[peer]) for p in parts])
    )
    return mean, drawn[7], drawn[-8]


def pairs(one: Judged, model: str) -> tuple[Floats, Floats]:
    """By respondent: how often of two kinds at one moment the one that was taken stands first, ties half; and how many pairs."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for at, said_of in enumerate(one.rows):
        groups.setdefault(tuple(said_of[name] for name in SAME), []).append(at)
    score = one.visits if model == VISITS else one.scores[model]
    right: dict[str, list[float]] = {said_of["respondent"]: [] for said_of in one.rows}
    for group, members in groups.items():
        for a, b in combinations(members, 2):
            kinds = moment(one.rows[a]).sort, moment(one.rows[b]).sort
            if one.y[a] == one.y[b] or kinds[0] == kinds[1]:
                continue
            taken, left = (a, b) if one.y[a] else (b, a)
            gap = score[taken] - score[left]
            right[group[0]].append(1.0 if gap > 0 else 0.5 if gap == 0 else 0.0)
    return np.array([sum(n) for n in right.values()]), np.array(
        [float(len(n)) for n in right.values()]
    )


def utility(one: Judged, model: str, cost: float) -> Floats:
    """What each moment brought: a word a day, own weights learned from the answers to what was said."""
    brought, told = np.zeros(len(one.rows)), dict[str, list[Heard]]()
    for at, said_of in enumerate(one.rows):
        past = told.setdefault(said_of["respondent"], [])
        day, about = at * DAY_S, topics("", said_of["Coupon"])
        p = sigmoid(float(one.scores[model][at]))
        believed = shift(p, willing(past).offset(day, about)) if past else p
        if believed - cost * (1.0 - believed) > 0.0:
            yes = bool(one.y[at])
            brought[at] = 1.0 if yes else -cost
            past.append(Heard(day, str(at), yes, 1.0, p, about))
    return brought


def entry(
    case: str, metric: str, unit: str, ours: float, peer: str, theirs: float | None
) -> dict[str, Any]:
    """One row of the JSON; a ratio only where both are above 0."""
    ratio = round(ours / theirs, 4) if theirs and theirs > 0 < ours else None
    told = None if theirs is None else round(theirs, 4)
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 4),
        "peer": peer or None,
        "theirs": told,
        "ratio": ratio,
    }


def belief_rows(case: str, parts: list[Judged]) -> list[dict[str, Any]]:
    """Area, log loss, calibration and agreement of each belief, and what it gains on today's."""
    found = []
    rows = [one for part in parts for one in part.rows]
    y = np.concatenate([part.y for part in parts])
    whole = {name: np.concatenate([p.scores[name] for p in parts]) for name in parts[0].scores}
    area = {name: float(np.mean([auc(p.y == 1, p.scores[name]) for p in parts])) for name in whole}
    for name, score in whole.items():
        loss = float(losses(score, y).mean())
        p = 1.0 / (1.0 + np.exp(-score))
        off = calibration_error(np.maximum(p, 1.0 - p), (score > 0) == (y == 1))
        agrees = float(np.mean((score > 0) == (whole[TEACHER] > 0)))
        print(f"{name:42} AUC {area[name]:.4f}  log loss {loss:.4f}  calibration {off:.4f}  agrees {agrees:.4f}")  # fmt: skip
        found.append(entry(case, f"AUC, {name}", "area", area[name], TODAY, area[TODAY]))
        found.append(entry(case, f"log loss, {name}", "nats", loss, TODAY, float(losses(whole[TODAY], y).mean())))  # fmt: skip
        found.append(entry(case, f"calibration error, {name}", "probability", off, "", None))
        found.append(entry(case, f"agrees with its teacher, {name}", "share", agrees, "", None))
        if name == TODAY:
            continue
        mean, low, high = auc_gain(parts, name, TODAY)
        less, below, above = interval(*by_person(rows, losses(whole[TODAY], y) - losses(score, y)))
        print(f"    more than today: AUC {mean:+.4f} [{low:.4f}, {high:.4f}], log loss less by {less:.4f} [{below:.4f}, {above:.4f}]")  # fmt: skip
        found.append(entry(case, f"AUC above today, {name}, low end", "area", low, "", None))
    less, below, above = interval(*by_person(rows, losses(whole[INT8], y) - losses(whole[FLOATS], y)))  # fmt: skip
    print(f"int8 costs {less:+.5f} [{below:.5f}, {above:.5f}] nats a moment beside the floats, AUC {area[INT8] - area[FLOATS]:+.5f}")  # fmt: skip
    found.append(entry(case, "log loss that int8 costs", "nats", less, "", None))
    return found


def order_rows(case: str, parts: list[Judged]) -> list[dict[str, Any]]:
    """What a node uses: the order of kinds at one moment."""
    found: list[dict[str, Any]] = []
    told: dict[str, tuple[Floats, Floats]] = {}
    known = [f"{INT8}, {words}" for words in UNKNOWN]
    if not any(pairs(part, TODAY)[1].sum() for part in parts):
        print("order of kinds: nobody was asked of two kinds at one moment and took one of them")
        return found
    for name in (VISITS, TODAY, *known, INT8, TEACHER):
        each = [pairs(part, name) for part in parts]
        told[name] = np.concatenate([a for a, _ in each]), np.concatenate([b for _, b in each])
        mean, low, high = interval(*told[name])
        print(f"order of kinds, {name:40} {mean:.4f} [{low:.4f}, {high:.4f}] of {told[name][1].sum():.0f} pairs")  # fmt: skip
        for peer in (VISITS, TODAY):
            if name in (VISITS, peer):
                continue
            gain, low, high = interval(told[name][0] - told[peer][0], told[name][1])
            print(f"    more than {peer} {gain:+.4f} [{low:.4f}, {high:.4f}]")
            theirs = interval(*told[peer])[0]
            found.append(entry(case, f"order of kinds, {name}", "share of pairs", mean, peer, theirs))  # fmt: skip
            found.append(entry(case, f"order of kinds above {peer}, {name}, low end", "share", low, "", None))  # fmt: skip
    return found


def gate_rows(case: str, parts: list[Judged]) -> list[dict[str, Any]]:
    """What a gate brings that begins with either belief and hears the same person's answers."""
    found = []
    for cost in COSTS:
        worth: dict[str, tuple[Floats, Floats]] = {}
        for name in (TODAY, f"{INT8}, as a node knows it", INT8):
            each = [by_person(part.rows, utility(part, name, cost)) for part in parts]
            worth[name] = np.concatenate([a for a, _ in each]), np.concatenate([b for _, b in each])
            mean, low, high = (1_000 * n for n in interval(*worth[name]))
            print(f"c={cost:.0f} {name:32} {mean:7.1f} [{low:.1f}, {high:.1f}] per 1,000 moments")
            if name != TODAY:
                sums = worth[name][0] - worth[TODAY][0]
                gain, low, high = (1_000 * n for n in interval(sums, worth[name][1]))
                print(f"    more than today {gain:+.1f} [{low:.1f}, {high:.1f}]")
                found.append(entry(case, f"utility at c={cost:.0f}, {name}", "per 1,000 moments", mean, TODAY, 1_000 * interval(*worth[TODAY])[0]))  # fmt: skip
                found.append(entry(case, f"utility above today at c={cost:.0f}, {name}, low end", "per 1,000 moments", low, "", None))  # fmt: skip
    return found


def speed_rows(case: str, ranker: Ranker, rows: list[Row]) -> list[dict[str, Any]]:
    """Milliseconds a moment in plain Python."""
    asked = [moment(one) for one in rows[:SPOKEN]]

    def milliseconds(work: Callable[[Any], object]) -> float:
        spent = []
        for one in asked:
            since = time.perf_counter()
            work(one)
            spent.append(1_000 * (time.perf_counter() - since))
        return float(np.median(spent))

    told = {
        "one moment": milliseconds(ranker.says),
        "numbers of a moment": milliseconds(row),
    }
    print("plain Python: " + ", ".join(f"{name} {ms:.3f} ms" for name, ms in told.items()))
    return [entry(case, f"plain Python, {name}", "ms (p50)", ms, "", None) for name, ms in told.items()]  # fmt: skip


def main() -> int:
    """Distil, judge, print; 2 where the data cannot be used."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=SEED, help="of folds and of distilling")
    parser.add_argument("--recipe", type=Path, default=shipped_recipe("ranker"))
    options = parser.parse_args()
    if options.seed < 0:
        parser.error("--seed begins at 0")
    started = time.process_time()
    try:
        recipe = read_recipe(options.recipe)
        parts, ranker = [], None
        for taught_on, asked in parts_of(options.data, options.split, options.folds, options.seed):
            one, ranker = judged(taught_on, asked, recipe, options.seed)
            parts.append(one)
    except HearthwayError as error:
        return refused(error)
    assert ranker is not None  # there are at least two folds, or one split
    drawn = f", seed {options.seed}"
    case = case_of(options.data, options.split, options.folds, drawn)
    rows = [
        *belief_rows(case, parts),
        *order_rows(case, parts),
        *gate_rows(case, parts),
        *speed_rows(case, ranker, parts[0].rows),
    ]
    rows.append(entry(case, "cost of the whole run", "CPU s", time.process_time() - started, "", None))  # fmt: skip
    finish("ranker", rows)
    return 0


if __name__ == "__main__":
    started(main)
