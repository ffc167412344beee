"""Speak or be silent: the acceptance model on the coupon survey (UCI 603), on respondents it was not fitted on.

    python bench/gate.py --data ../shared/data [--split test] [--folds 5] [--seed 1] [--orders 10] [--lightgbm]

Without --split, coupon.csv is split by respondent into --folds parts, each judged once. With --split NAME the model is
fitted on coupon.csv and judged on coupon_NAME.csv. A split by rows is refused: it tells the same person twice.
A yes is worth 1, a no costs 2 or 4, silence is worth 0; answers are seen only where something was said. The policies
meet respondents with at least 10 moments, in --orders orders: that of the file, then shuffled ones. "From scratch" has
seen nobody before: it meets the judged respondents of one fold one after another, and begins with a hand-set belief (who
goes there more often says yes more often; far away and at short notice, less). "Told everything" is the pretrained policy that hears each answer, also where it
was silent: no way of asking reaches beyond it. Intervals are 95 % over respondents. --seed draws other folds; --lightgbm
sets LightGBM beside (it is no part of the installation). At the end one respondent's answers follow on another's, a word a
day: what a node's own offset (assist/willing.py) makes of a changed life. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hearthway.distill.tabular.figures import auc
from hearthway.distill.tabular.others import SEED
from hearthway.distill.tabular.survey import HABIT, MOMENT, OFTEN, Columns, Row
from hearthway.learn.acceptance import Ahead, Belief, choose, utility
from hearthway.learn.offpolicy import Logged, estimate
from hearthway.records.errors import HearthwayError, InputError

if TYPE_CHECKING:
    from bench._coupon import case_of, parts_of, refuse_shared
    from bench._coupon_drift import by_answers, by_others, by_steps, losses, words_of
    from bench._coupon_models import fit
    from bench._ends import finish, refused, started
else:  # run as a script, its own folder is on the path
    from _coupon import case_of, parts_of, refuse_shared
    from _coupon_drift import by_answers, by_others, by_steps, losses, words_of
    from _coupon_models import fit
    from _ends import finish, refused, started

Floats = NDArray[np.float64]
COSTS = (2.0, 4.0)
DRAWS, LEAST = 2_000, 10
SPREAD = 1.4  # beside own weights: what is believed of anybody is flatter than what holds for one of them
OWN = {"": 1.0, "Coupon": 1.2, "Expiration": 0.3, "Passanger": 0.25, "Destination": 0.25}
OWN_VALUES = {  # of each question with own weights, in the order of its columns
    "Coupon": tuple(HABIT),
    "Expiration": ("1d", "2h"),
    "Passanger": ("Alone", "Friend(s)", "Partner", "Kid(s)"),
    "Destination": ("Home", "Work", "No Urgent Place"),
}
AHEAD, LIKE = 12.0, 24  # moments to come that are counted on, and contexts that stand for them
SCRATCH = (
    "Destination",
    "Passanger",
    "Coupon",
    "Expiration",
    "ToCoupon_GEQ15min",
    "ToCoupon_GEQ25min",
    "habit",
)
SCRATCH_VARIANCE, SCRATCH_OWN = 0.1, {"": 1.0, "Coupon": 1.0}
# What anybody would believe who has seen no answer: each step of habit counts for a yes; far and at short notice do not.
SCRATCH_CONSTANT, HABIT_STEP = -0.6, 0.6
LESS = {
    ("ToCoupon_GEQ15min", "1"): -0.4,
    ("ToCoupon_GEQ25min", "1"): -0.5,
    ("Expiration", "2h"): -0.6,
}
HOPE, HOPE_ANSWERS = 0.4, 60.0
SCRATCH_AHEAD = 12.0
TOSSED = 0.1


class Judged(Struct):
    """One respondent's moments in order: what a model of others thinks, and the answers."""

    rows: list[Row]
    yes: list[bool]
    base: Floats  # log-odds of each moment
    like: Floats  # the same of `LIKE` typical contexts, for this respondent


class Part(Struct):
    """One fold: its judged respondents, contexts of the training part, and the scores behind the AUC."""

    people: list[Judged]
    contexts: list[Row]
    yes: Floats
    scores: dict[str, Floats]


Policy = Callable[[Part, float], list[list[float]]]  # worth of every moment, a list a respondent


def own_columns(rows: list[Row], variances: dict[str, float]) -> tuple[Floats, Floats]:
    """A person's own columns (constant, and one a value of each question named) and their prior variances."""
    columns, prior = [np.ones(len(rows))], [variances[""]]
    for question, values in OWN_VALUES.items():
        if question in variances:
            columns += [
                np.array([float(row[question] == value) for row in rows]) for value in values
            ]
            prior += [variances[question]] * len(values)
    return np.stack(columns, axis=1), np.array(prior)


