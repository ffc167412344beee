"""The students of language that ship, as tasks: *ask* and *home*, from the public sets by `language/recipes.py`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from hearthway.records.errors import InputError

from .language.datasets import SNIPS_INTENTS
from .language.texts import Corpus
from .own import Origin
from .recipe import Recipe, table
from .sources import Given, Reads, Sources, sources
from .stages import Stage, Work
from .words import ENCODER, corpus_stage, endpoint_of, need_torch, settings_of, stages

T = TypeVar("T")

SETS = (
    Reads(
        name="clinc150",
        licence="CC BY 3.0",
        origin=Origin.PUBLIC,
        attribution="CLINC150, Larson et al. 2019",
        files=("*.json",),
    ),
    Reads(
        name="hwu64",
        licence="CC BY 4.0",
        origin=Origin.PUBLIC,
        attribution="HWU64 (NLU-Evaluation-Data), Liu et al. 2019",
        files=("hwu64.jsonl",),
    ),
    Reads(
        name="slurp",
        licence="CC BY 4.0",
        origin=Origin.PUBLIC,
        attribution="SLURP (text), Bastianelli et al. 2020",
        files=("devel.jsonl", "test*.jsonl"),  # the test's texts are kept out
    ),
    Reads(
        name="snips",
        licence="CC0 1.0",
        origin=Origin.PUBLIC,
        attribution="Snips NLU benchmark, Coucke et al. 2018",
        files=tuple(
            f"2017-06-custom-intent-engines/{intent}/{name}"
            for intent in SNIPS_INTENTS
            for name in (f"train_{intent}_full.json", f"validate_{intent}.json")
        ),
    ),
)


class SetsCorpus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For trying out: of labelled texts, of others and of the validation part, at most so many each, evenly spread; 0: all."""

    most: int = 0


def build(recipe: Recipe, given: Given) -> tuple[tuple[Stage, ...], Sources]:
    """The stages of the task that the recipe names; its tables say what is other than in the student that ships."""
    endpoint = endpoint_of(recipe)
    need_torch()
    from .language.recipes import recipe as shipped

    thin = table(recipe.corpus, SetsCorpus, "The recipe's table [corpus]", {"most": (0, 10**9)})
    read = sources(recipe, (*SETS, ENCODER), given)
    made = shipped(recipe.task, recipe.seed)
    base = made.settings
    if thin.most:
        base = msgspec.structs.replace(base, corpus={**base.corpus, "most": str(thin.most)})
    settings = settings_of(recipe, base, endpoint)

    def corpus(_: Work) -> Corpus:
        with tempfile.TemporaryDirectory() as folder:
            for name, path in read.paths.items():
                (Path(folder) / name).symlink_to(path.resolve())
            return thinned(made.corpus(Path(folder)), thin.most)

    first = corpus_stage(corpus, read, revision=1, settings=settings.corpus, seeded=False)
    return stages(settings, first, endpoint), read


def thinned(corpus: Corpus, most: int) -> Corpus:
    """At most `most` of each part; all of it with 0. InputError where nothing is left to judge by."""
    if not most:
        return corpus
    few = msgspec.structs.replace(
        corpus,
        labelled=_spread(corpus.labelled, most),
        unlabelled=_spread(corpus.unlabelled, most),
        validation=_spread(corpus.validation, most),
    )
    outside = [one.label == corpus.labels[-1] for one in few.validation]
    if all(outside) or not any(outside):
        raise InputError(
            f"With {most} texts of each part nothing is left to judge by.",
            "Ask for more in the recipe's [corpus], or leave `most` out.",
        )
    return few


def _spread(texts: Sequence[T], most: int) -> tuple[T, ...]:
    """`most` of them at even distances, all where there are fewer."""
    if len(texts) <= most:
        return tuple(texts)
    return tuple(texts[at * len(texts) // most] for at in range(most))
