"""What people in general say yes to, on the coupon survey: three models of others and a peer, fitted on one set of people."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hearthway.learn.boost import BoostSettings, fit_boosted
from hearthway.learn.kernel import UNKNOWN, Landmarks
from hearthway.learn.population import fit_population

if TYPE_CHECKING:
    from bench._coupon import HABIT, Codes, Columns, DataError, Row, likeness
else:  # run beside a script, its own folder is on the path
    from _coupon import HABIT, Codes, Columns, DataError, Row, likeness

Floats = NDArray[np.float64]
SEED = 1
SEEN_OFTEN = 20  # rows of the training part in which a crossed column must be 1
RIDGE, PERSON_RIDGE = 100.0, 2.0
TREES = BoostSettings(trees=300, depth=6)
TREES_PERSON, TREES_KIND = (
    2.0,
    1.0,
)  # ridges of the intercepts of a person, and of a person and kind
LANDMARKS, KERNEL_RIDGE = 900, 0.5
SHARES = {"linear": 0.25, "trees": 0.25, "kernel": 0.5}


def lightgbm(codes: Codes, train: list[Row], yes: Floats) -> Callable[[list[Row]], Floats]:
    """The peer, on the same answers as numbers (missing ones left to it); DataError where it is not installed."""
    try:
        peers = import_module("lightgbm")  # untyped, and a peer that most do not have
    except ImportError:
        raise DataError(
            "LightGBM is not installed here: `pip install lightgbm scikit-learn`, or leave out --lightgbm"
        ) from None
    many = [k for k, steps in enumerate(likeness().ordered) if not steps]
    peer = peers.LGBMClassifier(
        n_estimators=400,
        learning_rate=0.02,
        num_leaves=15,
        min_child_samples=30,
        subsample=0.7,
        subsample_freq=1,
        colsample_bytree=0.4,
        reg_lambda=5.0,
        random_state=SEED,
        n_jobs=1,
        verbose=-1,
    )

    def numbers(rows: list[Row]) -> Floats:
        told = codes.of(rows)
        return np.where(told == UNKNOWN, np.nan, told)

    peer.fit(numbers(train), yes, categorical_feature=many)
    return lambda rows: np.asarray(peer.predict(numbers(rows), raw_score=True))


def fit(train: list[Row], *, peer: bool) -> Callable[[list[Row]], dict[str, Floats]]:
    """Log-odds by model, for rows of somebody new."""
    columns = Columns(train)
    plain = columns.plain(train)
    crossed = columns.crossed(plain)
    kept = np.flatnonzero(crossed.sum(axis=0) > SEEN_OFTEN)
    yes = np.array([float(row["Y"]) for row in train])
    _, person = np.unique([row["respondent"] for row in train], return_inverse=True)
    codes = Codes(train)
    beside = lightgbm(codes, train, yes) if peer else None
    kinds = list(HABIT)
    taste = person * len(kinds) + np.array([kinds.index(row["Coupon"]) for row in train])
    linear = fit_population(
        crossed[:, kept].astype(np.float64), yes, person, ridge=RIDGE, person_ridge=PERSON_RIDGE
    )
    trees = fit_boosted(
        plain,
        yes,
        seed=SEED,
        settings=TREES,
        own=((person, TREES_PERSON), (taste, TREES_KIND)),
    )
    marks = Landmarks(likeness(), codes.of(train), LANDMARKS, seed=SEED)
    kernel = fit_population(
        marks.columns(codes.of(train)), yes, person, ridge=KERNEL_RIDGE, person_ridge=PERSON_RIDGE
    )

    def scores(rows: list[Row]) -> dict[str, Floats]:
        x = columns.plain(rows)
        told = {
            "linear": linear.score(columns.crossed(x)[:, kept].astype(np.float64)),
            "trees": trees.score(x),
            "kernel": kernel.score(marks.columns(codes.of(rows))),
        }
        both = sum((SHARES[n] * told[n] for n in SHARES), np.zeros(len(rows)))
        told |= {"LightGBM": beside(rows)} if beside is not None else {}
        return told | {"both": both}

    return scores
