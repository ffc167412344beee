"""The ranker's task, on a survey made up here: nobody is in two parts, what is unknown is legal, and the file says the same everywhere."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hearthway.assist.ranker import FEATURES, SORTS, Moment, Ranker, row
from hearthway.distill.recipe import Recipe, read_recipe, shipped_recipe
from hearthway.distill.run import Ran, run
from hearthway.distill.sources import Given
from hearthway.distill.stages import Made, Stage
from hearthway.distill.tabular import making, ranker
from hearthway.distill.tabular.arrays import TEST, TRAIN, VALID, Floats
from hearthway.distill.tabular.figures import Scored
from hearthway.distill.tabular.others import OthersSettings
from hearthway.distill.tabular.survey import HABIT, NEEDED, Row, load
from hearthway.distill.tasks import TASKS, built
from hearthway.records.errors import InputError
from hearthway.student import cpu, reference
from hearthway.student.features import quantise
from hearthway.student.format import read
from hearthway.student.header import FeatureInput
from hearthway.student.plain import PlainStudent

PERSON = {
    "Gender": "Female",
    "Age": "26",
    "MaritalStatus": "Single",
    "Has_children": "0",
    "Education": "Bachelors degree",
    "Occupation": "Student",
    "Income": "$25000 - $37499",
    "Car": "",
    "Expiration": "1d",
    "Direction_same": "0",
    "Weather": "Sunny",
}
RECIPE = Recipe(
    task="ranker",
    name="Made up",
    corpus={"copies": 2},
    teacher={"trees": 20, "depth": 2, "landmarks": 40, "folds": 2},
    student={"hidden": [8], "epochs": 20, "int_epochs": 5, "temperature": 1.0},
)


class Silent:
    def begins(self, stage: Stage, number: int, count: int) -> None: ...
    def tells(self, stage: Stage, words: str) -> None: ...
    def stands(self, stage: Stage, made: Made, *, again: bool) -> None: ...


def survey(folder: Path, people: int = 80, moments: int = 15) -> Path:
    """Who has friends beside says yes to takeaways; nobody does to bars."""
    rng = np.random.default_rng(people)
    rows = []
    for who in range(people):
        habits = {name: str(rng.choice(["0", "<1", "1-3", "4-8", ""])) for name in HABIT.values()}
        for _ in range(moments):
            kind = str(rng.choice(list(HABIT)))
            company = str(rng.choice(["Alone", "Friend(s)", "Partner"]))
            wanted = 0.5 + 0.4 * (kind.startswith("Carry")) - 0.3 * (kind == "Bar")
            wanted += 0.15 * (company == "Friend(s)") - 0.1
            rows.append(
                PERSON
                | habits
                | {
                    "respondent": f"r{who}",
                    "Passanger": company,
                    "Coupon": kind,
                    "Destination": str(rng.choice(["Home", "Work", "No Urgent Place"])),
                    "Time": str(rng.choice(["7AM", "2PM", "6PM"])),
                    "Temperature": str(rng.choice(["30", "55", "80"])),
                    "ToCoupon_GEQ15min": str(rng.integers(0, 2)),
                    "ToCoupon_GEQ25min": "0",
                    "Y": str(int(rng.random() < wanted)),
                }
            )
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "coupon.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, NEEDED)
        writer.writeheader()
        writer.writerows(rows)
    return folder


def stages(sets: Path, recipe: Recipe = RECIPE) -> Any:
    given = Given(sets=sets)
    return making.build(ranker.task(recipe, given), recipe, given)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    survey(folder / "coupon")
    return folder


@pytest.fixture(scope="module")
def whole(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(stages(sets)[0], tmp_path_factory.mktemp("whole"), 1, Silent())


@pytest.fixture(scope="module")
def rows(sets: Path) -> list[Row]:
    return load(sets / "coupon" / "coupon.csv")


def test_the_student_learned_what_its_teacher_says_and_integers_keep_it(whole: Ran) -> None:
    found = {
        (one.model, one.part): one
        for one in msgspec.json.decode(whole.read("evaluate", "figures.json"), type=list[Scored])
    }
    names = ("teacher", "student, floats", "student, int8", "kind and own visits")
    teacher, floats, integers, peer = (found[name, "test"] for name in names)
    assert teacher.auc is not None
    assert integers.auc is not None
    assert min(teacher.auc, integers.auc) > 0.65
    assert integers.log_loss is not None
    assert floats.log_loss is not None
    assert peer.log_loss is not None
    assert abs(integers.log_loss - floats.log_loss) < 0.02
    asked = Ranker(whole.read("export", "ranker.student"))
    said = {sort: asked.says(Moment(sort=sort)) for sort in SORTS}
    assert max(said, key=said.__getitem__) == "takeaway"
    assert min(said, key=said.__getitem__) == "bar"
    friends = asked.says(Moment(sort="takeaway", company="friends"))
    assert friends > asked.says(Moment(sort="takeaway", company="alone"))


def test_the_same_recipe_gives_the_same_bytes(sets: Path, whole: Ran, tmp_path: Path) -> None:
    again = run(stages(sets)[0], tmp_path, 1, Silent())
    assert again.read("export", "ranker.student") == whole.read("export", "ranker.student")


def test_every_runtime_says_the_same_bits_of_known_and_unknown(whole: Ran, rows: list[Row]) -> None:
    data = whole.read("export", "ranker.student")
    student, plain, fast = read(data), PlainStudent(data), cpu.Runtime(read(data))
    assert isinstance(student.header.input, FeatureInput)
    x = ranker.numbers(rows[:60])
    asked = np.concatenate(
        [x, ranker.without(x, "visits", "hour.", "air"), np.full_like(x[:1], np.nan)]
    )
    for numbers in asked:
        inputs = quantise(student.header.input, numbers)
        bits = reference.run(student, inputs)["logits"].tolist()
        assert plain.logits(numbers.tolist()) == bits
        assert fast.run(inputs)["logits"].tolist() == bits


def test_nobody_is_in_two_parts(rows: list[Row]) -> None:
    part = ranker.parts(rows, ranker.RankerSettings(), 1)
    of: dict[str, set[int]] = {}
    for said, one in zip(rows, part, strict=True):
        of.setdefault(said["respondent"], set()).add(int(one))
    assert all(len(one) == 1 for one in of.values())
    assert {TRAIN, VALID, TEST} == set(part.tolist())


def test_the_teacher_never_judges_whom_it_was_fitted_on(
    rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[tuple[set[str], set[str]]] = []

    class Watched:
        def __init__(self, train: list[Row], settings: OthersSettings, *, seed: int) -> None:
            self.people = {one["respondent"] for one in train}

        def scores(self, asked: list[Row]) -> dict[str, Floats]:
            fitted.append((self.people, {one["respondent"] for one in asked}))
            return {"both": np.ones(len(asked))}

    monkeypatch.setattr(ranker, "Others", Watched)
    part = ranker.parts(rows, ranker.RankerSettings(), 1)
    told = ranker.taught(rows, part, OthersSettings(folds=3), 1, lambda _: None)
    assert (told == 1.0).all(), "every moment was judged"
    assert len(fitted) == 4
    assert all(not people & asked for people, asked in fitted)
    judged = {said["respondent"] for said, one in zip(rows, part, strict=True) if one != TRAIN}
    assert all(not people & judged for people, _ in fitted), "nor on those kept out"


def test_copies_leave_facts_out_group_by_group_and_never_the_kind(rows: list[Row]) -> None:
    x = ranker.numbers(rows)
    part = ranker.parts(rows, ranker.RankerSettings(), 1)
    many, which = ranker.copied(x, part, ranker.RankerSettings(copies=3, unknown=0.5), 1)
    assert (many[: len(x)] == x)[~np.isnan(x)].all()
    copies = many[len(x) :]
    assert set(part[which[len(x) :]]) == {TRAIN}
    names = [name for name, _ in FEATURES]
    for group in ranker.GROUPS:
        mine = [at for at, name in enumerate(names) if name.startswith(group)]
        gone = np.isnan(copies[:, mine])
        assert (gone.all(axis=1) == gone.any(axis=1)).all(), group
        assert 0.4 < gone.any(axis=1).mean() < 0.75, group
    assert not np.isnan(
        copies[:, [at for at, n in enumerate(names) if n.startswith("sort.")]]
    ).any()


def test_a_moment_of_the_survey_is_one_that_a_node_could_know(rows: list[Row]) -> None:
    said = rows[0] | {
        "Coupon": "Restaurant(20-50)",
        "RestaurantLessThan20": "1-3",
        "Restaurant20To50": "<1",
        "Temperature": "80",
        "ToCoupon_GEQ15min": "1",
        "ToCoupon_GEQ25min": "0",
        "Time": "6PM",
        "Destination": "No Urgent Place",
        "Passanger": "Kid(s)",
    }
    one = ranker.moment(said)
    assert one == Moment(
        sort="restaurant",
        visits_month=2.5,
        hour=18.0,
        goal="elsewhere",
        company="children",
        air_c=one.air_c,
        way_min=20.0,
    )
    assert one.air_c == pytest.approx(26.7, abs=0.1)
    assert ranker.moment(said | {"Restaurant20To50": ""}).visits_month is None
    assert len(row(one)) == len(FEATURES)


def test_where_the_survey_is_missing_or_another_it_says_so(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody said where it is"):
        built("ranker", shipped_recipe("ranker"), None, Given(folder=tmp_path))
    (tmp_path / "coupon").mkdir()
    (tmp_path / "coupon" / "coupon.csv").write_text("respondent,Y\na,1\n")
    with pytest.raises(InputError, match="lacks the columns"):
        run(stages(tmp_path)[0], tmp_path / "out", 1, Silent())
    few = survey(tmp_path / "few" / "coupon", people=9).parent
    with pytest.raises(InputError, match="fewer than ten respondents"):
        run(stages(few)[0], tmp_path / "out", 1, Silent())


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ("corpus", {"unknown": 1.5}),
        ("corpus", {"test": 0.9}),
        ("teacher", {"folds": 1}),
        ("teacher", {"onnx": "a.onnx"}),
        ("student", {"hidden": []}),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(
    sets: Path, table: str, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InputError):
        stages(sets, msgspec.structs.replace(RECIPE, **{table: wrong}))


def test_the_survey_decides_the_stages_and_stands_in_the_file(sets: Path, whole: Ran) -> None:
    about = read(whole.read("export", "ranker.student")).header.about
    assert about.attribution == (
        "coupon (CC BY 4.0): UCI 603, In-Vehicle Coupon Recommendation, Wang et al. 2017",
    )
    first, second, *_ = stages(sets)[0]
    assert first.reads == second.reads == (sets / "coupon" / "coupon.csv",)


def test_the_shipped_recipe_is_one_and_needs_no_extra(sets: Path) -> None:
    recipe = read_recipe(shipped_recipe("ranker"))
    assert TASKS["ranker"].extra == ""
    assert len(stages(sets, recipe)[0]) == 5
