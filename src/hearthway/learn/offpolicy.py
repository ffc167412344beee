"""What a changed gate would have been worth, from the log of the gate that spoke.

Silence is worth 0 and that is known; what a word would have brought is known only where one was said. The doubly
robust estimate (Dudik 2011) takes the logged belief everywhere and corrects it, where something was said, by
the surprise over the propensity. It is unbiased if the propensities are true, whatever the belief is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum

from msgspec import Struct


class Logged(Struct, frozen=True):
    """A moment as the gate logged it: what it believed, how likely it was to speak, and the answer to a word.

    `yes` is None where nothing was said; `worth` is that of a yes, in the unit in which a no is priced; `name` tells
    moments apart that look alike. ValueError where the first three contradict one another.
    """

    p: float
    propensity: float
    yes: bool | None
    name: str = ""
    worth: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.p <= 1.0:
            raise ValueError(f"a belief is a probability, not {self.p}")
        if not 0.0 <= self.propensity <= 1.0:
            raise ValueError(f"a propensity is a probability, not {self.propensity}")
        if self.yes is None and self.propensity == 1.0:
            raise ValueError("silence where the gate was certain to speak")
        if self.yes is not None and self.propensity == 0.0:
            raise ValueError("a word where the gate could not speak")

    def utility(self, cost: float) -> float:
        """What a word was believed to bring."""
        return self.p * self.worth - cost * (1.0 - self.p)


class Estimate(Struct, frozen=True):
    """Worth per moment of a changed gate, by inverse propensity and doubly robust; and the weight it rests on.

    `effective` is Kish's count of independent answers behind the weights; `unseen` the moments at which the
    changed gate would speak although the logged one never could: with any, both estimates are biased.
    """

    inverse: float
    robust: float
    effective: float
    unseen: int


def estimate(log: Sequence[Logged], cost: float, speaks: Callable[[Logged], bool]) -> Estimate:
    """The worth of speaking exactly where `speaks` says so, a no costing `cost`; ValueError for an empty log."""
    if not log:
        raise ValueError("an empty log tells nothing about a gate")
    spoken = [entry for entry in log if speaks(entry)]
    answered = [
        (1.0 / n.propensity, n.worth if n.yes else -cost, n.utility(cost))
        for n in spoken
        if n.yes is not None
    ]
    believed = fsum(n.utility(cost) for n in spoken)
    weight, squares = fsum(w for w, _, _ in answered), fsum(w * w for w, _, _ in answered)
    return Estimate(
        inverse=fsum(w * brought for w, brought, _ in answered) / len(log),
        robust=(believed + fsum(w * (b - u) for w, b, u in answered)) / len(log),
        effective=weight * weight / squares if squares else 0.0,
        unseen=sum(entry.propensity == 0.0 for entry in spoken),
    )
