"""Where to eat, when somebody asks: the need's own candidates and ranking, with what was and was not wanted."""

from __future__ import annotations

from collections.abc import Mapping

from hearthway.assist.options import best
from hearthway.assist.shape import Enquiry, Known, Scene, Unfit
from hearthway.assist.taste import living, taste_of
from hearthway.records.poi import MEAL, Poi
from hearthway.records.suggestion import Option
from hearthway.records.venue import Wait

from .candidates import find
from .rank import option_of
from .sorts import COFFEE, COFFEE_OUT


def enquire(scene: Scene, enquiry: Enquiry) -> Known | Unfit:
    """The tables around the place, without the closed and the unwanted. By the own taste alone: nobody in the car agreed to more than suggestions."""
    place, situation = enquiry.place, scene.situation
    if scene.pois is None or place is None:
        return Unfit(code="needs-a-map")
    if not scene.pois.covers(place.lat, place.lon):
        return Unfit(code="off-map")
    taste = taste_of(scene.memory, situation.time_s, living(situation))
    wanted, without = enquiry.wanted, enquiry.without
    # A map seldom says of a café that it has coffee.
    cafes = COFFEE_OUT.tables if wanted == COFFEE else ()
    found = find(
        situation,
        place,
        scene.way(place)[1],
        pois=scene.pois,
        roads=scene.roads,
        taste=taste,
        unwanted=scene.memory.unwanted(),
        settings=scene.settings,
        kinds=(*MEAL, *cafes),
    )
    fitting = [
        c for c in found.candidates if not wanted or c.poi.kind in cafes or _is(c.poi, wanted)
    ]
    left = [c for c in fitting if not (without and _is(c.poi, without))]

    def options(waits: Mapping[str, Wait]) -> tuple[Option, ...]:
        told = ((c, waits.get(c.poi.osm_id) or Wait(osm_id=c.poi.osm_id)) for c in left)
        ranked = [option_of(candidate, wait, taste) for candidate, wait in told]
        return best(ranked, scene.settings.max_options)

    return Known(
        arrivals={c.poi.osm_id: c.arrive_s for c in left},
        options=options,
        left_out=len(fitting) - len(left),
        closed=found.closed,
    )


def _is(poi: Poi, kind: str) -> bool:
    """Is it of that kind, by its cuisines or its name?"""
    wanted = kind.casefold()
    stem = wanted[:-1] if len(wanted) > 4 and wanted.endswith("s") else wanted
    words = " ".join((*poi.cuisines, poi.name)).replace("_", " ").casefold()
    return bool(stem) and stem in words
