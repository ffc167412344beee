"""The integers' arithmetic in torch, with gradients that pass straight through the roundings.

Values are whole numbers held in floats. Bengio et al. 2013, "Estimating or propagating gradients through stochastic
neurons" (straight-through); Jacob et al. 2018, "Quantization and training of neural networks for
integer-arithmetic-only inference". In float64, with multipliers as the file holds them, a forward equals the reference.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

HIGH = 127
LOW = -128
NIBBLE = 7  # largest number of 4 bits that has its negative
GAINS = 16  # of a row of 4 bits: whole numbers from 1


class _Requantised(torch.autograd.Function):
    """clamp(floor(sum * multiplier + 1/2), low, 127); the gradient is zero where the clamp holds."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, multiplier: Tensor, low: int) -> Tensor:
        y = torch.mul(sums, multiplier).add_(0.5).floor_()
        ctx.save_for_backward((y >= low) & (y <= HIGH), multiplier)
        return y.clamp_(low, HIGH)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        inside, multiplier = ctx.saved_tensors
        return grads[0] * inside * multiplier, None, None


def requantised(sums: Tensor, multiplier: Tensor, *, low: int) -> Tensor:
    """Sums to int8 by a positive multiplier, one or one a channel; half goes up."""
    return _Requantised.apply(sums, multiplier, low)


class _Added(torch.autograd.Function):
    """clamp(floor(a * m_a + b * m_b + 1/2), -128, 127): one rounding for both."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, m_a: Tensor, m_b: Tensor) -> Tensor:
        y = torch.mul(a, m_a).add_(b * m_b).add_(0.5).floor_()
        ctx.save_for_backward((y >= LOW) & (y <= HIGH), m_a, m_b)
        return y.clamp_(LOW, HIGH)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        inside, m_a, m_b = ctx.saved_tensors
        passed = grads[0] * inside
        return passed * m_a, passed * m_b, None, None


def added(a: Tensor, b: Tensor, factors: tuple[Tensor, Tensor]) -> Tensor:
    """Two int8 as one, each by its factor to the scale of the sum."""
    return _Added.apply(a, b, *factors)


def rounded(x: Tensor, scale: Tensor, most: int = HIGH) -> Tensor:
    """x / scale to the nearest whole number within +-`most`, gradient straight through."""
    y = x / scale
    return y + (y.add(0.5).floor().clamp(-most, most) - y).detach()


def row_scales(weight: Tensor) -> Tensor:
    """A scale for each row, so that its largest weight is 127."""
    return weight.detach().abs().amax(-1).clamp_min(1e-8) / HIGH


def gained(table: Tensor) -> tuple[Tensor, Tensor]:
    """(scale, gain of each row [rows, 1]) of a table in 4 bits, with the least squared error: a few numbers may be cut."""
    table = table.detach()
    top = table.abs().amax()
    found = [_gains(table, top * share / (NIBBLE * GAINS)) for share in (1.0, 0.85, 0.7, 0.55, 0.4)]
    _, scale, gains = min(found, key=lambda one: one[0])
    return scale, gains


def gains_at(table: Tensor, scale: Tensor) -> Tensor:
    """The best gain of each row at a scale that is given."""
    return _gains(table.detach(), scale)[2]


def _gains(table: Tensor, scale: Tensor) -> tuple[float, Tensor, Tensor]:
    """(squared error, scale, the best gains)."""
    least = torch.full((len(table), 1), torch.inf)
    gains = torch.ones(len(table), 1)
    for gain in range(1, GAINS + 1):
        step = scale * gain
        off = (table - (table / step).add(0.5).floor().clamp(-NIBBLE, NIBBLE) * step).square()
        error = off.sum(1, keepdim=True)
        gains = torch.where(error < least, float(gain), gains)
        least = torch.minimum(error, least)
    return float(least.sum()), scale, gains
