"""How good a student of language is beside its teacher and the floats it came from, and how fast: on the texts that thresholds were chosen on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from hearthway.records.errors import InputError
from hearthway.student.cpu import Runtime
from hearthway.student.format import Student, read
from hearthway.student.header import ClassHead, TextInput
from hearthway.student.reference import run
from hearthway.student.tokens import Tokenizer

from .language.datasets import OUT_OF_SCOPE
from .run import Ran
from .stages import Work
from .tabular.arrays import Floats, Ints, unpack
from .tabular.figures import Scored, scored

if TYPE_CHECKING:
    from .language.run import Settings
    from .language.texts import Corpus

CORPUS, FLOATS = "corpus.json", "floats.bin"  # files of the stages corpus and export


def texts_of(work: Work) -> Corpus:
    """What the corpus stage left."""
    from .language.texts import Corpus

    return msgspec.json.decode(work.read("corpus", CORPUS), type=Corpus)


def evaluate(settings: Settings, work: Work) -> None:
    """Each model on the validation part, as it answers: what it does not accept by its own threshold there is outside."""
    from .language import measure
    from .language.run import limit_of

    corpus = texts_of(work)
    outside = corpus.labels.index(OUT_OF_SCOPE)
    at = {label: row for row, label in enumerate(corpus.labels)}
    y = np.array([at.get(one.label, -1) for one in corpus.validation])  # -1: nobody was taught it
    floats = unpack(work.read("export", FLOATS))["logits"]
    limit = limit_of(measure.margins(floats, outside), floats, corpus, settings)
    file = work.read("export", f"{settings.task}.student")
    integers = in_integers(file, [one.text for one in corpus.validation])
    teacher = _teacher_word(settings, work, corpus, outside)
    found = _figures(teacher, _beside(floats, outside, limit), integers, y, corpus.labels)
    work.write("figures.json", msgspec.json.format(msgspec.json.encode(found)))


def _teacher_word(settings: Settings, work: Work, corpus: Corpus, outside: int) -> Floats:
    """Of several teachers as one; of those trained here, what is outside by the height of the best label (`teacher.lifted`)."""
    from .language import measure, progress, teacher
    from .language.run import limit_of

    said = []
    for seed in settings.teachers:
        kept = progress.load(work.path("teacher", f"teacher-{seed}/validation.pt"))
        if kept is None:
            raise InputError(
                "The teacher's word is missing.", "Delete the folder stages/ and run it again."
            )
        said.append(teacher.Said(*(kept.get(name) for name in teacher.Said._fields)))
    if settings.endpoint is not None:
        return np.asarray(said[0].logits.double().numpy())
    one = teacher.averaged(said, outside)
    judged = one.logits.numpy()
    height = limit_of(measure.heights(judged, outside), judged, corpus, settings)
    return np.asarray(teacher.lifted(one, outside, height).logits.double().numpy())


def _beside(logits: Floats, outside: int, limit: float) -> Floats:
    """The label outside raised by the threshold: the best label is accepted where it stands above that, or at it."""
    found = logits.copy()
    found[:, outside] += limit
    return found


def _figures(
    teacher: Floats, floats: Floats, integers: Floats, y: Ints, labels: Sequence[str]
) -> list[Scored]:
    return [
        scored("teacher", "valid", teacher, y, labels),
        scored("student, floats", "valid", floats, y, labels, teacher),
        scored("student, int8", "valid", integers, y, labels, teacher),
    ]


def in_integers(file: bytes, texts: Sequence[str]) -> Floats:
    """Natural logits of each text by the runtime that equals the reference, the label outside raised by the file's threshold."""
    student = read(file)
    head = next(one for one in student.header.heads if isinstance(one, ClassHead))
    runtime, tokenizer = Runtime(student), _tokenizer(student)
    logits = [runtime.run(tokenizer.ids(text))[head.of] for text in texts]
    exact = np.array(logits, dtype=np.float64)
    if head.outside is not None:
        exact = _beside(exact, head.outside, head.threshold)
    return exact * head.scale


def runtimes(ran: Ran, file: bytes) -> list[tuple[str, Callable[[int], object]]]:
    """The answer to a text, from its letters to the logits, by the fast runtime and by the reference."""
    corpus = msgspec.json.decode(ran.read("corpus", CORPUS))
    texts = [one["text"] for one in corpus["validation"]]
    student = read(file)
    runtime, tokenizer = Runtime(student), _tokenizer(student)

    def fast(number: int) -> object:
        return runtime.run(tokenizer.ids(texts[number % len(texts)]))

    def by_reference(number: int) -> object:
        return run(student, tokenizer.ids(texts[number % len(texts)]))

    return [("cpu", fast), ("reference", by_reference)]


def _tokenizer(student: Student) -> Tokenizer:
    given = student.header.input
    if not isinstance(given, TextInput):
        raise InputError("The student takes numbers, not text.", "Distil it again.")
    return Tokenizer(given, student.tensors[given.vocabulary])
