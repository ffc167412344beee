"""Dropout whose mask is drawn a byte a number: with the usual one a step of it takes four times as long."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BYTE = 256


class Dropout(nn.Module):
    """Zeros for a share of the numbers, to the nearest 1/256, and the others larger by as much; nothing where nothing is learned."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        lost = round(self.share * BYTE)
        if not self.training or lost == 0:
            return x
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= lost
        return x * kept.to(x.dtype).mul_(BYTE / (BYTE - lost))
