"""Where a task goes and what becomes of it: forecasts, constraints, hysteresis, and the laws of one task's course."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.offload.course import (
    CHECK_S,
    Answer,
    Ask,
    CallOff,
    Compared,
    Compute,
    Course,
    GiveUp,
)
from hearthway.mesh.offload.estimate import COLD_RATIO, RUN_MAX, Line, Tail
from hearthway.mesh.offload.placement import (
    DOUBT_MAX_S,
    HERE,
    PROBE_MAX_S,
    PROBE_S,
    PROVEN,
    TERMS_OLD_S,
    Choice,
    Helper,
    Placement,
    Weights,
    Wish,
)
from hearthway.records.offload import INPUT_MAX_BYTES, Job, Terms

JOB = Job("detours", "a" * 32)
NEVER = Weights(check=0.0)


def wish(size: float = 100.0, within_s: float = 10.0, sent: int = 1000) -> Wish:
    return Wish(JOB, size, sent, within_s)


def taught(
    here_s: float,
    there_s: float,
    *,
    weights: Weights = NEVER,
    times: int = 25,
    sizes: Any = (100.0,),
) -> Placement:
    """A placement that saw `times` tasks: so many seconds here, and on the phone, at size 100."""
    placement = Placement(weights, random.Random(1))
    placement.told("phone", Terms(jobs=(JOB,)), 0.0)
    for number in range(times):
        size = sizes[number % len(sizes)]
        placement.learn_here(wish(size), here_s * size / 100.0)
        answered(placement, there_s * size / 100.0, size=size, now_s=0.0)
    return placement


def answered(placement: Placement, total_s: float, *, size: float = 100.0, now_s: float) -> None:
    placement.learn(
        wish(size),
        "phone",
        compute_s=total_s / 2,
        waited_s=0.0,
        total_s=total_s,
        rtt_s=0.001,
        back_bytes=1000,
        now_s=now_s,
        chosen=True,
    )
    placement.compared(JOB, "phone", same=True)


PHONE = {"phone": Helper(rtt_s=0.001)}


# forecasts --------------------------------------------------------------------------------------------------


def test_a_line_knows_nothing_before_it_learned() -> None:
    assert Line().at(5.0) is None


def test_a_line_of_one_size_goes_through_the_origin() -> None:
    line = Line()
    line.learn(100.0, 2.0)
    assert line.at(100.0) == pytest.approx(2.0)
    assert line.at(50.0) == pytest.approx(1.0)


@given(st.floats(0.001, 10.0), st.floats(0.0001, 0.1), st.floats(20.0, 2000.0))
def test_a_line_finds_what_it_is_and_follows_a_change(a: float, b: float, x: float) -> None:
    line = Line()
    for size in (10, 1000, 30, 300, 3000) * 10:
        line.learn(size, 1.0 + size)
    for size in (10, 1000, 30, 300, 3000) * 30:
        line.learn(size, a + b * size)
    assert line.at(x) == pytest.approx(a + b * x, rel=0.25)


@given(st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(0.0, 1e4)), min_size=1, max_size=40))
def test_a_line_never_gives_a_negative_or_shrinking_forecast(
    seen: list[tuple[float, float]],
) -> None:
    line = Line()
    for x, y in seen:
        line.learn(x, y)
    low, high = line.at(0.0), line.at(2e6)
    assert low is not None
    assert high is not None
    assert 0.0 < low <= high * (1 + 1e-6)


def test_a_tail_of_nothing_is_wide_and_narrows_with_what_is_seen() -> None:
    tail = Tail()
    assert tail.quantile(0.95) == COLD_RATIO
    for _ in range(3):
        tail.learn(1.0)
    assert tail.quantile(0.95) == COLD_RATIO
    for _ in range(60):
        tail.learn(1.0)
    assert tail.quantile(0.95) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_the_quantile_holds_for_a_skewed_world(seed: int) -> None:
    """One ahead, as it is used: 95 % of log-normal truths lie below, within what 2,000 draws of a moving window allow."""
    rng, tail, below = random.Random(seed), Tail(), 0
    for number in range(2200):
        truth = rng.lognormvariate(0.0, 0.5)
        below += number >= 200 and truth <= tail.quantile(0.95)
        tail.learn(truth)
    assert 0.91 <= below / 2000 <= 0.98


def test_two_misses_on_one_side_are_a_change_and_of_no_spread_one_is_of_the_spread() -> None:
    tail = Tail()
    for _ in range(60):
        tail.learn(1.0)
    assert not tail.learn(3.0)
    assert not tail.learn(0.3)  # on the other side: a spread
    assert tail.quantile(0.99) == 3.0
    assert not tail.learn(3.0)
    assert tail.learn(3.0)
    assert tail.learn(3.0)  # still
    assert not tail.learn(1.0)
    assert tail.quantile(0.99) == 3.0  # that of before, and not those two
    assert tail.quantile(0.95) == 1.0


@pytest.mark.parametrize("ratio", [3.0, 0.2])
def test_what_no_line_learns_is_of_the_tail_after_some_misses(ratio: float) -> None:
    tail = Tail()
    for _ in range(60):
        tail.learn(1.0)
    changes = [tail.learn(ratio) for _ in range(60)]
    assert changes == [False] + [True] * (RUN_MAX - 1) + [False] * (60 - RUN_MAX)
    assert tail.quantile(0.5) == ratio
    assert not tail.learn(ratio)  # it is what is usual by now


@given(st.lists(st.floats(0.0, 1e6), max_size=80))
def test_a_tail_stays_within_what_it_saw(ratios: list[float]) -> None:
    tail = Tail()
    for ratio in ratios:
        tail.learn(ratio)
    assert 0.0 < tail.quantile(0.05) <= tail.quantile(0.95) <= max([COLD_RATIO, *ratios])


@given(st.floats(0.001, 1.0), st.floats(0.001, 0.1), st.floats(0.0, 2000.0))
def test_what_is_forgotten_changes_no_forecast_before_more_is_learned(
    a: float, b: float, x: float
) -> None:
    line = Line()
    for size in (10, 1000, 30):
        line.learn(size, a + b * size)
    before = line.at(x)
    line.forget()
    assert line.at(x) == pytest.approx(before)


def test_a_wait_that_a_helper_does_not_foretell_is_in_its_p95() -> None:
    placement = taught(5.0, 0.2, times=20)
    for number in range(40):
        placement.learn(
            wish(),
            "phone",
            compute_s=0.1,
            waited_s=3.0,
            total_s=3.2,
            rtt_s=0.001,
            back_bytes=1000,
            now_s=1.0 + number,
            chosen=True,
        )
        if number >= RUN_MAX + 1:
            p95_s = placement.place(wish(), PHONE, 1.0 + number).p95_s["phone"]
            assert p95_s == pytest.approx(3.2, rel=0.25)


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_a_helper_that_became_another_is_forecast_anew_after_three_tasks(factor: float) -> None:
    placement = taught(5.0, 1.0)
    for number in range(4):
        answered(placement, factor, now_s=1.0 + number)
    p95_s = placement.place(wish(), PHONE, 5.0).p95_s["phone"]
    assert p95_s == pytest.approx(factor, rel=0.25)


# choosing -----------------------------------------------------------------------------------------------------


def test_the_faster_is_chosen() -> None:
    assert taught(1.0, 0.2).place(wish(), PHONE, 1.0).where == "phone"
    assert taught(0.1, 0.5).place(wish(), PHONE, 1.0).where == HERE


def test_the_slower_tail_counts_and_not_the_mean() -> None:
    """Both take 1 s on average; the phone's every tenth task takes five times as long: this node waits for it no moment."""
    placement = taught(1.0, 0.7)
    assert placement.place(wish(), PHONE, 1.0).here_after_s > 0.0
    for number in range(60):
        answered(placement, 3.5 if number % 10 == 9 else 0.7, now_s=0.0)
    choice = placement.place(wish(), PHONE, 1.0)
    assert choice.p95_s["phone"] > choice.p95_s[HERE]
    assert (choice.where, choice.here_after_s) == ("phone", 0.0)


