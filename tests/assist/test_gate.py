"""The gate by itself: what speaking is worth, what it costs, and when."""

from __future__ import annotations

from math import exp, fsum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.assist import gate
from hearthway.assist.memory import Answered, Memory, Said
from hearthway.assist.settings import INTERRUPTION_MIN, LEAST_P, Dial, GateSettings
from hearthway.records.localtime import local_day
from hearthway.records.suggestion import AnswerKind

quick = settings(max_examples=60, deadline=None)
chance = st.floats(0.0, 1.0)
minutes = st.floats(-60.0, 60.0)
NOBODY = Memory(person="anna")


def weigh(world: Any, p: float, option: float = 0.0, lead_s: float = 200.0, **more: Any) -> Any:
    memory = more.pop("memory", NOBODY)
    rules = more.pop("rules", GateSettings())
    way = more.pop("p_way", None)
    return gate.weigh(
        world.drive(**more),
        memory,
        rules,
        p=p,
        lead_s=lead_s,
        option_utility=option,
        p_way=way,
    )


@quick
@given(p=chance, option=minutes)
def test_the_utility_is_what_the_gate_says_it_is(world: Any, p: float, option: float) -> None:
    verdict = weigh(world, p, option)
    expected = p * verdict.benefit_min - (1 - p) * verdict.cost_min
    assert verdict.utility == pytest.approx(expected, abs=1e-9)
    assert verdict.utility == fsum(r.weight for r in verdict.reasons)
    assert verdict.benefit_min == max(0.0, 25.0 + option)


@quick
@given(p=chance, more=chance, option=minutes)
def test_more_likely_is_worth_more(world: Any, p: float, more: float, option: float) -> None:
    low, high = sorted((p, more))
    assert weigh(world, low, option).utility <= weigh(world, high, option).utility + 1e-9


@quick
@given(p=chance, option=minutes)
def test_it_speaks_exactly_from_the_probability_it_names(
    world: Any, p: float, option: float
) -> None:
    verdict = weigh(world, p, option)
    if abs(p - verdict.p_needed) > 1e-6:
        assert verdict.speaks is (p > verdict.p_needed)


@quick
@given(p=chance, way=chance, lead_s=st.floats(0.0, 900.0))
def test_nobody_waits_for_doubt_that_the_way_does_not_resolve(
    world: Any, p: float, way: float, lead_s: float
) -> None:
    whole = weigh(world, p, lead_s=lead_s)
    told = weigh(world, p, lead_s=lead_s, p_way=way)
    assert told.wait_gain_min <= whole.wait_gain_min
    assert weigh(world, p, lead_s=lead_s, p_way=p) == whole
    assert (told.utility, told.p_needed) == (whole.utility, whole.p_needed)
    if way <= p:  # it cannot be likelier to help than to lead there
        assert told.wait_gain_min == whole.wait_gain_min


def test_where_it_surely_leads_there_waiting_only_costs(world: Any) -> None:
    assert weigh(world, 0.75, lead_s=300.0).wait_gain_min > 0.0
    assert weigh(world, 0.75, lead_s=300.0, p_way=0.995).wait_gain_min < 0.0


@pytest.mark.parametrize("dial", list(Dial))
def test_below_the_dials_probability_nothing_is_said_however_much_it_would_win(
    world: Any, dial: Dial
) -> None:
    rules, least = GateSettings(dial=dial), LEAST_P[dial]
    rather_not = weigh(world, least - 0.01, option=500.0, rules=rules)
    assert rather_not.utility > 100.0
    assert not rather_not.speaks
    assert weigh(world, least, option=500.0, rules=rules).speaks
    assert weigh(world, 0.01, option=5000.0, rules=GateSettings(dial=dial, least_p=0.0)).speaks


def test_the_dial_asks_for_less_the_more_readily_it_speaks() -> None:
    quiet, normal, eager = (GateSettings(dial=dial).asked_p for dial in Dial)
    assert 1.0 > quiet > normal > eager > 0.0


def test_the_cost_starts_from_the_dial(world: Any) -> None:
    for dial in Dial:
        still = weigh(world, 0.5, speed_mps=0.0, rules=GateSettings(dial=dial))
        assert still.cost_min == INTERRUPTION_MIN[dial]
    plain_text = GateSettings(dial="quiet")  # type: ignore[arg-type]  # as a config file gives it
    assert weigh(world, 0.5, speed_mps=0.0, rules=plain_text).cost_min == 40.0


