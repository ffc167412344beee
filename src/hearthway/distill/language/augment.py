"""Texts nobody said, for a teacher to label: words left out, exchanged or borrowed, politeness put around.

A text made here has no label of its own: what it means now, a teacher says. Every draw comes from the given seed.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from .texts import Utterance

BEFORE = (
    "please", "can you", "could you", "hey", "ok", "i want you to", "i need you to", "would you", "hi",
    "tell me", "so", "i was wondering", "can you tell me", "let me know", "help me", "i would like to know",
)  # fmt: skip
AFTER = ("please", "thanks", "for me", "now", "right now", "today", "if you can", "asap", "again")


def augmented(texts: Sequence[Utterance], a_text: int, seed: int) -> list[Utterance]:
    """`a_text` unlabelled variants of each text."""
    draw = random.Random(seed)
    by_label: dict[str, list[list[str]]] = defaultdict(list)
    for one in texts:
        by_label[one.label].append(one.text.split())
    followers = _followers(texts)
    made: list[Utterance] = []
    for one in texts:
        words = one.text.split()
        for _ in range(a_text):
            variant = _variant(words, by_label[one.label], followers, draw)
            made.append(Utterance(" ".join(variant)))
    return made


def _followers(texts: Sequence[Utterance]) -> dict[tuple[str, str], list[str]]:
    """Which words were said between two others: what may be exchanged for what."""
    between: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in texts:
        words = ["<", *one.text.split(), ">"]
        for left, word, right in zip(words, words[1:], words[2:], strict=False):
            between[left, right].append(word)
    return between


def _variant(
    words: Sequence[str],
    alike: Sequence[list[str]],
    between: dict[tuple[str, str], list[str]],
    draw: random.Random,
) -> list[str]:
    """One or two of the changes below, drawn."""
    made = list(words)
    for _ in range(draw.choice((1, 1, 2))):
        which = draw.random()
        if which < 0.2:
            made = _left_out(made, draw)
        elif which < 0.45:
            made = _exchanged(made, between, draw)
        elif which < 0.7:
            made = _joined(made, draw.choice(alike), draw)
        elif which < 0.8:
            made = _moved(made, draw)
        elif which < 0.9:
            made = [*draw.choice(BEFORE).split(), *made]
        else:
            made = [*made, *draw.choice(AFTER).split()]
    return made


def _left_out(words: list[str], draw: random.Random) -> list[str]:
    kept = [word for word in words if draw.random() > 0.15]
    return kept or words


def _exchanged(
    words: list[str], between: dict[tuple[str, str], list[str]], draw: random.Random
) -> list[str]:
    """Some words for others that were said between the same two."""
    framed = ["<", *words, ">"]
    for at in range(1, len(framed) - 1):
        if draw.random() < 0.3:
            framed[at] = draw.choice(between.get((framed[at - 1], framed[at + 1])) or [framed[at]])
    return framed[1:-1]


def _joined(words: list[str], other: list[str], draw: random.Random) -> list[str]:
    """The beginning of one and the end of another of the same label."""
    if len(words) < 2 or len(other) < 2:
        return words
    return [*words[: draw.randint(1, len(words) - 1)], *other[draw.randint(1, len(other) - 1) :]]


def _moved(words: list[str], draw: random.Random) -> list[str]:
    """The end comes first, as people do."""
    if len(words) < 3:
        return words
    at = draw.randint(1, len(words) - 1)
    return [*words[at:], *words[:at]]
