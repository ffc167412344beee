"""The coupon survey (UCI 603) as columns of 0 and 1: what people said yes and no to on a drive, and how alike such moments are."""

from __future__ import annotations

import csv
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hearthway.learn.kernel import Alike, Kernel, coded
from hearthway.records.errors import InputError

Row = dict[str, str]
Floats = NDArray[np.float64]

OFTEN = ("0", "<1", "1-3", "4-8", ">8")  # times a month
STEPS = {
    "Temperature": ("30", "55", "80"),
    "Time": ("7AM", "10AM", "2PM", "6PM", "10PM"),
    "Age": ("below21", "21", "26", "31", "36", "41", "46", "50plus"),
    "Income": (
        "Less than $12500",
        "$12500 - $24999",
        "$25000 - $37499",
        "$37500 - $49999",
        "$50000 - $62499",
        "$62500 - $74999",
        "$75000 - $87499",
        "$87500 - $99999",
        "$100000 or More",
    ),
    "Education": (
        "Some High School",
        "High School Graduate",
        "Some college - no degree",
        "Associates degree",
        "Bachelors degree",
        "Graduate degree (Masters or Doctorate)",
    ),
}
HABIT = {
    "Bar": "Bar",
    "Coffee House": "CoffeeHouse",
    "Carry out & Take away": "CarryAway",
    "Restaurant(<20)": "RestaurantLessThan20",
    "Restaurant(20-50)": "Restaurant20To50",
}
MOMENT = (
    "Destination",
    "Passanger",
    "Weather",
    "Temperature",
    "Time",
    "Coupon",
    "Expiration",
    "ToCoupon_GEQ15min",
    "ToCoupon_GEQ25min",
    "Direction_same",
)
PERSON = (
    "Gender",
    "Age",
    "MaritalStatus",
    "Has_children",
    "Education",
    "Occupation",
    "Income",
    "Car",
    *HABIT.values(),
)
ASKED = (*MOMENT, *PERSON, "habit")
NEEDED = ("respondent", *MOMENT, *PERSON, "Y")


_PUBLISHED = "Take the survey as it is published; a column `respondent`, if there is one, is the same for the same person."


def load(path: Path) -> list[Row]:
    """The moments in the order of the file; InputError where it is not the survey.

    Without a column `respondent`, a person is who gives the same answers about himself.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            named = "respondent" in (reader.fieldnames or ())
            needed = NEEDED if named else NEEDED[1:]
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(f"{path} lacks the columns {', '.join(missing)}.", _PUBLISHED)
            rows = [{name: row[name] or "" for name in needed} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}.", _PUBLISHED) from None
    if not named:
        rows = [{"respondent": respondent_of(row), **row} for row in rows]
    for number, row in enumerate(rows, 2):
        if row["Y"] not in ("0", "1") or not row["respondent"] or row["Coupon"] not in HABIT:
            raise InputError(
                f"{path}: line {number} lacks an answer, a respondent or a kind of coupon.",
                _PUBLISHED,
            )
    if not rows:
        raise InputError(f"{path} holds no moments.", _PUBLISHED)
    return rows


def respondent_of(row: Row) -> str:
    """The person of a moment by the answers about himself: the digest that a column `respondent` of these files holds."""
    return sha256("|".join(row[name] for name in PERSON).encode()).hexdigest()[:12]


class Columns:
    """Which columns there are, from the values that the training part holds."""

    def __init__(self, rows: list[Row]) -> None:
        """Columns of the training part; others' unknown values are 0 in all of a question's columns."""
        self.questions: list[tuple[str, frozenset[str]]] = []
        for name in (*MOMENT, *PERSON):
            values = sorted({row[name] for row in rows})
            told = values[1:] if len(values) == 2 else values
            self.questions += [(name, frozenset((value,))) for value in told]
            steps = OFTEN if name in HABIT.values() else STEPS.get(name, ())
            if len(values) > 2:
                self.questions += [(name, frozenset(steps[k:])) for k in range(1, len(steps))]
        self.questions += [("habit", frozenset(OFTEN[k:])) for k in range(1, len(OFTEN))]

    def plain(self, rows: list[Row]) -> NDArray[np.float32]:
        """One column a question."""
        columns = np.empty((len(rows), len(self.questions)), dtype=np.float32)
        for place, (name, values) in enumerate(self.questions):
            columns[:, place] = [habit_or(row, name) in values for row in rows]
        return columns

    def crossed(self, plain: NDArray[np.float32]) -> NDArray[np.float32]:
        """`plain`, each column with each kind of coupon, and the moment's columns in pairs."""
        names = [name for name, _ in self.questions]
        kinds = [k for k, name in enumerate(names) if name == "Coupon"]
        others = [k for k, name in enumerate(names) if name != "Coupon"]
        moment = [k for k in others if names[k] in MOMENT]
        pairs = [
            (a, b) for i, a in enumerate(moment) for b in moment[i + 1 :] if names[a] != names[b]
        ]
        first, second = [a for a, _ in pairs], [b for _, b in pairs]
        return np.concatenate(
            [
                plain,
                *(plain[:, [k]] * plain[:, others] for k in kinds),
                plain[:, first] * plain[:, second],
            ],
            axis=1,
        )


class Codes:
    """The answers as numbers for a kernel: places among ordered answers, else one number a value of the training part."""

    def __init__(self, rows: list[Row]) -> None:
        """The values that `rows`, the training part, hold."""
        self._steps: list[tuple[str, tuple[str, ...]]] = []
        for name in ASKED:
            steps = OFTEN if name == "habit" or name in HABIT.values() else STEPS.get(name)
            self._steps.append((name, steps or tuple(sorted({row[name] for row in rows}))))

    def of(self, rows: list[Row]) -> Floats:
        """One column a question of `ASKED`."""
        return np.stack(
            [coded([habit_or(row, name) for row in rows], steps) for name, steps in self._steps],
            axis=1,
        )


def likeness() -> Kernel:
    """Alike in the moment and the habit, in the whole person as well, in the person alone, in coupon and habit alone."""
    place = {name: k for k, name in enumerate(ASKED)}
    moment = {place[name]: 0.5 for name in MOMENT} | {place["Coupon"]: 1.2}
    person = {place[name]: 0.25 for name in PERSON}
    habit = {place["habit"]: 0.8}
    return Kernel(
        parts=(
            Alike(0.3, moment | habit),
            Alike(0.3, moment | person | habit),
            Alike(0.1, person),
            Alike(0.1, habit | {place["Coupon"]: 3.0}),
        ),
        ordered=tuple(name in STEPS or name in HABIT.values() or name == "habit" for name in ASKED),
    )


def habit_or(row: Row, name: str) -> str:
    """The row's answer, or for "habit" how often this person goes where this coupon is good."""
    return row[HABIT[row["Coupon"]]] if name == "habit" else row[name]
