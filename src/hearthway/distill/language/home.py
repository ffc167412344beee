"""The texts behind the student of commands: SLURP's devel part and HWU64 with their slots, and what lies outside.

Two intents of SLURP's test stand in neither set; they count as wrong. SLURP's own training part is not used: a result
of this corpus is called "SLURP-lite".

HWU64 leaves the 's of "tomorrow's" out of a slot and SLURP has it in: 905 texts stand in both, the slots of 18 differ, all
of them in that, and none of the devel part's stops before an 's. It is put in here.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from . import clinc, datasets
from .augment import augmented
from .datasets import OUT_OF_SCOPE
from .texts import Corpus, Span, Utterance, keys, without
from .wordpieces import slot_labels

OUTSIDE_DOMAINS = (
    "banking",
    "credit_cards",
    "work",
)  # of CLINC150: nothing of the kind is a command
OUTSIDE_EACH = 40  # texts of an intent
HELD = 400  # texts of SLURP's devel part for the threshold


PUBLIC_PARTS = ("test_public_half",)  # of SLURP's test, where the shipped student was trained


def evaluation_keys(folder: Path, *, shipped: bool = False) -> frozenset[str]:
    """Texts of every part of SLURP's test and of CLINC150's evaluated parts that are at hand.

    `shipped` leaves out of account what was not at hand where the shipped student was trained.
    """
    parts = PUBLIC_PARTS if shipped else datasets.slurp_tests(folder)
    slurp = [one.text for part in parts for one in datasets.slurp(folder, part)]
    joined = [text.replace(" n't", "n't") for text in slurp]  # "do n't" is "don't" elsewhere
    return keys(slurp) | keys(joined) | clinc.evaluation_keys(folder, shipped=shipped)


def corpus(folder: Path, *, variants: int, swaps: int, seed: int, shipped: bool = False) -> Corpus:
    """The pool, less every evaluated text; `swaps` unlabelled texts for each with slots have others' fillers in them."""
    draw = random.Random(seed)
    evaluated = evaluation_keys(folder, shipped=shipped)
    held = validation(folder, evaluated, draw)
    kept_out = evaluated | keys(one.text for one in held)
    elsewhere = [possessive(one) for one in datasets.hwu64(folder)]
    commands = without([*datasets.slurp(folder, "devel"), *elsewhere], kept_out)
    labels = (*sorted({one.label for one in commands}), OUT_OF_SCOPE)
    taken = kept_out | keys(one.text for one in commands)
    swapped = without(exchanged(commands, swaps, draw), taken)
    taken |= keys(one.text for one in swapped)
    outside, rest = _clinc(folder, draw)
    outside = without(outside, taken)
    taken |= keys(one.text for one in outside)
    rest = without([*rest, *(Utterance(one.text) for one in datasets.snips(folder))], taken)
    taken |= keys(one.text for one in rest)
    made = without(augmented(commands, variants, seed) if variants else [], taken)
    return Corpus(
        labels,
        (*commands, *outside),
        (*swapped, *rest, *made),
        tuple(held),
        slot_labels(commands),
    )


def validation(folder: Path, evaluated: frozenset[str], draw: random.Random) -> list[Utterance]:
    """Texts of SLURP's devel part that are nowhere else, and CLINC150's validation of what is no command."""
    elsewhere = evaluated | keys(one.text for one in datasets.hwu64(folder))
    own = without(datasets.slurp(folder, "devel"), elsewhere)
    foreign = _foreign(folder)
    outside = [
        Utterance(one.text, OUT_OF_SCOPE)
        for one in datasets.clinc(folder, "val")
        if one.label in foreign
    ]
    return [*draw.sample(own, min(HELD, len(own) // 2)), *outside]


def possessive(one: Utterance) -> Utterance:
    """The same with the 's that follows a slot inside it."""
    spans = (
        Span(span.start, span.end + 2 * one.text.startswith("'s", span.end), span.kind)
        for span in one.spans
    )
    return Utterance(one.text, one.label, tuple(spans))


def exchanged(commands: Sequence[Utterance], each: int, draw: random.Random) -> list[Utterance]:
    """Texts whose slots hold what another text's slot of the same kind held; a teacher says what they mean now."""
    held: dict[str, list[str]] = defaultdict(list)
    for one in commands:
        for span in one.spans:
            held[span.kind].append(one.text[span.start : span.end])
    return [_filled(one, held, draw) for one in commands if one.spans for _ in range(each)]


def _filled(one: Utterance, held: dict[str, list[str]], draw: random.Random) -> Utterance:
    text, at = "", 0
    for span in sorted(one.spans, key=lambda span: span.start):
        if span.start < at:
            continue  # one within another
        text += one.text[at : span.start]
        text += draw.choice(held[span.kind])
        at = span.end
    return Utterance(text + one.text[at:])


def _clinc(folder: Path, draw: random.Random) -> tuple[list[Utterance], list[Utterance]]:
    """(texts of the domains that hold no command, labelled "oos"; the other texts without a label)."""
    foreign = _foreign(folder)
    train = datasets.clinc(folder, "train")
    outside = []
    for intent in sorted(foreign):
        rows = [one for one in train if one.label == intent]
        outside += [Utterance(one.text, OUT_OF_SCOPE) for one in draw.sample(rows, OUTSIDE_EACH)]
    rest = [Utterance(one.text) for one in train if one.label not in foreign]
    return outside, rest


def _foreign(folder: Path) -> frozenset[str]:
    domains = json.loads((folder / "clinc150" / "domains.json").read_text(encoding="utf-8"))
    return frozenset(intent for domain in OUTSIDE_DOMAINS for intent in domains[domain])