def test_a_helper_that_was_late_once_is_sure_again_after_some_answers() -> None:
    placement = taught(1.0, 0.2, times=10)
    answered(placement, 4.0, now_s=0.0)
    late = placement.place(wish(), PHONE, 1.0)
    assert (late.where, late.here_after_s) == ("phone", 0.0)
    for number in range(20):
        answered(placement, 0.2, now_s=2.0 + number)
    assert placement.place(wish(), PHONE, 30.0).here_after_s > 0.0


def test_a_helper_that_lost_is_heard_out_now_and_then_so_that_a_slow_one_is_let_go() -> None:
    placement = taught(1.0, 0.2, times=10)
    answered(placement, 4.0, now_s=0.0)
    asked_for, heard = 0, 0
    for number in range(60):  # a task a second; it takes twice as long as this node from now on
        now_s = 1.0 + number
        placement.told("phone", Terms(jobs=(JOB,)), now_s)
        choice = placement.place(wish(), PHONE, now_s)
        asked_for += choice.where == "phone"
        if choice.where == "phone" and choice.learns:
            heard += 1
            answered(placement, 2.0, now_s=now_s + 2.0)
    assert heard <= 3
    assert asked_for < 25


def test_what_is_learned_of_anyway_is_not_heard_out() -> None:
    placement = taught(1.0, 0.2)
    assert not placement.place(wish(), PHONE, PROBE_S / 2).learns
    assert placement.place(wish(), PHONE, PROBE_S).learns
    assert placement.place(wish(), {"phone": Helper(rtt_s=0.02)}, PROBE_S / 2).learns


