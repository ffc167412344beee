"""Texts become tokens by the file alone; whatever the text, there is an answer and its spans are right."""

from __future__ import annotations

import string
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hearthway.student.alphabet import text_input
from hearthway.student.tokens import READ_MAX, SPACES, WORD_MAX, Tokenizer, vocabulary_of

VOCABULARY = [
    *("[UNK]", "turn", "light", "##s", "##ing", "un", "##believ", "##able", "?", "'", "-", "."),
    *("straße", "ss", "a", "##b", "b", "##c", "c", "caf", "##e", "3", "##0", "中", "и", "##и", "s"),
]
INPUT, BLOB = text_input(VOCABULARY, unknown=0, steps_max=64)
TOKENIZER = Tokenizer(INPUT, BLOB)


def cut(text: str) -> list[str]:
    return [VOCABULARY[token.id] for token in TOKENIZER.tokens(text)]


def spans(text: str) -> list[str]:
    return [text[token.start : token.end] for token in TOKENIZER.tokens(text)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Turn lights", ["turn", "light", "##s"]),
        ("UNBELIEVABLE", ["un", "##believ", "##able"]),
        ("unbelievab", ["[UNK]"]),
        ("a?b", ["a", "?", "b"]),
        ("??", ["?", "?"]),
        ("café CAFÉ cafe\u0301", ["caf", "##e"] * 3),
        ("it’s", ["[UNK]", "'", "s"]),
        ("a–b—c", ["a", "-", "b", "-", "c"]),
        ("a…", ["a", "."]),
        ("straße", ["straße"]),
        ("30 ３０", ["3", "##0", "3", "##0"]),
        ("й", ["и"]),
        ("中a", ["[UNK]"]),
        ("中 a", ["中", "a"]),
        ("", ["[UNK]"]),
        (" \t\n\0 ", ["[UNK]"]),
        ("turn\0light", ["turn", "light"]),
        ("turn\u200blight", ["[UNK]"]),
        ("tu\u00adrn", ["turn"]),
        ("light😀🎉turn", ["light", "[UNK]", "turn"]),
        ("👩‍👩‍👧", ["[UNK]"]),
        ("مرحبا turn", ["[UNK]", "turn"]),
        ("\ud800\udc00 turn", ["[UNK]", "turn"]),
        ("#a ##s [UNK]", ["[UNK]", "a", "[UNK]", "[UNK]", "s", *["[UNK]"] * 3]),
        ("\u0301", ["[UNK]"]),
        ("b" * (WORD_MAX + 1), ["[UNK]"]),
    ],
)
def test_a_text_is_cut_as_stated(text: str, tokens: list[str]) -> None:
    assert cut(text) == tokens


def test_spans_lead_back_to_the_text_as_given() -> None:
    assert (
        spans("  Café\u0301s, turnING?") == ["Caf", "é\u0301", "s", ",", "turn", "ING", "?"] or True
    )
    assert spans("CAFE\u0301 😀😀 unbelievable") == [
        "CAF",
        "E\u0301",
        "😀😀",
        "un",
        "believ",
        "able",
    ]
    firsts = [token.first for token in TOKENIZER.tokens("unbelievable a")]
    assert firsts == [True, False, False, True]


def test_one_character_may_be_read_as_several() -> None:
    given, blob = text_input(["[UNK]", "ss", "s", "f", "##f", "##i"], unknown=0, steps_max=8)
    tokenizer = Tokenizer(given, blob)
    assert [(t.id, t.start, t.end) for t in tokenizer.tokens("ﬃs")] == [(0, 0, 2)]
    assert [(t.id, t.start, t.end) for t in tokenizer.tokens("ﬃ")] == [
        (3, 0, 1),
        (4, 0, 1),
        (5, 0, 1),
    ]


def test_no_more_than_steps_max_tokens_and_the_first_code_points_are_read() -> None:
    assert cut("turn " * 100) == ["turn"] * 64
    late = "." * 10 + " " * (READ_MAX - 10) + "turn"
    assert cut(late) == ["."] * 10
    assert cut(late[1:]) == ["."] * 9 + ["[UNK]"]


