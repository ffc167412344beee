"""The task *tiny*: sentence patterns of our own, which show how a student of language is made."""

from __future__ import annotations

from msgspec import Struct

from .own import Origin
from .recipe import Recipe, table
from .sources import Given, Reads, Sources, sources
from .stages import Stage
from .words import ENCODER, corpus_stage, endpoint_of, need_torch, settings_of, stages

PATTERNS = Reads(
    name="hearthway.distill.language.tiny", licence="Apache-2.0", origin=Origin.SYNTHETIC
)


class PatternsCorpus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which draw of the patterns."""

    seed: int = 1


def build(recipe: Recipe, given: Given) -> tuple[tuple[Stage, ...], Sources]:
    """Its stages; InputError where the extra is missing or a table does not fit."""
    endpoint = endpoint_of(recipe)
    need_torch()
    from .language import tiny
    from .language.run import Settings

    corpus = table(recipe.corpus, PatternsCorpus, "The recipe's table [corpus]")
    read = sources(recipe, (PATTERNS, ENCODER), given)
    base = Settings(
        teachers=(recipe.seed,),
        corpus={"patterns": str(corpus.seed)},
        sources=(),  # its patterns are our own
        licence="Apache-2.0",
    )
    first = corpus_stage(lambda _: tiny.corpus(corpus.seed), read, revision=1, settings=corpus)
    return stages(settings_of(recipe, base, endpoint), first, endpoint), read