@pytest.mark.parametrize(
    ("changes", "cost_min"),
    [
        ({"speed_mps": 0.0}, 20.0),
        ({"speed_mps": 20.0}, 30.0),
        ({"speed_mps": 400.0}, 40.0),
        ({"speed_mps": None}, 30.0),
        ({"speed_mps": -3.0}, 20.0),
        ({"speed_mps": 0.0, "time_s": "night"}, 30.0),
    ],
)
def test_load_and_night_cost(world: Any, changes: dict[str, Any], cost_min: float) -> None:
    if changes.get("time_s") == "night":
        changes = changes | {"time_s": world.at(22.5)}
    assert weigh(world, 0.5, **changes).cost_min == pytest.approx(cost_min)


def test_what_was_said_and_refused_today_costs(world: Any) -> None:
    now_s = world.drive().time_s
    today = local_day(now_s, world.drive().utc_offset_s)
    said = Said(time_s=now_s - 9000, suggestion_id="s", day=today, need="lunch", p_useful=0.8)
    spoke = NOBODY.spoke(said)
    assert weigh(world, 0.5, speed_mps=0.0, memory=spoke).cost_min == pytest.approx(30.0)
    costs = []
    for kind in (AnswerKind.ACCEPT, AnswerKind.IGNORED, AnswerKind.NOT_NOW, AnswerKind.DISMISS):
        note = Answered(time_s=now_s - 9000, suggestion_id="s", kind=kind, need="lunch")
        costs.append(weigh(world, 0.5, speed_mps=0.0, memory=NOBODY.heard(note)).cost_min)
    assert costs == sorted(costs)
    assert costs[0] == 20.0
    assert len(set(costs)) == 4
    future = Answered(time_s=now_s + 60, suggestion_id="s", kind=AnswerKind.DISMISS, need="lunch")
    assert weigh(world, 0.5, speed_mps=0.0, memory=NOBODY.heard(future)).cost_min == 20.0


def test_the_small_hours_are_night_and_a_refusal_fades_by_half_in_a_week(world: Any) -> None:
    early = weigh(world, 0.5, speed_mps=0.0, time_s=world.at(5.5), trip_start_s=None)
    assert early.cost_min == pytest.approx(30.0)
    week = world.drive().time_s - 7 * 86_400
    old = Answered(time_s=week, suggestion_id="s", kind=AnswerKind.DISMISS, need="dinner")
    memory = NOBODY.heard(old)
    assert weigh(world, 0.5, speed_mps=0.0, memory=memory).cost_min == pytest.approx(25.0)


def test_having_just_set_off_is_load(world: Any) -> None:
    now_s = world.drive().time_s
    assert gate.driving_load(world.drive(trip_start_s=now_s - 59, speed_mps=1.0)) == 0.9
    assert gate.driving_load(world.drive(trip_start_s=now_s - 60, speed_mps=1.0)) < 0.1
    assert gate.driving_load(world.drive(trip_start_s=None, speed_mps=1.0)) < 0.1


def test_waiting_pays_far_off_and_costs_near(world: Any) -> None:
    far, near = weigh(world, 0.85, lead_s=900.0), weigh(world, 0.85, lead_s=60.0)
    assert far.wait_gain_min > 0 > near.wait_gain_min
    certain = weigh(world, 1.0, lead_s=900.0)
    assert certain.wait_gain_min < 0, "nothing left to learn: say it"
    # the rule as documented, by hand
    lost = 0.85 * 25.0 * (exp(-30.0 / 60.0) - exp(-60.0 / 60.0))
    doubt = 0.15 * near.cost_min * (1 - exp(-30.0 / 300.0))
    assert near.wait_gain_min == pytest.approx(doubt - lost)


@pytest.mark.parametrize("minutes", [2.0, 6.0, 15.0, 60.0])
def test_a_benefit_that_runs_down_by_the_minute_is_lost_by_the_minute(minutes: float) -> None:
    left_s = gate.fading_s(minutes)
    later = exp(-(left_s - gate.STEP_S) / gate.ACT_S) - exp(-left_s / gate.ACT_S)
    assert minutes * later == pytest.approx(gate.STEP_S / 60.0)
    assert gate.fading_s(0.0) == 0.0


@quick
@given(p=chance, offset=st.floats(-3, 3))
def test_the_persons_offset_moves_the_odds_and_stays_a_probability(p: float, offset: float) -> None:
    moved = gate.shift(p, offset)
    assert 0.0 <= moved <= 1.0
    if 1e-6 < p < 1 - 1e-6 and abs(offset) > 1e-6:
        assert (moved > p) is (offset > 0)
    assert gate.shift(gate.shift(p, offset), -offset) == pytest.approx(p, abs=1e-6)
