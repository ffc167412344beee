"""The coupon survey (UCI 603) for the benches: where it is, and its split by respondent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hearthway.distill.tabular.survey import Row
from hearthway.distill.tabular.survey import load as load_survey
from hearthway.records.errors import InputError


class DataError(Exception):
    """The data cannot be used; the message says what to do."""


def find(data: Path, name: str) -> Path:
    """The file in `data` or its sub-folder `coupon`; DataError where it is in neither."""
    for path in (data / name, data / "coupon" / name):
        if path.is_file():
            return path
    raise DataError(
        f"no {name} in {data} or {data / 'coupon'}: put it there, or pass another --data"
    )


def load(path: Path) -> list[Row]:
    """The moments in the order of the file; DataError where it is not the survey."""
    try:
        return load_survey(path)
    except InputError as error:
        raise DataError(f"{error.message} {error.next_step}") from error


def refuse_shared(train: list[Row], judged: list[Row]) -> None:
    """DataError where a respondent is on both sides: such a split measures what was remembered."""
    shared = {row["respondent"] for row in train} & {row["respondent"] for row in judged}
    if shared:
        raise DataError(
            f"{len(shared)} respondents are in both parts (a split by rows): a gate would be judged on people it was "
            "fitted on. Split by respondent, so that nobody is in both"
        )


def folds(rows: list[Row], count: int, seed: int) -> list[tuple[list[Row], list[Row]]]:
    """(train, judged) `count` times, by respondent; DataError where there are fewer respondents than folds."""
    people = sorted({row["respondent"] for row in rows})
    if not 2 <= count <= len(people):
        raise DataError(f"{count} folds of {len(people)} respondents: take 2 to {len(people)}")
    order = np.random.default_rng(seed).permutation(len(people))
    of = {people[who]: place % count for place, who in enumerate(order)}
    return [
        (
            [row for row in rows if of[row["respondent"]] != k],
            [row for row in rows if of[row["respondent"]] == k],
        )
        for k in range(count)
    ]


def parts_of(
    data: Path, split: str, count: int, seed: int
) -> Iterator[tuple[list[Row], list[Row]]]:
    """(train, judged) of the split; DataError for a split by rows and for a file that is not there."""
    if split in ("random", "rows", "row"):
        raise DataError(
            "a random split by rows is refused: the same respondent would be fitted on and judged. Leave --split out "
            "(folds by respondent), or name a held-out file coupon_NAME.csv"
        )
    train = load(find(data, "coupon.csv"))
    if split in ("", "train", "valid"):
        yield from folds(train, count, seed)
        return
    yield train, load(find(data, f"coupon_{split}.csv"))
