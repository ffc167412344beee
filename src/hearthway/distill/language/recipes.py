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


class LanguageRecipe(Struct, frozen=True):
    """How one student is made from DIR."""

    settings: Settings
    corpus: Callable[[Path], Corpus]


def recipe(name: str, seed: int = 1) -> LanguageRecipe:
    """The recipe of that name, "ask", "ask-small" or "home", for a student of that seed. KeyError for another name."""
    made = {"ask": ASK, "ask-small": ASK_SMALL, "home": HOME}[name]
    student = msgspec.structs.replace(made.settings.student, seed=seed)
    return LanguageRecipe(msgspec.structs.replace(made.settings, student=student), made.corpus)


ASK = LanguageRecipe(
    Settings(
        task="ask",
        corpus={"variants": str(VARIANTS["ask"]), "corpus_seed": str(CORPUS_SEED)},
        student=StudentSettings(
            epochs=14, int_epochs=3, width=128, temperature=1.0, hard=0.3, dropout=0.15
        ),
    ),
    lambda folder: clinc.corpus(folder, variants=VARIANTS["ask"], seed=CORPUS_SEED),
)
ASK_SMALL = LanguageRecipe(
    msgspec.structs.replace(
        ASK.settings,
        student=StudentSettings(
            vocabulary=5000,
            width=96,
            channels=136,
            epochs=16,
            int_epochs=4,
            temperature=1.0,
            hard=0.3,
            dropout=0.1,
            table_bits=4,
        ),
    ),
    ASK.corpus,
)
HOME = LanguageRecipe(
    Settings(
        task="home",
        title="Commands for a home and an assistant, in English, with slots, and what is none of them",
        corpus={
            "variants": str(VARIANTS["home"]),
            "swaps": str(SWAPS),
            "corpus_seed": str(CORPUS_SEED),
        },
        teacher=TeacherSettings(epochs=10, slots=3.0, lost_pieces=0.1),
        teachers=(1, 2),
        student=StudentSettings(
            vocabulary="whole", epochs=20, int_epochs=3, width=160, convs=4, table_bits=4
        ),
        rejected=0.99,
    ),
    lambda folder: home.corpus(folder, variants=VARIANTS["home"], swaps=SWAPS, seed=CORPUS_SEED),
)
