"""Which point somebody means by "the mall", "Forum" or a place of their own."""

from __future__ import annotations

from hearthway.assist.ask.slots import folded
from hearthway.atlas.store import Atlas
from hearthway.context.life import Life
from hearthway.records.life import Place
from hearthway.records.poi import Poi

REACH_M = 50_000.0
KINDS = {
    "mall": "mall",
    "shopping centre": "mall",
    "shopping center": "mall",
    "einkaufszentrum": "mall",
    "supermarket": "supermarket",
    "supermarkt": "supermarket",
    "department store": "department_store",
    "kaufhaus": "department_store",
    "charger": "charger",
    "car park": "parking",
}


def place_meant(
    said: str, anchor: tuple[float, float], atlas: Atlas, life: Life | None
) -> tuple[Place, str] | None:
    """The place and what it is called: one of `life`, else of the map, the nearest to `anchor`; None where neither knows."""
    wanted = folded(said)
    own = [] if life is None else [one for one in life.places() if folded(one.called) == wanted]
    if own and wanted:
        return own[0], own[0].called
    kind = KINDS.get(wanted)
    pois = atlas.near(*anchor, REACH_M, (kind,)) if kind else atlas.named(said, *anchor, REACH_M)
    poi = next((one for one in pois if one.name.strip()), None)
    if poi is None:
        return None
    return as_place(poi), poi.name


def as_place(poi: Poi) -> Place:
    """A thing on the map as somewhere to go."""
    return Place(place_id="", lat=poi.lat, lon=poi.lon, visits=0, name=poi.name)


def middle(atlas: Atlas) -> tuple[float, float]:
    """The middle of the map: from there a stranger's question is looked at, so that it tells nothing of anybody."""
    south, west, north, east = atlas.bounds
    return (south + north) / 2.0, (west + east) / 2.0
