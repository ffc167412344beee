"""What people in general say yes to at such a moment: the student `ranker` reads what a node knows, and unknown is legal.

A person's own counts say already when they eat, and where: of what the student says only the order is used. Of the kinds of
POI that stand beside one another, which one people with such habits rather take at this hour, on a way that leads there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import fsum, log1p
from typing import TYPE_CHECKING

from msgspec import Struct

from hearthway.records.errors import StudentError
from hearthway.records.localtime import local_second
from hearthway.records.situation import Situation

from .company import called_by_ranker
from .memory import DAY_S, Meal

if TYPE_CHECKING:
    from hearthway.student.plain import PlainStudent

TASK = "ranker"
OTHERS = "others"  # the reason's feature
LABELS = ("no", "yes")
NAN = float("nan")
SORTS = ("coffee", "takeaway", "restaurant", "bar")
SORT_OF = {  # kind of a POI -> what the survey calls it; what one pays there no map tells
    "cafe": "coffee",
    "fast_food": "takeaway",
    "food_court": "takeaway",
    "restaurant": "restaurant",
    "pub": "bar",
    "bar": "bar",
    "biergarten": "bar",
}
HOURS = (7.0, 10.0, 14.0, 18.0, 22.0)  # at which people were asked; between two, a part of each
GOALS = ("home", "work", "elsewhere")
COMPANY = ("alone", "partner", "friends", "children")
FAR_MIN = (15.0, 25.0)
FEATURES = (
    *((f"sort.{one}", "share") for one in SORTS),
    ("visits", "log(1 + visits a month)"),
    *((f"hour.{one:.0f}", "share") for one in HOURS),
    *((f"goal.{one}", "share") for one in GOALS),
    *((f"company.{one}", "share") for one in COMPANY),
    ("air", "celsius"),
    *((f"way.{one:.0f}min", "0 or 1") for one in FAR_MIN),
)
MOST = 1.5  # log-odds: others' answers put no kind farther from the mean of those at hand
HABIT_S, HABIT_DAYS = 60 * DAY_S, 14.0  # visits are counted over so long, from so many days on
MONTH_S = 30 * DAY_S


class Moment(Struct, frozen=True, kw_only=True):
    """What a node knows as it would speak; None: unknown. `sort` is one of `SORTS`."""

    sort: str
    visits_month: float | None = None  # own visits a month to POIs of that sort
    hour: float | None = None  # of the local day, 0 to 24
    goal: str | None = None  # where the trip leads, one of `GOALS`
    company: str | None = None  # one of `COMPANY`
    air_c: float | None = None
    way_min: float | None = None  # until one would be there


def row(moment: Moment) -> list[float]:
    """The numbers of `FEATURES`, in their order; NaN where unknown."""
    return [
        *_one_of(moment.sort, SORTS),
        NAN if moment.visits_month is None else log1p(moment.visits_month),
        *_hours(moment.hour),
        *_one_of(moment.goal, GOALS),
        *_one_of(moment.company, COMPANY),
        NAN if moment.air_c is None else moment.air_c,
        *(NAN if moment.way_min is None else float(moment.way_min >= far) for far in FAR_MIN),
    ]


def _one_of(value: str | None, among: Sequence[str]) -> list[float]:
    return [NAN if value is None else float(value == one) for one in among]


def _hours(hour: float | None) -> list[float]:
    if hour is None:
        return [NAN] * len(HOURS)
    shares = [0.0] * len(HOURS)
    for at, before in enumerate(HOURS):
        after = (at + 1) % len(HOURS)
        span = (HOURS[after] - before) % 24.0
        since = (hour - before) % 24.0
        if since < span:
            shares[at], shares[after] = 1.0 - since / span, since / span
    return shares


class Ranker:
    """One student, asked about moments. The same moment has the same answer, whatever was asked before."""

    def __init__(self, data: bytes, where: str = "the bytes") -> None:
        """StudentError where the bytes are no student for this version's moments."""
        from hearthway.student.plain import PlainStudent

        self.student: PlainStudent = PlainStudent(data, where)
        if (
            self.student.features != tuple(name for name, _ in FEATURES)
            or self.student.labels != LABELS
        ):
            raise StudentError(
                f"{where}: made for another version of Hearthway.",
                "Distil it again: `hearthway distill ranker`.",
            )
        self.identity = self.student.identity

    def says(self, moment: Moment) -> float:
        """Log-odds of a yes."""
        no, yes = self.student.logits(row(moment))
        return (yes - no) * self.student.scale

    def preferred(self, moments: Mapping[str, Moment]) -> dict[str, float]:
        """By kind, how much rather people take it than the mean of these kinds: log-odds, at most `MOST` either way."""
        each = {moment: self.says(moment) for moment in set(moments.values())}
        said = {kind: each[moment] for kind, moment in sorted(moments.items())}
        mean = fsum(said.values()) / len(said) if said else 0.0
        return {kind: min(MOST, max(-MOST, score - mean)) for kind, score in said.items()}


def moments(
    situation: Situation, meals: Sequence[Meal], kinds: Collection[str], *, label: str
) -> dict[str, Moment]:
    """This moment for each of these kinds of POI that the survey knows; `meals`: this person's out, `label`: of where one heads."""
    air_c = situation.battery.air_c if situation.battery is not None else None
    hour = local_second(situation.time_s, situation.utc_offset_s) / 3600.0
    visits, company = visits_month(meals, situation), called_by_ranker(situation)
    return {
        kind: Moment(
            sort=SORT_OF[kind],
            visits_month=None if visits is None else visits.get(SORT_OF[kind], 0.0),
            hour=hour,
            goal=label if label in GOALS else "elsewhere",
            company=company,
            air_c=air_c,
        )
        for kind in sorted(kinds)
        if kind in SORT_OF
    }


def visits_month(meals: Sequence[Meal], situation: Situation) -> dict[str, float] | None:
    """Visits a month by sort over the last two months; None as long as fewer than two weeks are known."""
    if situation.days_known < HABIT_DAYS:
        return None
    known_s = min(HABIT_S, situation.days_known * DAY_S)
    counts: dict[str, float] = {}
    for meal in meals:
        if situation.time_s - known_s <= meal.time_s <= situation.time_s:
            for tag, share in meal.tags:
                sort = SORT_OF.get(tag.removeprefix("kind:"))
                if sort is not None and tag.startswith("kind:"):
                    counts[sort] = counts.get(sort, 0.0) + share
    return {sort: count * MONTH_S / known_s for sort, count in counts.items()}