def part_of(train: list[Row], judged: list[Row], *, peer: bool = False) -> Part:
    """Fit on `train` and score `judged`; InputError where a respondent is in both."""
    refuse_shared(train, judged)
    scores = fit(train, peer=peer)
    rng = np.random.default_rng(SEED)
    contexts = [train[k] for k in rng.choice(len(train), min(LIKE, len(train)), replace=False)]
    by_person: dict[str, list[Row]] = {}
    for row in judged:
        by_person.setdefault(row["respondent"], []).append(row)
    people = []
    for rows in by_person.values():
        if len(rows) < LEAST:
            continue
        like = [{**rows[0], **{name: c[name] for name in MOMENT}} for c in contexts]
        both = scores(rows + like)["both"]
        yes = [row["Y"] == "1" for row in rows]
        people.append(Judged(rows, yes, both[: len(rows)], both[len(rows) :]))
    if not people:
        raise InputError(
            f"No respondent to judge has {LEAST} moments.", "Take fewer folds, or another file."
        )
    answers = np.array([float(row["Y"]) for row in judged])
    return Part(people, contexts, answers, scores(judged))


def worth(*, yes: bool, cost: float) -> float:
    """What a word brought."""
    return 1.0 if yes else -cost


def fixed(speaks: Callable[[Judged, int, float], bool]) -> Policy:
    """A policy that learns nothing."""
    return lambda part, cost: [
        [worth(yes=n, cost=cost) if speaks(who, k, cost) else 0.0 for k, n in enumerate(who.yes)]
        for who in part.people
    ]


def by_hand(who: Judged, place: int, _cost: float) -> bool:
    """At least once a month there, and not more than a quarter of an hour away."""
    row = who.rows[place]
    return row[HABIT[row["Coupon"]]] in OFTEN[2:] and row["ToCoupon_GEQ15min"] == "0"


def static(who: Judged, place: int, cost: float) -> bool:
    """The model of others, as it stands."""
    return utility(float(1.0 / (1.0 + np.exp(-who.base[place]))), cost) > 0.0


def pretrained(
    part: Part, cost: float, *, moments: float = AHEAD, told_all: bool = False
) -> list[list[float]]:
    """The model of others, and the person's own weights learned from the answers to what was said."""
    told = []
    for who in part.people:
        z, prior = own_columns(who.rows, OWN)
        like, _ = own_columns(part.contexts, OWN)
        belief, brought = Belief(np.zeros(len(prior)), np.diag(prior)), []
        ahead = Ahead(SPREAD * who.like, like, moments)
        for k, yes in enumerate(who.yes):
            base = SPREAD * float(who.base[k])
            speaks = choose(belief, base, z[k], cost, ahead=ahead).speaks
            brought.append(worth(yes=yes, cost=cost) if speaks else 0.0)
            if speaks or told_all:
                belief.answered(base, z[k], yes=yes)
        told.append(brought)
    return told


def told_everything(part: Part, cost: float) -> list[list[float]]:
    """The bound: every answer is heard, said or not."""
    return pretrained(part, cost, moments=0.0, told_all=True)


def myopic(part: Part, cost: float) -> list[list[float]]:
    """The same without a worth of what is learned."""
    return pretrained(part, cost, moments=0.0)


def believed(name: str, values: frozenset[str]) -> float:
    """The hand-set weight of a column."""
    if name == "habit":
        return HABIT_STEP
    return sum(LESS.get((name, value), 0.0) for value in values)


def scratch(part: Part, cost: float) -> list[list[float]]:
    """Nobody seen before: shared and own weights learned together, from the answers to what was said."""
    columns = Columns([row for who in part.people for row in who.rows[:1]] + part.contexts)
    told, answers = [], 0
    questions = [(n, v) for n, v in columns.questions if n in SCRATCH]
    columns.questions = questions
    mean = [SCRATCH_CONSTANT, *(believed(name, values) for name, values in questions)]
    variance = [1.0] + [SCRATCH_VARIANCE] * len(questions)
    own = slice(len(mean), len(mean) + 1 + len(HABIT))
    _, prior = own_columns(part.contexts, SCRATCH_OWN)
    belief = Belief(
        np.concatenate([mean, np.zeros(len(prior))]), np.diag(np.concatenate([variance, prior]))
    )

    def design(rows: list[Row]) -> Floats:
        constant, mine = np.ones((len(rows), 1)), own_columns(rows, SCRATCH_OWN)[0]
        return np.concatenate([constant, columns.plain(rows), mine], axis=1)

    for who in part.people:
        belief.forget(own, prior)
        own_contexts = [
            {**who.rows[0], **{name: c[name] for name in MOMENT}} for c in part.contexts
        ]
        ahead = Ahead(np.zeros(len(own_contexts)), design(own_contexts), SCRATCH_AHEAD)
        z, brought = design(who.rows), []
        for k, yes in enumerate(who.yes):
            hope = HOPE / (1.0 + answers / HOPE_ANSWERS) ** 0.5
            speaks = choose(belief, 0.0, z[k], cost, ahead=ahead, deviations=hope).speaks
            brought.append(worth(yes=yes, cost=cost) if speaks else 0.0)
            if speaks:
                belief.answered(0.0, z[k], yes=yes)
                answers += 1
        told.append(brought)
    return told


