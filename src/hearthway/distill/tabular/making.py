"""The stages of a student over a row of numbers, whatever the numbers are about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from hearthway.distill.outside import onnx
from hearthway.distill.recipe import Limits, Recipe, table
from hearthway.distill.run import Ran
from hearthway.distill.sources import Given, Reads, Sources, sources
from hearthway.distill.stages import Stage, Work
from hearthway.records.errors import InputError
from hearthway.student import header
from hearthway.student.features import quantise
from hearthway.student.format import read
from hearthway.student.plain import PlainStudent
from hearthway.student.reference import run

from . import trees
from .arrays import TEST, TRAIN, VALID, Array, Floats, Ints, Rows, pack, softmax, unpack
from .export import Feature, as_file, described
from .figures import Scored, scored, told_only
from .net import INPUT_SCALE, Net, NetSettings, Scaling, train

PARTS = {VALID: "valid", TEST: "test"}
LAYERS_MAX = 4
TEACHER_LIMITS = {
    "trees": (0, 5000),
    "depth": (1, 16),
    "rate": (1e-6, 1.0),
    "cuts": (1, 255),
    "nets": (0, 100),
    "width": (2, 4096),
    "epochs": (0, 10_000),
}
STUDENT_LIMITS = {
    "hidden": (1, 1024),
    "epochs": (0, 10_000),
    "int_epochs": (0, 10_000),
    "batch": (1, 65_536),
    "rate": (1e-6, 1.0),
    "decay": (0.0, 1.0),
    "temperature": (0.01, 100.0),
    "hard": (0.0, 1.0),
}


class Peer(Struct, frozen=True):
    """What does the job without the student: its words, and its class of each row (-1: it says none), or log-odds by class."""

    words: str
    told: Array

    def scored(self, part: str, mine: Array, y: Ints, labels: Sequence[str]) -> Scored:
        """Its figures on the rows `mine`."""
        if self.told.ndim == 1:
            return told_only(self.words, part, self.told[mine], y, labels)
        return scored(self.words, part, self.told[mine], y, labels)


Corpus = Callable[[Any, int, Callable[[str], None]], tuple[Rows, Peer | None]]


class OwnTeacher(Struct, frozen=True, kw_only=True):
    """A teacher that knows more of a row than its numbers. `scores`: (its settings, the corpus's, seed, tell) -> log-odds by class of each row."""

    words: str
    settings: type[Any]
    limits: Limits
    revision: int
    scores: Callable[[Any, Any, int, Callable[[str], None]], Floats]


class Tabular(Struct, frozen=True, kw_only=True):
    """A task over rows: where they come from, and what they and the classes are called."""

    task: str
    features: tuple[Feature, ...]
    labels: tuple[str, ...]
    corpus: Corpus
    corpus_settings: type[Any]
    corpus_revision: int
    reads: tuple[Reads, ...]
    corpus_limits: Limits = {}
    files: tuple[Path, ...] = ()  # what the corpus and a teacher of its own are read from
    teacher: OwnTeacher | None = None  # None: trees and wide nets on the rows, or an ONNX file


def build(task: Tabular, recipe: Recipe, given: Given) -> tuple[tuple[Stage, ...], Sources]:
    """From rows to figures, and what they are from. InputError where the recipe's tables or sources do not fit."""
    corpus = table(
        recipe.corpus, task.corpus_settings, "The recipe's table [corpus]", task.corpus_limits
    )
    kind: type[Any] = trees.TeacherSettings
    limits: Limits = TEACHER_LIMITS
    if task.teacher is not None:
        kind, limits = task.teacher.settings, task.teacher.limits
    teacher = table(recipe.teacher, kind, "The recipe's table [teacher]", limits)
    student = table(recipe.student, NetSettings, "The recipe's table [student]", STUDENT_LIMITS)
    _check(student)
    outside = ""
    if isinstance(teacher, trees.TeacherSettings):
        outside = teacher.onnx
        _check_teacher(teacher)
    model = given.folder / outside if outside else None
    if model is not None and not model.is_file():
        raise InputError(
            f"There is no teacher {model}.",
            "Name an ONNX file in [teacher], relative to the recipe.",
        )
    if model is not None and not any(one.path == outside for one in recipe.source):
        raise InputError(
            f"No source says what the teacher {outside} was made from, and the student learns from it.",
            f'Add a [[source]] with its name, licence, origin and path = "{outside}".',
        )
    read = sources(recipe, task.reads, given, lambda one: bool(outside) and one.path == outside)
    about = header.About(
        title=recipe.name,
        licence="Apache-2.0",
        attribution=tuple(
            f"{one.name} ({one.licence}){': ' if one.attribution else ''}{one.attribution}"
            for one in read.told
        ),
        recipe={
            "seed": str(recipe.seed),
            **{
                f"corpus.{key}": words
                for key, words in described(msgspec.to_builtins(corpus)).items()
            },
            **{
                f"teacher.{key}": words
                for key, words in described(msgspec.to_builtins(teacher)).items()
            },
            **{
                f"student.{key}": words
                for key, words in described(msgspec.to_builtins(student)).items()
            },
        },
    )
    made = (
        Stage(
            name="corpus",
            words="rows to learn from, and rows to be judged on",
            revision=task.corpus_revision,
            needs=(),
            settings=corpus,
            files=("rows.bin",),
            make=lambda work: _corpus(task, corpus, work),
            reads=task.files,
        ),
        _teacher_stage(task, corpus, teacher, model, read),
        Stage(
            name="student",
            words="a small net that says what the teacher says, with the roundings of int8",
            revision=1,
            needs=("corpus", "teacher"),
            settings=student,
            files=("net.bin",),
            make=lambda work: _student(task, student, work),
        ),
        Stage(
            name="export",
            words="the same in integers, as one file",
            revision=1,
            needs=("student",),
            settings=[task.task, about],
            files=(f"{task.task}.student",),
            make=lambda work: _export(task, about, work),
        ),
        Stage(
            name="evaluate",
            words="figures of teacher, student, and student in integers",
            revision=1,
            needs=("corpus", "teacher", "student", "export"),
            settings=[],
            files=("figures.json",),
            make=lambda work: _evaluate(task, work),
        ),
    )
    return made, read


def _teacher_stage(
    task: Tabular, corpus: Any, settings: Any, model: Path | None, read: Sources
) -> Stage:
    own = task.teacher
    if own is not None:
        return Stage(
            name="teacher",
            words=own.words,
            revision=own.revision,
            needs=("corpus",),
            settings=settings,
            files=("scores.bin",),
            make=lambda work: work.write(
                "scores.bin", pack({"scores": own.scores(settings, corpus, work.seed, work.tell)})
            ),
            reads=task.files,
        )
    return Stage(
        name="teacher",
        words="trees and wide nets, as large as helps" if model is None else model.name,
        revision=1,
        needs=("corpus",),
        settings=settings,
        files=("scores.bin",),
        make=lambda work: _teacher(task, settings, model, read, work),
        made_with=("numpy",) if model is None else ("numpy", "onnxruntime"),
        reads=() if model is None else (model,),
    )


def _check(student: NetSettings) -> None:
    if not 1 <= len(student.hidden) <= LAYERS_MAX:
        raise InputError(
            f"The recipe's student has {len(student.hidden)} hidden layers.",
            f"Give [student] hidden one to {LAYERS_MAX} widths, such as hidden = [32, 16].",
        )


def _check_teacher(teacher: trees.TeacherSettings) -> None:
    if teacher.trees + teacher.nets < 1 and not teacher.onnx:
        raise InputError(
            "The recipe's teacher has neither trees nor nets.", "Give [teacher] one of the two."
        )


def _corpus(task: Tabular, settings: Any, work: Work) -> None:
    rows, peer = task.corpus(settings, work.seed, work.tell)
    lacks = [name for part, name in PARTS.items() if not len(rows.of(part)[1])]
    if lacks or not len(rows.of(TRAIN)[1]):
        raise InputError(
            f"So little was asked for that nothing is left to learn from or to judge by ({', '.join(lacks)}).",
            "Ask for more people or days in the recipe's [corpus].",
        )
    extra = {} if peer is None else {f"peer {peer.words}": peer.told}
    work.write("rows.bin", pack({"x": rows.x, "y": rows.y, "part": rows.part, **extra}))


def _rows(work: Work) -> tuple[Rows, Peer | None]:
    arrays = unpack(work.read("corpus", "rows.bin"))
    peer = next((name for name in arrays if name.startswith("peer ")), None)
    rows = Rows(x=arrays["x"], y=arrays["y"], part=arrays["part"])
    return rows, None if peer is None else Peer(peer[5:], arrays[peer])


def _teacher(
    task: Tabular, settings: trees.TeacherSettings, model: Path | None, read: Sources, work: Work
) -> None:
    rows, _ = _rows(work)
    if model is not None:
        told = onnx.scores(model, rows.x, len(task.labels))
        for one in read.own:
            one.unchanged()
        work.write("scores.bin", pack({"scores": told}))
        return
    x, y = rows.of(TRAIN)
    fitted = trees.fit(x, y, len(task.labels), settings, seed=work.seed, tell=work.tell)
    work.write("scores.bin", pack({"scores": fitted.scores(rows.x)}))


def _student(task: Tabular, settings: NetSettings, work: Work) -> None:
    rows, _ = _rows(work)
    scores = unpack(work.read("teacher", "scores.bin"))["scores"]
    mine = rows.part == TRAIN
    scaling = Scaling.of(rows.x[mine])
    net = train(
        scaling.quantised(rows.x[mine]) * INPUT_SCALE,
        softmax(scores[mine] / settings.temperature),
        rows.y[mine],
        settings,
        seed=work.seed,
        tell=work.tell,
    )
    arrays: dict[str, Array] = {
        "offset": scaling.offset,
        "gain": scaling.gain,
        "scales": np.array(net.scales),
    }
    for number, (weight, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
        arrays |= {f"weight{number:02d}": weight, f"bias{number:02d}": bias}
    work.write("net.bin", pack(arrays))


def _net(work: Work) -> tuple[Net, Scaling]:
    arrays = unpack(work.read("student", "net.bin"))
    layers = range(sum(name.startswith("weight") for name in arrays))
    net = Net(
        [arrays[f"weight{number:02d}"] for number in layers],
        [arrays[f"bias{number:02d}"] for number in layers],
        arrays["scales"].tolist(),
    )
    return net, Scaling(arrays["offset"], arrays["gain"])


def _export(task: Tabular, about: header.About, work: Work) -> None:
    net, scaling = _net(work)
    data = as_file(net, scaling, task.features, task.labels, task=task.task, about=about)
    work.write(f"{task.task}.student", data)


def _evaluate(task: Tabular, work: Work) -> None:
    rows, peer = _rows(work)
    teacher = unpack(work.read("teacher", "scores.bin"))["scores"]
    net, scaling = _net(work)
    floats = net.logits(scaling.quantised(rows.x) * INPUT_SCALE)
    integers = in_integers(work.read("export", f"{task.task}.student"), rows.x)
    found: list[Scored] = []
    for part, name in PARTS.items():
        mine = (rows.part == part) & (rows.y >= 0)
        y, taught = rows.y[mine], teacher[mine]
        found.append(scored("teacher", name, taught, y, task.labels))
        found.append(scored("student, floats", name, floats[mine], y, task.labels, taught))
        found.append(scored("student, int8", name, integers[mine], y, task.labels, taught))
        if peer is not None:
            found.append(peer.scored(name, mine, y, task.labels))
    work.write("figures.json", msgspec.json.format(msgspec.json.encode(found)))


def in_integers(file: bytes, x: Floats) -> Floats:
    """Natural logits of each row by the integer reference."""
    student = read(file)
    (head,) = student.header.heads
    rows = quantise(_features(student.header), x)
    logits = [run(student, row)[head.of] for row in rows]
    return np.array(logits, dtype=np.float64) * head.scale


def runtimes(ran: Ran, file: bytes) -> list[tuple[str, Callable[[int], object]]]:
    """The runtimes of such a student, each asked about rows that nobody learned from, one after the other."""
    arrays = unpack(ran.read("corpus", "rows.bin"))
    rows = arrays["x"][arrays["part"] != TRAIN].tolist()
    student, plain = read(file), PlainStudent(file)
    given = _features(student.header)

    def by_reference(number: int) -> object:
        return run(student, quantise(given, rows[number % len(rows)]))

    def in_python(number: int) -> object:
        return plain.logits(rows[number % len(rows)])

    return [("reference", by_reference), ("plain Python", in_python)]


def _features(told: header.Header) -> header.FeatureInput:
    if not isinstance(told.input, header.FeatureInput):
        raise InputError("The student takes text, not numbers.", "Distil it again.")
    return told.input
