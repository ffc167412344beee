"""A way with a usual stop on it: longer, through that stop, and nobody eats before it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from hearthway.assist.engine import Proposal
from hearthway.assist.memory import Memory
from hearthway.assist.needs.meal.candidates import find
from hearthway.assist.settings import GateSettings
from hearthway.assist.taste import taste_of
from hearthway.assist.way import eta_s, from_stop, via_to
from hearthway.records.geo import distance_m, offset
from hearthway.records.poi import Poi, Route
from hearthway.records.situation import Destination, Evidence, Via
from hearthway.records.suggestion import Silence

MALL = (60.1690, 24.9380)


def via(north_m: float, east_m: float) -> Via:
    lat, lon = offset(*MALL, north_m, east_m)
    return Via(lat=lat, lon=lon, seconds=480.0, times=9, of=10)


def by_way(world: Any, stop: Via) -> Any:
    first, *others = world.drive().destinations
    return world.drive(destinations=(replace(first, via=stop), *others))


@pytest.mark.parametrize("mapped", [True, False])
def test_it_takes_as_long_as_both_ways_and_the_stop(world: Any, mapped: bool) -> None:
    roads = world.streets() if mapped else None
    direct = world.drive()
    through = by_way(world, via(1_000.0, 2_000.0))
    there = direct.destinations[0].place
    direct_s, route = eta_s(direct, there, roads)
    seconds, longer = eta_s(through, there, roads)
    assert seconds > direct_s + 480.0
    assert longer.duration_s == seconds
    assert longer.distance_m > route.distance_m + 1_500.0
    assert longer.on_road is mapped
    if mapped:
        stop = via(1_000.0, 2_000.0)
        assert min(distance_m(*point, stop.lat, stop.lon) for point in longer.points) < 1.0
    other = through.destinations[1].place
    assert eta_s(through, other, roads) == eta_s(direct, other, roads)  # only on that way
    assert via_to(direct, there) is None


def test_nobody_eats_before_it(world: Any) -> None:
    """One table beside the way to the stop, one beside the way on from it: only the second is on the way."""
    stop = via(3_000.0, 0.0)
    lat, lon = offset(*MALL, 6_000.0, 0.0)
    spots = {"node/71": 4_500.0, "node/72": 1_800.0}
    tables = [
        Poi(
            osm_id=osm_id,
            kind="restaurant",
            name=osm_id,
            lat=offset(*MALL, north_m, 30.0)[0],
            lon=offset(*MALL, north_m, 30.0)[1],
        )
        for osm_id, north_m in spots.items()
    ]
    pois, roads = world.town([*world.pois, *tables], {}), world.streets()
    taste = taste_of(Memory(person="anna"), world.at(18.2), ())

    def offered(destination: Destination) -> set[str]:
        others = world.drive().destinations[1:]
        situation = world.drive(lat=lat, lon=lon, destinations=(destination, *others))
        _, route = eta_s(situation, destination.place, roads)
        found = find(
            situation,
            destination.place,
            route,
            pois=pois,
            roads=roads,
            taste=taste,
            unwanted=frozenset(),
            settings=GateSettings(),
        )
        return {c.poi.osm_id for c in found.candidates if c.poi.osm_id in spots}

    first = world.drive().destinations[0]
    assert offered(first) == {"node/71", "node/72"}
    assert offered(replace(first, via=stop)) == {"node/72"}


def test_the_way_on_begins_after_the_stop(world: Any) -> None:
    stop, roads = via(1_000.0, 2_000.0), world.streets()
    through = by_way(world, stop)
    there = through.destinations[0].place
    _, route = eta_s(through, there, roads)
    onward = from_stop(through, there, route, roads)
    to_stop_s = distance_m(through.lat, through.lon, stop.lat, stop.lon) / 10.0
    assert onward.at == (stop.lat, stop.lon)
    assert onward.after_s == pytest.approx(to_stop_s + 480.0)
    direct = world.drive()
    whole = eta_s(direct, there, roads)[1]
    straight = from_stop(direct, direct.destinations[0].place, whole, roads)
    assert (straight.at, straight.points, straight.after_s) == (
        (direct.lat, direct.lon),
        whole.points,
        0.0,
    )


def seen(age_s: float) -> tuple[Evidence, ...]:
    return (Evidence(key="Vehicle.CurrentLocation.Latitude", source="phone", age_s=age_s),)


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("stops", [True, False])
def test_what_was_driven_since_the_position_is_not_ahead(
    world: Any, mapped: bool, stops: bool
) -> None:
    roads = world.streets() if mapped else None
    drive = by_way(world, via(1_000.0, 2_000.0)) if stops else world.drive()
    there = drive.destinations[0].place
    fresh_s, route = eta_s(replace(drive, evidence=seen(0.0)), there, roads)
    assert fresh_s == eta_s(drive, there, roads)[0] > 100.0
    later_s, same = eta_s(replace(drive, evidence=seen(40.0)), there, roads)
    assert later_s == pytest.approx(fresh_s - 40.0)
    assert same == route  # the way is from where one was seen
    assert eta_s(replace(drive, evidence=seen(3_600.0)), there, roads)[0] == 0.0
    at_rest = replace(drive, mode="staying", evidence=seen(900.0))
    assert eta_s(at_rest, there, roads)[0] == fresh_s  # who stays has driven nowhere


def test_a_word_that_old_positions_make_too_late_is_not_said(world: Any) -> None:
    """At 1.4 km, 140 s by the road: with a position of 110 s ago one should be there in 30."""
    drive = world.drive(destinations=(Destination(place=world.mall, p=0.97),), p_new=0.03)
    memory = world.dining({"node/1": 12, "node/2": 9, "node/3": 8})
    assistant = world.assistant()
    assert isinstance(assistant.propose(replace(drive, evidence=seen(2.0)), memory), Proposal)
    late = assistant.propose(replace(drive, evidence=seen(110.0)), memory)
    assert isinstance(late, Silence)
    assert late.code == "too-late"


class OneWay:
    """A street that one can only leave round the block: 400 m and a minute, however near the door."""

    def route(self, a: tuple[float, float], b: tuple[float, float]) -> Route:
        return Route(distance_m=400.0, duration_s=60.0, points=(a, b))

    def detours(self, a: Any, b: Any, vias: Any) -> list[Any]:
        return [None for _ in vias]

    def covers(self, lat: float, lon: float) -> bool:
        return True


@pytest.mark.parametrize(("metres", "seconds"), [(4.0, 3.8), (35.0, 33.7), (160.0, 60.0)])
def test_nobody_drives_round_the_block_to_where_he_stands(
    world: Any, metres: float, seconds: float
) -> None:
    lat, lon = offset(*MALL, metres, 0.0)
    drive = world.drive(lat=lat, lon=lon)
    told_s, route = eta_s(drive, drive.destinations[0].place, OneWay())
    assert told_s == pytest.approx(seconds, abs=0.1)
    assert route.duration_s == 60.0


def test_a_table_on_the_way_is_reached_the_sooner_the_older_the_position(world: Any) -> None:
    drive, roads = world.drive(), world.streets()
    place = drive.destinations[0].place
    taste = taste_of(Memory(person="anna"), world.at(18.2), ())

    def arrivals(age_s: float) -> dict[str, float]:
        situation = replace(drive, evidence=seen(age_s))
        found = find(
            situation,
            place,
            eta_s(situation, place, roads)[1],
            pois=world.town(world.pois, world.hours),
            roads=roads,
            taste=taste,
            unwanted=frozenset(),
            settings=GateSettings(),
        )
        return {c.poi.osm_id: c.arrive_s for c in found.candidates}

    fresh, old = arrivals(0.0), arrivals(30.0)
    assert fresh.keys() == old.keys() != set()
    assert all(fresh[one] - old[one] == pytest.approx(30.0) for one in fresh)
