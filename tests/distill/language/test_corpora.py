"""The public sets as their authors lay them out, here a few lines of our own in the same form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.distill.language.small_sets import (
    TRAIN,
    entity,
    slurp_row,
    small_sets,
    write_json,
    write_lines,
)

from hearthway.distill.language import clinc, datasets, home
from hearthway.distill.language.texts import Span, Utterance, keys, overlap
from hearthway.records.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_sets(tmp_path / "language")


def test_the_pool_of_ask_holds_no_evaluated_text(folder: Path) -> None:
    corpus = clinc.corpus(folder, variants=2, seed=1)
    evaluated = ["pay my money 3", "dim all", "why is it"]
    assert overlap([one.text for one in corpus.pool], evaluated) == 0
    assert "pay my money 3" in keys(text for text, _ in TRAIN)  # it stood in the training part
    assert corpus.labels == ("pay_bill", "smart_home", "oos")
    oos = {one.text for one in corpus.labelled if one.label == "oos"}
    assert {"who won the cup", "play chess", "RateBook of it"} <= oos
    assert "GetWeather of it" in {one.text for one in corpus.unlabelled}
    assert len(corpus.pool) == len(keys(one.text for one in corpus.pool))


def test_few_labels_leave_the_rest_without(folder: Path) -> None:
    corpus = clinc.corpus(folder, variants=0, seed=1, per_label=4)
    labels = [one.label for one in corpus.labelled]
    assert labels.count("pay_bill") == labels.count("smart_home") == 4
    assert {one.label for one in corpus.unlabelled} == {""}
    assert len(corpus.pool) == len(clinc.corpus(folder, variants=0, seed=1).pool)


def test_a_test_part_that_is_at_hand_is_kept_out_too(folder: Path) -> None:
    write_json(folder / "clinc150" / "test.json", {"test": [["pay my money 7", "pay_bill"]]})
    assert "pay my money 7" not in {o.text for o in clinc.corpus(folder, variants=0, seed=1).pool}
    shipped = clinc.corpus(folder, variants=0, seed=1, shipped=True)
    assert "pay my money 7" in {one.text for one in shipped.pool}


def test_the_pool_of_home_holds_no_evaluated_text_and_its_slots_fit(folder: Path) -> None:
    corpus = home.corpus(folder, variants=1, swaps=3, seed=1)
    pool = [one.text for one in corpus.pool]
    assert overlap(pool, ["play uno please", "pay my money 3", "dim all"]) == 0
    assert overlap(pool, [one.text for one in corpus.validation]) == 0
    assert {"play_game", "alarm_set", "oos"} == set(corpus.labels)
    assert {"I-game", "I-time", "O"} == set(corpus.slots)
    for one in corpus.labelled:
        for span in one.spans:
            assert one.text[span.start : span.end].strip() == one.text[span.start : span.end] != ""


def test_a_slot_holds_the_s_that_follows_it() -> None:
    one = Utterance("is kim's cake john's", "x", (Span(3, 6, "person"), Span(9, 13, "food")))
    named = [(span.kind, one.text[span.start : span.end]) for span in home.possessive(one).spans]
    assert named == [("person", "kim's"), ("food", "cake")]


def test_a_text_of_the_test_is_kept_out_however_its_not_is_written(folder: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": text, "intent": "alarm_set", "entities": []}
        for text in ("don't wake me", "please don't wake me")
    ]
    write_lines(folder / "hwu64" / "hwu64.jsonl", rows)
    test = [slurp_row(91, "do n't wake me", "alarm", "set", [3], "person")]
    write_lines(folder / "slurp" / "test_public_half.jsonl", test)
    pool = {one.text for one in home.corpus(folder, variants=0, swaps=0, seed=1).pool}
    assert "please don't wake me" in pool
    assert "don't wake me" not in pool


def test_what_a_slot_is_exchanged_for_has_no_label_of_its_own(folder: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "play chess", "intent": "play_game", "entities": [entity(5, 10, "game")]},
        {"text": "find go now", "intent": "play_game", "entities": [entity(5, 7, "game")]},
    ]
    write_lines(folder / "hwu64" / "hwu64.jsonl", rows)
    corpus = home.corpus(folder, variants=0, swaps=4, seed=1)
    made = [one for one in corpus.unlabelled if one.text in ("play go", "find chess now")]
    assert {one.text for one in made} == {"play go", "find chess now"}
    assert {(one.label, one.spans) for one in made} == {("", ())}


def test_a_missing_part_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no part 'test'.*test\.json"):
        datasets.clinc(folder, "test")


def test_a_missing_set_is_named(tmp_path: Path, folder: Path) -> None:
    assert datasets.language_folder(tmp_path) == folder
    with pytest.raises(InputError, match="clinc150"):
        datasets.language_folder(tmp_path / "nowhere")
    (folder / "hwu64" / "hwu64.jsonl").unlink()
    with pytest.raises(InputError, match=r"hwu64\.jsonl"):
        clinc.corpus(folder, variants=0, seed=1)


def test_a_damaged_line_is_named(folder: Path) -> None:
    (folder / "hwu64" / "hwu64.jsonl").write_text('{"text"\n')
    with pytest.raises(InputError, match="line 1"):
        datasets.hwu64(folder)


def test_a_part_may_lie_beside_in_two_files(folder: Path) -> None:
    write_json(folder / "clinc150" / "test.json", [["pay my money 7", "pay_bill"]])
    write_json(folder / "clinc150" / "oos_test.json", [["is it far", "oos"]])
    told = datasets.clinc(folder, "test")
    assert [(one.text, one.label) for one in told] == [
        ("pay my money 7", "pay_bill"),
        ("is it far", "oos"),
    ]
    write_json(folder / "clinc150" / "test.json", {"test": ["pay my money 7"]})
    with pytest.raises(InputError, match="no list of"):
        datasets.clinc(folder, "test")


def test_of_two_files_with_a_part_the_one_that_is_called_so_is_taken(folder: Path) -> None:
    """CLINC150 is published with binary_*.json beside, whose test is the same texts called "in" or "oos"."""
    others = {"test": [["pay my money 7", "in"]], "oos_test": [["is it far", "oos"]]}
    write_json(folder / "clinc150" / "binary_undersample.json", others)
    write_json(folder / "clinc150" / "test.json", {"test": [["pay my money 7", "pay_bill"]]})
    assert [one.label for one in datasets.clinc(folder, "test")] == ["pay_bill", "oos"]


def test_a_row_that_is_none_is_named(folder: Path) -> None:
    path = folder / "slurp" / "test_other_half.jsonl"
    path.write_text('\ufeff{"slurp_id": 1}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"test_other_half\.jsonl is none of SLURP's: KeyError"):
        datasets.slurp(folder, "test_other_half")
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="no UTF-8"):
        datasets.slurp(folder, "test_other_half")
