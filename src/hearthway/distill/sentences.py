"""The task *texts*: sentences of one's own in files of `text,label`, each a source of the recipe with its path."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from hearthway.records.errors import InputError

from .language.augment import augmented
from .language.datasets import OUT_OF_SCOPE
from .language.strange import strange
from .language.texts import Corpus, Utterance, keys, normalised, without
from .own import Origin
from .recipe import Recipe, check_line, table
from .result import Told
from .sources import LINE_MAX, Given, Read, Reads, Sources, sources
from .stages import Stage
from .words import ENCODER, corpus_stage, endpoint_of, need_torch, settings_of, stages

HEAD = ["text", "label"]
EACH_MIN = 5  # texts of a label: four to learn from, one to judge by
JUDGED = 5  # every fifth text of a label is judged by
TEXT_MAX = 500  # characters
LABEL_MAX = 100  # as the file has them
TEXTS_MAX = 200_000
LABELS_MAX = 500
STRANGE = Reads(
    name="hearthway.distill.language.strange",
    licence="Apache-2.0",
    origin=Origin.SYNTHETIC,
    attribution="texts in other scripts and languages, which are none of the labels",
)


class SentencesCorpus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`variants`: of each text, that nobody said and only the teacher labels."""

    variants: int = 4


def build(recipe: Recipe, given: Given) -> tuple[tuple[Stage, ...], Sources]:
    """Its stages. InputError where no source has a path, or a file is not of `text,label`; RuleDeniedError for what is personal."""
    read = sources(recipe, (STRANGE, ENCODER), given, lambda source: bool(source.path))
    if not read.own:
        raise InputError(
            "The recipe names no file of sentences.",
            'Add a [[source]] with its name, licence, origin and path = "sentences.csv", a file of text,label.',
        )
    corpus = table(recipe.corpus, SentencesCorpus, _CORPUS, {"variants": (0, 20)})
    made = corpus_of(read, corpus.variants, recipe.seed)
    endpoint = endpoint_of(recipe)
    need_torch()
    from .language.run import Settings

    base = Settings(
        teachers=(recipe.seed,),
        corpus={
            "variants": str(corpus.variants),
            **{
                f"source {number}": f"{one.told.name}, SHA-256 {one.told.sha256}"
                for number, one in enumerate(read.own, start=1)
            },
        },
        sources=tuple(_attribution(one.told) for one in read.read if one.told.name != ENCODER.name),
        licence=_licence(read),
    )
    first = corpus_stage(lambda _: made, read, revision=1, settings=corpus)
    return stages(settings_of(recipe, base, endpoint), first, endpoint), read


def corpus_of(read: Sources, variants: int, seed: int) -> Corpus:
    """The texts of all files, every fifth of a label kept out; what has no label of them is `oos`, other scripts among it."""
    seen: dict[str, tuple[str, str]] = {}
    whole = [one for source in read.own for one in sentences(source, seen)]
    labels = _labels(whole)
    draw = random.Random(seed)
    outside = [Utterance(one.text, OUT_OF_SCOPE) for one in strange()]
    kept = without([*whole, *outside], frozenset())
    validation = []
    for label in (*labels, OUT_OF_SCOPE):
        mine = [one for one in kept if one.label == label]
        validation += draw.sample(mine, len(mine) // JUDGED)
    held = keys(one.text for one in validation)
    labelled = without(kept, held)
    known = [one for one in labelled if one.label != OUT_OF_SCOPE]
    taken = keys(one.text for one in kept)
    made = without(augmented(known, variants, seed), taken) if variants else []
    return Corpus((*labels, OUT_OF_SCOPE), tuple(labelled), tuple(made), tuple(validation))


def _labels(whole: list[Utterance]) -> tuple[str, ...]:
    """InputError where there are too few of a label, of labels, or too many."""
    counts = Counter(one.label for one in without(whole, frozenset()))
    labels = tuple(sorted(label for label in counts if label != OUT_OF_SCOPE))
    if not 2 <= len(labels) <= LABELS_MAX:
        raise InputError(
            f"The sentences have {len(labels)} labels.",
            f"Give 2 to {LABELS_MAX} labels, beside {OUT_OF_SCOPE} for what is none of them.",
        )
    for label in labels:
        if counts[label] < EACH_MIN:
            raise InputError(
                f"The label {label!r} has {counts[label]} sentences that differ.",
                f"Give each label at least {EACH_MIN}, better 50.",
            )
    return labels


def sentences(source: Read, seen: dict[str, tuple[str, str]]) -> list[Utterance]:
    """The rows of one file of `text,label`. InputError that names the line that does not fit, or says other than one `seen`."""
    found: list[Utterance] = []
    for number, row in _rows(source):
        where = f"{source.path}, line {number}"
        if len(row) != len(HEAD):
            raise InputError(f"{where} has {len(row)} fields.", "Write text,label; quote a comma.")
        text, label = (cell.strip() for cell in row)
        check_line(label, f"{where}: the label")
        if not (normalised(text) and label) or len(text) > TEXT_MAX or len(label) > LABEL_MAX:
            raise InputError(
                f"{where} has no text of at most {TEXT_MAX} characters and a label of at most {LABEL_MAX}.",
                "Fill both, or remove the line.",
            )
        before, at = seen.setdefault(normalised(text), (label, where))
        if before != label:
            raise InputError(
                f"{where} calls {text[:40]!r} {label!r}, and {at} calls it {before!r}.",
                "Keep one of the two.",
            )
        found.append(Utterance(text, label))
    return found


def _rows(source: Read) -> Iterator[tuple[int, list[str]]]:
    assert source.path is not None  # `sources` gave it one
    try:
        with source.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            if [cell.strip() for cell in next(reader, [])] != HEAD:
                raise InputError(
                    f"{source.path} does not begin with the line text,label.",
                    "Write it as CSV with these two columns.",
                )
            for count, row in enumerate(reader):
                if count >= TEXTS_MAX:
                    raise InputError(
                        f"{source.path} has more than {TEXTS_MAX} lines.", "Take fewer sentences."
                    )
                if row:
                    yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as why:
        raise InputError(
            f"{source.path} is no CSV in UTF-8: {why}.", "Write text,label, a sentence a line."
        ) from None


def _attribution(told: Told) -> str:
    more = f": {told.attribution}" if told.attribution else ""
    return f"{told.name}, {told.licence}{more}"


def _licence(read: Sources) -> str:
    licences = ", ".join(sorted({one.told.licence for one in read.own}))
    if len(licences) > LINE_MAX // 2:
        licences = "several terms"
    return f"Apache-2.0; learned from data under {licences}, see attribution"


_CORPUS = "The recipe's table [corpus]"
