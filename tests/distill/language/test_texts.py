"""Nothing that is evaluated is learned from."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.distill.language import strange, tiny
from hearthway.distill.language.augment import augmented
from hearthway.distill.language.texts import (
    Utterance,
    digest,
    keys,
    normalised,
    overlap,
    without,
)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Turn ON the light!", "turn on  the light"),
        ("what's up", "what s up"),
        ("café à 7", "cafe a 7"),
        ("６ ﬁles", "6 files"),
    ],
)
def test_texts_that_sound_alike_are_one(a: str, b: str) -> None:
    assert normalised(a) == normalised(b)


def test_texts_that_differ_in_a_letter_are_two() -> None:
    assert normalised("turn on the light") != normalised("turn on the lights")


@given(st.lists(st.text(max_size=8)), st.lists(st.text(max_size=8)))
def test_a_pool_never_overlaps_what_is_evaluated(pool: list[str], evaluated: list[str]) -> None:
    kept = without([Utterance(text) for text in pool], keys(evaluated))
    assert overlap([one.text for one in kept], evaluated) == 0
    assert len({normalised(one.text) for one in kept}) == len(kept)
    assert keys(pool) - keys(evaluated) == keys(one.text for one in kept)


def test_an_overlap_is_seen() -> None:
    assert overlap(["Good night.", "good morning"], ["good night", "hello"]) == 1


def test_the_digest_knows_order_labels_and_slots() -> None:
    corpus = tiny.corpus()
    assert digest(corpus.pool) == digest(tiny.corpus().pool)
    assert digest(corpus.pool) != digest(corpus.pool[::-1])
    assert digest([Utterance("a", "x")]) != digest([Utterance("a", "y")])


def test_what_is_made_up_has_no_label_and_follows_from_the_seed() -> None:
    texts = tiny.corpus().labelled
    made = augmented(texts, 2, seed=3)
    assert len(made) == 2 * len(texts)
    assert {one.label for one in made} == {""}
    assert all(one.text for one in made)
    assert made == augmented(texts, 2, seed=3) != augmented(texts, 2, seed=4)
    assert len(keys(one.text for one in made) - keys(one.text for one in texts)) > len(texts)


def test_the_tiny_corpus_keeps_its_validation_out_and_its_spans_in_place() -> None:
    corpus = tiny.corpus()
    assert overlap([o.text for o in corpus.pool], [o.text for o in corpus.validation]) == 0
    draw = random.Random(1)
    one = tiny.filled("find {food} near {place}", "find_food", draw)
    assert [span.kind for span in one.spans] == ["food", "place"]
    assert all(one.text[s.start : s.end] in tiny.FILLERS[s.kind] for s in one.spans)


def test_texts_that_cannot_be_read_are_each_one_of_the_pool() -> None:
    texts = strange.strange()
    assert without(texts, frozenset()) == texts
    assert {one.label for one in texts} == {""}
    assert all(not one.text.isascii() for one in texts[: len(strange.OTHER_SCRIPTS)])
