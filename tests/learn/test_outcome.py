"""Answers change what comes later; the fold commutes, repeats and forgets without a trace."""

from __future__ import annotations

import random
from math import fsum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.assist import gate
from hearthway.assist.memory import KEEP, Answered, Memory, Said, with_note
from hearthway.assist.settings import GateSettings
from hearthway.assist.taste import taste_of
from hearthway.learn.outcome import Event, learn_answer, learn_said, learn_visit, relearn
from hearthway.records.errors import WireError
from hearthway.records.poi import Opening, OpenState, Poi
from hearthway.records.situation import MealVisit, Situation
from hearthway.records.suggestion import Answer, AnswerKind, Option, Suggestion
from hearthway.records.venue import Wait

T0 = 1_750_000_000.0
DAY = 86_400.0
NOW = T0 + 50 * DAY


def visit(day: float, osm_id: str = "node/1", **changes: Any) -> MealVisit:
    facts: dict[str, Any] = {
        "start_s": T0 + day * DAY,
        "end_s": T0 + day * DAY + 3000,
        "osm_id": osm_id,
        "lat": 60.17,
        "lon": 24.94,
    }
    return MealVisit(**{**facts, **changes})


def answer(kind: AnswerKind, day: float = 49.0, osm_id: str = "node/1", **changes: Any) -> Answer:
    facts: dict[str, Any] = {
        "suggestion_id": "s1",
        "person": "anna",
        "kind": kind,
        "time_s": T0 + day * DAY,
        "osm_id": osm_id,
        "cuisines": ("thai",),
    }
    return Answer(**{**facts, **changes})


def situation(now_s: float = NOW) -> Situation:
    return Situation(
        time_s=now_s,
        utc_offset_s=10_800,
        person="anna",
        mode="driving",
        lat=60.1,
        lon=24.9,
        speed_mps=8.0,
    )


def suggestion(day: float = 48.9, suggestion_id: str = "s1") -> Suggestion:
    poi = Poi(osm_id="node/1", kind="restaurant", name="A", lat=60.17, lon=24.94)
    option = Option(
        poi=poi,
        utility=0.0,
        opening=Opening(state=OpenState.OPEN),
        arrive_s=T0,
        detour_s=0.0,
        walk_m=0.0,
        wait=Wait(osm_id="node/1"),
    )
    return Suggestion(
        suggestion_id=suggestion_id,
        need="dinner",
        person="anna",
        time_s=T0 + day * DAY,
        utc_offset_s=10_800,
        headline="",
        lines=(),
        options=(option,),
        reasons=(),
        p_useful=0.8,
        utility=1.0,
        threshold=0.0,
        propensity=1.0,
        situation=situation(),
    )


def ranking(memory: Memory) -> float:
    taste = taste_of(memory, NOW)
    return taste.verdicts.get("node/1", 0.0) + taste.share("cuisine:thai")


def gating(memory: Memory) -> tuple[float, float]:
    """(offset in log-odds, what an unwanted word costs)."""
    cost = fsum(r.weight for r in gate.costs(situation(), memory, GateSettings()))
    return memory.offset(NOW), cost


@pytest.mark.parametrize(
    ("kind", "better"),
    [
        (AnswerKind.ACCEPT, True),
        (AnswerKind.DISMISS, False),
        (AnswerKind.NOT_NOW, False),
        (AnswerKind.IGNORED, False),
        (AnswerKind.NEVER_HERE, False),
    ],
)
@pytest.mark.parametrize("about", ["node/1", ""])
def test_every_answer_changes_ranking_and_gating(
    kind: AnswerKind, better: bool, about: str
) -> None:
    before = learn_said(relearn("anna", [visit(d) for d in range(5)]), suggestion())
    after = learn_answer(before, answer(kind, osm_id=about))
    assert (ranking(after) > ranking(before)) is better
    assert ranking(after) != ranking(before)
    assert (gating(after)[0] > gating(before)[0]) is better
    assert gating(after)[0] != gating(before)[0]
    assert gating(after)[1] >= gating(before)[1]
    assert ("node/1" in after.unwanted()) is (kind is AnswerKind.NEVER_HERE)


def test_a_refusal_costs_less_as_it_ages_and_never_silences_for_ever() -> None:
    memory = Memory(person="anna")
    for day in range(10):
        memory = learn_answer(memory, answer(AnswerKind.DISMISS, day=day))
    offsets = [memory.offset(T0 + d * DAY) for d in (10, 60, 400)]
    assert offsets == sorted(offsets)
    assert offsets[0] < -1
    assert offsets[-1] > -0.05


def test_an_answer_that_was_surprising_teaches_more() -> None:
    sure = learn_said(Memory(person="anna"), suggestion())
    unsure = sure.said[0]
    doubtful = Memory(person="anna").spoke(
        Said(
            time_s=unsure.time_s,
            suggestion_id="s1",
            day=unsure.day,
            need="dinner",
            p_useful=0.55,
            osm_ids=unsure.osm_ids,
        )
    )
    no = answer(AnswerKind.DISMISS)
    assert learn_answer(sure, no).offset(NOW) < learn_answer(doubtful, no).offset(NOW)


