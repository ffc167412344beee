"""Batches of texts of like length: little padding, and an order that follows from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

CHUNK = 128  # batches that are sorted by length together: the more, the less padding


class Batch:
    """`ids` [texts, pieces], `lengths` [texts], and `rows`: which texts of the pool these are."""

    def __init__(self, ids: Tensor, lengths: Tensor, rows: Tensor) -> None:
        self.ids, self.lengths, self.rows = ids, lengths, rows


def padded(lists: Sequence[Sequence[int]], behind: int = 0) -> tuple[Tensor, Tensor]:
    """Lists of ids as one matrix, `behind` after their ends, and their lengths."""
    longest = max(len(one) for one in lists)
    ids = torch.tensor([[*one, *[behind] * (longest - len(one))] for one in lists])
    return ids, torch.tensor([len(one) for one in lists])


def shuffled(
    lists: Sequence[Sequence[int]], size: int, draw: torch.Generator, chunk: int = CHUNK
) -> Iterator[Batch]:
    """One epoch; `chunk` batches are sorted by length together."""
    order = torch.randperm(len(lists), generator=draw).tolist()
    groups: list[list[int]] = []
    for at in range(0, len(order), size * chunk):
        like = sorted(order[at : at + size * chunk], key=lambda row: len(lists[row]))
        groups += [like[i : i + size] for i in range(0, len(like), size)]
    for which in torch.randperm(len(groups), generator=draw).tolist():
        yield _batch(lists, groups[which])


def in_order(lists: Sequence[Sequence[int]], size: int) -> Iterator[Batch]:
    """Every text once, the short ones first; `rows` says where each belongs."""
    order = sorted(range(len(lists)), key=lambda row: len(lists[row]))
    for at in range(0, len(order), size):
        yield _batch(lists, order[at : at + size])


def masked(batch: Batch, share: float, mask: int, draw: torch.Generator) -> Batch:
    """A share of the pieces between each text's first and last is `mask`: what stood there follows from the others."""
    at = torch.arange(batch.ids.shape[1])
    between = (at > 0) & (at < batch.lengths[:, None] - 1)
    lost = between & (torch.rand(batch.ids.shape, generator=draw) < share)
    return Batch(batch.ids.masked_fill(lost, mask), batch.lengths, batch.rows)


def steps(texts: int, size: int) -> int:
    """Batches of an epoch of `shuffled`."""
    return -(-texts // size)


def _batch(lists: Sequence[Sequence[int]], rows: list[int]) -> Batch:
    ids, lengths = padded([lists[row] for row in rows])
    return Batch(ids, lengths, torch.tensor(rows))
