"""What a student's file says of itself, as Markdown: the docs' page of the students in this repository is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from hearthway.student import header
from hearthway.student.format import Student, read

from .card import size, text
from .recipe import shipped_recipe

VALIDATION = {"float_val": "validation part, floats", "whole_val": "validation part, integers"}


def students(*folders: Path) -> list[Path]:
    """Every student's file in the folders."""
    return [path for folder in folders for path in sorted(folder.glob("*.student"))]


def row(path: Path) -> tuple[str, ...]:
    """(file, SHA-256, size, recipe, terms) of one file."""
    student = read(path)
    about = student.header.about
    return (
        f"`{path.name}`",
        f"`{student.identity}`",
        f"{student.size:,} bytes",
        recipe(path, student),
        text(about.licence),
    )


def recipe(path: Path, student: Student) -> str:
    """The recipe that makes it, and its seed."""
    name = path.stem if shipped_recipe(path.stem).is_file() else student.header.task
    told = student.header.about.recipe
    seed = told.get("seed") or json.loads(told.get("settings", "{}")).get("seed", "")
    return f"`distill/data/{name}.toml`, seed {seed}"


def rows(path: Path) -> Iterable[tuple[str, str]]:
    """What its card has: the first column names, the second tells."""
    student = read(path)
    told = student.header
    about = told.about
    yield "title", text(about.title)
    yield "task", f"`{told.task}`"
    yield "SHA-256, its identity", f"`{student.identity}`"
    numbers = sum(int(tensor.size) for tensor in student.tensors.values())
    yield "size", f"{size(student.size)}: {student.size:,} bytes, {numbers:,} numbers"
    yield "reads", _reads(told)
    yield "says", "; ".join(f"{one.name}: {len(_labels(one))} labels" for one in told.heads)
    yield "terms", text(about.licence)
    yield "learned from", "<br>".join(text(line) for line in about.attribution)
    yield "recipe", recipe(path, student)
    for key, words in VALIDATION.items():
        if key in about.recipe:
            yield words, text(about.recipe[key])
    for key, value in sorted(about.recipe.items()):
        if key not in VALIDATION:
            yield f"recipe: {text(key)}", f"`{value or ' '}`"


def _reads(told: header.Header) -> str:
    if isinstance(told.input, header.TextInput):
        return f"text, {told.input.steps_max} pieces of words at most"
    return f"{len(told.input.features)} numbers"


def _labels(head: header.Head) -> tuple[str, ...]:
    return getattr(head, "labels", ())
