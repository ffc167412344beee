"""The larger teacher of the ranker: a mean of three models of what people in general say yes to, on all that the survey asked them.

A ridge logistic regression with crossed columns, boosted trees, and a sum of product kernels over moment, person and habit; each
with own intercepts for the people fitted on, which are 0 for somebody new (decision 0031).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from hearthway.learn.boost import BoostSettings, fit_boosted
from hearthway.learn.kernel import Landmarks
from hearthway.learn.population import fit_population

from .arrays import Floats
from .survey import HABIT, Codes, Columns, Row, likeness

SEED = 1
SEEN_OFTEN = 20  # rows of the training part in which a crossed column must be 1
RIDGE, PERSON_RIDGE = 100.0, 2.0
# ridges of the trees' intercepts of a person, and of a person and kind
TREES_PERSON, TREES_KIND = 2.0, 1.0
KERNEL_RIDGE = 0.5
SHARES = {"linear": 0.25, "trees": 0.25, "kernel": 0.5}


class OthersSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large the teacher is, and in how many parts by respondent its answers about its own respondents are told (`folds`)."""

    trees: int = 300
    depth: int = 6
    landmarks: int = 900
    folds: int = 5


class Others:
    """The three models, fitted on the moments of some people."""

    def __init__(
        self, train: list[Row], settings: OthersSettings | None = None, *, seed: int = SEED
    ) -> None:
        """ValueError where there is only one kind of answer."""
        settings = settings or OthersSettings()
        self._columns, self._codes = Columns(train), Codes(train)
        plain = self._columns.plain(train)
        crossed = self._columns.crossed(plain)
        self._kept = np.flatnonzero(crossed.sum(axis=0) > SEEN_OFTEN)
        yes = np.array([float(row["Y"]) for row in train])
        _, person = np.unique([row["respondent"] for row in train], return_inverse=True)
        kinds = list(HABIT)
        taste = person * len(kinds) + np.array([kinds.index(row["Coupon"]) for row in train])
        self._linear = fit_population(
            crossed[:, self._kept].astype(np.float64),
            yes,
            person,
            ridge=RIDGE,
            person_ridge=PERSON_RIDGE,
        )
        self._trees = fit_boosted(
            plain,
            yes,
            seed=seed,
            settings=BoostSettings(trees=settings.trees, depth=settings.depth),
            own=((person, TREES_PERSON), (taste, TREES_KIND)),
        )
        codes = self._codes.of(train)
        self._marks = Landmarks(likeness(), codes, settings.landmarks, seed=seed)
        self._kernel = fit_population(
            self._marks.columns(codes), yes, person, ridge=KERNEL_RIDGE, person_ridge=PERSON_RIDGE
        )

    def scores(self, rows: list[Row]) -> dict[str, Floats]:
        """Log-odds by model for rows of somebody new; "both" is their weighted mean."""
        plain = self._columns.plain(rows)
        told = {
            "linear": self._linear.score(
                self._columns.crossed(plain)[:, self._kept].astype(np.float64)
            ),
            "trees": self._trees.score(plain),
            "kernel": self._kernel.score(self._marks.columns(self._codes.of(rows))),
        }
        both = sum((SHARES[name] * told[name] for name in SHARES), np.zeros(len(rows)))
        return told | {"both": both}
