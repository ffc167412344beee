"""Laws that hold for any town, any history and any waits."""

from __future__ import annotations

from math import fsum
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hearthway.assist.memory import Answered
from hearthway.assist.needs.meal.rank import option_of
from hearthway.assist.needs.meal.settings import EATEN_OFTEN
from hearthway.assist.options import utility_of
from hearthway.assist.settings import GateSettings
from hearthway.assist.taste import taste_of
from hearthway.learn.outcome import learn_said
from hearthway.records.localtime import local_day
from hearthway.records.poi import OpenState
from hearthway.records.situation import Destination
from hearthway.records.suggestion import AnswerKind, Suggestion
from hearthway.records.venue import Wait

IDS = ("node/1", "node/2", "node/3", "node/4")
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
meals = st.dictionaries(st.sampled_from(IDS), st.integers(1, 25), min_size=1)
hours = st.dictionaries(st.sampled_from((*IDS, "node/6")), st.sampled_from(OpenState))
waits = st.dictionaries(st.sampled_from(IDS), st.none() | st.floats(0, 240))


def as_waits(minutes: dict[str, float | None]) -> dict[str, Wait]:
    return {osm_id: Wait(osm_id=osm_id, minutes=m) for osm_id, m in sorted(minutes.items())}


def place_of(result: Suggestion, osm_id: str) -> int:
    """Rank by utility; after every shown option where it is not shown."""
    ranked = sorted(result.options, key=lambda o: (-o.utility, o.poi.osm_id))
    return next((i for i, o in enumerate(ranked) if o.poi.osm_id == osm_id), len(ranked))


@few
@given(meals=meals, waits=waits, osm_id=st.sampled_from(IDS), more=st.floats(0.1, 200))
def test_more_wait_never_ranks_higher(
    world: Any, meals: dict[str, int], waits: dict[str, float | None], osm_id: str, more: float
) -> None:
    memory, before = world.dining(meals), waits | {osm_id: waits.get(osm_id) or 0.0}
    after = before | {osm_id: (before[osm_id] or 0.0) + more}
    first = world.assistant().consider(world.drive(), memory, as_waits(before))
    second = world.assistant().consider(world.drive(), memory, as_waits(after))
    if isinstance(first, Suggestion) and isinstance(second, Suggestion):
        assert place_of(second, osm_id) >= place_of(first, osm_id)
    else:
        assert not isinstance(second, Suggestion), "more wait made it speak"


@few
@given(meals=meals, hours=hours)
def test_closed_at_arrival_is_never_shown_and_what_may_be_closed_comes_last(
    world: Any, meals: dict[str, int], hours: dict[str, OpenState]
) -> None:
    result = world.assistant(pois=world.town(world.pois, hours)).consider(
        world.drive(), world.dining(meals)
    )
    if isinstance(result, Suggestion):
        assert OpenState.CLOSED not in [o.opening.state for o in result.options]
        eaten = {o.poi.osm_id: meals.get(o.poi.osm_id, 0) for o in result.options}
        last = [
            o.opening.state is OpenState.UNKNOWN and eaten[o.poi.osm_id] < EATEN_OFTEN
            for o in result.options
        ]
        assert last == sorted(last)
        rest = [o.utility for o, behind in zip(result.options, last, strict=True) if not behind]
        assert rest == sorted(rest, reverse=True)
        assert all(o.poi.name for o in result.options)
        assert len(result.options) <= 3


@few
@given(meals=meals, waits=waits, hours=hours)
def test_every_utility_is_the_sum_of_its_reasons(
    world: Any, meals: dict[str, int], waits: dict[str, float | None], hours: dict[str, OpenState]
) -> None:
    result = world.assistant(pois=world.town(world.pois, hours)).consider(
        world.drive(), world.dining(meals), as_waits(waits)
    )
    if isinstance(result, Suggestion):
        assert result.utility == fsum(r.weight for r in result.reasons)
        for option in result.options:
            assert option.utility == utility_of(option.reasons)
            for gone in option.reasons:
                rest = utility_of([r for r in option.reasons if r != gone])
                assert abs(rest - (option.utility - gone.weight)) < 1e-9
            features = [r.feature for r in option.reasons]
            assert len(features) == len(set(features))


