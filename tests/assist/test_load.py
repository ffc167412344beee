"""The driving load: its laws, a word that waits for the end of a roundabout, and one that waits in vain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hearthway.assist.gate import (
    LOAD_TURN,
    LOAD_UNEVEN,
    TURN_FAR_S,
    TURN_NEAR_S,
    driving_load,
    load_before_turn,
)
from hearthway.assist.settings import GateSettings
from hearthway.assist.way import turn_m
from hearthway.records.geo import offset
from hearthway.records.poi import Route
from hearthway.records.situation import Manoeuvre
from hearthway.records.suggestion import Silence, Suggestion

MEALS = {"node/1": 20, "node/2": 4}
PARTS = ("lateral_mps2", "braking_mps2", "uneven_mps")
FIGURE = st.none() | st.floats(0.0, 40.0)
HERE = (60.169, 24.938)


@given(FIGURE, FIGURE, FIGURE, st.none() | st.floats(-5.0, 90.0), st.floats(0.0, 10.0))
def test_the_load_is_a_share_and_never_falls_with_any_of_its_parts(
    world: Any,
    lateral: float | None,
    braking: float | None,
    uneven: float | None,
    speed: float | None,
    more: float,
) -> None:
    now = Manoeuvre(lateral_mps2=lateral, braking_mps2=braking, uneven_mps=uneven)
    load = driving_load(world.drive(speed_mps=speed, manoeuvre=now))
    assert 0.0 <= load <= 1.0
    assert load >= driving_load(world.drive(speed_mps=speed))  # knowing nothing of it adds nothing
    for part in PARTS:
        stronger = replace(now, **{part: (getattr(now, part) or 0.0) + more})
        assert driving_load(world.drive(speed_mps=speed, manoeuvre=stronger)) >= load
    if speed is not None:
        assert driving_load(world.drive(speed_mps=speed + more, manoeuvre=now)) >= load


def test_a_corner_and_a_hard_stop_forbid_and_stop_and_go_does_not(world: Any) -> None:
    most = GateSettings().max_load
    for now in (Manoeuvre(lateral_mps2=1.3), Manoeuvre(braking_mps2=2.6)):
        assert driving_load(world.drive(manoeuvre=now)) > most
    for now in (Manoeuvre(lateral_mps2=0.4, braking_mps2=0.8), Manoeuvre(uneven_mps=30.0)):
        assert driving_load(world.drive(manoeuvre=now)) < most
    assert driving_load(world.drive(manoeuvre=Manoeuvre(uneven_mps=30.0))) == LOAD_UNEVEN


@given(st.floats(0.0, 100.0), st.floats(0.0, 10.0))
def test_a_turn_counts_the_more_the_nearer_it_is(seconds: float, more: float) -> None:
    assert 0.0 <= load_before_turn(seconds + more) <= load_before_turn(seconds) <= LOAD_TURN
    assert load_before_turn(TURN_NEAR_S) == LOAD_TURN > GateSettings().max_load
    assert load_before_turn(TURN_FAR_S) == 0.0


def _consider(world: Any, roads: Any = None, **changes: Any) -> Any:
    kept = {} if roads is None else {"roads": roads}
    return world.assistant(**kept).consider(world.drive(**changes), world.dining(MEALS))


def _code(result: Any) -> str:
    assert isinstance(result, Silence), "it spoke"
    return result.code


ROUND, STRAIGHT = Manoeuvre(lateral_mps2=2.2), Manoeuvre(lateral_mps2=0.1)


def test_a_word_is_held_back_in_a_roundabout_and_said_on_the_straight_after_it(world: Any) -> None:
    now_s = world.drive().time_s
    said = [
        _consider(world, time_s=now_s + 5.0 * i, manoeuvre=ROUND if i < 3 else STRAIGHT)
        for i in range(4)
    ]
    assert [_code(one) for one in said[:3]] == ["high-driving-load"] * 3
    assert isinstance(said[3], Suggestion)
    assert said[3].situation.manoeuvre == STRAIGHT
    assert isinstance(_consider(world, manoeuvre=STRAIGHT), Suggestion), "the control"


def test_a_word_that_is_held_back_for_too_long_is_dropped(world: Any) -> None:
    codes = []
    for share in (1.0, 0.6, 0.3, 0.1):  # of the way that is left
        lat = world.mall.lat + share * (world.drive().lat - world.mall.lat)
        codes.append(_code(_consider(world, lat=lat, manoeuvre=ROUND)))
    assert codes[0] == "high-driving-load"
    assert codes[-1] == "too-late"
    lat = world.mall.lat + 0.1 * (world.drive().lat - world.mall.lat)
    assert _code(_consider(world, lat=lat, manoeuvre=STRAIGHT)) == "too-late"


# --- the way ahead


def _route(*steps: tuple[float, float], on_road: bool = True) -> Route:
    """A way of legs so many metres north and east each, in pieces of about 10 m."""
    points = [HERE]
    for north, east in steps:
        pieces = max(1, round((abs(north) + abs(east)) / 10.0))
        start = points[-1]
        points += [
            offset(*start, north * i / pieces, east * i / pieces) for i in range(1, pieces + 1)
        ]
    metres = sum(abs(n) + abs(e) for n, e in steps)
    return Route(distance_m=metres, duration_s=metres / 10.0, points=tuple(points), on_road=on_road)


def test_the_next_turn_of_a_way() -> None:
    corner = _route((200.0, 0.0), (0.0, 300.0))
    assert turn_m(corner, 500.0) == pytest.approx(200.0, abs=2.0)
    assert turn_m(corner, 100.0) is None
    assert turn_m(_route((400.0, 40.0)), 500.0) is None
    assert turn_m(_route((200.0, 0.0), (300.0, 120.0)), 500.0) is None  # 22 degrees
    roundabout = _route((150.0, 0.0), (12.0, 12.0), (12.0, -12.0), (150.0, 0.0))
    assert turn_m(roundabout, 500.0) == pytest.approx(150.0, abs=15.0)
    gentle = _route(*((30.0, 3.0 * i) for i in range(12)))  # a curve, 6 degrees in 30 m
    assert turn_m(gentle, 500.0) is None
    assert turn_m(_route((200.0, 0.0), (0.0, 300.0), on_road=False), 500.0) is None
    assert turn_m(Route(distance_m=0.0, duration_s=0.0), 500.0) is None


def test_the_way_from_a_position_to_its_road_is_no_turn() -> None:
    assert turn_m(_route((0.0, 15.0), (300.0, 0.0)), 500.0) is None
    assert turn_m(_route((0.0, 45.0), (300.0, 0.0)), 500.0) is not None, "the control"


class Corner:
    """Roads on which every way goes north or south first, in pieces of 10 m, and turns `before_m` after its start."""

    def __init__(self, before_m: float) -> None:
        self.before_m = before_m

    def route(self, a: tuple[float, float], b: tuple[float, float]) -> Route:
        way = _route((-self.before_m, 0.0), (0.0, 800.0))
        return replace(way, duration_s=140.0, distance_m=1_400.0)

    def detours(self, a: Any, b: Any, vias: Any) -> list[Any]:
        return [None for _ in vias]

    def covers(self, lat: float, lon: float) -> bool:
        return True


def test_before_a_turn_it_is_held_back_and_says_why(world: Any) -> None:
    near = _consider(world, Corner(30.0))
    assert _code(near) == "high-driving-load"
    assert near.words.endswith("The way turns in 4 s.")
    assert isinstance(_consider(world, Corner(200.0)), Suggestion)
    assert isinstance(_consider(world, Corner(30.0), speed_mps=0.0), Suggestion), "at a red light"