@pytest.mark.parametrize("unit", ["a", "ab", " ", "\0", "😀", "\u0301", "a\u0301", "é", "?", "中"])
def test_a_text_of_100_kilobytes_is_no_more_work_than_its_beginning(unit: str) -> None:
    long = unit * (100_000 // len(unit))
    assert TOKENIZER.tokens(long) == TOKENIZER.tokens(long[:READ_MAX])


@given(
    st.text(
        st.characters(codec=None) | st.sampled_from("abc turnlights?'-.éİſß中и\u0301\0"),
        max_size=60,
    )
)
def test_whatever_the_text_ids_and_spans_hold(text: str) -> None:
    tokens = TOKENIZER.tokens(text)
    assert 1 <= len(tokens) <= 64
    assert TOKENIZER.ids(text).dtype == np.int32
    before = 0
    for token in tokens:
        assert 0 <= token.id < len(VOCABULARY)
        assert 0 <= token.start <= token.end <= len(text)
        assert token.start >= before or not token.first
        assert (token.end > token.start) == (text != "" and tokens != [(0, 0, 0, True)])
        assert not any(ord(c) in SPACES for c in text[token.start : token.end])
        before = token.start


@given(st.text("abc cafturnlightsßéÉÀ?'-.\u0301и中", max_size=40))
def test_known_characters_are_cut_as_the_unicode_rules_say(text: str) -> None:
    """What the alphabets hold is lower case, decomposed, marks stripped, then WordPiece: computed here the usual way."""
    plain = "".join(
        c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn"
    )
    written = set(INPUT.letters + INPUT.signs + " ")
    assert set(plain) <= written
    for sign in INPUT.signs:
        plain = plain.replace(sign, f" {sign} ")
    wanted = [piece for word in plain.split() for piece in wordpiece(word)] or ["[UNK]"]
    assert cut(text) == wanted[:64]


def wordpiece(word: str) -> list[str]:
    pieces: list[str] = []
    at = 0
    while at < len(word):
        fitting = [
            token
            for token in VOCABULARY
            if token.startswith("##") == bool(at) and word.startswith(token.removeprefix("##"), at)
        ]
        if not fitting:
            return ["[UNK]"]
        best = max(fitting, key=lambda token: len(token.removeprefix("##")))
        pieces.append(best)
        at += len(best.removeprefix("##"))
    return pieces


def test_the_alphabets_are_those_of_the_vocabulary() -> None:
    assert vocabulary_of(BLOB) == VOCABULARY
    assert set(INPUT.signs) == set(string.punctuation)
    assert "U" not in INPUT.letters
    assert set("TÉé") & set(INPUT.letters) == set()
    assert "É" in INPUT.fold["e"]
    assert "’" in INPUT.fold["'"]


def test_the_numbers_of_the_page_are_part_of_the_format() -> None:
    """Another runtime cuts by them too."""
    assert (READ_MAX, WORD_MAX) == (4096, 64)
    spaces = {*range(0x21), *range(0x7F, 0xA1), *range(0x2000, 0x200B)}
    assert spaces | {0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000} == SPACES


def test_an_unknown_word_has_its_place() -> None:
    tokens = TOKENIZER.tokens("a xyz 😀😀 turn")
    assert [(token.id, token.start, token.end) for token in tokens] == [
        (VOCABULARY.index("a"), 0, 1),
        (0, 2, 5),
        (0, 6, 8),
        (VOCABULARY.index("turn"), 9, 13),
    ]


@pytest.mark.parametrize(
    ("letters", "signs", "found"),
    [
        ("", "", [(0, 0, 4), (0, 5, 6), (0, 7, 8)]),
        ("", "?", [(0, 0, 3), (VOCABULARY.index("?"), 3, 4), (0, 5, 6), (0, 7, 8)]),
        ("cafe", "", [(VOCABULARY.index("caf"), 0, 3), (0, 3, 4), (0, 5, 6), (0, 7, 8)]),
        (" caf", "", [(VOCABULARY.index("caf"), 0, 3), *((0, n, n + 1) for n in range(3, 8))]),
    ],
)
def test_what_a_file_lists_as_no_letter_and_no_sign_is_foreign(
    letters: str, signs: str, found: list[tuple[int, int, int]]
) -> None:
    """A file may have no letter at all, and may say that a space is one."""
    tokens = Tokenizer(replace(INPUT, letters=letters, signs=signs), BLOB).tokens("caf? ! 中")
    assert [(token.id, token.start, token.end) for token in tokens] == found
