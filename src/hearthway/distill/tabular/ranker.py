"""What the ranker is taught from: what people said of coupons on a drive (UCI 603), as far as a node would have known it.

The teacher is told all that the survey asked, of itself and its habits. The student is told kind, visits, hour, goal, company, warmth
and way, each of them left out at random, so that what a node does not know may stay unknown. No respondent is in two parts, and what
the teacher says of those it teaches comes from models that were fitted without them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from hearthway.assist.ranker import FEATURES, LABELS, Moment, row
from hearthway.distill.own import Origin
from hearthway.distill.sources import Reads, sources
from hearthway.learn.population import fit_population
from hearthway.records.errors import InputError

from .arrays import TEST, TRAIN, VALID, Floats, Ints, Rows
from .export import Feature
from .making import OwnTeacher, Peer, Tabular
from .others import PERSON_RIDGE, Others, OthersSettings
from .survey import HABIT, Row, load

if TYPE_CHECKING:
    from hearthway.distill.recipe import Recipe
    from hearthway.distill.sources import Given

FILE = "coupon.csv"
READS = (
    Reads(
        name="coupon",
        licence="CC BY 4.0",
        origin=Origin.PUBLIC,
        attribution="UCI 603, In-Vehicle Coupon Recommendation, Wang et al. 2017",
        files=(FILE,),
    ),
)
SORT = {
    "Coffee House": "coffee",
    "Carry out & Take away": "takeaway",
    "Restaurant(<20)": "restaurant",
    "Restaurant(20-50)": "restaurant",
    "Bar": "bar",
}
MONTHLY = {"0": 0.0, "<1": 0.5, "1-3": 2.0, "4-8": 6.0, ">8": 10.0}
HOUR = {"7AM": 7.0, "10AM": 10.0, "2PM": 14.0, "6PM": 18.0, "10PM": 22.0}
GOAL = {"Home": "home", "Work": "work", "No Urgent Place": "elsewhere"}
COMPANY = {"Alone": "alone", "Partner": "partner", "Friend(s)": "friends", "Kid(s)": "children"}
# What is known or unknown together: a row's numbers by the beginning of their names.
GROUPS = ("visits", "hour.", "goal.", "company.", "air", "way.")
OFTEN_RIDGE = 10.0
TEACHER_LIMITS = {
    "trees": (1, 5000),
    "depth": (1, 16),
    "landmarks": (1, 10_000),
    "folds": (2, 50),
}


class RankerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each moment stands there whole and in `copies`, in which each fact is unknown with probability `unknown`.

    `valid`, `test`: shares of the respondents that choose, and that are for the figures.
    """

    copies: int = 4
    unknown: float = 0.4
    valid: float = 0.15
    test: float = 0.15


def moment(said: Row) -> Moment:
    """What a node would have known of this moment."""
    sort = SORT[said["Coupon"]]
    visits = [MONTHLY.get(said[HABIT[kind]]) for kind, one in SORT.items() if one == sort]
    known = [often for often in visits if often is not None]
    far = 30.0 if said["ToCoupon_GEQ25min"] == "1" else 20.0
    return Moment(
        sort=sort,
        visits_month=sum(known) if len(known) == len(visits) else None,
        hour=HOUR.get(said["Time"]),
        goal=GOAL.get(said["Destination"]),
        company=COMPANY.get(said["Passanger"]),
        air_c=(float(said["Temperature"]) - 32.0) / 1.8,
        way_min=far if said["ToCoupon_GEQ15min"] == "1" else 10.0,
    )


def numbers(survey: Sequence[Row]) -> Floats:
    """The ranker's numbers of each moment."""
    return np.array([row(moment(said)) for said in survey], dtype=np.float64)


def answers(survey: Sequence[Row]) -> Ints:
    """1 for each yes."""
    return np.array([int(said["Y"]) for said in survey], dtype=np.int64)


def without(x: Floats, *groups: str) -> Floats:
    """The same with what these groups of `GROUPS` tell unknown."""
    found = x.copy()
    for at, (name, _) in enumerate(FEATURES):
        if name.startswith(groups):
            found[:, at] = np.nan
    return found


def parts(survey: Sequence[Row], settings: RankerSettings, seed: int) -> Ints:
    """TRAIN, VALID or TEST of each moment, by its respondent."""
    people = sorted({said["respondent"] for said in survey})
    place = np.random.default_rng([seed, 1]).permutation(len(people)) / len(people)
    of = {
        who: TEST if at < settings.test else VALID if at < settings.test + settings.valid else TRAIN
        for who, at in zip(people, place, strict=True)
    }
    return np.array([of[said["respondent"]] for said in survey], dtype=np.int64)


