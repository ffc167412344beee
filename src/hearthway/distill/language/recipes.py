"""The recipes of the students that ship. Another seed of a student leaves its corpus and its teacher as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from . import clinc, home
from .run import Settings
from .settings import StudentSettings, TeacherSettings
from .texts import Corpus

CORPUS_SEED = 1
VARIANTS = {"ask": 6, "home": 2}
SWAPS = 3
STATES = 128  # directions of each word's state
ALIKE = 32  # of *ask*: with all of 128 batches sorted together two of its students were 0.2 and 0.3 points worse


class LanguageRecipe(Struct, frozen=True):
    """How one student is made from DIR."""

    settings: Settings
    corpus: Callable[[Path], Corpus]


def recipe(name: str, seed: int = 1) -> LanguageRecipe:
    """The recipe of that name, "ask", "ask-small" or "home", for a student of that seed. KeyError for another name."""
    made = {"ask": _ask, "ask-small": _ask_small, "home": _home}[name]()
    student = msgspec.structs.replace(made.settings.student, seed=seed)
    return LanguageRecipe(msgspec.structs.replace(made.settings, student=student), made.corpus)


def _ask() -> LanguageRecipe:
    settings = Settings(
        task="ask",
        corpus={"variants": str(VARIANTS["ask"]), "corpus_seed": str(CORPUS_SEED)},
        teacher=TeacherSettings(states=STATES),
        student=StudentSettings(
            epochs=14,
            int_epochs=3,
            width=128,
            temperature=1.0,
            hard=0.3,
            dropout=0.15,
            states=1.0,
            alike=ALIKE,
        ),
        kept=0.9875,
    )
    return LanguageRecipe(
        settings, lambda folder: clinc.corpus(folder, variants=VARIANTS["ask"], seed=CORPUS_SEED)
    )


def _ask_small() -> LanguageRecipe:
    whole = _ask()
    student = StudentSettings(
        vocabulary=5000,
        width=96,
        channels=136,
        epochs=16,
        int_epochs=4,
        temperature=1.0,
        hard=0.3,
        dropout=0.1,
        table_bits=4,
        states=1.0,
        alike=ALIKE,
    )
    return LanguageRecipe(msgspec.structs.replace(whole.settings, student=student), whole.corpus)


def _home() -> LanguageRecipe:
    settings = Settings(
        task="home",
        title="Commands for a home and an assistant, in English, with slots, and what is none of them",
        corpus={
            "variants": str(VARIANTS["home"]),
            "swaps": str(SWAPS),
            "corpus_seed": str(CORPUS_SEED),
        },
        teacher=TeacherSettings(epochs=10, slots=3.0, lost_pieces=0.1),
        student=StudentSettings(
            vocabulary="whole", epochs=20, int_epochs=3, width=160, convs=4, table_bits=4
        ),
        rejected=0.985,
    )
    return LanguageRecipe(
        settings,
        lambda folder: home.corpus(
            folder, variants=VARIANTS["home"], swaps=SWAPS, seed=CORPUS_SEED
        ),
    )