@few
@given(meals=meals, never=st.sets(st.sampled_from(IDS), max_size=4), whole=st.booleans())
def test_never_here_is_never_shown_again(
    world: Any, meals: dict[str, int], never: set[str], whole: bool
) -> None:
    memory = world.dining(meals)
    for osm_id in sorted(never):
        memory = memory.heard(
            Answered(
                time_s=world.at(19.0, 60),
                suggestion_id=f"s-{osm_id}",
                kind=AnswerKind.NEVER_HERE,
                need="lunch",
                osm_id=osm_id,
            )
        )
    result = world.assistant().consider(world.drive(), memory)
    if isinstance(result, Suggestion):
        assert never.isdisjoint(o.poi.osm_id for o in result.options)


@few
@given(
    budget=st.integers(0, 3),
    looks=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 24)), min_size=5, max_size=40),
)
def test_the_budget_is_never_exceeded(
    world: Any, budget: int, looks: list[tuple[int, float]]
) -> None:
    """However eager and however often it looks, a local day hears at most the budget."""
    memory = world.dining({"node/1": 30})
    told: dict[int, int] = {}
    always = world.routine("dinner", 12.0)
    density = tuple([1 / 96] * 96)
    everyday = type(always)(name="dinner", days=60, density=density, share_of_days=1.0)
    eager = GateSettings(daily_budget=budget, repeat_s=60.0, min_window_mass=0.0, threshold_min=-99)
    assistant = world.assistant(settings=eager)
    goals = (Destination(place=world.mall, p=0.99),)
    for day, hour in sorted(looks):
        now_s = world.at(hour, 100 + day)
        situation = world.drive(
            time_s=now_s,
            trip_start_s=now_s - 100,
            routines=(everyday,),
            destinations=goals,
            p_new=0.01,
        )
        result = assistant.consider(situation, memory)
        if isinstance(result, Suggestion):
            memory = learn_said(memory, result)
            on = local_day(now_s, situation.utc_offset_s)
            told[on] = told.get(on, 0) + 1
    assert all(count <= budget for count in told.values())


@few
@given(meals=meals, waits=waits)
def test_the_same_input_gives_the_same_id(
    world: Any, meals: dict[str, int], waits: dict[str, float | None]
) -> None:
    memory, told = world.dining(meals), as_waits(waits)
    first = world.assistant().consider(world.drive(), memory, told)
    shuffled = dict(reversed(list(told.items())))
    assert world.assistant().consider(world.drive(), memory, shuffled) == first


@few
@given(visits=st.integers(0, 40), more=st.integers(1, 20))
def test_more_own_visits_never_rank_a_place_lower(world: Any, visits: int, more: int) -> None:
    def utility(count: int) -> float:
        memory = world.dining({"node/2": 5} | ({"node/1": count} if count else {}))
        lat = world.mall.lat + 0.4 * (world.drive().lat - world.mall.lat)
        proposal = world.assistant(settings=GateSettings(threshold_min=-99, least_p=0.0)).propose(
            world.drive(lat=lat), memory
        )
        found = next(c for c in proposal.offers[0][1].candidates if c.poi.osm_id == "node/1")
        taste = taste_of(memory, world.drive().time_s)
        return option_of(found, Wait(osm_id="node/1"), taste).utility

    assert utility(visits + more) >= utility(visits) - 1.0, "kind and cuisine shares shift a little"


def test_the_budget_law_is_not_empty(world: Any) -> None:
    """With the same eager gate, looks six minutes apart speak just twice."""
    memory, spoken = world.dining({"node/1": 30}), 0
    everyday = world.routine("dinner", 12.0)
    everyday = type(everyday)(
        name="dinner", days=60, density=tuple([1 / 96] * 96), share_of_days=1.0
    )
    settings_ = GateSettings(repeat_s=60.0, min_window_mass=0.0, threshold_min=-99)
    for look in range(12):
        now_s = world.at(18.0 + look / 10)
        situation = world.drive(
            time_s=now_s,
            trip_start_s=now_s - 100,
            routines=(everyday,),
            destinations=(Destination(place=world.mall, p=0.99),),
            p_new=0.01,
        )
        result = world.assistant(settings=settings_).consider(situation, memory)
        if isinstance(result, Suggestion):
            memory, spoken = learn_said(memory, result), spoken + 1
    assert spoken == 2
