"""What is accepted is decided by integers; slots are parts of the text as given."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tests.student.small import Content, changed, text_content
from tests.student.test_legal import dense

from hearthway.records.errors import StudentError
from hearthway.records.understanding import Slot
from hearthway.student import header as h
from hearthway.student import reference
from hearthway.student.answer import Answerer, judge, numbers, probabilities, slots_of
from hearthway.student.features import quantise
from hearthway.student.format import Student, read, write
from hearthway.student.tokens import Token


class Reference:
    """The reference as a runtime."""

    def __init__(self, student: Student) -> None:
        self._student = student

    def run(self, given: object) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int32]]]:
        return reference.run(self._student, given)


def answerer(content: Content) -> Answerer:
    student = read(write(*content))
    return Answerer(student, Reference(student))


def test_a_text_becomes_an_intent_with_slots() -> None:
    content = text_content()
    understood = answerer(content).understand("Turn on the bed room light in the KITCHEN")
    assert (understood.intent, understood.accepted) == ("light_on", True)
    assert understood.slots == (
        Slot("area", "bed room", 12, 20),
        Slot("area", "KITCHEN", 34, 41),
    )
    assert understood.student == read(write(*content)).identity
    assert 0.9 < understood.score <= 1
    assert understood.second is not None
    assert understood.second[0] == "light_off"
    assert 0 < understood.second[1] < 0.1


def test_what_does_not_reach_the_threshold_is_not_accepted() -> None:
    understood = answerer(text_content()).understand("on")
    assert (understood.intent, understood.accepted, understood.slots) == ("light_on", False, ())
    logits = reference.run(read(write(*text_content())), [2])["logits"].tolist()
    margin = logits[0] - logits[2]
    at = answerer(changed(text_content(), "heads.0.threshold", margin)).understand("on")
    above = answerer(changed(text_content(), "heads.0.threshold", margin + 1)).understand("on")
    assert (at.accepted, above.accepted) == (True, False)


@pytest.mark.parametrize("text", ["", "\0", "😀" * 1000, "\ud800", "x" * 100_000, "بيت"])
def test_any_text_has_an_answer(text: str) -> None:
    assert not answerer(text_content()).understand(text).accepted


def head(score: str, outside: int | None) -> h.ClassHead:
    return h.ClassHead(
        name="intent",
        of="logits",
        labels=("a", "b", "c"),
        scale=0.5,
        threshold=0,
        score="margin" if score == "margin" else "best",
        outside=outside,
    )


def test_the_best_label_is_never_the_one_outside_and_the_lowest_of_equals() -> None:
    assert judge(head("margin", 2), [3, 5, 9]) == (1, -4, 0)
    assert judge(head("best", 2), [3, 5, 9]) == (1, 5, 0)
    assert judge(head("best", None), [3, 5, 9]) == (2, 9, 1)
    assert judge(head("margin", 0), [0, 7, 7]) == (1, 7, 2)
    assert probabilities(head("best", None), [0, 0, 2])(2) == 0.5761  # to four digits
    assert probabilities(head("best", None), [2**31 - 1, -(2**31), 0])(1) == 0


@pytest.mark.parametrize("other", [-3, -(2**30) - 1, -(2**31) + 1, -(2**31)])
def test_the_one_outside_is_never_the_best_however_low_the_others(other: int) -> None:
    assert judge(head("margin", 0), [5, other, other]) == (1, other - 5, 2)
    assert judge(head("best", 0), [5, other, other]) == (1, other, 2)


@pytest.mark.parametrize(
    ("labels", "outside", "second"),
    [
        (("a",), None, None),
        (("a", "b"), None, "b"),
        (("a", "b"), 1, None),
        (("a", "b", "c"), None, "c"),
        (("a", "b", "c"), 2, "b"),
    ],
)
def test_the_second_is_a_label_that_is_neither_the_best_nor_the_one_outside(
    labels: tuple[str, ...], outside: int | None, second: str | None
) -> None:
    header, tensors = text_content()
    pooled = h.Dense(name="y", of="max", weight="w", bias="b")
    intent = h.ClassHead(
        name="intent", of="y", labels=labels, scale=0.001, threshold=0, outside=outside
    )
    kept = header.nodes[0], h.Pool(name="max", of="e", how="max"), pooled
    alone = h.Header(
        task="ask",
        about=header.about,
        input=header.input,
        nodes=kept,
        outputs=("y",),
        heads=(intent,),
    )
    size = len(tensors["table"])
    content = {
        "vocabulary": tensors["vocabulary"],
        "table": tensors["table"],
        "w": np.zeros((len(labels), size), np.int8),
        "b": np.array([900, 300, 600][: len(labels)], np.int32),
    }
    understood = answerer((alone, content)).understand("on")
    assert understood.intent == "a"
    assert (understood.second and understood.second[0]) == second
    assert understood.slots == ()


def test_slots_follow_the_first_piece_of_a_word() -> None:
    text = "in big kitchens now"
    tokens = [
        Token(1, 0, 2, first=True),
        Token(2, 3, 6, first=True),
        Token(3, 7, 14, first=True),
        Token(4, 14, 15, first=False),
        Token(5, 16, 19, first=True),
    ]

    def found(*labels: str) -> list[tuple[str, str]]:
        return [(slot.name, slot.text) for slot in slots_of(text, tokens, labels)]

    assert found("O", "B-a", "I-a", "B-b", "O") == [("a", "big kitchens")]
    assert found("O", "O", "I-a", "O", "O") == [("a", "kitchens")]
    assert found("O", "B-a", "B-a", "O", "I-a") == [("a", "big"), ("a", "kitchens now")]
    assert found("O", "B-a", "I-b", "O", "O") == [("a", "big"), ("b", "kitchens")]
    assert found("O", "O", "O", "B-a", "O") == []
    with pytest.raises(ValueError, match="shorter"):
        found("O", "B-a")


def test_a_student_of_numbers_understands_no_text() -> None:
    student = read(write(*dense(0, 1)))
    with pytest.raises(
        StudentError, match=r'does not understand text.*has a class head named "intent"'
    ):
        Answerer(student, Reference(student))


def test_a_student_needs_both_the_text_and_the_intent() -> None:
    nameless = changed(text_content(), "heads.0.name", "other")
    tags = changed(changed(text_content(), "heads.0.name", "other"), "heads.1.name", "intent")
    header, tensors = dense(0, 1)
    numeric = h.ClassHead(name="intent", of="y", labels=("a",), scale=1.0, threshold=0)
    of_numbers = msgspec.structs.replace(header, heads=(numeric,)), tensors
    for content in (nameless, tags, of_numbers):
        with pytest.raises(StudentError, match="does not understand text"):
            answerer(content)


def test_a_value_head_gives_numbers() -> None:
    value = h.ValueHead(name="v", of="y", unit="m", scale=0.5, offset=1.0)
    assert numbers(value, {"y": np.array([3, -4], np.int32)}) == [2.5, -1.0]
    with pytest.raises(StudentError, match=r"gives no numbers\. Ask for one of kind value"):
        numbers(head("best", None), {})


def test_features_are_quantised_by_the_table() -> None:
    given = h.FeatureInput(
        steps_max=0, features=(h.Feature("a", "m", 1.0, 2.0), h.Feature("b", "s", 0.0, -1.0))
    )
    rows = [[1.25, 0.5], [float("nan"), float("inf")], [-float("inf"), 1e308]]
    assert quantise(given, rows).tolist() == [[1, 0], [0, -128], [-128, -128]]
    for wrong in ([1.0], 3.0, [[1.0, 2.0, 3.0]]):
        with pytest.raises(StudentError, match="takes 2 features"):
            quantise(given, wrong)
