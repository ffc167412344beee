"""Personal data teach nothing without a rule of their owner, and no teacher on another machine, ever."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.distill.test_ranker import survey

from hearthway.distill import words as words_task
from hearthway.distill.language import settings
from hearthway.distill.language.settings import StudentSettings
from hearthway.distill.own import Origin, check_sources, check_teacher
from hearthway.distill.recipe import (
    Limits,
    Recipe,
    Source,
    read_recipe,
    shipped_recipe,
    table,
)
from hearthway.distill.sources import Given
from hearthway.distill.tabular import making
from hearthway.distill.tabular.net import NetSettings
from hearthway.distill.tabular.trees import TeacherSettings
from hearthway.distill.tasks import TASKS
from hearthway.mesh.policy.rules import Rules
from hearthway.records.errors import HearthwayError, InputError, RuleDeniedError

PUBLIC = Source(name="a set", licence="CC0", origin=Origin.PUBLIC)
MINE = Source(name="what I asked", licence="none", origin=Origin.PERSONAL, key="Person.Asked")
RULE = 'version = 2\n[[train]]\nid = "asked"\nkeys = ["{}"]\n'


def _rules(tmp_path: Path, key: str) -> Rules:
    file = tmp_path / "rules.toml"
    file.write_text(RULE.format(key))
    return Rules.load(file)


def test_personal_data_need_a_rule(tmp_path: Path) -> None:
    with pytest.raises(RuleDeniedError, match=r"do not let Person\.Asked be learned from") as error:
        check_sources([PUBLIC, MINE], _rules(tmp_path, "Person.Location.*"))
    assert "[[train]]" in error.value.next_step
    assert check_sources([PUBLIC, MINE], _rules(tmp_path, "Person.Asked")) == ("asked",)


def test_no_rules_at_hand_are_no_permission() -> None:
    with pytest.raises(RuleDeniedError, match="no rules were named"):
        check_sources([MINE], None)
    assert check_sources([PUBLIC], None) == (), "the control"


def test_personal_data_without_a_key_are_refused(tmp_path: Path) -> None:
    nameless = Source(name="notes", licence="none", origin=Origin.PERSONAL)
    with pytest.raises(InputError, match="says no `key`"):
        check_sources([nameless], _rules(tmp_path, "Person.Asked"))


def test_a_teacher_elsewhere_is_told_nothing_personal() -> None:
    with pytest.raises(RuleDeniedError, match="what I asked"):
        check_teacher([PUBLIC, MINE], where="192.168.1.9:80", this_machine=False)
    check_teacher([PUBLIC], where="192.168.1.9:80", this_machine=False)
    check_teacher([PUBLIC, MINE], where="127.0.0.1:80", this_machine=True)


@pytest.mark.parametrize("task", TASKS)
def test_the_shipped_recipes_build(task: str, tmp_path: Path) -> None:
    survey(tmp_path / "coupon")  # one reads a public set that comes with nothing
    recipe = read_recipe(shipped_recipe(task))
    assert recipe.task == task
    assert all(source.origin is not Origin.PERSONAL for source in recipe.source)
    if not TASKS[task].extra:
        stages = TASKS[task].build(recipe, Given(sets=tmp_path)).stages
        assert [one.name for one in stages][-2:] == ["export", "evaluate"]


WHERE = {"url": "http://127.0.0.1:9/v1", "model": "m"}
ELSEWHERE = {**WHERE, "url": "http://192.168.77.9:9/v1"}
NO_TEACHER: tuple[tuple[dict[str, Any], str], ...] = (
    ({"url": "http://8.8.8.8/v1", "model": "m"}, "beyond the household"),
    ({"url": "https://127.0.0.1/v1", "model": "m"}, "no endpoint of a household"),
    ({"url": "http://127.0.0.1/v1"}, "model"),
    ({**WHERE, "model": ""}, "model"),
    ({**WHERE, "model": "m\33[2J"}, "the model is no line"),
    ({**WHERE, "url": "http://127.0.0.1:9/vä"}, "no endpoint of a household"),
    ({**WHERE, "sure": 1.0}, "sure"),
    ({**WHERE, "sure": 0.2}, "sure"),
    ({**WHERE, "epochs": 3}, "epochs"),
)


@pytest.mark.parametrize(("teacher", "words"), NO_TEACHER, ids=str)
def test_an_endpoint_that_cannot_be_a_teacher_is_refused_before_the_work(
    teacher: dict[str, Any], words: str
) -> None:
    recipe = msgspec.structs.replace(read_recipe(shipped_recipe("tiny")), teacher=teacher)
    with pytest.raises(HearthwayError, match=words) as error:
        TASKS["tiny"].build(recipe, Given())
    assert error.value.next_step


def test_a_recipe_with_personal_sources_has_no_teacher_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a rule says; on this machine it may be asked, and what is missing next is torch."""
    monkeypatch.setitem(sys.modules, "torch", None)
    rows = [f"sentence {n} of {label},{label}" for label in ("a", "b") for n in range(6)]
    (tmp_path / "mine.csv").write_text("\n".join(["text,label", *rows]))
    mine = msgspec.structs.replace(MINE, path="mine.csv")
    recipe = msgspec.structs.replace(read_recipe(shipped_recipe("texts")), source=(mine,))
    given = Given(folder=tmp_path, rules=_rules(tmp_path, "Person.Asked"))
    with pytest.raises(RuleDeniedError, match="are told to no teacher on another machine"):
        TASKS["texts"].build(msgspec.structs.replace(recipe, teacher=ELSEWHERE), given)
    with pytest.raises(InputError, match="is not installed"):
        TASKS["texts"].build(msgspec.structs.replace(recipe, teacher=WHERE), given)


