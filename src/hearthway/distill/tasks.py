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
    from .sources import Given, Sources
    from .stages import Stage


@dataclass(frozen=True)
class Task:
    """`build` imports what the task needs, and no more; `extra` names the extra that has it ("" for the base install)."""

    name: str
    words: str
    extra: str
    build: Callable[[Recipe, Given], Built]


@dataclass(frozen=True)
class Built:
    """A task's stages, the last of them `export` and `evaluate`; what they are taught from; and what runs the student, to time it."""

    stages: Sequence[Stage]
    sources: Sources
    runtimes: Callable[[Ran, bytes], Sequence[tuple[str, Callable[[int], object]]]]


def _modes(recipe: Recipe, given: Given) -> Built:
    from .tabular.making import build, runtimes
    from .tabular.modes import TASK

    return Built(*build(TASK, recipe, given), runtimes)


def _ranker(recipe: Recipe, given: Given) -> Built:
    from .tabular.making import build, runtimes
    from .tabular.ranker import task

    return Built(*build(task(recipe, given), recipe, given), runtimes)


def _tiny(recipe: Recipe, given: Given) -> Built:
    from .judging import runtimes
    from .patterns import build

    return Built(*build(recipe, given), runtimes)


def _sets(recipe: Recipe, given: Given) -> Built:
    from .judging import runtimes
    from .sets import build

    return Built(*build(recipe, given), runtimes)


def _texts(recipe: Recipe, given: Given) -> Built:
    from .judging import runtimes
    from .sentences import build

    return Built(*build(recipe, given), runtimes)


TASKS: Mapping[str, Task] = {
    one.name: one
    for one in (
        Task("modes", "by what a trip went, from speeds, accelerations and halts", "", _modes),
        Task("ranker", "what people say yes to at such a moment, from what a node knows of it", "", _ranker),
        Task("ask", "what is asked of a household: 150 intents, and none of them", "distill", _sets),
        Task("home", "commands for a home and an assistant, with their slots", "distill", _sets),
        Task("texts", "sentences of your own, each with the label that you gave it", "distill", _texts),
        Task("tiny", "a few intents out of sentence patterns: shows the path", "distill", _tiny),
    )
}  # fmt: skip


def built(name: str, file: Path, seed: int | None, given: Given) -> tuple[Recipe, Built]:
    """The recipe in `file` and its task's stages; InputError where it is for another task, or `given` names sets that it does not read."""
    from .recipe import read_recipe

    recipe = read_recipe(file, seed=seed)
    if recipe.task != name:
        raise InputError(
            f"The recipe {file} is for the task {recipe.task!r}, not {name!r}.",
            f"Run `hearthway distill {recipe.task}`, or name another recipe.",
        )
    made = task_of(name).build(recipe, given)
    if given.sets is not None and not any(one.files for one in made.sources.read):
        raise InputError(
            f"The task {name} reads none of the public sets.",
            "Leave --sets out. A file of your own stands in a [[source]] of the recipe, as its `path`.",
        )
    return recipe, made


def task_of(name: str) -> Task:
    """The task of that name; InputError that lists what there is."""
    if name not in TASKS:
        raise InputError(f"There is no task {name!r}.", f"There are: {', '.join(TASKS)}.")
    return TASKS[name]
