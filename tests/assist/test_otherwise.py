"""What `why` says would change it: each sentence is carried out, and the engine asked again."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.assist.student_of_others import ranker

from hearthway.assist.engine import Assistant, Proposal
from hearthway.assist.explain import p_needed, why
from hearthway.assist.memory import Memory
from hearthway.assist.needs.meal import rank
from hearthway.assist.needs.meal.settings import EATEN_OFTEN
from hearthway.assist.otherwise import below
from hearthway.assist.ranker import Ranker
from hearthway.records.company import Companion, TasteTold
from hearthway.records.poi import OpenState
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Option, Reason, Silence, Suggestion
from hearthway.records.venue import Wait

IDS = ("node/1", "node/2", "node/3", "node/4")
ALIKE = re.compile(r"Were both alike in “(.+)”, (.+) would come before (.+)\.")
OPEN = re.compile(r"Were (.+) known to be open well beyond your coming, it would come first: .+")
WAIT = re.compile(r"A wait above (\d+) min at (.+) would put (.+) first\.")
SILENT = re.compile(r"A wait above (\d+) min at (.+) would have left nothing .+")
WHATEVER = re.compile(r"Whatever the wait at (.+), what has unknown hours stays behind .+")
NO_ONE = re.compile(r"No single reason: (.+) leads (.+) by [\d.]+ min\.")
LESS = re.compile(r"Had it been less likely .+ \(p below ([\d.]+) instead of [\d.]+\), .+")

some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
meals = st.dictionaries(st.sampled_from(IDS), st.integers(1, 25), min_size=1)
opened = st.dictionaries(
    st.sampled_from(IDS), st.sampled_from((OpenState.OPEN, OpenState.UNKNOWN)), min_size=2
)
waits = st.dictionaries(st.sampled_from(IDS), st.none() | st.integers(0, 25))


class Case:
    """One drive of the small town, and what is said of it with one thing changed."""

    def __init__(
        self,
        world: Any,
        eaten: dict[str, int],
        hours: dict[str, OpenState],
        minutes: dict[str, float | None],
        asked: Ranker | None = None,
        company: tuple[Companion, ...] = (),
    ) -> None:
        self.world, self.memory, self.hours, self.minutes = (
            world,
            world.dining(eaten),
            hours,
            minutes,
        )
        self.ranker = asked
        self.company = company

    def said(self, *, p: float = 1.0, **changes: Any) -> Suggestion | Silence:
        """The engine's word, and where it says none at once its reason; `p`: of the destinations, times so much."""
        hours = {"node/6": OpenState.CLOSED, **self.hours, **changes.get("hours", {})}
        minutes = {**self.minutes, **changes.get("minutes", {})}
        told = {i: Wait(osm_id=i, minutes=m) for i, m in sorted(minutes.items()) if m is not None}
        drive: Situation = self.world.drive()
        goals = tuple(msgspec.structs.replace(d, p=d.p * p) for d in drive.destinations)
        drive = msgspec.structs.replace(drive, destinations=goals)
        asked: Assistant = self.world.assistant(
            pois=self.world.town(self.world.pois, hours), ranker=self.ranker
        )
        asked.company = self.company
        memory: Memory = self.memory
        found = asked.propose(drive, memory)
        return asked.decide(found, told, memory) if isinstance(found, Proposal) else found


def first_of(said: Suggestion | Silence) -> str:
    """The name shown first; empty where nothing is said yet, for waiting a little is worth more."""
    if isinstance(said, Silence):
        assert said.code == "too-early", said
        return ""
    return said.options[0].poi.name


def shown(said: Suggestion, name: str) -> Option:
    return next(o for o in said.options if o.poi.name == name)


