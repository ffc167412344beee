"""Where the car can stand at a place one hardly knows: its day, and the days that differ from it in one fact."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec
import pytest

from hearthway.assist.explain import why
from hearthway.assist.memory import Memory
from hearthway.assist.moment import render
from hearthway.assist.needs.parking.need import NEED, question_p
from hearthway.atlas.store import Atlas
from hearthway.learn.outcome import learn_said
from hearthway.records.geo import offset
from hearthway.records.poi import OpenState, Poi
from hearthway.records.situation import Destination
from hearthway.records.suggestion import Silence, Suggestion

FORUM = (60.1690, 24.9380)


def car_park(number: int, north_m: float, name: str = "") -> Poi:
    lat, lon = offset(*FORUM, north_m, 0)
    return Poi(osm_id=f"way/{number}", kind="parking", name=name, lat=lat, lon=lon)


CAR_PARKS = (car_park(71, 80.0, "P-Forum"), car_park(72, -300.0), car_park(73, 3_000.0, "far"))


def hardly_known(world: Any, p: float = 0.95, **changes: Any) -> dict[str, Any]:
    """A drive to the mall as somebody takes it who has been there once, 900 m before it."""
    place = msgspec.structs.replace(world.mall, **{"visits": 1, **changes})
    lat, lon = offset(*FORUM, 600.0, 0)
    goals = (Destination(place=place, p=p), Destination(place=world.home, p=0.02))
    return {"destinations": goals, "p_new": 1.0 - p - 0.02, "lat": lat, "lon": lon, "routines": ()}


def consider(world: Any, situation: dict[str, Any], **assistant: Any) -> Any:
    facts = {"pois": world.town(CAR_PARKS, {"way/71": OpenState.OPEN}), **assistant}
    memory = facts.pop("memory", Memory(person="anna"))
    return world.assistant(**facts).consider(world.drive(**situation), memory)


def code_of(result: Any) -> str:
    assert isinstance(result, Silence), "it spoke"
    return result.code


def test_the_words(world: Any) -> None:
    result = consider(world, hardly_known(world))
    assert isinstance(result, Suggestion), result
    assert result.need == "parking"
    unknown = "free places, price unknown"
    assert render(result) == [
        "18:12:00  600 m before arrival · heading to Forum (p 0.95 of 214 places)",
        "          parking thereabouts, where you have been once:",
        f"          P-Forum                  1 min on foot · {unknown} (way/71)",
        f"          car park without a name  5 min on foot · {unknown} · hours unknown (way/72)",
        "          why · not now · never here",
    ]
    said = "\n".join(why(result))
    assert "no search for a place, and no walk from where one is found, is worth 18 min" in said
    assert "parking still a question 0.87: you have been thereabouts once" in said
    assert "free places unknown, charged as 3 min" in said
    assert "hours of car park without a name: unknown (way/72, the map)" in said


def test_its_day_speaks_once_at_a_calm_moment_before_it_is_too_late(world: Any) -> None:
    """A drive of 6 km to a place where one was once, at 10 m/s, looked at every five seconds; fast at first."""
    memory, told, codes = Memory(person="anna"), [], set()
    for look in range(120):
        left_m = 6_000.0 - 50.0 * look
        lat, lon = offset(*FORUM, left_m, 0)
        situation = {
            **hardly_known(world, 0.97),
            "time_s": world.at(18.0) + 5.0 * look,
            "trip_start_s": world.at(17.5),
            "lat": lat,
            "lon": lon,
            "speed_mps": 36.0 if left_m > 2_500.0 else 9.0,
        }
        result = consider(world, situation, memory=memory)
        if isinstance(result, Suggestion):
            memory = learn_said(memory, result)
            told.append((left_m, result.need))
        else:
            codes.add(result.code)
    assert [need for _, need in told] == ["parking"]
    assert 400.0 < told[0][0] <= 2_500.0
    assert {"high-driving-load", "said-already"} <= codes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"visits": 6}, "parked-there-often", id="known"),
        pytest.param({"label": "work"}, "own-parking", id="work"),
        pytest.param({"label": "home"}, "own-parking", id="home"),
        pytest.param({"p": 0.6}, "not-worth-interrupting", id="unsure"),
    ],
)
def test_one_fact_of_the_destination_makes_it_silent(
    world: Any, changes: dict[str, Any], code: str
) -> None:
    assert code_of(consider(world, hardly_known(world, **changes), among=(NEED,))) == code


def test_the_next_house_is_no_new_place_to_park(world: Any) -> None:
    """One visit to this door, forty to the one beside it; and forty to a place in another part of town."""
    lat, lon = offset(*FORUM, 0, 200)
    beside = msgspec.structs.replace(world.mall, place_id="beside", lat=lat, lon=lon, visits=40)
    elsewhere = msgspec.structs.replace(world.work, visits=40)
    situation = hardly_known(world)

    def also(place: Any) -> Any:
        goals = (situation["destinations"][0], Destination(place=place, p=0.02))
        return consider(world, {**situation, "destinations": goals}, among=(NEED,))

    assert code_of(also(beside)) == "parked-there-often"
    assert isinstance(also(elsewhere), Suggestion)


def test_what_it_must_know_and_what_the_map_lacks(world: Any) -> None:
    def alone(pois: Any, **changes: Any) -> str:
        return code_of(
            consider(world, {**hardly_known(world), **changes}, among=(NEED,), pois=pois)
        )

    town = world.town(CAR_PARKS, {})
    assert alone(town, destinations=(), p_new=1.0) == "unknown-destination"
    assert alone(town, mode="walking") == "not-driving"
    assert alone(town, mode="riding") == "not-driving"
    assert alone(town, mode="unknown") == "mode-unclear"
    assert alone(town, days_known=59) == "which-is-new-unknown"
    assert alone(None) == "needs-a-map"
    assert alone(world.town(CAR_PARKS, {}, on_map=False)) == "off-map"
    assert alone(world.town(CAR_PARKS[2:], {})) == "no-car-park-near"
    shut = {"way/71": OpenState.CLOSED, "way/72": OpenState.CLOSED}
    assert alone(world.town(CAR_PARKS, shut)) == "no-car-park-near"


def test_it_never_claims_a_free_place(world: Any) -> None:
    result = consider(world, hardly_known(world))
    for option in result.options:
        assert option.wait.minutes is None
        assert any(line.endswith(f"({option.poi.osm_id})") for line in result.lines)
    assert all("free places, price unknown" in line for line in result.lines[1:3])


def test_on_the_bundled_map_every_car_park_shown_is_one_of_the_map(world: Any) -> None:
    with closing(Atlas.bundled()) as atlas:
        result = consider(world, hardly_known(world), pois=atlas)
        assert isinstance(result, Suggestion), result
        assert result.options
        for option in result.options:
            assert atlas.get(option.poi.osm_id) == option.poi
            assert option.poi.kind == "parking"


def test_every_visit_makes_it_less_of_a_question() -> None:
    chances = [question_p(visits) for visits in range(8)]
    assert chances == sorted(chances, reverse=True)
    assert question_p(0) == 1.0
    assert question_p(5) == 0.5


def test_a_point_where_a_recording_broke_off_is_nowhere_to_park(world: Any) -> None:
    alone = {"among": (NEED,)}
    assert code_of(consider(world, hardly_known(world, visits=0), **alone)) == "no-stay-there"
