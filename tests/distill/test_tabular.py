"""A student over numbers, from rows to a file: the integers say what the roundings promised, and the same again after any cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hearthway.distill.card import card
from hearthway.distill.finish import finish
from hearthway.distill.own import Origin
from hearthway.distill.recipe import Recipe
from hearthway.distill.report import page
from hearthway.distill.result import Result
from hearthway.distill.run import Ran, run
from hearthway.distill.sign import Signer
from hearthway.distill.sources import Given, Reads
from hearthway.distill.stages import Made, Stage
from hearthway.distill.tabular import figures, making, net, trees
from hearthway.distill.tabular.arrays import TEST, TRAIN, VALID, Rows, pack, softmax, unpack
from hearthway.distill.tabular.export import Feature
from hearthway.distill.tasks import Built
from hearthway.mesh.trust.artefacts import Trusted, check_artefact
from hearthway.mesh.trust.signing import public_bytes, signing_key
from hearthway.records.errors import IdentityError, InputError
from hearthway.student.format import read

LABELS = ("low", "middle", "high")


class Rings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points by their distance from the middle, some of a coordinate not known."""

    rows: int = 1_200


def _rings(
    settings: Rings, seed: int, tell: Callable[[str], None]
) -> tuple[Rows, making.Peer | None]:
    tell("rings")
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(settings.rows, 3)) * [1.0, 40.0, 0.01]
    y = np.digitize((x[:, 0] ** 2 + (x[:, 1] / 40.0) ** 2) ** 0.5, (0.8, 1.5))
    x[rng.random(settings.rows) < 0.05, 2] = np.nan
    part = rng.choice((TRAIN, TRAIN, TRAIN, VALID, TEST), settings.rows)
    return Rows(x=x, y=y.astype(np.int64), part=part), making.Peer("always low", np.zeros_like(y))


TASK = making.Tabular(
    task="rings",
    features=(Feature("a", "1"), Feature("b", "m"), Feature("c", "share")),
    labels=LABELS,
    corpus=_rings,
    corpus_settings=Rings,
    corpus_revision=1,
    reads=(Reads(name="rings", licence="Apache-2.0", origin=Origin.SYNTHETIC),),
)
RECIPE = Recipe(
    task="rings",
    name="Rings",
    teacher={"trees": 60, "depth": 4, "rate": 0.15, "nets": 1, "width": 32, "epochs": 80},
    student={"hidden": [16], "epochs": 60, "int_epochs": 15, "batch": 64, "rate": 0.01},
)


class Looking:
    """Looks on; raises at the n-th thing that a stage tells."""

    def __init__(self, stage: str = "", after: int = 0) -> None:
        self.stage, self.left, self.began = stage, after, list[str]()

    def begins(self, stage: Stage, number: int, count: int) -> None:
        self.began.append(stage.name)
        self._one(stage)

    def tells(self, stage: Stage, words: str) -> None:
        self._one(stage)

    def stands(self, stage: Stage, made: Made, *, again: bool) -> None: ...

    def _one(self, stage: Stage) -> None:
        if stage.name == self.stage:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt


