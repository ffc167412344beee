"""How long this person takes to what the calendar has: own trips tell, else the map's roads by car."""

from __future__ import annotations

from math import ceil

from msgspec import Struct

from hearthway.assist.shape import Scene, Unfit
from hearthway.records.geo import distance_m
from hearthway.records.life import Place, Reached
from hearthway.records.situation import Agenda, Planned

from .settings import (
    ALIKE,
    DOOR_MIN,
    DRIVEN,
    FASTEST_MPS,
    MAP_ERROR,
    OWN_TRIPS,
    OWN_WAYS,
    SLOWEST_MPS,
)

Point = tuple[float, float]
OFTEN_ENOUGH = 0.8  # in so many of ten trips one is not late


class Travel(Struct, frozen=True, kw_only=True):
    """Seconds to allow for, and where they come from."""

    seconds: float
    words: str


def by_own_trips(trips_s: tuple[float, ...]) -> Travel | None:
    """What four of five own trips did not exceed; None where there are too few of them."""
    if len(trips_s) < OWN_TRIPS:
        return None
    ordered = sorted(trips_s)
    seconds = ordered[ceil(OFTEN_ENOUGH * len(ordered)) - 1]
    between = f"{ordered[0] / 60:.0f}-{ordered[-1] / 60:.0f}"
    words = f"{seconds / 60:.0f} min ({len(ordered)} own trips from here took {between})"
    return Travel(seconds=seconds, words=words)


def travel(
    scene: Scene, agenda: Agenda, place: Place, trips_s: tuple[float, ...]
) -> Travel | Unfit:
    """How long to allow; a bee-line over what nobody knows is no answer."""
    own = by_own_trips(trips_s)
    if own is not None:
        return own
    now = scene.situation
    if isinstance(place.reached, Reached) and place.reached.never_by_car:
        return Unfit(code="never-driven")
    if distance_m(now.lat, now.lon, place.lat, place.lon) > agenda.farthest_m:
        return Unfit(code="farther-than-ever")
    seconds, route = scene.way(place)
    if not route.on_road:
        return _as_other_ways(agenda, (now.lat, now.lon), (place.lat, place.lon))
    factor, words = _pace(scene, agenda)
    allowed = seconds * factor
    words = f"{allowed / 60:.0f} min by car ({seconds / 60:.0f} by the map, {words})"
    return Travel(seconds=allowed, words=words)


def _as_other_ways(agenda: Agenda, here: Point, there: Point) -> Travel | Unfit:
    """Where no map has the way: what own ways about as far take for a kilometre of the bee-line; four of five took no more."""
    metres = distance_m(*here, *there)
    rates = sorted(
        trip.seconds / far
        for trip in agenda.own_trips
        if metres / ALIKE <= (far := distance_m(trip.lat, trip.lon, trip.to_lat, trip.to_lon))
        and far <= metres * ALIKE
        and far <= trip.seconds * FASTEST_MPS
        and trip.seconds * SLOWEST_MPS <= far
    )
    if len(rates) < OWN_WAYS:
        return Unfit(code="way-unknown")
    allowed = metres * rates[ceil(OFTEN_ENOUGH * len(rates)) - 1]
    low, high = (rate * 1000.0 / 60.0 for rate in (rates[0], rates[-1]))
    return Travel(
        seconds=allowed,
        words=f"{allowed / 60:.0f} min ({metres / 1000:.1f} km by the bee-line, of which no map has the way; "
        f"{len(rates)} own ways about as far took {low:.1f}-{high:.1f} min for each)",
    )


def _pace(scene: Scene, agenda: Agenda) -> tuple[float, str]:
    """What to multiply the map's time with, and why: four of five own ways took no more."""
    times = []
    roads = scene.roads
    for trip in agenda.own_trips:
        a, b = (trip.lat, trip.lon), (trip.to_lat, trip.to_lon)
        if roads is None or not (roads.covers(*a) and roads.covers(*b)):
            continue
        route = roads.route(a, b)
        if route is not None and route.on_road and route.duration_s > 0.0:
            times.append(trip.seconds / route.duration_s)
    times = sorted(one for one in times if DRIVEN[0] <= one <= DRIVEN[1])
    if len(times) < OWN_WAYS:
        return 1.0 + MAP_ERROR, f"{MAP_ERROR:.0%} allowed for traffic"
    factor = times[ceil(OFTEN_ENOUGH * len(times)) - 1]
    return factor, f"{len(times)} own ways took {times[0]:.1f}-{times[-1]:.1f} times the map's"


def surely_later(scene: Scene, planned: Planned, ready_min: float) -> bool:
    """Is there time yet, however slow the way is? Cheap: without looking it up."""
    place, now = planned.place, scene.situation
    if place is None:
        return True
    slow_s = distance_m(now.lat, now.lon, place.lat, place.lon) / SLOWEST_MPS
    slow_s = max(slow_s, *planned.trips_s) if planned.trips_s else slow_s
    ready_s = (ready_min + DOOR_MIN) * 60.0 + scene.settings.max_lead_s
    return planned.start_s - now.time_s > slow_s + ready_s