def alike(case: Case, lead: Option, rival: Option, feature: str) -> Suggestion | Silence:
    """The rival weighed as the lead is in that reason."""
    weight = next((r.weight for r in lead.reasons if r.feature == feature), 0.0)
    real = rank.reasons_of

    def reasons(candidate: Any, wait: Any, taste: Any, company: Any = ()) -> tuple[Reason, ...]:
        found = real(candidate, wait, taste, company)
        if candidate.poi.osm_id != rival.poi.osm_id:
            return found
        others = (r for r in found if r.feature != feature)
        return (*others, Reason(feature=feature, weight=weight, words="as the other"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rank, "reasons_of", reasons)
        return case.said()


def carry_out(case: Case, said: Suggestion, line: str) -> str:
    """Does as the line says, and is sure that it is right; the kind of line."""
    if match := ALIKE.fullmatch(line):
        lead, rival = shown(said, match[3]), shown(said, match[2])
        feature = next(r.feature for r in (*lead.reasons, *rival.reasons) if r.words == match[1])
        assert first_of(alike(case, lead, rival, feature)) in ("", match[2]), line
        return "alike"
    if match := OPEN.fullmatch(line):
        osm_id = shown(said, match[1]).poi.osm_id
        assert first_of(case.said(hours={osm_id: OpenState.OPEN})) in ("", match[1]), line
        return "open"
    if match := WAIT.fullmatch(line):
        lead = shown(said, match[2])
        for more, first in ((0.01, match[3]), (-1.0, match[2]), (30.0, match[3])):
            minutes = {lead.poi.osm_id: max(0.0, float(match[1]) + more)}
            assert first_of(case.said(minutes=minutes)) in ("", first), (line, more)
        return "wait"
    if match := SILENT.fullmatch(line):
        minutes = {shown(said, match[2]).poi.osm_id: float(match[1]) + 0.01}
        silent = case.said(minutes=minutes)
        assert isinstance(silent, Silence), line
        assert silent.code == "not-worth-interrupting", line
        return "silent"
    if match := WHATEVER.fullmatch(line):
        minutes = {shown(said, match[1]).poi.osm_id: 20.0}
        after = case.said(minutes=minutes)
        if isinstance(after, Suggestion):
            assert not after.options[0].comes_last, line
        return "whatever"
    if match := NO_ONE.fullmatch(line):
        lead, rival = shown(said, match[1]), shown(said, match[2])
        for feature in {r.feature for r in (*lead.reasons, *rival.reasons)}:
            assert first_of(alike(case, lead, rival, feature)) in ("", match[1]), line
        return "none"
    match = LESS.fullmatch(line)
    assert match is not None, line
    silent = case.said(p=(float(match[1]) - 1e-6) / said.p_useful)
    assert isinstance(silent, Silence), line
    return "less"


def changes(said: Suggestion) -> list[str]:
    lines = why(said)
    if "What would change it:" not in lines:
        return []
    rest = lines[lines.index("What would change it:") + 1 :]
    return [line.strip() for line in rest[: rest.index("")]]


@some
@given(eaten=meals, hours=opened, minutes=waits)
@example(  # but for the walk two are as good: neither would come before the other
    eaten={"node/1": 21},
    hours={"node/1": OpenState.UNKNOWN, "node/2": OpenState.OPEN, "node/3": OpenState.OPEN},
    minutes={},
)
def test_every_sentence_is_true_when_it_is_carried_out(
    world: Any,
    eaten: dict[str, int],
    hours: dict[str, OpenState],
    minutes: dict[str, float | None],
) -> None:
    case = Case(world, eaten, hours, minutes)
    said = case.said()
    if isinstance(said, Suggestion):
        for line in changes(said):
            carry_out(case, said, line)


@some
@given(
    eaten=meals,
    hours=opened,
    minutes=waits,
    takeaway=st.floats(-3.0, 3.0),
    visits=st.floats(-0.5, 0.5),
)
def test_and_so_is_every_one_where_others_answers_rank(
    world: Any,
    eaten: dict[str, int],
    hours: dict[str, OpenState],
    minutes: dict[str, float | None],
    takeaway: float,
    visits: float,
) -> None:
    asked = ranker({"sort.takeaway": takeaway, "visits": visits})
    case = Case(world, eaten, hours, minutes, asked)
    said = case.said()
    if isinstance(said, Suggestion):
        for line in changes(said):
            carry_out(case, said, line)


likings = st.lists(
    st.builds(
        TasteTold,
        called=st.sampled_from(("Sam", "Kim", "")),
        meals=st.floats(0.0, 20.0),
        cuisines=st.dictionaries(
            st.sampled_from(("finnish", "italian", "thai", "burger")), st.floats(0.0, 1.0)
        ).map(lambda found: tuple(found.items())),
        kinds=st.dictionaries(
            st.sampled_from(("restaurant", "fast_food")), st.floats(0.0, 1.0)
        ).map(lambda found: tuple(found.items())),
    ),
    min_size=1,
    max_size=3,
).map(lambda found: tuple(Companion(person=f"p{n}", taste=t) for n, t in enumerate(found)))


@some
@given(eaten=meals, hours=opened, minutes=waits, company=likings)
def test_and_so_is_every_one_with_others_in_the_car(
    world: Any,
    eaten: dict[str, int],
    hours: dict[str, OpenState],
    minutes: dict[str, float | None],
    company: tuple[Companion, ...],
) -> None:
    case = Case(world, eaten, hours, minutes, company=company)
    said = case.said()
    if isinstance(said, Suggestion):
        for option in said.options:
            words = [r.words for r in option.reasons]
            assert len(words) == len(set(words)), "each sentence names one reason"
        for line in changes(said):
            carry_out(case, said, line)


def test_what_others_rather_take_is_named_where_it_decides(world: Any) -> None:
    known = dict.fromkeys(IDS, OpenState.OPEN)
    asked = ranker({"sort.takeaway": 3.0})
    case = Case(world, {"node/1": 16, "node/4": 12}, known, dict.fromkeys(IDS, 3), asked)
    said = case.said()
    assert isinstance(said, Suggestion)
    assert said.options[0].poi.kind == "fast_food"
    told = [line for line in changes(said) if "others with such habits take it" in line]
    assert told
    assert carry_out(case, said, told[0]) == "alike"


def favourite_without_hours(world: Any) -> Case:
    """Four dinners at the place that keeps no hours, one fewer than would stand for them, and long waits at the others."""
    hours = {"node/1": OpenState.OPEN, "node/2": OpenState.OPEN, "node/4": OpenState.UNKNOWN}
    eaten = {"node/1": 8, "node/2": 8, "node/4": EATEN_OFTEN - 1}
    return Case(world, eaten, hours, {"node/1": 30, "node/2": 25})


def test_a_favourite_of_few_meals_without_hours_stands_behind_and_is_said_to(world: Any) -> None:
    case = favourite_without_hours(world)
    said = case.said()
    assert isinstance(said, Suggestion)
    favourite, first = shown(said, "Grilli D"), said.options[0]
    assert favourite.utility > first.utility, "the case: its minutes alone would put it first"
    assert {carry_out(case, said, line) for line in changes(said)} >= {"open", "wait", "less"}
    text = why(said)
    assert not any("would come before Grilli D" in line for line in text)
    number = said.options.index(favourite) + 1
    assert any(
        line.startswith(f"{number}. Grilli D") and "its hours are unknown" in line for line in text
    )
    worth = next(r for r in said.reasons if r.feature == "best-option")
    assert f"Grilli D, the best of those shown, and number {number} only for" in worth.words
    assert worth.weight == pytest.approx(said.p_useful * favourite.utility)


def test_the_one_put_first_by_its_minutes_is_called_nothing_else(world: Any) -> None:
    case = Case(world, {"node/1": 20}, dict.fromkeys(IDS, OpenState.OPEN), {"node/1": 3})
    said = case.said()
    assert isinstance(said, Suggestion)
    worth = next(r for r in said.reasons if r.feature == "best-option")
    assert worth.words == f"Ravintola A: {said.options[0].utility:+.1f} min"


def test_a_probability_is_never_rounded_up(world: Any) -> None:
    assert [below(p) for p in (0.6, 0.6165, 0.619999, 0.62)] == ["0.60", "0.61", "0.61", "0.62"]
    said = favourite_without_hours(world).said()
    assert isinstance(said, Suggestion)
    needed = p_needed(said)
    assert needed is not None
    assert float(below(needed)) <= needed + 1e-9