def _stages(recipe: Recipe = RECIPE) -> Sequence[Stage]:
    return making.build(TASK, recipe, Given())[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(_stages(), tmp_path_factory.mktemp("whole"), 3, Looking())


def _finished(ran: Ran, out: Path) -> Result:
    built = Built(*making.build(TASK, RECIPE, Given()), making.runtimes)
    signer = Signer(None, out / "publisher.key")
    return finish(RECIPE, built, ran, out, signer, serial=1_790_000_000)


def _scored(ran: Ran) -> dict[tuple[str, str], figures.Scored]:
    found = msgspec.json.decode(ran.read("evaluate", "figures.json"), type=list[figures.Scored])
    return {(one.model, one.part): one for one in found}


def test_the_student_learned_and_its_integers_keep_it(whole: Ran) -> None:
    found = _scored(whole)
    teacher, floats, integers, peer = (
        found[name, "test"]
        for name in ("teacher", "student, floats", "student, int8", "always low")
    )
    assert teacher.accuracy > 0.9
    assert integers.accuracy > 0.88
    assert abs(integers.accuracy - floats.accuracy) < 0.02
    assert integers.agreement is not None
    assert integers.agreement > 0.85
    assert peer.accuracy < 0.6, "the control: it is no easy task"
    assert set(integers.by_class) == set(LABELS)


def test_the_file_says_what_the_rounded_net_says(whole: Ran) -> None:
    """Up to what one bias less than one unit may do: the roundings of training are those of the file."""
    arrays = unpack(whole.read("corpus", "rows.bin"))
    fitted = unpack(whole.read("student", "net.bin"))
    scaling = net.Scaling(fitted["offset"], fitted["gain"])
    one = net.Net(
        [fitted["weight00"], fitted["weight01"]],
        [fitted["bias00"], fitted["bias01"]],
        fitted["scales"].tolist(),
    )
    wanted = one.rounded(scaling.quantised(arrays["x"]) * net.INPUT_SCALE)
    found = making.in_integers(whole.read("export", "rings.student"), arrays["x"])
    # logits of a head are told apart only up to a constant of no effect
    gap = (wanted - wanted.mean(axis=1, keepdims=True)) - (
        found - found.mean(axis=1, keepdims=True)
    )
    assert np.quantile(np.abs(gap), 0.99) < 0.15
    assert (wanted.argmax(axis=1) == found.argmax(axis=1)).mean() > 0.99


def test_the_same_inputs_give_the_same_file_and_another_seed_another(
    whole: Ran, tmp_path: Path
) -> None:
    again = run(_stages(), tmp_path / "a", 3, Looking())
    other = run(_stages(), tmp_path / "b", 4, Looking())
    file = "rings.student"
    assert again.read("export", file) == whole.read("export", file)
    assert other.read("export", file) != whole.read("export", file)


def test_cut_in_every_stage_it_ends_at_the_same_file(whole: Ran, tmp_path: Path) -> None:
    for stage, after in (
        ("corpus", 0), ("corpus", 1), ("teacher", 0), ("teacher", 2), ("student", 0), ("student", 9),
        ("student", 30), ("export", 0), ("evaluate", 0),
    ):  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            run(_stages(), tmp_path, 3, Looking(stage, after))
    watched = Looking()
    ended = run(_stages(), tmp_path, 3, watched)
    assert watched.began == ["evaluate"]
    assert {name: made.content for name, made in ended.made.items()} == {
        name: made.content for name, made in whole.made.items()
    }


def test_another_student_leaves_corpus_and_teacher(whole: Ran) -> None:
    smaller = msgspec.structs.replace(RECIPE, student={**RECIPE.student, "hidden": [6]})
    watched = Looking()
    ran = run(_stages(smaller), whole.folders["corpus"].parent.parent, 3, watched)
    assert watched.began == ["student", "export", "evaluate"]
    assert len(ran.read("export", "rings.student")) < len(whole.read("export", "rings.student"))


def test_too_little_is_said_before_it_is_learned_from(tmp_path: Path) -> None:
    tiny = msgspec.structs.replace(RECIPE, corpus={"rows": 2})
    with pytest.raises(InputError, match="nothing is left") as error:
        run(_stages(tiny), tmp_path, 3, Looking())
    assert "[corpus]" in error.value.next_step


def test_what_is_left_is_signed_whole_and_told(whole: Ran, tmp_path: Path) -> None:
    result = _finished(whole, tmp_path)
    key = signing_key(tmp_path / "publisher.key")
    trusted = Trusted(publishers=frozenset({public_bytes(key)}))
    data = (tmp_path / "rings.student").read_bytes()
    statement = check_artefact(data, (tmp_path / "rings.student.sig").read_bytes(), trusted)
    assert statement.identity == result.identity == read(data).identity
    assert (statement.task, statement.serial) == ("rings", 1_790_000_000)
    assert msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Result) == result
    told, shown = card(result), page(result)
    assert (tmp_path / "card.md").read_text() == told
    assert (tmp_path / "report.html").read_text() == shown
    for words in (
        result.identity,
        "Apache-2.0",
        "CPU-seconds an answer",
        "teacher less int8",
        "student, floats",
    ):
        assert words in told
        assert words in shown
    assert "default-src 'none'" in shown
    assert "<script" not in shown


def test_another_file_in_its_place_is_never_used(whole: Ran, tmp_path: Path) -> None:
    _finished(whole, tmp_path)
    trusted = Trusted(publishers=frozenset({public_bytes(signing_key(tmp_path / "publisher.key"))}))
    file = tmp_path / "rings.student"
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    signed = (tmp_path / "rings.student.sig").read_bytes()
    with pytest.raises(IdentityError, match="its content differs"):
        check_artefact(file.read_bytes(), signed, trusted)
    assert check_artefact(data, signed, trusted).task == "rings", "the control"


