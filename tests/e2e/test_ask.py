"""Twelve questions to the drive's four real nodes: each traced, a child and a guest told less, and receipts that verify."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "ask.md"


@pytest.fixture(scope="module")
def asked(new_drive: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    return new_drive(tmp_path_factory.mktemp("asked") / "drive", "--ask")


def _figures(text: str) -> list[str]:
    return re.findall(r"\d+(?:[.:,]\d+)*", text)


def test_each_answer_is_traced(asked: Any) -> None:
    replies = asked.result["replies"]
    assert len(replies) == 20
    for reply in replies:
        shown = " ".join(f"{one['shown']} {one['ago']}" for one in reply["sources"])
        if reply["outcome"] in ("answered", "unknown", "done"):
            assert reply["sources"], reply
            known = set(_figures(shown))
            for line in (reply["line"], *reply["more"]):
                assert not [one for one in _figures(line) if one not in known], reply
        else:
            assert reply["outcome"] == "denied", reply
    assert {one["outcome"] for one in replies[:12]} == {"answered", "unknown", "done"}


def test_what_a_child_and_a_guest_are_told_differs(asked: Any) -> None:
    by = {
        person: {
            one["asked"]: one["outcome"]
            for one in asked.result["replies"]
            if one["person"] == person
        }
        for person in ("", "mia", "sam")
    }
    assert list(by["mia"].values()) == ["answered", "denied", "answered", "denied"]
    assert list(by["sam"].values()) == ["denied", "denied", "answered", "denied"]
    assert by[""]["where did I park"] == by[""]["is the house warm"] == "answered"


def test_the_guide_shows_what_is_said(asked: Any) -> None:
    said = {one["asked"]: one["line"] for one in asked.result["replies"] if not one["person"]}
    shown = re.findall(r"^> (.+)\n(.+)$", DOCS.read_text("utf-8"), re.MULTILINE)
    assert len(shown) == 4
    assert [said[question] for question, _ in shown] == [line for _, line in shown]


def test_the_receipts_of_questions_verify(asked: Any, hearthway: Callable[..., Any]) -> None:
    done = hearthway("receipts", "verify", "--data", str(asked.data))
    assert done.code == 0, done.out
    first = asked.result["replies"][0]["reply_id"]
    told = hearthway("why", first, "--data", str(asked.data))
    assert "for ask, rule collect-on-phone" in told.out
    assert "erased" not in told.out
