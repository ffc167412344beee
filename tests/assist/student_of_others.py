"""A ranker made by hand, for whoever tests with one: no training, every weight stands here."""

from __future__ import annotations

import numpy as np

from hearthway.assist.ranker import FEATURES, LABELS, Ranker
from hearthway.distill.tabular.export import Feature, as_file
from hearthway.distill.tabular.net import INPUT_SCALE, Net, Scaling
from hearthway.student.header import About

# What speaks for a yes, in log-odds: a takeaway, friends beside, warmth from 10 degrees up; a long way speaks against it.
WEIGHTS = {
    "sort.takeaway": 1.0,
    "sort.coffee": 0.4,
    "visits": 0.3,
    "hour.18": 0.5,
    "company.friends": 0.8,
    "air": 0.04,
    "way.15min": -0.6,
    "way.25min": -0.5,
}
OFFSET = {"air": 10.0}
STEPS = {"air": 1.0, "visits": 0.05}  # of one step of int8


def file(weights: dict[str, float] | None = None) -> bytes:
    """A student's file that says yes with the sum of these log-odds, as near as int8 tells them."""
    names = [name for name, _ in FEATURES]
    used = {"hour.7": 0.05} | (WEIGHTS if weights is None else weights)  # some weight is never 0
    gain = np.array([1.0 / STEPS.get(name, 0.01) for name in names])
    per_step = np.array([used.get(name, 0.0) for name in names]) / gain / INPUT_SCALE
    # relu(a) - relu(-a) is a: two hidden numbers carry the sum
    net = Net(
        [np.stack([per_step, -per_step]), np.array([[0.0, 0.0], [1.0, -1.0]])],
        [np.zeros(2), np.zeros(2)],
        [0.03],
    )
    offset = np.array([OFFSET.get(name, 0.0) for name in names])
    features = [Feature(name, unit) for name, unit in FEATURES]
    about = About(title="by hand", licence="Apache-2.0", attribution=(), recipe={})
    return as_file(net, Scaling(offset, gain), features, LABELS, task="ranker", about=about)


def ranker(weights: dict[str, float] | None = None) -> Ranker:
    """The same, ready to be asked."""
    return Ranker(file(weights))