def test_one_that_only_spares_energy_is_not_asked_where_it_would_spare_none() -> None:
    """It would begin beside this node at once, and both would spend theirs."""
    placement = taught(1.0, 1.5, weights=replace(NEVER, s_per_joule=1.0))
    placement.told(HERE, Terms(watts=5.0), 0.0)
    assert placement.place(wish(), PHONE, 1.0).where == "phone"
    for number in range(10):
        answered(placement, 30.0 if number % 3 == 2 else 1.5, now_s=0.0)
    assert placement.place(wish(), PHONE, 1.0).where == HERE


def test_a_helper_no_tenth_better_is_not_asked_for_what_it_may_be_late_with() -> None:
    placement = taught(1.0, 0.95)
    for number in range(60):
        answered(placement, 3.5 if number % 10 == 9 else 0.95, now_s=0.0)
    assert placement.place(wish(), PHONE, 1.0).where == HERE


def test_a_helper_that_nobody_knows_is_tried_beside_and_does_not_count() -> None:
    placement = Placement(NEVER, random.Random(1))
    assert placement.place(wish(), PHONE, 0.0).helper is None  # it has not said what it computes
    placement.told("phone", Terms(jobs=(JOB,)), 0.0)
    choice = placement.place(wish(), PHONE, 0.0)
    assert (choice.where, choice.beside, choice.counts) == (HERE, "phone", False)
    placement = taught(1.0, 0.2, times=PROVEN - 1)
    assert placement.place(wish(), PHONE, 0.0).where == HERE
    assert taught(1.0, 0.2, times=PROVEN).place(wish(), PHONE, 0.0).where == "phone"


def test_one_that_is_not_chosen_is_looked_at_again_ever_less_often() -> None:
    placement = taught(0.1, 0.5)
    assert placement.place(wish(), PHONE, PROBE_S / 2).helper is None
    elsewhere = {"phone": Helper(rtt_s=0.02)}  # another network: it is looked at at once
    assert placement.place(wish(), elsewhere, PROBE_S / 2).beside == "phone"
    looks, now_s = [], 0.0
    while now_s < 400.0:
        now_s += 1.0
        placement.told("phone", Terms(jobs=(JOB,)), now_s)
        choice = placement.place(wish(), PHONE, now_s)
        if choice.beside == "phone":
            looks.append(now_s)
            placement.learn(
                wish(),
                "phone",
                compute_s=0.3,
                waited_s=0.0,
                total_s=0.5,
                rtt_s=0.001,
                back_bytes=1000,
                now_s=now_s,
                chosen=False,
            )
    gaps = [b - a for a, b in pairwise(looks)]
    assert len(looks) >= 6
    assert all(b >= a for a, b in pairwise(gaps))
    assert gaps[-1] == PROBE_MAX_S


def test_energy_out_of_a_battery_has_its_price() -> None:
    dear = replace(NEVER, s_per_joule=1.0)
    drained = Terms(jobs=(JOB,), watts=5.0, on_battery=True)
    for weights, terms, where in (
        (NEVER, drained, "phone"),
        (dear, drained, HERE),
        (dear, Terms(jobs=(JOB,), watts=5.0, on_battery=False), "phone"),
        (dear, Terms(jobs=(JOB,)), "phone"),  # not known: it plays no part
    ):
        placement = taught(1.0, 0.6, weights=weights)
        placement.told("phone", terms, 0.0)
        assert placement.place(wish(), PHONE, 1.0).where == where


