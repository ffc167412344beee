"""Chargers on foot from the destination, and what each costs in minutes."""

from __future__ import annotations

from hearthway.assist.options import utility_of
from hearthway.assist.settings import STREET_FACTOR, WALK_MPS
from hearthway.assist.shape import Scene
from hearthway.records.geo import distance_m
from hearthway.records.life import Place
from hearthway.records.poi import OpenState, Poi, PoiIndex
from hearthway.records.suggestion import Option, Reason
from hearthway.records.venue import Wait

from .settings import TAKEN_MIN


def chargers_at(scene: Scene, pois: PoiIndex, place: Place) -> list[Option]:
    """Those not known to be closed on arrival, and not unwanted."""
    arrive_s = scene.situation.time_s + scene.way(place)[0]
    unwanted = scene.memory.unwanted()
    near = pois.near(place.lat, place.lon, scene.settings.walk_radius_m, ("charger",))
    options = [_option(pois, place, poi, arrive_s) for poi in near if poi.osm_id not in unwanted]
    return [option for option in options if option.opening.state is not OpenState.CLOSED]


def _option(pois: PoiIndex, place: Place, poi: Poi, arrive_s: float) -> Option:
    walk_m = distance_m(place.lat, place.lon, poi.lat, poi.lon) * STREET_FACTOR
    walk_min = walk_m / WALK_MPS / 60
    reasons = (
        Reason(feature="walk", weight=-2 * walk_min, words=f"{walk_min:.0f} min on foot each way"),
        Reason(
            feature="taken",
            weight=-TAKEN_MIN,
            words=f"free or taken unknown, charged as {TAKEN_MIN:.0f} min",
        ),
    )
    return Option(
        poi=poi,
        utility=utility_of(reasons),
        opening=pois.opening(poi, arrive_s),
        arrive_s=arrive_s,
        detour_s=0.0,
        walk_m=walk_m,
        wait=Wait(osm_id=poi.osm_id, why="Nobody tells whether it is free."),
        reasons=reasons,
    )
