"""The texts behind the student of *ask*: CLINC150's 150 intents, and what lies outside them.

Intents of the other sets that no intent of CLINC150 covers are outliers, labelled "oos". The rest of those sets is
learned from without labels: what it means, the teacher says.
"""

from __future__ import annotations

import random
from pathlib import Path

from msgspec import structs

from . import datasets
from .augment import augmented
from .datasets import OUT_OF_SCOPE
from .strange import strange
from .texts import Corpus, Utterance, keys, without

HWU_OUTSIDE = frozenset(
    {
        "play_game", "play_audiobook", "general_praise", "news_query", "takeaway_query", "takeaway_order",
        "email_sendemail", "email_query", "email_querycontact", "email_addcontact", "qa_factoid", "qa_stock",
        "recommendation_events", "recommendation_movies", "social_post", "social_query", "play_podcasts",
        "transport_ticket", "general_quirky",
    }
)  # fmt: skip
SNIPS_OUTSIDE = frozenset({"RateBook", "SearchCreativeWork", "SearchScreeningEvent"})
SNIPS_EACH = 500  # of an intent: they are made by few patterns


def evaluation_keys(folder: Path, *, shipped: bool = False) -> frozenset[str]:
    """Every text of a part that is evaluated and at hand: nothing that is learned from may equal one.

    `shipped` knows the validation part alone, as whoever trained the shipped student had no other.
    """
    parts = datasets.clinc_parts(folder)
    names = (
        ("val", "oos_val") if shipped else [part for part in parts if not part.endswith("train")]
    )
    return keys(text for part in names for text in parts[part])


def corpus(
    folder: Path, *, variants: int, seed: int, per_label: int | None = None, shipped: bool = False
) -> Corpus:
    """The pool, less every evaluated text. `per_label` keeps labels on that many of an intent alone.

    `shipped` leaves parts called test out of account, as whoever trained the shipped student had none.
    """
    train = datasets.clinc(folder, "train")
    labels = (*sorted({one.label for one in train} - {OUT_OF_SCOPE}), OUT_OF_SCOPE)
    kept_out = evaluation_keys(folder, shipped=shipped)
    inside = without(train, kept_out)
    taken = kept_out | keys(one.text for one in inside)
    draw = random.Random(seed)
    others = without([*_others(folder, draw), *strange()], taken)
    outside = [one for one in others if one.label == OUT_OF_SCOPE]
    plain = [one for one in others if not one.label]
    labelled, rest = (inside, []) if per_label is None else _few(inside, per_label, draw)
    texts = [structs.replace(one, label="") for one in rest]
    made = without(
        augmented([*labelled, *rest], variants, seed) if variants else [],
        taken | keys(one.text for one in others),
    )
    validation = tuple(datasets.clinc(folder, "val"))
    return Corpus(labels, (*labelled, *outside), (*texts, *plain, *made), validation)


def _others(folder: Path, draw: random.Random) -> list[Utterance]:
    """The other sets: outliers labelled, the rest without a label."""
    hwu = [*datasets.hwu64(folder), *datasets.slurp(folder, "devel")]
    found = [Utterance(one.text, _outside(one.label in HWU_OUTSIDE)) for one in hwu]
    for intent in datasets.SNIPS_INTENTS:
        rows = [one for one in datasets.snips(folder) if one.label == intent]
        found += [
            Utterance(one.text, _outside(intent in SNIPS_OUTSIDE))
            for one in draw.sample(rows, min(SNIPS_EACH, len(rows)))
        ]
    return found


def _outside(yes: bool) -> str:
    return OUT_OF_SCOPE if yes else ""


def _few(
    texts: list[Utterance], each: int, draw: random.Random
) -> tuple[list[Utterance], list[Utterance]]:
    """`each` of every in-scope label drawn, and the others."""
    order = draw.sample(range(len(texts)), len(texts))
    taken: dict[str, int] = {}
    few: set[int] = set()
    for at in order:
        label = texts[at].label
        if taken.get(label, 0) < each:
            taken[label] = taken.get(label, 0) + 1
            few.add(at)
    return (
        [one for at, one in enumerate(texts) if at in few],
        [one for at, one in enumerate(texts) if at not in few],
    )
