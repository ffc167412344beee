"""A small net over a row of features: trained in floats, then with the roundings of int8, then written as integers.

Rounding is passed over by the gradient (the straight-through estimator; Bengio et al. 2013), as in quantisation-aware
training (Jacob et al. 2018). Optimiser: Adam (Kingma & Ba 2015) with a cosine rate. One thread, one seed: the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from msgspec import Struct

from .arrays import Floats, Ints, softmax

LEVELS = 127.0
INPUT_SCALE = (
    1.0 / 32.0
)  # of a quantised feature, so that its units are about one standard deviation
REACH = 3.9  # a feature is told apart up to so many of its standard deviations
BETA_1, BETA_2, TINY = 0.9, 0.999, 1e-8
CALIBRATED = 0.9995  # of a layer's values lie within what int8 tells apart


class NetSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Widths of the hidden layers, and how it is trained."""

    hidden: tuple[int, ...] = (32, 16)
    epochs: int = 40
    int_epochs: int = 10
    batch: int = 256
    rate: float = 3e-3
    decay: float = 1e-4
    temperature: float = 1.5
    hard: float = 0.2  # share of the loss on the labels, where there are some


class Scaling(Struct, frozen=True):
    """How features become int8: floor((x - offset) * gain + .5), cut to int8; what is not known becomes 0."""

    offset: Floats
    gain: Floats

    @staticmethod
    def of(x: Floats) -> Scaling:
        """From the rows trained on; a feature that never changes says nothing."""
        offset, spread = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
        gain = np.where(spread > 1e-9, 1.0 / (INPUT_SCALE * np.maximum(spread, 1e-9)), 0.0)
        return Scaling(offset, gain)

    def quantised(self, x: Floats) -> Floats:
        """The int8 values, as floats."""
        q = np.floor((x - self.offset) * self.gain + 0.5)
        return np.asarray(
            np.clip(np.nan_to_num(q, nan=0.0, posinf=127.0, neginf=-128.0), -128.0, 127.0)
        )


class Net(Struct):
    """Weights [out, in] and biases by layer; `scales` of the hidden layers' outputs, empty in float form."""

    weights: list[Floats]
    biases: list[Floats]
    scales: list[float] = []

    def logits(self, inputs: Floats) -> Floats:
        """Of rows of inputs in units of `INPUT_SCALE`, in float form."""
        return self._through(inputs, rounded=False)[-1]

    def rounded(self, inputs: Floats) -> Floats:
        """The same with the roundings of int8."""
        return self._through(inputs, rounded=True)[-1]

    def _through(self, inputs: Floats, *, rounded: bool) -> list[Floats]:
        values = [inputs]
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            last = layer == len(self.weights) - 1
            used = round_weights(weight, whole=last) if rounded else weight
            out = values[-1] @ used.T + bias
            if not last:
                out = np.maximum(out, 0.0)
                if rounded:
                    scale = self.scales[layer]
                    out = np.clip(np.floor(out / scale + 0.5), 0.0, LEVELS) * scale
            values.append(out)
        return values

    def gradients(
        self, inputs: Floats, miss: Callable[[Floats], Floats], *, rounded: bool
    ) -> tuple[list[Floats], list[Floats]]:
        """By layer, of weights and biases; `miss` gives the loss's slope at the logits."""
        values = self._through(inputs, rounded=rounded)
        back = miss(values[-1])
        weights: list[Floats] = [np.empty(0)] * len(self.weights)
        biases: list[Floats] = [np.empty(0)] * len(self.weights)
        for layer in reversed(range(len(self.weights))):
            last = layer == len(self.weights) - 1
            if not last:
                passes = values[layer + 1] > 0.0
                if rounded:  # what was cut off does not move with its cause
                    passes &= values[layer + 1] < LEVELS * self.scales[layer]
                back = back * passes
            weights[layer] = back.T @ values[layer]
            biases[layer] = back.sum(axis=0)
            used = self.weights[layer]
            back = back @ (round_weights(used, whole=last) if rounded else used)
        return weights, biases

    def calibrate(self, inputs: Floats) -> None:
        """Set the scales from what the hidden layers give on these rows."""
        hidden = self._through(inputs, rounded=False)[1:-1]
        self.scales = [
            max(1e-6, float(np.quantile(values, CALIBRATED)) / LEVELS) for values in hidden
        ]


