"""bench/ask.py takes the part that was asked for, without what the students learned from, and says where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from tests.distill.language.small_sets import small_sets, write_json, write_lines

from hearthway.records.errors import InputError

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def ask() -> Iterator[ModuleType]:
    """bench/ask.py as a module."""
    sys.path.insert(0, str(BENCH))
    try:
        yield import_module("ask")
    finally:
        sys.path.remove(str(BENCH))
        sys.modules.pop("ask", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_sets(tmp_path / "language")


def test_what_is_out_of_scope_is_of_the_test_for_a_part_of_the_test(
    ask: ModuleType, folder: Path
) -> None:
    assert ask.out_of_clinc(folder, "test_other_half") == ("oos_val", ["why is it"])
    parts = {"test": [["pay now", "pay_bill"]], "oos_test": [["is it far", "oos"]]}
    write_json(folder / "clinc150" / "test.json", parts)
    assert ask.out_of_clinc(folder, "test_other_half") == ("oos_test", ["is it far"])
    assert ask.out_of_clinc(folder, "test") == ("oos_test", ["is it far"])
    assert ask.out_of_clinc(folder, "devel")[0] == "oos_val"


def test_what_was_learned_from_is_known(ask: ModuleType, folder: Path) -> None:
    learned = ask.learned_from(folder)
    assert {"wake me at 3", "play chess", "who won the cup", "pay my money 7"} <= learned
    assert "why is it" not in learned
    (folder / "hwu64" / "hwu64.jsonl").unlink()
    assert "play chess" not in ask.learned_from(folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no row"),
        ("{}\n", "none of SLURP's: KeyError"),
        ("{\n", "none of SLURP's"),
        ("[]\n", "none of SLURP's"),
    ],
)
def test_a_part_that_is_none_is_said(ask: ModuleType, tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "test_other_half.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=told):
        ask.slurp_rows(file)
    with pytest.raises(InputError, match="there: test_other_half"):
        ask.slurp_rows(tmp_path / "tset.jsonl")


def test_a_byte_order_mark_and_empty_lines_are_no_rows(ask: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "test.jsonl"
    rows = [{"sentence": "wake me", "scenario": "alarm", "action": "set"}]
    write_lines(file, rows)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes() + b"\r\n\n")
    assert ask.slurp_rows(file) == [{"text": "wake me", "label": "alarm_set"}]


def test_without_home_assistants_tests_it_says_so(
    ask: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(
        folder / "slurp" / "test.jsonl",
        [{"sentence": "play uno", "scenario": "play", "action": "game"}],
    )
    assert ask.main(["--data", str(folder), "--split", "test"]) == 2
    assert "_fixtures.yaml" in capsys.readouterr().err
    write_lines(
        folder / "slurp" / "test.jsonl",
        [{"sentence": "Play chess!", "scenario": "play", "action": "game"}],
    )
    assert ask.main(["--data", str(folder), "--split", "test"]) == 2
    assert "The students learned from every text of test." in capsys.readouterr().err
    assert ask.main(["--data", str(folder), "--split", "devel"]) == 2
    assert "SLURP's part devel is what a student learns from." in capsys.readouterr().err