BAD: dict[str, tuple[Terms, Helper, Wish]] = {
    "battery": (Terms(jobs=(JOB,), battery_pct=29.0), Helper(), wish()),
    "degrees": (Terms(jobs=(JOB,), heat_c=90.0), Helper(), wish()),
    "nobody": (Terms(jobs=(JOB,), why_not="it computes for nobody"), Helper(), wish()),
    "same": (Terms(jobs=(Job("detours", "b"),)), Helper(), wish()),
    "rules": (Terms(jobs=(JOB,)), Helper(why_not="the rules"), wish()),
    "large": (Terms(jobs=(JOB,)), Helper(), wish(sent=INPUT_MAX_BYTES + 1)),
    "cannot be": (Terms(jobs=(JOB,), waiting_s=float("nan")), Helper(), wish()),
    "of itself cannot be": (Terms(jobs=(JOB,), watts=-5.0), Helper(), wish()),
}


@pytest.mark.parametrize("why", BAD)
def test_a_constraint_is_no_price(why: str) -> None:
    terms, helper, asked = BAD[why]
    placement = taught(1000.0, 0.001)
    assert placement.place(asked if why != "large" else wish(), PHONE, 1.0).where == "phone"
    placement.told("phone", terms, 1.0)
    choice = placement.place(asked, {"phone": helper}, 1.0)
    assert choice.helper is None
    assert why in choice.why_not["phone"]


def test_on_the_mains_a_low_battery_does_not_matter() -> None:
    placement = taught(1.0, 0.1)
    placement.told("phone", Terms(jobs=(JOB,), battery_pct=5.0, on_battery=False), 1.0)
    assert placement.place(wish(), PHONE, 1.0).where == "phone"


def test_old_terms_are_none() -> None:
    placement = taught(1.0, 0.1)
    assert placement.place(wish(), PHONE, TERMS_OLD_S).where == "phone"
    assert placement.place(wish(), PHONE, TERMS_OLD_S + 1.0).helper is None


def test_one_that_did_not_answer_is_left_alone_longer_each_time() -> None:
    placement = taught(1.0, 0.1)
    now_s, pauses = 0.0, []
    for _ in range(12):
        placement.missed("phone", now_s)
        end_s = now_s
        while placement.place(wish(), PHONE, end_s).helper is None:
            end_s += 0.5
            placement.told("phone", Terms(jobs=(JOB,)), end_s)
        pauses.append(end_s - now_s)
        now_s = end_s
    assert pauses == sorted(pauses)
    assert pauses[0] == 1.0
    assert pauses[-1] == DOUBT_MAX_S
    placement.missed("phone", now_s)
    placement.came("phone")
    placement.told("phone", Terms(jobs=(JOB,)), now_s)
    assert placement.place(wish(), PHONE, now_s).where == "phone"


def test_a_liar_is_asked_no_more_also_after_it_came_back() -> None:
    placement = taught(1.0, 0.1)
    placement.compared(JOB, "phone", same=False)
    placement.came("phone")
    placement.told("phone", Terms(jobs=(JOB,)), 1.0)
    choice = placement.place(wish(), PHONE, 1.0)
    assert choice.helper is None
    assert "another" in choice.why_not["phone"]


def test_what_waits_there_counts_until_it_is_done() -> None:
    placement = taught(1.0, 0.2)
    placement.told("phone", Terms(jobs=(JOB,), waiting_s=5.0), 0.0)
    assert placement.place(wish(), PHONE, 0.0).where == HERE
    assert placement.place(wish(), PHONE, 5.0).where == "phone"


def test_a_slower_network_counts_at_once() -> None:
    placement = taught(0.5, 0.2)
    assert placement.place(wish(), {"phone": Helper(rtt_s=0.001)}, 1.0).where == "phone"
    assert placement.place(wish(), {"phone": Helper(rtt_s=1.0)}, 1.0).where == HERE


def test_proven_helpers_are_checked_now_and_then() -> None:
    placement = taught(1.0, 0.1, weights=Weights(check=0.25))
    checked = [placement.place(wish(), PHONE, 1.0).beside == HERE for _ in range(400)]
    assert 60 < sum(checked) < 140


@given(st.lists(st.floats(0.91, 1.09), min_size=5, max_size=80), st.sampled_from([0.5, 2.0]))
def test_placement_does_not_flap(noise: list[float], start_s: float) -> None:
    """While two are within the margin of one another, whoever was chosen stays."""
    placement = taught(1.0, 0.4)

    def chosen(phone_s: float) -> str:
        found = placement.place(wish(), {"phone": Helper(rtt_s=phone_s - 0.399)}, 0.0)
        assert found.p95_s["phone"] == pytest.approx(phone_s, rel=0.01)
        return found.where

    first = chosen(start_s)
    assert first == ("phone" if start_s < 1.0 else HERE)
    assert {chosen(phone_s) for phone_s in noise} == {first}
    assert chosen(1.0 / start_s) != first  # the control: what is clearly better is taken


