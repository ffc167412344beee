"""Options of any need: their worth is the sum of their reasons, and those that may be closed come last."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from hearthway.records.geo import distance_m
from hearthway.records.life import Place
from hearthway.records.poi import OpenState, PoiIndex
from hearthway.records.suggestion import Option, Reason
from hearthway.records.venue import Wait

from .moment import called
from .settings import STREET_FACTOR, WALK_MPS
from .shape import Scene


def utility_of(reasons: Sequence[Reason]) -> float:
    """The utility: exactly the sum of the reasons' weights (correctly rounded)."""
    return fsum(r.weight for r in reasons)


def best(options: Sequence[Option], count: int) -> tuple[Option, ...]:
    """The `count` best by utility, those that may be closed behind the others.

    May be closed: hours unknown, and not eaten at often at this hour.

    Where any is known to be open, one such is among them, even if the person's favourites keep no hours.
    """
    ranked = sorted(options, key=lambda o: (-o.utility, o.poi.osm_id))
    top = sorted(ranked[:count], key=_shown_at)
    known = next((o for o in ranked if o.opening.state is OpenState.OPEN), None)
    if known is not None and top and known not in top:
        top[-1] = known
    return tuple(sorted(top, key=_shown_at))


def _shown_at(option: Option) -> tuple[bool, float, str]:
    return option.comes_last, -option.utility, option.poi.osm_id


def worth_of(options: Sequence[Option]) -> tuple[float, str]:
    """What showing these is worth: the minutes of the best, and its words. One takes of a list what suits one, wherever it stands."""
    top = max(options, key=lambda o: o.utility)
    name, place = called(top.poi), options.index(top) + 1
    if place > 1:
        name += f", the best of those shown, and number {place} only for its unknown hours"
    return top.utility, f"{name}: {top.utility:+.1f} min"


def on_foot(
    scene: Scene, pois: PoiIndex, place: Place, kind: str, *, ways: int, unknown: Reason, why: str
) -> list[Option]:
    """POIs of `kind` on foot from `place`, without those closed on arrival and the unwanted.

    `ways`: how often the walk counts. `unknown` is what nobody tells of any of them, as a reason, and `why` why.
    """
    arrive_s = scene.situation.time_s + scene.way(place)[0]
    unwanted = scene.memory.unwanted()
    options = []
    for poi in pois.near(place.lat, place.lon, scene.settings.walk_radius_m, (kind,)):
        opening = pois.opening(poi, arrive_s)
        if poi.osm_id in unwanted or opening.state is OpenState.CLOSED:
            continue
        walk_m = distance_m(place.lat, place.lon, poi.lat, poi.lon) * STREET_FACTOR
        walk_min = walk_m / WALK_MPS / 60
        each = " each way" if ways > 1 else ""
        walk = Reason(
            feature="walk", weight=-ways * walk_min, words=f"{walk_min:.0f} min on foot{each}"
        )
        options.append(
            Option(
                poi=poi,
                utility=utility_of((walk, unknown)),
                opening=opening,
                arrive_s=arrive_s,
                detour_s=0.0,
                walk_m=walk_m,
                wait=Wait(osm_id=poi.osm_id, why=why),
                reasons=(walk, unknown),
            )
        )
    return options
