"""A person who becomes another overnight: how a gate's own offset keeps up, on the answers of two respondents in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum

import numpy as np
from msgspec import Struct

from hearthway.assist.gate import shift
from hearthway.assist.memory import DAY_S, topics
from hearthway.assist.willing import Heard, sigmoid, willing
from hearthway.distill.tabular.survey import Row

FIRST = 7  # words after the change that are told apart
STEP, STEP_HALF_LIFE_DAYS, STEP_LIMIT = 0.8, 45.0, 3.0


class Word(Struct, frozen=True):
    """What was said: the kind, what was believed of anybody, and the answer."""

    kind: str
    p: float
    yes: bool


def words_of(rows: Sequence[Row], base: Sequence[float], yes: Sequence[bool]) -> list[Word]:
    """A respondent's moments as words that were said."""
    return [
        Word(row["Coupon"], sigmoid(float(score)), answer)
        for row, score, answer in zip(rows, base, yes, strict=True)
    ]


def by_answers(past: Sequence[Word], now: Word) -> float:
    """The gate's own: the posterior that a node refits from its notes, one word a day."""
    told = [
        Heard(day * DAY_S, str(day), one.yes, 1.0, one.p, topics("", one.kind))
        for day, one in enumerate(past)
    ]
    offset = willing(told).offset(len(past) * DAY_S, topics("", now.kind))
    return shift(now.p, offset)


def by_steps(past: Sequence[Word], now: Word) -> float:
    """The peer: one offset that a fixed step times the surprise moves, fading by half in 45 days."""
    steps: list[float] = []

    def offset(day: int) -> float:
        faded = fsum(
            s * float(0.5 ** ((day - at) / STEP_HALF_LIFE_DAYS)) for at, s in enumerate(steps)
        )
        return max(-STEP_LIMIT, min(STEP_LIMIT, faded))

    for day, one in enumerate(past):
        believed = shift(one.p, offset(day))
        steps.append(STEP * (float(one.yes) - believed))
    return shift(now.p, offset(len(past)))


def by_others(_past: Sequence[Word], now: Word) -> float:
    """What is believed of anybody."""
    return now.p


def losses(
    people: Sequence[list[Word]],
    rule: Callable[[Sequence[Word], Word], float],
    seed: int,
) -> dict[str, float]:
    """Mean log loss once a person is known, in the first words after the change, and later."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(people))
    lost: dict[str, list[float]] = {"settled": [], "just changed": [], "changed": []}
    for k in range(0, len(order) - 1, 2):
        before, after = (
            [people[who][at] for at in rng.permutation(len(people[who]))]
            for who in order[k : k + 2]
        )
        life = before + after
        for day in range(len(before) // 2, len(life)):
            since = day - len(before)
            phase = "settled" if since < 0 else "just changed" if since < FIRST else "changed"
            p = min(1.0 - 1e-3, max(1e-3, rule(life[:day], life[day])))
            lost[phase].append(-float(np.log(p if life[day].yes else 1.0 - p)))
    return {phase: float(np.mean(each)) for phase, each in lost.items() if each}