SOME = st.floats(0.0, 100.0)


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["phone", "home", "other"]),
        st.tuples(
            st.booleans(),  # the rules let it
            st.one_of(st.none(), SOME),
            st.sampled_from([None, True, False]),
            st.one_of(st.none(), SOME),
            st.booleans(),  # it has the job
            st.floats(0.001, 3.0),
        ),
        max_size=3,
    ),
    st.floats(0.001, 3.0),
    st.integers(0, 2**32),
)
def test_no_choice_breaks_a_constraint(world: dict[str, Any], here_s: float, seed: int) -> None:
    weights = Weights(battery_floor_pct=30.0, heat_max_c=75.0, check=0.5)
    placement, helpers = Placement(weights, random.Random(seed)), {}
    for _ in range(4):
        placement.learn_here(wish(), here_s)
    for name, (lets, battery, drains, heat, has, takes_s) in world.items():
        terms = Terms(
            jobs=(JOB,) if has else (), battery_pct=battery, on_battery=drains, heat_c=heat
        )
        placement.told(name, terms, 0.0)
        helpers[name] = Helper(0.0, "" if lets else "rules")
        for _ in range(seed % 5):
            placement.learn(
                wish(),
                name,
                compute_s=takes_s / 2,
                waited_s=0.0,
                total_s=takes_s,
                rtt_s=0.0,
                back_bytes=10,
                now_s=0.0,
                chosen=True,
            )
            placement.compared(JOB, name, same=True)
    for _ in range(5):
        choice = placement.place(wish(), helpers, 1.0)
        if choice.helper is not None and choice.helper != HERE:
            lets, battery, drains, heat, has, _ = world[choice.helper]
            assert lets
            assert has
            assert battery is None or drains is False or battery >= 30.0
            assert heat is None or heat <= 75.0
        if choice.where != HERE:
            assert choice.counts
            slack_s = wish().within_s - choice.p95_s[HERE]
            assert choice.here_after_s <= max(0.0, slack_s)


# one task's course ----------------------------------------------------------------------------------------------


@dataclass
class World:
    """How the two sides would do: seconds from when each is begun; None: never, or it fails after `fails_s`."""

    here_s: float | None
    there_s: float | None
    here_fails: bool = False
    there_fails: bool = False
    theirs: bytes = b"yes"


def run(course: Course, world: World, limit_s: float = 100.0) -> list[tuple[float, Any]]:
    """Every step with its second; the earlier event goes first, as a loop would have it."""
    seen: list[tuple[float, Any]] = []
    due: list[tuple[float, int, str]] = []
    off: set[str] = set()
    now_s = 0.0

    def take(steps: list[Any]) -> None:
        for step in steps:
            seen.append((now_s, step))
            match step:
                case Ask():
                    if world.there_s is not None:
                        heapq.heappush(due, (now_s + world.there_s, len(seen), "there"))
                case Compute():
                    if world.here_s is not None:
                        heapq.heappush(due, (now_s + world.here_s, len(seen), "here"))
                case CallOff(where):
                    off.add("here" if where == HERE else "there")

    take(course.begin(0.0))
    while not course.over and now_s < limit_s:
        at_s = course.next_s
        if due and (at_s is None or due[0][0] <= at_s):
            now_s, _, side = heapq.heappop(due)
            if side in off:
                continue
            if side == "here":
                take(course.computed(None if world.here_fails else b"yes", "it broke", now_s))
            else:
                output = None if world.there_fails else world.theirs
                take(course.heard(output, "it refused", now_s))
        elif at_s is not None:
            now_s = max(now_s, at_s)
            take(course.at(now_s))
        else:
            break
    return seen


def course(choice: Choice, within_s: float = 10.0) -> Course:
    return Course(choice, within_s, 0.0, lambda a, b: a == b)


def kinds(seen: list[tuple[float, Any]], kind: type) -> list[tuple[float, Any]]:
    return [(at_s, step) for at_s, step in seen if isinstance(step, kind)]


