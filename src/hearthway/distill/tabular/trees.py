"""The teacher of a small student: boosted trees and wide nets together, each too large for a device that thinks in integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hearthway.learn.boost import Boosted, BoostSettings, fit_boosted

from .arrays import Floats, Ints, softmax
from .net import INPUT_SCALE, Net, NetSettings, Scaling, train


class TeacherSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`trees` for each class against the others, on yes/no columns at `cuts` quantiles; `nets` of `width`, differently drawn.

    `onnx`, a path relative to the recipe: that model instead.
    """

    trees: int = 150
    depth: int = 5
    rate: float = 0.08
    cuts: int = 12
    nets: int = 3
    width: int = 96
    epochs: int = 20
    onnx: str = ""


class Columns(Struct, frozen=True):
    """Cuts of each feature: one column a cut, and one for "not known"."""

    cuts: tuple[Floats, ...]

    @staticmethod
    def of(x: Floats, count: int) -> Columns:
        """At quantiles of the rows trained on; equal ones once."""
        found = []
        for feature in x.T:
            known = feature[~np.isnan(feature)]
            at = np.quantile(known, np.linspace(0.0, 1.0, count + 2)[1:-1]) if len(known) else known
            found.append(np.unique(at))
        return Columns(tuple(found))

    def plain(self, x: Floats) -> NDArray[np.float32]:
        """The columns of rows."""
        parts = []
        for feature, cuts in zip(x.T, self.cuts, strict=True):
            parts.append(feature[:, None] > cuts[None, :])  # NaN is above nothing
            parts.append(np.isnan(feature)[:, None])
        return np.concatenate(parts, axis=1).astype(np.float32)


class Teacher(Struct):
    """Fitted trees and nets; `scores` are log-probabilities up to a constant."""

    columns: Columns
    trees: list[Boosted]
    scaling: Scaling
    nets: list[Net]

    def scores(self, x: Floats) -> Floats:
        """The mean of both kinds' log-probabilities, one column a class."""
        found = []
        if self.trees:
            plain = self.columns.plain(x)
            by_tree = np.stack([one.score(plain) for one in self.trees], axis=1)
            found.append(np.log(softmax(by_tree) + 1e-9))
        inputs = self.scaling.quantised(x) * INPUT_SCALE
        found += [np.log(softmax(net.logits(inputs)) + 1e-9) for net in self.nets]
        shares = [1.0] if not self.trees else [max(1, len(self.nets)), *[1.0] * len(self.nets)]
        shares = shares if self.trees else [1.0] * len(self.nets)
        return np.asarray(np.average(np.stack(found), axis=0, weights=shares))


def fit(
    x: Floats,
    y: Ints,
    classes: int,
    settings: TeacherSettings,
    *,
    seed: int,
    tell: Callable[[str], None],
) -> Teacher:
    """A teacher of the labelled rows; ValueError where neither trees nor nets are asked for."""
    if settings.trees <= 0 and settings.nets <= 0:
        raise ValueError("a teacher needs trees or nets")
    columns, scaling = Columns.of(x, settings.cuts), Scaling.of(x)
    boosted = []
    if settings.trees > 0:
        plain = columns.plain(x)
        how = BoostSettings(trees=settings.trees, depth=settings.depth, rate=settings.rate)
        for one in range(classes):
            tell(f"trees of class {one + 1} of {classes}")
            boosted.append(
                fit_boosted(plain, (y == one).astype(np.float64), seed=seed, settings=how)
            )
    nets = []
    hard = NetSettings(
        hidden=(settings.width, settings.width // 2), epochs=settings.epochs, hard=1.0
    )
    for number in range(settings.nets):
        tell(f"net {number + 1} of {settings.nets}")
        nets.append(
            train(
                scaling.quantised(x) * INPUT_SCALE,
                np.full((len(x), classes), 1.0 / classes),
                y,
                hard,
                seed=seed * 101 + number,
                tell=lambda _: None,
                integers=False,
            )
        )
    return Teacher(columns, boosted, scaling, nets)