POLICIES: dict[str, Policy] = {
    "always": fixed(lambda _who, _k, _cost: True),
    "hand rule": fixed(by_hand),
    "static": fixed(static),
    "pretrained, myopic": myopic,
    "pretrained": pretrained,
    "told everything": told_everything,
    "from scratch": scratch,
}


def in_orders(policy: Policy, part: Part, cost: float, orders: int) -> list[list[float]]:
    """What the policy brought each respondent, one order after another: the file's, then shuffled moments and people."""
    told: list[list[float]] = [[] for _ in part.people]
    for order in range(orders):
        rng = np.random.default_rng([SEED, order])
        people = rng.permutation(len(part.people)) if order else np.arange(len(part.people))
        met = []
        for place in people:
            who = part.people[place]
            turn = rng.permutation(len(who.yes)) if order else np.arange(len(who.yes))
            rows, yes = [who.rows[k] for k in turn], [who.yes[k] for k in turn]
            met.append(Judged(rows, yes, who.base[turn], who.like))
        one = Part(met, part.contexts, part.yes, part.scores)
        for place, brought in zip(people, policy(one, cost), strict=True):
            told[place] += brought
    return told


def interval(people: list[list[float]], less: list[list[float]] | None = None) -> tuple[float, ...]:
    """(mean, low, high) per 1,000 moments, over respondents; of the paired difference where `less` is given."""
    total = np.array([sum(n) for n in people])
    if less is not None:
        total = total - np.array([sum(n) for n in less])
    count = np.array([len(n) for n in people], dtype=np.float64)
    drawn = np.random.default_rng(SEED).integers(0, len(total), size=(DRAWS, len(total)))
    means = np.sort(total[drawn].sum(axis=1) / count[drawn].sum(axis=1))
    return tuple(
        float(round(1_000 * n, 1))
        for n in (
            total.sum() / count.sum(),
            means[int(0.025 * DRAWS)],
            means[int(0.975 * DRAWS) - 1],
        )
    )


def row(
    case: str, metric: str, unit: str, ours: float, peer: str, theirs: float | None
) -> dict[str, Any]:
    """One row of the JSON; a ratio only where both are above 0."""
    ratio = round(ours / theirs, 4) if theirs and theirs > 0 < ours else None
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 4),
        "peer": peer or None,
        "theirs": None if theirs is None else round(theirs, 4),
        "ratio": ratio,
    }


def auc_rows(case: str, parts: list[Part]) -> Iterator[dict[str, Any]]:
    """AUC of each model: the mean over the folds, each with a model of its own."""
    mean = {
        n: float(np.mean([auc(p.yes > 0, p.scores[n]) for p in parts])) for n in parts[0].scores
    }
    each = " ".join(f"{auc(p.yes > 0, p.scores['both']):.3f}" for p in parts)
    print("AUC " + " ".join(f"{n} {value:.4f}" for n, value in mean.items()) + f"  (both: {each})")
    for peer in sorted(mean.keys() - {"both"}):
        yield row(case, "AUC on unseen respondents", "area", mean["both"], peer, mean[peer])


def policy_rows(case: str, parts: list[Part], orders: int) -> Iterator[dict[str, Any]]:
    """Worth of every policy beside silence (0), and the gain of learning over the static form."""
    for cost in COSTS:
        told = {
            name: [who for part in parts for who in in_orders(policy, part, cost, orders)]
            for name, policy in POLICIES.items()
        }
        for name, people in told.items():
            flat = [n for who in people for n in who]
            said = sum(n != 0.0 for n in flat)
            share, right = said / len(flat), sum(n > 0 for n in flat) / max(1, said)
            mean, low, high = interval(people)
            print(
                f"c={cost:.0f} {name:19} {mean:8.1f} [{low}, {high}] speaks {share:.3f} precision {right:.3f}"
            )
            if name in ("pretrained", "from scratch"):
                for peer in ("always", "hand rule", "static", "silent", "told everything"):
                    theirs = 0.0 if peer == "silent" else interval(told[peer])[0]
                    yield row(
                        case,
                        f"{name}: utility at c={cost:.0f}",
                        "per 1,000 moments",
                        mean,
                        peer,
                        theirs,
                    )
                yield row(
                    case, f"{name}: speaks at c={cost:.0f}", "share of moments", share, "", None
                )
        gain, low, high = interval(told["pretrained"], told["static"])
        print(f"c={cost:.0f} pretrained - static {gain} [{low}, {high}]")
        yield row(
            case, f"gain over static at c={cost:.0f}", "per 1,000 moments", gain, "static", 0.0
        )


