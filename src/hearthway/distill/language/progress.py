"""A training that was cut goes on at its last whole epoch, and ends with the bits it would have had."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Progress = Callable[[str], None]  # a line a person may read


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes beside and renames: a cut leaves the state before it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(path.suffix + ".part")
    with beside.open("wb") as out:
        torch.save(state, out)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """The state that `save` left, or None."""
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def seeded(seed: int, epoch: int) -> torch.Generator:
    """Fixes what an epoch draws, dropout included, whether or not the epochs before ran in this process."""
    torch.manual_seed(seed * 100_003 + epoch)
    return torch.Generator().manual_seed(seed * 100_003 + epoch)