def test_html_in_a_name_stays_text(whole: Ran, tmp_path: Path) -> None:
    result = _finished(whole, tmp_path)
    shown = page(msgspec.structs.replace(result, name="<script>x</script>", labels=("<b>",)))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_markdown_in_a_name_stays_text(whole: Ran, tmp_path: Path) -> None:
    """The card shows what was written, and no heading, link, list or tag that somebody wrote into a recipe."""
    result = _finished(whole, tmp_path)
    source = msgspec.structs.replace(
        result.sources[0], name="# x", licence="12. b", attribution="[a](http://b) <i>\n# c"
    )
    hostile = msgspec.structs.replace(
        result,
        name="<script>x</script> *y* _z_",
        sources=(source,),
        recipe={"teacher.onnx": "a|b`c`.onnx", "student.int_epochs": "3"},
    )
    shown = card(hostile)
    assert "# &lt;script>x&lt;/script> \\*y\\* \\_z\\_" in shown
    assert f"- \\# x, {source.origin}, 12\\. b (\\[a\\](http://b) &lt;i> # c)" in shown
    assert "| teacher.onnx | a\\|b\\`c\\`.onnx |" in shown
    assert "student.int_epochs" in shown, "the control: what is plain stays as it is"


def test_arrays_come_back_and_are_the_same_bytes() -> None:
    arrays = {"b": np.array([[1.5, np.nan]]), "a": np.array([1, -2], np.int8)}
    data = pack(arrays)
    assert data == pack(dict(reversed(arrays.items())))
    back = unpack(data)
    assert all(np.array_equal(arrays[k], back[k], equal_nan=k == "b") for k in arrays)


def test_trees_and_nets_are_both_needed_by_nobody() -> None:
    x, y = np.zeros((4, 2)), np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match="needs trees or nets"):
        trees.fit(x, y, 2, trees.TeacherSettings(trees=0, nets=0), seed=1, tell=lambda _: None)
    with pytest.raises(ValueError, match="no rows"):
        net.train(
            np.zeros((0, 2)),
            np.zeros((0, 2)),
            y[:0],
            net.NetSettings(),
            seed=1,
            tell=lambda _: None,
        )


def test_the_teacher_s_word_alone_teaches_unlabelled_rows() -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(400, 2))
    truth = (inputs[:, 0] > 0).astype(np.int64)
    soft = softmax(np.stack([-4.0 * inputs[:, 0], 4.0 * inputs[:, 0]], axis=1))
    nobody = np.full(400, -1)
    settings = net.NetSettings(
        hidden=(8,), epochs=30, int_epochs=5, batch=32, hard=0.5, temperature=1.0
    )
    made = net.train(inputs, soft, nobody, settings, seed=1, tell=lambda _: None)
    assert (made.rounded(inputs).argmax(axis=1) == truth).mean() > 0.95


def test_figures_of_a_perfect_and_of_a_blind_model() -> None:
    y = np.array([0, 1, 1, 0])
    good = figures.scored(
        "m", "test", np.array([[9.0, 0.0], [0.0, 9.0], [0.0, 9.0], [9.0, 0.0]]), y, ("a", "b")
    )
    blind = figures.scored("m", "test", np.zeros((4, 2)), y, ("a", "b"))
    assert (good.accuracy, good.auc, good.by_class) == (1.0, 1.0, {"a": 1.0, "b": 1.0})
    assert (blind.accuracy, blind.auc, blind.by_class) == (0.5, 0.5, {"a": 1.0, "b": 0.0})
    assert blind.log_loss == pytest.approx(0.6931, abs=1e-4)
    assert blind.calibration_error == 0.0
    with pytest.raises(ValueError, match="no labelled rows"):
        figures.scored("m", "test", np.zeros((0, 2)), y[:0], ("a", "b"))


def test_a_row_of_a_class_that_nobody_was_taught_is_told_wrong_and_has_no_loss() -> None:
    scores = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
    y = np.array([0, 1, 2])
    whole = figures.scored("m", "valid", scores, y, LABELS)
    odd = figures.scored("m", "valid", np.vstack([scores, scores[2:]]), np.append(y, -1), LABELS)
    assert (whole.accuracy, odd.accuracy, odd.rows) == (1.0, 0.75, 4)
    assert odd.log_loss == whole.log_loss
    assert odd.by_class == whole.by_class
    with pytest.raises(ValueError, match="no labelled rows"):
        figures.scored("m", "valid", scores, np.full(3, -1), LABELS)
