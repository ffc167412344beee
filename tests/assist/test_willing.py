"""A person's own willingness: what evidence moves, what is lent to other topics, and how the old gives way."""

from __future__ import annotations

import random
from math import exp, log
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.assist.explain import why
from hearthway.assist.gate import shift
from hearthway.assist.memory import Answered, Meal, Memory, Said, topics
from hearthway.assist.willing import HALF_LIFE_S, Heard, Willing, log_odds, step, willing
from hearthway.learn.outcome import learn_said
from hearthway.records.suggestion import AnswerKind, Silence, Suggestion

DAY = 86_400.0
DINNER, LUNCH = topics("dinner", "restaurant"), topics("lunch", "restaurant")

pieces = st.builds(
    Heard,
    st.integers(0, 200).map(lambda n: n * DAY / 4),
    st.sampled_from(["s1", "s2", "s3"]),
    st.booleans(),
    st.sampled_from([0.125, 0.375, 1.0]),
    st.floats(0.0, 1.0),
    st.sampled_from([DINNER, LUNCH, topics("lunch", "pub"), ()]),
)


def heard(day: float, *, yes: bool, about: tuple[str, ...] = DINNER, p: float = 0.7) -> Heard:
    return Heard(day * DAY, f"s{day}", yes, 1.0, p, about)