def test_somebody_elses_answer_changes_nothing() -> None:
    memory = relearn("bert", [visit(1)])
    assert learn_answer(memory, answer(AnswerKind.NEVER_HERE)) == memory
    assert learn_said(memory, suggestion()) == memory


def test_a_visit_teaches_cuisine_kind_and_hour(two_houses: Any) -> None:
    memory = learn_visit(Memory(person="anna"), visit(1), two_houses)
    meal = memory.meals[0]
    assert meal.tags == (("cuisine:thai", 1.0), ("kind:restaurant", 1.0))
    assert meal.pois == (("node/1", 1.0),)
    # 15:06:40 UTC is 18:06:40 in Helsinki's summer: quarter hour 72
    assert meal.quarter == 72


def test_a_doubtful_visit_is_shared_by_nearness(two_houses: Any) -> None:
    """The houses are 111 m apart: midway nobody can say, beside one it is plainly that one."""
    midway = visit(1, osm_id="", candidates=("node/2", "node/1"), lat=60.1705)
    memory = learn_visit(Memory(person="anna"), midway, two_houses)
    assert [(i, round(part, 6)) for i, part in memory.meals[0].pois] == [
        ("node/1", 0.5),
        ("node/2", 0.5),
    ]
    assert [tag for tag, _ in memory.meals[0].tags] == [
        "cuisine:pizza",
        "cuisine:thai",
        "kind:fast_food",
        "kind:restaurant",
    ]
    taste = taste_of(memory, NOW)
    assert taste.pois["node/1"] == pytest.approx(taste.pois["node/2"])
    assert taste.counts == {}, "nobody says they have eaten there"
    beside = visit(1, osm_id="", candidates=("node/2", "node/1"), lat=60.17002)
    memory = learn_visit(Memory(person="anna"), beside, two_houses)
    assert [osm_id for osm_id, _ in memory.meals[0].pois] == ["node/1"]
    assert taste_of(memory, NOW).counts == {"node/1": 1}


def test_without_a_map_the_candidates_share_alike() -> None:
    doubtful = visit(1, osm_id="", candidates=("node/2", "node/1"))
    assert learn_visit(Memory(person="anna"), doubtful).meals[0].pois == (
        ("node/1", 0.5),
        ("node/2", 0.5),
    )
    nowhere = visit(1, osm_id="", candidates=())
    assert learn_visit(Memory(person="anna"), nowhere).meals[0].pois == ()


def test_nothing_of_the_future_is_known() -> None:
    memory = relearn("anna", [visit(60), answer(AnswerKind.ACCEPT, day=60)])
    taste = taste_of(memory, NOW)
    assert (taste.meals, taste.pois, taste.verdicts) == (0.0, {}, {})
    assert memory.offset(NOW) == 0.0


EVENTS: list[Event] = [
    *(visit(d, f"node/{1 + d % 2}") for d in range(12)),
    suggestion(20.0, "s1"),
    suggestion(21.0, "s2"),
    answer(AnswerKind.ACCEPT, 20.1),
    answer(AnswerKind.NEVER_HERE, 21.1, "node/2", suggestion_id="s2"),
    answer(AnswerKind.IGNORED, 22.0, "", suggestion_id="s2"),
]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), repeats=st.integers(0, 5))
def test_late_and_repeated_events_give_the_same_bytes(seed: int, repeats: int) -> None:
    draw = random.Random(seed)
    events = [*EVENTS, *draw.choices(EVENTS, k=repeats)]
    draw.shuffle(events)
    assert relearn("anna", events).dump() == relearn("anna", EVENTS).dump()


@settings(max_examples=40, deadline=None)
@given(gone=st.sets(st.integers(0, len(EVENTS) - 1)))
def test_forgetting_equals_never_having_known(gone: set[int]) -> None:
    """What the node holds after forgetting is learned from what remains, and equals a life without it."""
    remains = [e for i, e in enumerate(EVENTS) if i not in gone]
    online = Memory(person="anna")
    for event in remains:
        if isinstance(event, MealVisit):
            online = learn_visit(online, event)
        elif isinstance(event, Answer):
            online = learn_answer(online, event)
        else:
            online = learn_said(online, event)
    assert online.dump() == relearn("anna", remains).dump()


def test_forgotten_strings_are_gone() -> None:
    events: list[Event] = [visit(1, "node/424242"), visit(2)]
    assert b"424242" in relearn("anna", events).dump()
    assert b"424242" not in relearn("anna", events[1:]).dump()


def test_the_memory_survives_its_bytes_and_refuses_others() -> None:
    memory = relearn("anna", EVENTS)
    assert Memory.load(memory.dump()) == memory
    with pytest.raises(WireError):
        Memory.load(b"\xc1 not a memory")


def test_memory_is_bounded_and_still_commutes() -> None:
    notes = [
        Answered(time_s=float(i), suggestion_id="s", kind=AnswerKind.ACCEPT, need="dinner")
        for i in range(KEEP + 50)
    ]

    def fold(order: list[Answered]) -> tuple[Answered, ...]:
        kept: tuple[Answered, ...] = ()
        for note in order:
            kept = with_note(kept, note)
        return kept

    assert fold(notes) == fold(notes[::-1]) == tuple(notes[-KEEP:])
