"""The map that ships: central Helsinki."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from hearthway.atlas.store import BUNDLED, Atlas
from hearthway.records.poi import FOOD, OpenState, PoiIndex, RoadGraph

FORUM = (60.1690, 24.9383)
HELSINKI = ZoneInfo("Europe/Helsinki")


@pytest.fixture(scope="module")
def helsinki() -> Atlas:
    return Atlas.bundled()


def test_it_satisfies_the_protocols(helsinki: Atlas) -> None:
    index: PoiIndex = helsinki
    pois: PoiIndex = helsinki.pois
    graph: RoadGraph = helsinki
    roads: RoadGraph = helsinki.roads
    assert index.covers(*FORUM)
    assert pois.covers(*FORUM)
    assert graph.covers(*FORUM)
    assert roads.covers(*FORUM)


def test_what_is_in_it(helsinki: Atlas) -> None:
    counts = helsinki.summary()
    assert counts["mall"] == 4
    assert counts["department_store"] == 2
    assert counts["restaurant"] >= 200
    assert counts["food_with_hours"] >= 200
    assert helsinki.name == "Helsinki"
    assert helsinki.attribution == "© OpenStreetMap contributors, ODbL"
    notice = (BUNDLED.parent / "NOTICE").read_text("utf-8")
    assert "© OpenStreetMap contributors" in notice
    assert "ODbL" in notice
    assert BUNDLED.stat().st_size < 3_000_000


def test_a_mall_gives_its_name(helsinki: Atlas) -> None:
    assert helsinki.place_name(*FORUM) == "Forum"
    assert helsinki.place_name(60.25, 24.8) is None


def test_dinner_near_the_mall(helsinki: Atlas) -> None:
    friday = datetime(2024, 3, 15, 18, 30, tzinfo=HELSINKI).timestamp()
    states = [helsinki.opening(poi, friday).state for poi in helsinki.near(*FORUM, 500, FOOD)]
    assert states.count(OpenState.OPEN) > 30
    assert states.count(OpenState.UNKNOWN) > 10


def test_from_home_off_the_map(helsinki: Atlas) -> None:
    home = (60.2055, 24.6559)
    assert not helsinki.covers(*home)
    assert not helsinki.roads.covers(*home)
    route = helsinki.route(home, FORUM)
    assert route is not None
    assert not route.on_road
    assert 15_000 < route.distance_m < 30_000
    assert 15 * 60 < route.duration_s < 60 * 60
    via = helsinki.near(*FORUM, 300, ("restaurant",))[0]
    (detour,) = helsinki.detours(home, FORUM, [(via.lat, via.lon)])
    assert detour is not None
    assert detour.extra_s < 15 * 60
