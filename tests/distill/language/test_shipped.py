"""The students that ship are legal, small, know what they were learned from, and understand."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import _language as lang  # type: ignore[import-not-found,unused-ignore]

from hearthway.distill.language.texts import Corpus, Utterance, digest
from hearthway.records.errors import InputError
from hearthway.student import cpu
from hearthway.student.answer import Answerer
from hearthway.student.format import Student, read

DATA = Path(__file__).parents[3] / "src" / "hearthway" / "student" / "data"
SMALL = Path(__file__).parents[3] / "bench" / "students" / "ask-small.student"
SIZE_MAX, SMALL_MAX, HOME_MAX = 1_500_000, 500_000, 3_500_000  # bytes


@pytest.fixture(scope="module")
def ask() -> Student:
    return read(DATA / "ask.student")


def test_a_shipped_student_says_where_it_comes_from(ask: Student) -> None:
    assert ask.size <= SIZE_MAX
    assert ask.header.task == "ask"
    assert {"settings", "teacher", "pool", "encoder"} <= ask.header.about.recipe.keys()
    assert any("CC BY 3.0" in line for line in ask.header.about.attribution)
    assert len(lang.head_of(ask).labels) == 151


def test_the_small_student_is_of_the_same_pool_and_labels(ask: Student) -> None:
    small = read(SMALL)
    assert small.size <= SMALL_MAX
    assert lang.head_of(small).labels == lang.head_of(ask).labels
    for told in ("pool", "teacher", "encoder"):
        assert small.header.about.recipe[told] == ask.header.about.recipe[told]
    found = Answerer(small, cpu.Runtime(small)).understand("is it going to rain tomorrow")
    assert (found.intent, found.accepted) == ("weather", True)
    assert not Answerer(small, cpu.Runtime(small)).understand("zzgh qwx").accepted


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("what's the traffic like on the way to the office", "traffic"),
        ("Please wake me at seven!", "alarm"),
        ("how much gas do i have left", "gas"),
        ("put milk on my shopping list", "shopping_list_update"),
        ("is it going to rain tomorrow", "weather"),
    ],
)
def test_it_understands(ask: Student, text: str, intent: str) -> None:
    found = Answerer(ask, cpu.Runtime(ask)).understand(text)
    assert (found.intent, found.accepted) == (intent, True)


@pytest.mark.parametrize("text", ["who painted the night watch", "zzgh qwx"])
def test_it_rejects_what_is_none_of_it(ask: Student, text: str) -> None:
    assert not Answerer(ask, cpu.Runtime(ask)).understand(text).accepted


def test_the_bench_leaves_out_what_the_pool_holds_and_knows_its_pool(ask: Student) -> None:
    rows = [Utterance("Wake me at six.", "alarm"), Utterance("wake me at five", "alarm")]
    pool = Corpus(("alarm", "oos"), (Utterance("wake me at six", "alarm"),), (), ())
    seen = lang.unseen(rows, [pool], ask)
    assert ([one.text for one in seen.kept], seen.left_out) == (["wake me at five"], 1)
    assert not seen.pool_known
    assert digest(pool.pool) != ask.header.about.recipe["pool"]


def test_the_bench_counts_at_the_files_own_threshold(ask: Student) -> None:
    rows = [
        Utterance("is it going to rain tomorrow", "weather"),
        Utterance("is it going to rain tomorrow", "alarm"),
        Utterance("who painted the night watch", "oos"),
    ]
    figures, differ = lang.student_scope(ask, rows)
    assert differ == 0
    assert (figures.in_scope, figures.accepted_right, figures.oos_recall) == (0.5, 0.5, 1.0)


@pytest.fixture(scope="module")
def home() -> Student:
    return read(DATA / "home.student")


@pytest.mark.parametrize(
    ("text", "intent", "slots"),
    [
        ("turn the lights off in the bedroom", "iot_hue_lightoff", {"house_place": "bedroom"}),
        ("Wake me up at seven am", "alarm_set", {"time": "seven am"}),
        ("vacuum the living room", "iot_cleaning", {"house_place": "living room"}),
        ("turn up the volume", "audio_volume_up", {}),
        (
            "remind me to call the plumber on friday",
            "calendar_set",
            {"event_name": "call the plumber", "date": "friday"},
        ),
        # word by word: "dancing" and "moonlight"
        ("play dancing in the moonlight", "play_music", {"song_name": "dancing in the moonlight"}),
    ],
)
def test_commands_are_understood_with_their_slots(
    home: Student, text: str, intent: str, slots: dict[str, str]
) -> None:
    found = Answerer(home, cpu.Runtime(home)).understand(text)
    assert (found.intent, found.accepted) == (intent, True)
    assert {slot.name: slot.text for slot in found.slots} == slots


def test_what_is_no_command_is_rejected(home: Student) -> None:
    answerer = Answerer(home, cpu.Runtime(home))
    assert not answerer.understand("what is the interest rate of my savings account").accepted
    assert not answerer.understand("has my vacation request been approved").accepted
    assert home.size <= HOME_MAX


def test_predictions_for_other_rows_are_no_peer(tmp_path: Path) -> None:
    (tmp_path / "slurp").mkdir()
    said = '{"slurp_id": "7", "scenario": "alarm", "action": "set", "entities": []}\n'
    (tmp_path / "slurp" / "gold_hermit_predictions.jsonl").write_text(said)
    row = Utterance("wake me", "alarm_set", ())
    assert lang.published_commands(tmp_path, "hermit", [("8", row)]) is None
    found = lang.published_commands(tmp_path, "hermit", [("7", row)])
    assert found is not None
    assert found.intent == 1.0


def test_the_part_that_was_learned_from_is_not_judged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is what was learned from"):
        lang.needed(tmp_path, "train")
