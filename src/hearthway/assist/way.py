"""How long and which way to a place: on the map's roads, or a bee-line estimate where it has none."""

from __future__ import annotations

from itertools import pairwise
from math import atan2, cos, pi, radians

from msgspec import Struct

from hearthway.records.geo import distance_m
from hearthway.records.life import Place
from hearthway.records.poi import RoadGraph, Route
from hearthway.records.situation import Situation, Via

from .settings import DRIVE_FACTOR, DRIVE_MPS, STREET_FACTOR, WALK_MPS

Point = tuple[float, float]
TURN_RAD = radians(40.0)
CORNER_M = 30.0  # a turn, a roundabout's entry or a sharp bend is over in this
SNAP_M = 20.0  # the first metres lead from the position to the road


def turn_m(route: Route, within_m: float) -> float | None:
    """Metres along a way on roads to where it next turns by 40 degrees or more within 30 m; None where not `within_m`."""
    legs: list[tuple[float, float]] = []  # (where it begins, its heading)
    done_m = 0.0
    for a, b in pairwise(route.points) if route.on_road else ():
        leg_m = distance_m(*a, *b)
        if leg_m > 0.0 and done_m + leg_m > SNAP_M:
            east = (b[1] - a[1]) * cos(radians(a[0]))
            heading = atan2(east, b[0] - a[0])
            for begin_m, before in reversed(legs):
                if abs((heading - before + pi) % (2.0 * pi) - pi) >= TURN_RAD:
                    return begin_m
            legs = [leg for leg in legs if leg[0] + CORNER_M > done_m + leg_m]
            legs.append((done_m + leg_m, heading))
        done_m += leg_m
        if done_m > within_m + CORNER_M:
            return None
    return None


def via_to(situation: Situation, place: Place) -> Via | None:
    """The usual stop on the way to `place` that is still to come."""
    for destination in situation.destinations:
        if destination.place == place and isinstance(destination.via, Via):
            return destination.via
    return None


class Onward(Struct, frozen=True):
    """The last part of a way: from here, or from the usual stop on it, and after how many seconds that begins."""

    at: Point
    points: tuple[Point, ...]
    after_s: float


def from_stop(situation: Situation, place: Place, route: Route, roads: RoadGraph) -> Onward:
    """Where the way to `place`, of which `route` is the whole, goes on without a stop: nobody eats before it."""
    here, via = (situation.lat, situation.lon), via_to(situation, place)
    if via is None:
        return Onward(here, route.points, 0.0)
    stop = via.lat, via.lon
    to_stop_s, _ = _direct(situation, here, stop, roads)
    _, onward = _direct(situation, stop, (place.lat, place.lon), roads)
    return Onward(stop, onward.points, to_stop_s + via.seconds)


def driven_s(situation: Situation) -> float:
    """Seconds driven since the position was taken: a phone may tell none for a minute; 0 for who does not drive."""
    return situation.position_age_s if situation.mode == "driving" else 0.0


def eta_s(situation: Situation, place: Place, roads: RoadGraph | None) -> tuple[float, Route]:
    """Seconds from now to `place` (0: one should be there), and the way from the last position, with the usual stop on it.

    A bee-line where the map has no roads. Never more than on foot: who stands before the door does not drive round the
    block for the side of the street that an error of the position says.
    """
    here, there = (situation.lat, situation.lon), (place.lat, place.lon)
    via = via_to(situation, place)
    if via is None:
        seconds, route = _direct(situation, here, there, roads)
        on_foot_s = distance_m(*here, *there) * STREET_FACTOR / WALK_MPS
        return max(0.0, min(seconds, on_foot_s) - driven_s(situation)), route
    to_stop_s, to_stop = _direct(situation, here, (via.lat, via.lon), roads)
    from_stop_s, from_stop = _direct(situation, (via.lat, via.lon), there, roads)
    seconds = to_stop_s + via.seconds + from_stop_s
    return max(0.0, seconds - driven_s(situation)), Route(
        distance_m=to_stop.distance_m + from_stop.distance_m,
        duration_s=seconds,
        points=(*to_stop.points, *from_stop.points),
        on_road=to_stop.on_road and from_stop.on_road,
    )


def _direct(
    situation: Situation, here: Point, there: Point, roads: RoadGraph | None
) -> tuple[float, Route]:
    if roads is not None and roads.covers(*here) and roads.covers(*there):
        route = roads.route(here, there)
        if route is not None:
            return route.duration_s, route
    metres = distance_m(*here, *there) * DRIVE_FACTOR
    seconds = metres / max(DRIVE_MPS, situation.speed_mps or 0.0)
    return seconds, Route(distance_m=metres, duration_s=seconds, on_road=False)