def copied(x: Floats, part: Ints, settings: RankerSettings, seed: int) -> tuple[Floats, Ints]:
    """All rows, then those to learn from again with some facts unknown; and of which row each is one."""
    rng = np.random.default_rng([seed, 2])
    mine = np.flatnonzero(part == TRAIN)
    rows, which = [x], [np.arange(len(x))]
    for _ in range(settings.copies):
        again = x[mine].copy()
        for group in GROUPS:
            gone = rng.random(len(mine)) < settings.unknown
            again[gone] = without(again[gone], group)
        rows.append(again)
        which.append(mine)
    return np.concatenate(rows), np.concatenate(which)


def by_habit(x: Floats, y: Ints, person: Ints, asked: Floats) -> Floats:
    """The peer: log-odds by the kind of POI and own visits alone, which is what counts tell without the moment."""

    def columns(rows: Floats) -> Floats:
        sorts, visits = rows[:, :4], rows[:, 4:5]
        often = np.nan_to_num(visits)
        return np.concatenate(
            [sorts, sorts * often, sorts * often**2, sorts * np.isnan(visits)], axis=1
        )

    fitted = fit_population(
        columns(x), y.astype(np.float64), person, ridge=OFTEN_RIDGE, person_ridge=PERSON_RIDGE
    )
    return fitted.score(columns(asked))


def numbered(survey: Sequence[Row]) -> Ints:
    """Each moment's respondent as a number."""
    return np.unique([said["respondent"] for said in survey], return_inverse=True)[1]


def taught(
    survey: list[Row],
    part: Ints,
    settings: OthersSettings,
    seed: int,
    tell: Callable[[str], None],
) -> Floats:
    """The teacher's log-odds of each moment, never by a model that was fitted on its respondent."""
    own = np.flatnonzero(part == TRAIN)
    people = sorted({survey[at]["respondent"] for at in own})
    order = np.random.default_rng([seed, 3]).permutation(len(people))
    fold = {people[who]: place % settings.folds for place, who in enumerate(order)}
    mine = np.array([fold.get(said["respondent"], settings.folds) for said in survey])
    mine[part != TRAIN] = settings.folds
    scores = np.zeros(len(survey))
    for one in range(settings.folds + 1):
        tell(f"models {one + 1} of {settings.folds + 1}")
        asked = np.flatnonzero(mine == one)
        if not len(asked):
            continue
        models = Others([survey[at] for at in own if mine[at] != one], settings, seed=seed)
        scores[asked] = models.scores([survey[at] for at in asked])["both"]
    return scores


def by_class(score: Floats) -> Floats:
    """One column a label."""
    return np.stack([-0.5 * score, 0.5 * score], axis=1)


def task(recipe: Recipe, given: Given) -> Tabular:
    """The task, of the survey that the recipe or --sets names; InputError where it is not there."""
    (read, *_) = sources(recipe, READS, given).own
    path = (read.path or Path()) / FILE

    def survey() -> list[Row]:
        rows = load(path)
        read.unchanged()
        if len({said["respondent"] for said in rows}) < 10:
            raise InputError(
                f"{path} has fewer than ten respondents.", "Take the survey as it is published."
            )
        return rows

    def corpus(
        settings: RankerSettings, seed: int, tell: Callable[[str], None]
    ) -> tuple[Rows, Peer]:
        tell("moments of the survey")
        rows = survey()
        x, y, part = numbers(rows), answers(rows), parts(rows, settings, seed)
        own = part == TRAIN
        habit = by_habit(
            x[own], y[own], numbered([r for r, o in zip(rows, own, strict=True) if o]), x
        )
        many, which = copied(x, part, settings, seed)
        return (
            Rows(x=many, y=y[which], part=part[which]),
            Peer("kind and own visits", by_class(habit[which])),
        )

    def teach(
        settings: OthersSettings, corpus: RankerSettings, seed: int, tell: Callable[[str], None]
    ) -> Floats:
        rows = survey()
        part = parts(rows, corpus, seed)
        _, which = copied(numbers(rows), part, corpus, seed)
        return by_class(taught(rows, part, settings, seed, tell))[which]

    return Tabular(
        task="ranker",
        features=tuple(Feature(name, unit) for name, unit in FEATURES),
        labels=LABELS,
        corpus=corpus,
        corpus_settings=RankerSettings,
        corpus_revision=1,
        corpus_limits={
            "copies": (0, 100),
            "unknown": (0.0, 1.0),
            "valid": (0.01, 0.45),
            "test": (0.01, 0.45),
        },
        reads=READS,
        files=(path,),
        teacher=OwnTeacher(
            words="linear model, trees and kernel together, told all that the survey asked",
            settings=OthersSettings,
            limits=TEACHER_LIMITS,
            revision=1,
            scores=teach,
        ),
    )