SECONDS = st.one_of(st.none(), st.floats(0.0, 20.0))
WORLDS = st.builds(
    World, SECONDS, SECONDS, st.booleans(), st.booleans(), st.sampled_from([b"yes", b"no"])
)
CHOICES = st.one_of(
    st.just(Choice(HERE)),
    st.builds(lambda counts: Choice(HERE, "phone", counts=counts), st.booleans()),
    st.builds(lambda after_s: Choice("phone", None, after_s), st.floats(0.0, 9.0)),
    st.just(Choice("phone", HERE)),
    st.builds(lambda after_s: Choice("phone", None, after_s, learns=True), st.floats(0.0, 9.0)),
)


@settings(max_examples=500)
@given(CHOICES, WORLDS)
def test_the_caller_hears_exactly_once_by_the_deadline_and_nothing_goes_on(
    choice: Choice, world: World
) -> None:
    one = course(choice)
    seen = run(one, world)
    told = kinds(seen, Answer) + kinds(seen, GiveUp)
    assert len(told) == 1
    assert told[0][0] <= 10.0
    assert one.over
    assert len(kinds(seen, Ask)) <= 1
    assert len(kinds(seen, Compute)) <= 1
    assert len(kinds(seen, Compared)) <= 1


@settings(max_examples=500)
@given(CHOICES, WORLDS, st.floats(0.1, 9.0))
def test_the_deadline_is_met_whatever_the_helper_does_where_this_node_meets_it(
    choice: Choice, world: World, own_s: float
) -> None:
    """`own_s` is at most what was forecast of this node, by which `here_after_s` was set."""
    able = replace(world, here_s=own_s, here_fails=False)
    after_s = min(choice.here_after_s, 10.0 - own_s)
    seen = run(course(replace(choice, here_after_s=after_s)), able)
    answers = kinds(seen, Answer)
    assert len(answers) == 1
    assert answers[0][0] <= 10.0 + 1e-9
    if answers[0][1].by == HERE:
        assert answers[0][1].output == b"yes"


@given(st.floats(0.0, 5.0), st.floats(0.0, 9.0))
def test_a_helper_that_vanished_costs_its_head_start_and_nothing_else(
    own_s: float, after_s: float
) -> None:
    seen = run(course(Choice("phone", None, after_s), 20.0), World(own_s, None))
    [(at_s, answer)] = kinds(seen, Answer)
    assert at_s == pytest.approx(own_s + after_s)
    assert answer == Answer(b"yes", HERE)


@given(st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_a_helper_that_refuses_costs_the_time_of_its_refusal(
    own_s: float, refused_s: float
) -> None:
    seen = run(course(Choice("phone", None, 9.0), 20.0), World(own_s, refused_s, there_fails=True))
    [(at_s, answer)] = kinds(seen, Answer)
    assert at_s == pytest.approx(own_s + refused_s)
    assert answer == Answer(b"yes", HERE)


@settings(max_examples=300)
@given(CHOICES, WORLDS)
def test_no_answer_is_used_that_does_not_count(choice: Choice, world: World) -> None:
    uncounted = replace(choice, counts=False)
    seen = run(course(uncounted), world)
    assert all(step.by == HERE for _, step in kinds(seen, Answer))


def test_a_liar_is_found_where_both_compute() -> None:
    for choice in (Choice(HERE, "phone", counts=False), Choice("phone", HERE)):
        lie = run(course(choice), World(1.0, 0.5, theirs=b"no"))
        assert [step for _, step in kinds(lie, Compared)] == [Compared("phone", same=False)]
        truth = run(course(choice), World(1.0, 0.5))
        assert [step for _, step in kinds(truth, Compared)] == [Compared("phone", same=True)]


def test_one_that_is_learned_of_is_heard_out_and_this_node_is_not() -> None:
    choice = Choice("phone", None, 0.1, learns=True)
    here_first = run(course(choice), World(0.2, 0.5))
    assert kinds(here_first, CallOff) == []
    assert kinds(here_first, Compared) == [(0.5, Compared("phone", same=True))]
    there_first = run(course(choice), World(1.0, 0.5))
    assert kinds(there_first, CallOff) == [(0.5, CallOff(HERE))]
    gone = run(course(choice), World(0.2, None))
    assert kinds(gone, CallOff) == [(10.0 + CHECK_S, CallOff("phone"))]


def test_what_is_not_needed_is_called_off() -> None:
    there = run(course(Choice("phone", None, 0.1)), World(1.0, 0.5))
    assert [step for _, step in there] == [
        Ask("phone"),
        Compute(),
        Answer(b"yes", "phone"),
        CallOff(HERE),
    ]
    here = run(course(Choice("phone", None, 0.1)), World(0.2, 0.5))
    assert [step for _, step in here][-2:] == [Answer(b"yes", HERE), CallOff("phone")]
