"""How much likelier than thought this person says yes, from their own answers and deeds: one Gaussian over few weights.

The log-odds of a yes are those believed before, plus a weight of the person's own, one of this need and one of this
kind of POI: what is little known of one topic is lent by the constant, and by nobody else. Evidence is folded in order of
event time by assumed-density filtering (Laplace along the moment's row, after Opper 1998). Between two pieces the weights
fall back towards 0 and their doubt towards the prior (an Ornstein-Uhlenbeck process), so that old evidence weighs
less than what is new. Plain Python: a node at rest loads no numpy for a dozen numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum, log, tanh

from msgspec import Struct

HALF_LIFE_S = 30 * 86_400.0
CONSTANT_VARIANCE, TOPIC_VARIANCE = 1.0, 1.0  # of log-odds
CERTAIN = 1e-6  # a belief nearer to 0 or 1 than this is taken as this far from it
_ROUNDS, _CLOSE = 50, 1e-9


class Heard(Struct, frozen=True, order=True):
    """One piece of evidence: when, about which suggestion, for or against, how much of an answer it is worth, the
    probability believed before anything of this person's own, and the topics (need, kind of POI)."""

    time_s: float
    suggestion_id: str
    yes: bool
    weight: float
    p: float
    topics: tuple[str, ...] = ()


class Willing(Struct, frozen=True):
    """The weights as they stood at `at_s` (Unix seconds), by topic; "" is the constant."""

    at_s: float
    weights: dict[str, float]

    def offset(self, now_s: float, topics: Sequence[str] = ()) -> float:
        """Log-odds to add at `now_s`, about `topics`; 0 where nothing was heard."""
        total = fsum(self.weights.get(topic, 0.0) for topic in ("", *topics))
        return total * kept(now_s - self.at_s)


def kept(age_s: float) -> float:
    """What is left of a weight after `age_s`."""
    return float(0.5 ** (max(0.0, age_s) / HALF_LIFE_S))


def sigmoid(score: float) -> float:
    """Probability of log-odds, without overflow."""
    return 0.5 * (1.0 + tanh(0.5 * score))


def log_odds(p: float) -> float:
    """Log-odds of a probability, finite at 0 and 1."""
    p = min(1.0 - CERTAIN, max(CERTAIN, p))
    return log(p / (1.0 - p))


def step(score: float, variance: float, *, yes: bool, weight: float = 1.0) -> tuple[float, float]:
    """How far the log-odds move with an answer that counts `weight`, and the share by which their variance shrinks."""
    if variance <= 0.0 or weight <= 0.0:
        return 0.0, 0.0
    bound = weight * variance  # |residual| < 1 bounds the step
    low, high = (0.0, bound) if yes else (-bound, 0.0)
    moved = 0.0
    for _ in range(_ROUNDS):
        p = sigmoid(score + moved)
        slope = weight * (float(yes) - p) - moved / variance
        low, high = (moved, high) if slope > 0 else (low, moved)
        newton = moved + slope / (weight * p * (1.0 - p) + 1.0 / variance)
        following = newton if low < newton < high else 0.5 * (low + high)
        if abs(following - moved) < _CLOSE:
            break
        moved = following
    p = sigmoid(score + moved)
    curvature = weight * p * (1.0 - p) * variance
    return moved, curvature / (1.0 + curvature)


def willing(evidence: Iterable[Heard]) -> Willing:
    """The weights that follow from `evidence`: the same for the same pieces in any order, told once or twice."""
    pieces = sorted(set(evidence))
    names = ["", *sorted({topic for piece in pieces for topic in piece.topics})]
    place = {name: k for k, name in enumerate(names)}
    prior = [CONSTANT_VARIANCE, *[TOPIC_VARIANCE] * (len(names) - 1)]
    mean = [0.0] * len(names)
    doubt = [[v if i == j else 0.0 for j in range(len(names))] for i, v in enumerate(prior)]
    at_s = pieces[0].time_s if pieces else 0.0
    for piece in pieces:
        _fall_back(mean, doubt, prior, kept(piece.time_s - at_s))
        at_s = piece.time_s
        about = [0, *sorted({place[topic] for topic in piece.topics})]
        _hear(mean, doubt, about, piece)
    return Willing(at_s, dict(zip(names, mean, strict=True)))


def _fall_back(
    mean: list[float], doubt: list[list[float]], prior: list[float], left: float
) -> None:
    if left == 1.0:
        return
    square = left * left
    for i, row in enumerate(doubt):
        mean[i] *= left
        for j in range(len(row)):
            row[j] *= square
        row[i] += (1.0 - square) * prior[i]


def _hear(mean: list[float], doubt: list[list[float]], about: list[int], piece: Heard) -> None:
    along = [fsum(row[j] for j in about) for row in doubt]
    variance = fsum(along[i] for i in about)
    score = log_odds(piece.p) + fsum(mean[i] for i in about)
    moved, shrunk = step(score, variance, yes=piece.yes, weight=piece.weight)
    if variance <= 0.0:
        return
    for i, row in enumerate(doubt):
        mean[i] += along[i] * (moved / variance)
        for j in range(len(row)):
            row[j] -= along[i] * along[j] * (shrunk / variance)
