"""What people in general say yes to, on the coupon survey: the teacher's three models, and a peer beside them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from hearthway.distill.tabular.others import SEED, Others
from hearthway.distill.tabular.survey import Codes, Row, likeness
from hearthway.learn.kernel import UNKNOWN
from hearthway.records.errors import InputError

Floats = NDArray[np.float64]


def lightgbm(codes: Codes, train: list[Row], yes: Floats) -> Callable[[list[Row]], Floats]:
    """The peer, on the same answers as numbers (missing ones left to it); InputError where it is not installed."""
    try:
        peers = import_module("lightgbm")  # untyped, and a peer that most do not have
    except ImportError:
        raise InputError(
            "LightGBM is not installed here.",
            "Run `pip install lightgbm scikit-learn`, or leave out --lightgbm.",
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
    others = Others(train)
    yes = np.array([float(row["Y"]) for row in train])
    beside = lightgbm(Codes(train), train, yes) if peer else None

    def scores(rows: list[Row]) -> dict[str, Floats]:
        told = others.scores(rows)
        return told | ({"LightGBM": beside(rows)} if beside is not None else {})

    return scores
