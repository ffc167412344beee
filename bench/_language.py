"""What bench/language.py measures of a student and of its teacher, on CLINC150 and on SLURP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hearthway.distill.language import clinc, datasets, home, measure
from hearthway.distill.language.texts import Corpus, Utterance, digest, keys, normalised
from hearthway.records.errors import InputError
from hearthway.student import cpu, reference
from hearthway.student.answer import Answerer
from hearthway.student.format import Student
from hearthway.student.header import ClassHead, TextInput
from hearthway.student.tokens import Tokenizer

SAMPLE = 200  # texts on which the fast runtime is held to the reference

# Larson et al. 2019, table 1, full data: in-scope accuracy and out-of-scope recall, in percent
PUBLISHED = (
    ("BERT, trained on oos (published)", 96.9, 40.3),
    ("BERT, threshold (published)", 96.2, 52.3),
    ("Rasa (published)", 91.5, 45.3),
    ("DialogFlow (published)", 91.7, 14.0),
    ("FastText (published)", 89.0, 9.7),
)


class Seen(Struct, frozen=True):
    """Rows of a split that no text of the training pool equals, and how many do."""

    kept: tuple[Utterance, ...]
    left_out: int
    pool_known: bool  # the pool made here is the one that the student was trained on


def head_of(student: Student) -> ClassHead:
    """The intent head. InputError where there is none."""
    for head in student.header.heads:
        if isinstance(head, ClassHead) and head.outside is not None:
            return head
    raise InputError(
        f"The student for {student.header.task} has no intents with one for what is outside.",
        "Give a student of the task ask or home.",
    )


def unseen(rows: Sequence[Utterance], pools: Sequence[Corpus], student: Student) -> Seen:
    """Leaves out rows that stand in the pool that the student was trained on, found by its digest."""
    wanted = student.header.about.recipe.get("pool", "")
    found = [pool for pool in pools if digest(pool.pool) == wanted]
    pool = keys(one.text for one in (found or pools)[0].pool)
    kept = tuple(one for one in rows if normalised(one.text) not in pool)
    return Seen(kept, len(rows) - len(kept), bool(found))


def logits_of(student: Student, texts: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """Intent sums by the fast runtime, and how many of a sample's differ from the reference (0)."""
    given = student.header.input
    assert isinstance(given, TextInput)  # head_of was asked before
    tokenizer = Tokenizer(given, student.tensors[given.vocabulary])
    runtime, of = cpu.Runtime(student), head_of(student).of
    ids = [tokenizer.ids(text) for text in texts]
    found = np.array([runtime.run(one)[of] for one in ids], np.int64)
    sample = range(0, len(ids), max(1, len(ids) // SAMPLE))
    return found, sum(int((reference.run(student, ids[i])[of] != found[i]).sum()) for i in sample)


def student_scope(student: Student, rows: Sequence[Utterance]) -> tuple[measure.Scope, int]:
    """Figures at the file's own threshold, and differing numbers against the reference."""
    head = head_of(student)
    outside = int(head.outside or 0)
    at = {label: number for number, label in enumerate(head.labels)}
    logits, differ = logits_of(student, [one.text for one in rows])
    truth = np.array([at.get(one.label, -1) for one in rows])
    scores = measure.margins(logits, outside)
    return measure.scope(logits, scores, truth, outside, head.threshold), differ


def teacher_at_hand(path: Path) -> None:
    """InputError where a teacher cannot be read, before anything else is measured."""
    if not path.is_file():
        raise InputError(
            f"There is no teacher {path}.", "Name a teacher.pt, or leave out --teacher."
        )
    if find_spec("torch") is None:
        raise InputError(
            "torch is not installed here, and a teacher needs it.",
            "Run `scripts/setup distill`, then this with .venv-distill/bin/python; or leave out --teacher.",
        )


def teacher_scope(
    path: Path, folder: Path, rows: Sequence[Utterance], kept: float
) -> measure.Scope:
    """The teacher's figures at a threshold chosen on the validation part, which accepts `kept` of what is right.

    Its score is how high the best label stands above the mean of all, as students are taught it. `teacher_at_hand` was asked.
    """
    from hearthway.distill.language import teacher as teachers

    teacher = teachers.load_teacher(path)
    outside = teacher.labels.index(datasets.OUT_OF_SCOPE)
    at = {label: number for number, label in enumerate(teacher.labels)}

    def asked(texts: Sequence[Utterance]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        logits = teachers.told(teacher, [one.text for one in texts]).logits.numpy()
        return logits, np.array([at[one.label] for one in texts])

    logits, truth = asked(datasets.clinc(folder, "val"))
    right, inside = measure.inside_argmax(logits, outside) == truth, truth != outside
    least = kept * float(right[inside].mean())
    limit = measure.threshold(measure.heights(logits, outside), right, inside, least)
    logits, truth = asked(rows)
    return measure.scope(logits, measure.heights(logits, outside), truth, outside, limit)


class Commands(Struct, frozen=True):
    """SLURP as it is scored: scenario and action together, entities by type and words."""

    name: str
    intent: float
    entities: measure.Entities
    texts: int


def commands(student: Student, rows: Sequence[Utterance]) -> Commands:
    """The student on gold text; InputError without any."""
    if not rows:
        raise InputError(
            "No row of this SLURP part is left: all stand in the pool.", "Give another part."
        )
    answerer = Answerer(student, cpu.Runtime(student))
    said = [answerer.understand(one.text) for one in rows]
    right = sum(one.intent == row.label for one, row in zip(said, rows, strict=True))
    entities = measure.entity_f1(
        [[(slot.name, slot.text.lower()) for slot in one.slots] for one in said],
        [gold(row) for row in rows],
    )
    return Commands("Hearthway's student", right / len(rows), entities, len(rows))


def gold(row: Utterance) -> list[tuple[str, str]]:
    """Type and words of each entity of a row."""
    return [(span.kind, row.text[span.start : span.end].lower()) for span in row.spans]


def published_commands(
    folder: Path, name: str, rows: Sequence[tuple[str, Utterance]]
) -> Commands | None:
    """A published system's predictions on gold text, scored by the same code; None where none is at hand for these rows."""
    path = folder / "slurp" / f"gold_{name}_predictions.jsonl"
    if not path.is_file():
        return None
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line)
    said = {str(row["slurp_id"]): row for row in lines}
    both = [(said[number], row) for number, row in rows if number in said]
    if not both:
        print(f"{name}: no prediction for any of these rows")
        return None
    right = sum(f"{one['scenario']}_{one['action']}" == row.label for one, row in both)
    entities = measure.entity_f1(
        [[(e["type"], e["filler"].lower()) for e in one["entities"]] for one, _ in both],
        [gold(row) for _, row in both],
    )
    return Commands(f"{name} (published predictions)", right / len(both), entities, len(both))


def needed(folder: Path, split: str) -> None:
    """InputError where a set is missing from which a pool is made anew, or the part is one that was learned from."""
    if split.endswith("train"):
        raise InputError(
            f"CLINC150's part {split} is what was learned from.", "Ask for --split val, or test."
        )
    datasets.clinc(folder, split)
    home.evaluation_keys(folder, shipped=True)
    datasets.hwu64(folder), datasets.slurp(folder, "devel"), datasets.snips(folder)


def ask_pools(folder: Path, student: Student) -> list[Corpus]:
    """The pool as whoever had no test part made it, and as it is made with all that is here."""
    recipe = student.header.about.recipe
    variants, seed = int(recipe.get("variants", "3")), int(recipe.get("corpus_seed", "1"))
    return [
        clinc.corpus(folder, variants=variants, seed=seed, shipped=shipped)
        for shipped in (True, False)
    ]


def home_pool(folder: Path, student: Student) -> list[Corpus]:
    """The pool of the student of commands."""
    recipe = student.header.about.recipe
    variants, swaps = int(recipe.get("variants", "1")), int(recipe.get("swaps", "1"))
    seed = int(recipe.get("corpus_seed", "1"))
    return [
        home.corpus(folder, variants=variants, swaps=swaps, seed=seed, shipped=shipped)
        for shipped in (True, False)
    ]
