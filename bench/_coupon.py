"""The coupon survey (UCI 603) for the benches: where it is, and its split by respondent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hearthway.distill.tabular.survey import Row, load
from hearthway.records.errors import InputError


def find(data: Path, name: str) -> Path:
    """The file in `data` or its sub-folder `coupon`; InputError where it is in neither."""
    for path in (data / name, data / "coupon" / name):
        if path.is_file():
            return path
    raise InputError(
        f"There is no {name} in {data} or {data / 'coupon'}.",
        "Put it there, pass another --data, or name another part with --split.",
    )


def refuse_shared(train: list[Row], judged: list[Row]) -> None:
    """InputError where a respondent is on both sides: such a split measures what was remembered."""
    shared = {row["respondent"] for row in train} & {row["respondent"] for row in judged}
    if shared:
        raise InputError(
            f"{len(shared)} respondents are in both parts (a split by rows): a gate would be judged on people it was "
            "fitted on.",
            "Split by respondent, so that nobody is in both.",
        )
    if len({row["Y"] for row in judged}) < 2:
        raise InputError(
            "All answers to be judged are the same: an AUC needs both kinds.",
            "Give a file with more respondents, or take fewer folds.",
        )


def folds(rows: list[Row], count: int, seed: int) -> list[tuple[list[Row], list[Row]]]:
    """(train, judged) `count` times, by respondent; InputError where there are fewer respondents than folds."""
    people = sorted({row["respondent"] for row in rows})
    if not 2 <= count <= len(people):
        raise InputError(
            f"{count} folds of {len(people)} respondents cannot be made.",
            f"Give --folds: take 2 to {len(people)}.",
        )
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
    """(train, judged) of the split; InputError for a split by rows and for a file that is not there."""
    if split in ("random", "rows", "row"):
        raise InputError(
            "A random split by rows is refused: the same respondent would be fitted on and judged.",
            "Leave --split out (folds by respondent), or name a held-out file coupon_NAME.csv.",
        )
    train = load(find(data, "coupon.csv"))
    if split in ("", "train", "valid") and not held_out(data, split):
        yield from folds(train, count, seed)
        return
    yield train, load(find(data, f"coupon_{split}.csv"))


def held_out(data: Path, split: str) -> bool:
    """Is there a file of the part `split`?"""
    name = f"coupon_{split}.csv"
    return any((folder / name).is_file() for folder in (data, data / "coupon"))


def case_of(data: Path, split: str, count: int, drawn: str) -> str:
    """What was judged, as the rows call it: the part, or the folds that stand in its place."""
    if split and held_out(data, split):
        return f"coupon/{split}"
    return f"coupon/{count} folds by respondent{drawn}"