def log_of(part: Part, cost: float, rng: np.random.Generator) -> Iterator[tuple[Logged, bool]]:
    """What the pretrained gate logs where a share `TOSSED` of the moments is left to a coin; and the truth."""
    like, _ = own_columns(part.contexts, OWN)
    for who in part.people:
        z, prior = own_columns(who.rows, OWN)
        belief = Belief(np.zeros(len(prior)), np.diag(prior))
        for k, yes in enumerate(who.yes):
            base, ahead = SPREAD * float(who.base[k]), Ahead(SPREAD * who.like, like, AHEAD)
            choice = choose(belief, base, z[k], cost, ahead=ahead)
            propensity = choice.propensity(TOSSED)
            speaks = bool(rng.random() < propensity)
            yield Logged(choice.p, propensity, yes if speaks else None), yes
            if speaks:
                belief.answered(base, z[k], yes=yes)


def offpolicy_rows(case: str, parts: list[Part]) -> Iterator[dict[str, Any]]:
    """A changed gate (another cost of a no) estimated from the log at c=2, beside what it would have brought."""
    rng = np.random.default_rng(SEED)
    both = [n for part in parts for n in log_of(part, 2.0, rng)]
    log = [entry for entry, _ in both]
    for cost in (1.0, 4.0):

        def speaks(entry: Logged, cost: float = cost) -> bool:
            return utility(entry.p, cost) > 0.0

        told = estimate(log, cost, speaks)
        truth = sum(worth(yes=y, cost=cost) for entry, y in both if speaks(entry)) / len(both)
        print(
            f"gate changed from c=2 to c={cost:.0f}: truth {1000 * truth:.1f}, doubly robust {1000 * told.robust:.1f}, "
            f"inverse propensity {1000 * told.inverse:.1f}, {told.effective:.0f} effective answers"
        )
        for name, value in (("doubly robust", told.robust), ("inverse propensity", told.inverse)):
            metric = f"{name} estimate of the gate at c={cost:.0f} from the log at c=2"
            yield row(case, metric, "per 1,000 moments", 1000 * value, "truth", 1000 * truth)


def drift_rows(case: str, parts: list[Part]) -> Iterator[dict[str, Any]]:
    """One word a day is said to a person who half way becomes another: the offset of a node beside fixed steps."""
    people = [words_of(who.rows, list(who.base), who.yes) for part in parts for who in part.people]
    told = {
        name: losses(people, rule, SEED)
        for name, rule in (("answers", by_answers), ("steps", by_steps), ("others", by_others))
    }
    for phase, ours in told["answers"].items():
        print(f"{phase}: log loss " + ", ".join(f"{n} {one[phase]:.4f}" for n, one in told.items()))
        for peer in ("steps", "others"):
            yield row(case, f"log loss, {phase}", "nats", ours, peer, told[peer][phase])


def main() -> int:
    """Fit, judge, print; 2 where the data cannot be used."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=SEED, help="of the folds")
    parser.add_argument("--orders", type=int, default=10)
    parser.add_argument("--lightgbm", action="store_true")
    options = parser.parse_args()
    if options.orders < 1 or options.seed < 0:
        parser.error("--orders begins at 1, --seed at 0")
    started = time.process_time()
    try:
        parts = [
            part_of(*n, peer=options.lightgbm)
            for n in parts_of(options.data, options.split, options.folds, options.seed)
        ]
    except HearthwayError as error:
        return refused(error)
    drawn = "" if options.seed == SEED else f", seed {options.seed}"
    case = case_of(options.data, options.split, options.folds, drawn)
    rows = [
        *auc_rows(case, parts),
        *policy_rows(case, parts, options.orders),
        *offpolicy_rows(case, parts),
        *drift_rows(case, parts),
    ]
    rows.append(
        row(case, "cost of the whole run", "CPU s", time.process_time() - started, "", None)
    )
    finish("gate", rows)
    return 0


if __name__ == "__main__":
    started(main)
