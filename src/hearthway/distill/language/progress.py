"""A training that was cut goes on at its last whole epoch, and ends with the bits it would have had."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

FOLLOWED = (
    4  # steps between two looks of the running mean, which is over hundreds and reads every weight
)
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


@contextmanager
def tiny_as_zero() -> Iterator[None]:
    """Numbers below 1e-38 are zero in here: a processor is slow with them, and AdamW has many of weights that are seldom used.

    The students that ship have the same bits with and without; a teacher has others, so none is trained in here.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


class Loop:
    """What a training goes on with after a cut: its optimiser, its rate, and the running mean of its weights, which it leaves."""

    def __init__(
        self,
        weights: dict[str, nn.Parameter],
        average: float,
        optimiser: torch.optim.Optimizer,
        rate: Callable[[int], float],
    ) -> None:
        """`average`: of the mean, once it has followed for a while; `rate`: the share of the full one, by step."""
        self.weights, self.average, self.optimiser = weights, average, optimiser
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
        self.mean = {name: weight.detach().clone() for name, weight in weights.items()}
        self.step = 0

    def descend(self, loss: Tensor) -> None:
        """One step down; the mean follows every few."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        _clip([one.grad for one in self.weights.values() if one.grad is not None])
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        if self.step % FOLLOWED:
            return
        keep = min(self.average, (1 + self.step) / (10 + self.step)) ** FOLLOWED
        now = [weight.detach() for weight in self.weights.values()]
        torch._foreach_lerp_(list(self.mean.values()), now, 1 - keep)

    def learned(self) -> dict[str, Tensor]:
        """The running mean by name; the weights themselves as long as it has not looked at them once."""
        if self.step < FOLLOWED:
            return {name: weight.detach().clone() for name, weight in self.weights.items()}
        return self.mean

    def state(self, epoch: int) -> dict[str, Any]:
        """All that `resume` needs but the weights."""
        return {
            "epoch": epoch,
            "step": self.step,
            "mean": self.mean,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def resume(self, state: dict[str, Any] | None) -> int:
        """Puts back what `state` gave; the number of whole epochs behind."""
        if state is None:
            return 0
        self.mean, self.step = state["mean"], state["step"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        return int(state["epoch"])


def _clip(grads: list[Tensor]) -> None:
    """Gradients of a norm of one at most; those of less are left alone, where torch multiplies them by one."""
    norm = float(nn.utils.get_total_norm(grads))
    if norm > 1.0:
        torch._foreach_mul_(grads, 1.0 / (norm + 1e-6))


def seeded(seed: int, epoch: int) -> torch.Generator:
    """Fixes what an epoch draws, dropout included, whether or not the epochs before ran in this process."""
    torch.manual_seed(seed * 100_003 + epoch)
    return torch.Generator().manual_seed(seed * 100_003 + epoch)
