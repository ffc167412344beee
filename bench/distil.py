"""What the teacher is worth: students with few labels, with it and without, equal steps. Needs the distill extra.

    python bench/distil.py --data ../shared/data --split val [--labels 10 50 100] [--seeds 1 2 3] [--work DIR]

Of each of CLINC150's intents so many texts keep their labels. Without a teacher a student learns these and the
outliers alone; with one it also learns what the teacher, fine-tuned on the same labels, says of the other texts. Both
begin with the same embedding and make the same number of steps on batches of the same size. Figures are of the
student in whole numbers on part NAME; the threshold is chosen on the validation part, where it
accepts KEPT of what that student gets right. Intervals are 95 %, utterances
drawn with replacement, over the mean of the seeds. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hearthway.distill.language import clinc, datasets, measure
from hearthway.distill.language.texts import Corpus, Utterance, digest
from hearthway.records.errors import HearthwayError, InputError

try:
    from bench._ends import finish, refused, started
except ModuleNotFoundError:  # started as a script: bench/ itself is on the path
    from _ends import (  # type: ignore[no-redef, import-not-found, unused-ignore]
        finish,
        refused,
        started,
    )

KEPT = 0.985  # of what is right without rejection, what the threshold accepts
DRAWS = 1000
VARIANTS = 0  # the texts that lost their labels are enough to show what a teacher is worth


class Answers(msgspec.Struct, frozen=True):
    """Of each utterance: in scope and right, or out of scope and rejected; by kind of student, mean of seeds."""

    right: NDArray[np.float64]
    rejected: NDArray[np.float64]


def compared(
    folder: Path, split: str, labels: int, seeds: Sequence[int], work: Path
) -> list[dict[str, Any]]:
    """One number of labels: rows without, with, and their difference."""
    import torch

    from hearthway.distill.language import learn, run
    from hearthway.distill.language.settings import StudentSettings, TeacherSettings
    from hearthway.distill.language.wordpieces import Pieces

    torch.set_num_threads(1)
    corpus = clinc.corpus(folder, variants=VARIANTS, seed=1, per_label=labels)
    rows = list(datasets.clinc(folder, split))
    # What was trained before on another pool may have seen these rows: each pool has a place of its own.
    work = work / f"labels-{labels}-{digest(corpus.pool)[:12]}"
    recipe = run.Settings(
        kept=KEPT,
        teacher=TeacherSettings(epochs=4),
        student=StudentSettings(epochs=6, int_epochs=2),
    )
    begun = time.process_time()
    taught = run.taught(corpus, recipe, work, print)
    student = recipe.student
    vocabulary, _ = run.vocabulary_of(taught.teacher.pieces, corpus, student)
    pieces = Pieces(vocabulary, 64)
    first = learn.first_embedding(taught.teacher, vocabulary, student.width)
    shape = run.shape_of(student, corpus, vocabulary)
    found: dict[str, list[Answers]] = {"without": [], "with": []}
    for seed in seeds:
        own = msgspec.structs.replace(student, seed=seed)
        for kind in found:
            texts = corpus.pool if kind == "with" else repeated(corpus)
            lesson = learn.lesson(
                pieces, texts, corpus.labels, said=taught.said if kind == "with" else None
            )
            place = work / f"{kind}-{seed}"
            net, _ = learn.train_student(lesson, shape, own, place, lambda _: None, first)

            def asked(texts: Sequence[Utterance], net: Any = net) -> NDArray[np.float64]:
                ids = pieces.ids(one.text for one in texts)
                logits: NDArray[np.float64] = learn.answers(net, ids).numpy()
                return logits

            found[kind].append(answers(asked, corpus, rows))
            print(
                f"{labels} labels, seed {seed}, {kind} the teacher: {summary(found[kind][-1])}",
                flush=True,
            )
    spent_s = time.process_time() - begun
    return table(labels, {kind: mean(all_) for kind, all_ in found.items()}, spent_s)


def repeated(corpus: Corpus) -> list[Utterance]:
    """The labelled texts again and again, as many as the whole pool has."""
    return [corpus.labelled[at % len(corpus.labelled)] for at in range(len(corpus.pool))]


def answers(asked: Any, corpus: Corpus, rows: Sequence[Utterance]) -> Answers:
    """A student's answers to `rows` at the threshold of the validation part."""
    outside = len(corpus.labels) - 1
    at = {label: number for number, label in enumerate(corpus.labels)}

    def judged(texts: Sequence[Utterance]) -> tuple[Any, Any, Any]:
        logits = asked(texts)
        truth = np.array([at[one.label] for one in texts])
        return (
            measure.margins(logits, outside),
            measure.inside_argmax(logits, outside) == truth,
            truth != outside,
        )

    scores, right, inside = judged(corpus.validation)
    limit = measure.threshold(scores, right, inside, KEPT * float(right[inside].mean()))
    scores, right, inside = judged(rows)
    return Answers(right[inside].astype(float), (scores < limit)[~inside].astype(float))


def mean(found: Sequence[Answers]) -> Answers:
    """Of each utterance, over seeds."""
    return Answers(
        np.mean([one.right for one in found], axis=0),
        np.mean([one.rejected for one in found], axis=0),
    )


def summary(one: Answers) -> str:
    """In percent."""
    return f"in-scope {one.right.mean():.2%}, oos recall {one.rejected.mean():.2%}"


def table(labels: int, found: dict[str, Answers], spent_s: float) -> list[dict[str, Any]]:
    """Rows with intervals, printed."""
    found = {**found}
    rows: list[dict[str, Any]] = []
    for name in ("right", "rejected"):
        values = {kind: getattr(one, name) for kind, one in found.items()}
        values["with - without"] = values["with"] - values["without"]
        for kind, each in values.items():
            low, high = interval(each)
            print(f"{labels:4} labels {name:9} {kind:15}{each.mean():8.2%} [{low:.2%}, {high:.2%}]")
        low, high = interval(values["with - without"])
        rows.append(
            {
                "case": f"{labels} labels an intent",
                "metric": {"right": "in-scope", "rejected": "oos recall"}[name],
                "unit": "share",
                "ours": float(values["with"].mean()),
                "peer": "the same student without the teacher",
                "theirs": float(values["without"].mean()),
                "ratio": float(values["with"].mean() / max(values["without"].mean(), 1e-9)),
                "gain": float(values["with - without"].mean()),
                "gain_low": low,
                "gain_high": high,
            }
        )
    print(f"{labels:4} labels: {spent_s / 60:.1f} CPU minutes")
    return rows


def interval(each: NDArray[np.float64]) -> tuple[float, float]:
    """95 % of means of utterances drawn with replacement."""
    draw = np.random.default_rng(1)
    means = [each[draw.integers(0, len(each), len(each))].mean() for _ in range(DRAWS)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def main() -> int:
    """2 where a file or the extra is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 50, 100])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("build/distil"))
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    try:
        folder = datasets.language_folder(options.data)
        if options.split.endswith("train"):
            raise InputError(
                f"The part {options.split} is what is learned from.",
                "Ask for --split val, or test.",
            )
        for labels in options.labels:
            rows += compared(folder, options.split, labels, options.seeds, options.work)
    except ModuleNotFoundError as missing:
        return refused(
            InputError(f"{missing.name} is not installed.", "pip install 'hearthway[distill]'")
        )
    except HearthwayError as error:
        return refused(error)
    finish("distil", rows)
    return 0


if __name__ == "__main__":
    started(main)
