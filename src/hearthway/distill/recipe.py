"""What a student is made from: one TOML file. Equal recipes and inputs give equal bytes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from hearthway.records import toml
from hearthway.records.errors import InputError

from .own import Origin

T = TypeVar("T")
Limits = Mapping[str, tuple[float, float]]

RECIPES = Path(__file__).parent / "data"
SEED_MAX = 2**31 - 1
WORDS_MAX = 200
SOURCE_WORDS = ("name", "licence", "attribution", "key")


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where data come from and by which right; what the task does not read is refused (`sources.py`)."""

    name: str
    licence: str
    origin: Origin
    attribution: str = ""
    path: str = ""  # of the user's own file or copy, relative to the recipe's folder: read under its SHA-256
    key: str = ""  # of personal data: the key by which the owner's rules know it


class Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`corpus`, `teacher` and `student` are the task's own tables; each stage reads its own."""

    task: str
    name: str
    seed: int = 1
    source: tuple[Source, ...] = ()
    corpus: dict[str, Any] = {}
    teacher: dict[str, Any] = {}
    student: dict[str, Any] = {}


def shipped_recipe(task: str) -> Path:
    """The recipe that comes with Hearthway."""
    return RECIPES / f"{task}.toml"


def read_recipe(path: Path, *, seed: int | None = None) -> Recipe:
    """The recipe in `path`, with another `seed` where one is given; InputError names what is wrong with it."""
    try:
        document = toml.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no recipe {path}.", "Name a TOML file that is there.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as why:
        raise InputError(f"The recipe {path} is no TOML: {why}.", _LOOK) from None
    except OSError as why:
        raise InputError(
            f"The recipe {path} cannot be read: {why.strerror}.",
            "Check the path and its permissions.",
        ) from None
    recipe = table(document, Recipe, f"The recipe {path}")
    recipe = recipe if seed is None else msgspec.structs.replace(recipe, seed=seed)
    if not 0 <= recipe.seed <= SEED_MAX:
        raise InputError(f"The seed is {recipe.seed}.", f"Use a whole number from 0 to {SEED_MAX}.")
    _check_words(recipe, path)
    return recipe


def table(values: Mapping[str, Any], kind: type[T], what: str, limits: Limits | None = None) -> T:
    """`values` as `kind`, each number (or each of several) within its limits; InputError that says which does not fit."""
    try:
        settings = msgspec.convert(values, kind)
    except (msgspec.ValidationError, ValueError) as why:
        raise InputError(f"{what} does not fit: {why}.", _LOOK) from None
    for name, (least, most) in (limits or {}).items():
        value = getattr(settings, name)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, str):
                continue  # a word that stands for a number, such as vocabulary = "whole"
            if not least <= number <= most:  # NaN lies nowhere
                raise InputError(
                    f"{what}: {name} is {number:g}.", f"Use {least:g} to {most:g}. {_LOOK}"
                )
    return settings


def _check_words(recipe: Recipe, path: Path) -> None:
    """InputError for a name that would not stay on its line in the card and on a terminal."""
    told = [("name", recipe.name)]
    for source in recipe.source:
        told += [(f"source {field}", getattr(source, field)) for field in SOURCE_WORDS]
    for field, words in told:
        check_line(words, f"The recipe {path}: the {field}")


def check_line(words: str, what: str) -> None:
    """InputError for words that would not stay on one line of a terminal."""
    if not words.isprintable() or len(words) > WORDS_MAX:
        raise InputError(
            f"{what} is no line of at most {WORDS_MAX} characters: {words[:40]!r}.",
            "Write it without line breaks and control characters.",
        )


_LOOK = "docs/how-to/distill.md shows one whole; `hearthway distill TASK --show-recipe` prints the shipped one."