@settings(max_examples=60, deadline=None)
@given(told=st.lists(pieces, max_size=25), seed=st.integers(0, 2**32))
def test_order_and_repetition_change_not_a_bit(told: list[Heard], seed: int) -> None:
    draw = random.Random(seed)
    again = [*told, *draw.sample(told, len(told) // 2)]
    draw.shuffle(again)
    assert willing(again) == willing(told)


@settings(max_examples=60, deadline=None)
@given(told=st.lists(pieces, max_size=12), p=st.floats(0.05, 0.95))
def test_a_yes_raises_and_a_no_lowers_what_it_was_about(told: list[Heard], p: float) -> None:
    day = 60.0
    now_s = day * DAY
    before = willing(told).offset(now_s, DINNER)
    for yes in (True, False):
        after = willing([*told, heard(day, yes=yes, p=p)]).offset(now_s, DINNER)
        assert (after > before) is yes


def test_one_topic_lends_to_another_and_keeps_most_for_itself() -> None:
    now_s, told = 30 * DAY, [heard(day, yes=False) for day in range(20, 30)]
    own = willing(told)
    same, shared = own.offset(now_s, DINNER), own.offset(now_s, topics("lunch", "restaurant"))
    stranger = own.offset(now_s, topics("coffee", "cafe"))
    assert same < shared < stranger < -0.2
    liked = willing(
        [
            *told,
            *(heard(day + 0.5, yes=True, about=topics("coffee", "cafe")) for day in range(20, 30)),
        ]
    )
    assert liked.offset(now_s, DINNER) < -0.5
    assert liked.offset(now_s, topics("coffee", "cafe")) > 0.2


def test_evidence_fades_to_nothing_known() -> None:
    own = willing([heard(0, yes=False)])
    assert own.offset(HALF_LIFE_S) == pytest.approx(0.5 * own.offset(0.0))
    assert abs(own.offset(20 * HALF_LIFE_S, DINNER)) < 1e-5
    assert own.offset(-DAY) == own.offset(0.0), "nothing grows backwards"
    assert Willing(0.0, {}).offset(0.0, DINNER) == 0.0


def test_the_first_answer_moves_to_the_mode_of_the_posterior() -> None:
    moved, shrunk = step(0.3, 2.0, yes=False, weight=0.5)
    grid = [n / 10_000 for n in range(-50_000, 50_001)]
    best = max(grid, key=lambda x: -0.5 * log(1.0 + exp(0.3 + x)) - x * x / 4.0)
    assert moved == pytest.approx(best, abs=1e-4)
    assert 0.0 < shrunk < 1.0
    assert step(0.3, 0.0, yes=True) == (0.0, 0.0)
    assert step(0.3, 1.0, yes=True, weight=0.0) == (0.0, 0.0)


def test_a_changed_life_is_relearned_within_days() -> None:
    """Two months of yes to what was thought likely, then a new job: one refused word a day for a week."""
    settled = [heard(day, yes=True) for day in range(60)]
    liked = shift(0.7, willing(settled).offset(60 * DAY, DINNER))
    changed = [heard(60 + day, yes=False) for day in range(7)]
    course = [
        shift(0.7, willing(settled + changed[: n + 1]).offset((61 + n) * DAY, DINNER))
        for n in range(7)
    ]
    assert liked > 0.9
    assert course == sorted(course, reverse=True)
    assert course[2] < 0.7, "on the third day it is below what anybody would have thought"
    assert course[6] < 0.4
    for_ever = willing([*(heard(n / 100, yes=True) for n in range(60)), heard(1, yes=False)])
    assert for_ever.offset(DAY, DINNER) > 0.8, "the same answers in an hour are no change of life"


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_what_was_certain_still_learns(p: float) -> None:
    own = willing([heard(0, yes=p == 0.0, p=p)])
    assert own.offset(0.0, DINNER) != 0.0
    assert abs(log_odds(p)) < 20.0


# the notes of a memory -----------------------------------------------------------------------------------------


def said(day: float, number: int = 1, **changes: object) -> Said:
    facts: dict[str, object] = {
        "time_s": day * DAY,
        "suggestion_id": f"s{number}",
        "day": int(day),
        "need": "dinner",
        "p_useful": 0.7,
        "osm_ids": ("node/1", "node/2"),
        "p_before": 0.7,
        "kind": "restaurant",
    }
    return Said(**{**facts, **changes})  # type: ignore[arg-type]  # the fields above


def ate(day: float, osm_id: str, after_min: float = 30.0) -> Meal:
    start = day * DAY + after_min * 60
    pois = ((osm_id, 1.0),)
    return Meal(
        time_s=start, end_s=start + 3000, quarter=0, day=int(day), lat=0.0, lon=0.0, pois=pois
    )


def answered(day: float, kind: AnswerKind, number: int = 1) -> Answered:
    return Answered(time_s=day * DAY + 60, suggestion_id=f"s{number}", kind=kind, need="dinner")


def own(*notes: Said | Meal | Answered) -> Memory:
    memory = Memory(person="anna")
    for note in notes:
        if isinstance(note, Said):
            memory = memory.spoke(note)
        elif isinstance(note, Meal):
            memory = memory.meal(note)
        else:
            memory = memory.heard(note)
    return memory


def at(memory: Memory, day: float = 11.0) -> float:
    return memory.offset(day * DAY, "dinner", "restaurant")


def test_what_the_person_then_did_counts_without_an_answer() -> None:
    silent = own(said(10))
    went = own(said(10), ate(10, "node/2"))
    elsewhere = own(said(10), ate(10, "node/9"))
    ignored = own(said(10), answered(10, AnswerKind.IGNORED))
    assert at(silent) == 0.0
    assert at(went) > 0.1
    assert at(elsewhere) < 0.0
    assert at(own(said(10), answered(10, AnswerKind.IGNORED), ate(10, "node/1"))) > at(ignored)
    assert at(ignored) < at(elsewhere), "hungry all the same"
    assert at(own(said(10), ate(10, "node/1", after_min=100))) == 0.0
    assert at(own(said(10), ate(10, "node/1", after_min=-10))) == 0.0, "it began before the word"
    charging = said(10, need="charge", kind="charger")
    assert own(charging, ate(10, "node/1")).offset(11 * DAY, "charge", "charger") == 0.0


def test_a_deed_is_known_when_it_is_over() -> None:
    memory = own(said(10), ate(10, "node/1"))
    eating_s, over_s = 10 * DAY + 3600, 10 * DAY + 30 * 60 + 3000
    assert memory.offset(eating_s, "dinner", "restaurant") == 0.0
    assert memory.offset(over_s, "dinner", "restaurant") > 0.0
    assert own(said(10)).offset(eating_s, "dinner", "restaurant") == 0.0


def test_learning_is_from_what_was_believed_before_ones_own_answers() -> None:
    """A gate that already expects a no is not surprised by one; the evidence is the same all the same."""
    told = own(said(10), answered(10, AnswerKind.DISMISS))
    moved = own(said(10, p_useful=0.3), answered(10, AnswerKind.DISMISS))
    assert at(told) == at(moved) < 0.0
    unknown = own(said(10, p_useful=0.3, p_before=None), answered(10, AnswerKind.DISMISS))
    assert at(unknown) > at(told)


def test_the_highest_of_the_kinds_that_may_come_first_is_a_bound() -> None:
    memory = own(said(10), answered(10, AnswerKind.DISMISS))
    each = {k: memory.offset(11 * DAY, "dinner", k) for k in ("restaurant", "pub")}
    assert each["restaurant"] < each["pub"] < 0.0
    assert memory.offset(11 * DAY, "dinner", None) == each["pub"]


def test_what_is_derived_is_no_part_of_the_bytes_and_follows_the_notes() -> None:
    memory = own(said(10), answered(10, AnswerKind.DISMISS))
    before = memory.dump()
    first = at(memory)
    assert memory.dump() == before
    assert Memory.load(before) == memory
    assert at(Memory.load(before)) == first
    assert at(memory.heard(answered(10.5, AnswerKind.DISMISS))) < first
    assert at(memory) == first


# the moment that follows ---------------------------------------------------------------------------------------


def answered_before(world: Any, kind: AnswerKind, need: str, count: int) -> Memory:
    """Twenty dinners at one place, and then that many answers to suggestions of a month."""
    memory: Memory = world.dining({"node/1": 20})
    for n in range(count):
        time_s = world.at(12.0, day=60 + n)
        note = said(time_s / DAY, n, need=need)
        memory = memory.spoke(note)
        memory = memory.heard(
            Answered(time_s=time_s + 60, suggestion_id=f"s{n}", kind=kind, need=need)
        )
    return memory


def test_answers_move_what_the_gate_believes_and_why_says_so(world: Any) -> None:
    def moment(kind: AnswerKind, need: str, count: int) -> Suggestion:
        memory = answered_before(world, kind, need, count)
        found = world.assistant().consider(world.drive(), memory)
        assert isinstance(found, Suggestion)
        return found

    new = moment(AnswerKind.ACCEPT, "dinner", 0)
    liked = moment(AnswerKind.ACCEPT, "dinner", 3)
    lunches = moment(AnswerKind.ACCEPT, "lunch", 3)
    assert new.p_before == liked.p_before == lunches.p_before == new.p_useful
    assert new.p_useful < lunches.p_useful < liked.p_useful
    assert not any("Your own answers and deeds" in line for line in why(new))
    told = f"Your own answers and deeds moved p from {liked.p_before:.2f} to {liked.p_useful:.2f}."
    assert any(told in line for line in why(liked))
    kept = learn_said(Memory(person="anna"), liked).said[0]
    best = max(liked.options, key=lambda o: o.utility)
    assert (kept.believed, kept.kind) == (liked.p_before, best.poi.kind)


def test_a_person_who_always_refuses_is_left_alone(world: Any) -> None:
    refused = answered_before(world, AnswerKind.DISMISS, "dinner", 38)
    silent = world.assistant().consider(world.drive(), refused)
    assert isinstance(silent, Silence)
    assert silent.code == "not-worth-interrupting"