def weight_scales(weight: Floats, *, whole: bool) -> Floats:
    """One scale an output, or one for all where `whole` (a head: its outputs are compared)."""
    most = np.abs(weight).max(axis=1)
    return np.asarray(np.maximum(np.full_like(most, most.max()) if whole else most, 1e-9) / LEVELS)


def round_weights(weight: Floats, *, whole: bool) -> Floats:
    """The weights that int8 tells apart."""
    scale = weight_scales(weight, whole=whole)[:, None]
    return np.asarray(np.floor(weight / scale + 0.5) * scale)


def began(sizes: tuple[int, ...], rng: np.random.Generator) -> Net:
    """A net before training (He et al. 2015)."""
    weights = [
        rng.normal(0.0, np.sqrt(2.0 / before), (after, before)) for before, after in pairwise(sizes)
    ]
    return Net(weights, [np.zeros(after) for after in sizes[1:]])


def train(
    inputs: Floats,
    soft: Floats,
    y: Ints,
    settings: NetSettings,
    *,
    seed: int,
    tell: Callable[[str], None],
    integers: bool = True,
) -> Net:
    """A net that says what `soft` (probabilities a row, at `temperature`) says and `y` (-1: unknown); `integers`: ready for int8.

    ValueError where there is nothing to train on.
    """
    if not len(inputs):
        raise ValueError("there are no rows to train on")
    rng = np.random.default_rng(seed)
    net = began((inputs.shape[1], *settings.hidden, soft.shape[1]), rng)
    target = _target(soft, y, settings)
    _epochs(net, inputs, target, settings, settings.epochs, settings.rate, rng, tell, rounded=False)
    if integers:
        net.calibrate(inputs)
        rate = settings.rate / 5.0
        _epochs(net, inputs, target, settings, settings.int_epochs, rate, rng, tell, rounded=True)
    return net


def _target(soft: Floats, y: Ints, settings: NetSettings) -> tuple[Floats, Floats, Floats]:
    known = y >= 0
    hard = np.zeros_like(soft)
    hard[known, y[known]] = 1.0
    return soft, hard, np.where(known, settings.hard, 0.0)[:, None]


def _epochs(
    net: Net,
    inputs: Floats,
    target: tuple[Floats, Floats, Floats],
    settings: NetSettings,
    epochs: int,
    rate: float,
    rng: np.random.Generator,
    tell: Callable[[str], None],
    *,
    rounded: bool,
) -> None:
    soft, hard, share = target
    parts = [*net.weights, *net.biases]
    first, second = [np.zeros_like(p) for p in parts], [np.zeros_like(p) for p in parts]
    steps, step, heat = epochs * -(-len(inputs) // settings.batch), 0, settings.temperature
    for epoch in range(epochs):
        tell(f"epoch {epoch + 1} of {epochs}{', in integers' if rounded else ''}")
        order = rng.permutation(len(inputs))
        for start in range(0, len(order), settings.batch):
            rows = order[start : start + settings.batch]

            def miss(logits: Floats, rows: Ints = rows) -> Floats:
                by_teacher = heat * (softmax(logits / heat) - soft[rows])
                by_label = softmax(logits) - hard[rows]
                return ((1.0 - share[rows]) * by_teacher + share[rows] * by_label) / len(rows)

            weights, biases = net.gradients(inputs[rows], miss, rounded=rounded)
            step += 1
            now = rate * 0.5 * (1.0 + np.cos(np.pi * step / steps))
            for k, slope in enumerate([*weights, *biases]):
                first[k] += (1.0 - BETA_1) * (slope - first[k])
                second[k] += (1.0 - BETA_2) * (slope**2 - second[k])
                moved = first[k] / (1.0 - BETA_1**step)
                moved /= np.sqrt(second[k] / (1.0 - BETA_2**step)) + TINY
                parts[k] -= now * (moved + (settings.decay * parts[k] if k < len(weights) else 0.0))
