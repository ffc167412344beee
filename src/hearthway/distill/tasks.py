"""What can be distilled: each task by its name, with the stages that make it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hearthway.records.errors import InputError

if TYPE_CHECKING:
    from .recipe import Recipe
    from .run import Ran
    from .stages import Stage


@dataclass(frozen=True)
class Task:
    """`build` is given the recipe and its folder; it imports what the task needs, and no more; `extra` names the extra that has it ("" for the base install)."""

    name: str
    words: str
    extra: str
    build: Callable[[Recipe, Path], Built]


@dataclass(frozen=True)
class Built:
    """A task's stages, the last of them `export` and `evaluate`; and what runs its student, to time it."""

    stages: Sequence[Stage]
    runtimes: Callable[[Ran, bytes], Sequence[tuple[str, Callable[[int], object]]]]


def _modes(recipe: Recipe, folder: Path) -> Built:
    from .tabular.making import runtimes, stages
    from .tabular.modes import TASK

    return Built(stages(TASK, recipe, folder), runtimes)


def _tiny(recipe: Recipe, folder: Path) -> Built:
    from .words import runtimes, tiny_stages

    return Built(tiny_stages(recipe, folder), runtimes)


TASKS: Mapping[str, Task] = {
    one.name: one
    for one in (
        Task("modes", "by what a trip went, from speeds, accelerations and halts", "", _modes),
        Task("tiny", "a few intents out of sentence patterns: shows the path", "distill", _tiny),
    )
}


def task_of(name: str) -> Task:
    """The task of that name; InputError that lists what there is."""
    if name not in TASKS:
        raise InputError(f"There is no task {name!r}.", f"There are: {', '.join(TASKS)}.")
    return TASKS[name]