BROKEN = {
    "no TOML": "task = ",
    "an unknown field": 'task = "modes"\nname = "x"\nspeed = 3\n',
    "no name": 'task = "modes"\n',
    "a seed that is no number": 'task = "modes"\nname = "x"\nseed = "one"\n',
    "a seed below 0": 'task = "modes"\nname = "x"\nseed = -1\n',
    "an origin nobody knows": 'task = "modes"\nname = "x"\n[[source]]\nname = "a"\nlicence = "b"\norigin = "found"\n',
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_broken_recipe_says_what_is_wrong(tmp_path: Path, words: str) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(BROKEN[words])
    with pytest.raises(InputError) as error:
        read_recipe(file)
    assert error.value.next_step


def test_no_recipe_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no recipe"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_recipe(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no TOML"):
        read_recipe(tmp_path / "binary.toml")


BAD_TABLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("corpus", {"people": "many"}),
    ("corpus", {"persons": 3}),
    ("teacher", {"trees": 0, "nets": 0}),
    ("teacher", {"cuts": 0}),
    ("student", {"hidden": []}),
    ("student", {"hidden": [0]}),
    ("student", {"hard": 1.5}),
    ("student", {"epochs": -1}),
    ("teacher", {"onnx": "none.onnx"}),
    ("student", {"hidden": [100_000]}),
    ("student", {"hidden": [8] * 9}),
    ("student", {"rate": 1e300}),
    ("student", {"rate": float("nan")}),
    ("student", {"temperature": float("inf")}),
    ("student", {"batch": 10**30}),
    ("teacher", {"depth": 99}),
    ("teacher", {"rate": -1.0}),
)


@pytest.mark.parametrize(("name", "values"), BAD_TABLES, ids=str)
def test_a_table_that_does_not_fit_is_refused_before_the_work(
    name: str, values: dict[str, Any]
) -> None:
    good = Recipe(task="modes", name="x")
    with pytest.raises(InputError) as error:
        TASKS["modes"].build(msgspec.structs.replace(good, **{name: values}), Given())
    assert error.value.next_step
    TASKS["modes"].build(good, Given())


@pytest.mark.parametrize(
    ("kind", "limits", "values", "words"),
    [
        (NetSettings, making.STUDENT_LIMITS, {"hidden": [8, 100_000]}, "here: hidden is 100000"),
        (NetSettings, making.STUDENT_LIMITS, {"rate": 1e300}, r"here: rate is 1e\+300"),
        (StudentSettings, words_task.STUDENT_LIMITS, {"width": 10**6}, r"here: width is 1e\+06"),
        (
            settings.TeacherSettings,
            words_task.TEACHER_LIMITS,
            {"rate": float("nan")},
            "rate is nan",
        ),
    ],
)
def test_a_number_beyond_its_limits_is_named_with_them(
    kind: type[Any], limits: Limits, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as error:
        table(values, kind, "here", limits)
    assert error.value.next_step.startswith("Use ")
    assert table({}, kind, "here", limits) == kind(), "the control: the defaults lie within"


def test_every_number_of_a_table_over_rows_has_limits() -> None:
    for kind, limits in (
        (TeacherSettings, making.TEACHER_LIMITS),
        (NetSettings, making.STUDENT_LIMITS),
    ):
        assert {one for one in kind.__struct_fields__ if one != "onnx"} == set(limits)


@pytest.mark.parametrize("words", ["a\nb", "a\x1b[31mb", "a\u2028b", "x" * 201])
@pytest.mark.parametrize("field", ["name", "source name", "source licence"])
def test_a_name_that_is_no_line_is_refused(tmp_path: Path, words: str, field: str) -> None:
    told = {"name": "x", "source name": "y", "source licence": "CC0", field: words}
    source = {"name": told["source name"], "licence": told["source licence"], "origin": "public"}
    recipe = {"task": "modes", "name": told["name"], "source": [source]}
    file = tmp_path / "recipe.toml"
    file.write_bytes(msgspec.toml.encode(recipe))
    with pytest.raises(InputError, match=rf"the {field} is no line of at most 200"):
        read_recipe(file)
