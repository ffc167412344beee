"""A person's maps as figures of a page: what is drawn, what lies outside, and what the household's map covers, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hearthway.context.flat import gap_m
from hearthway.records.count import count_of
from hearthway.records.page import MapShapes

from .life_map import MOST_PLACES, life_map
from .mapped import LifeMap, PlaceMapped, Point
from .regions import Region

KEYS = (
    ("ours", "●", "trips that led there and were named within 300 m half way"),
    ("missed", "○", "missed"),
    ("soft", "●", "no trip that was predicted led there"),
)
DISCS = "A disc is a place where one stayed, larger with more stays; the filled part of it is the share of its trips that were named."
MARKS = "The smallest marks are trips that ended at no such place."
ENDS_ALONE = "No stay was seen: the marks are where trips ended."
NO_MAP = "No map was at hand: with one (--map FILE) its streets lie beneath."
UNCOVERED = "The map does not cover this ground: no streets lie beneath."


def map_figures(
    drawn: LifeMap | None, streets: Mapping[Region, MapShapes] | None, most_points: int
) -> list[str]:
    """One figure a region, the one with most stays first; the ways have up to `most_points` points."""
    if drawn is None:
        return []
    ways = _latest(drawn.ways, most_points)
    out = []
    for region in drawn.regions:
        beneath = None if streets is None else streets.get(region)
        first = region == drawn.regions[0]
        told, keys = [_held(drawn, region)], ""
        if first:
            keys = _keys(drawn, ways)
            told += [DISCS if drawn.places else ENDS_ALONE]
            told += [MARKS if drawn.places and drawn.ends else "", _outside(drawn)]
        told += [_covered(drawn, region, beneath) if streets is not None else NO_MAP * first]
        words = " ".join(sentence for sentence in told if sentence)
        out.append(
            f'<figure class="map">\n{life_map(drawn, region, beneath, ways)}\n'
            f"<figcaption>{keys}<p>{words}</p></figcaption>\n</figure>"
        )
    return out


def _latest(ways: Sequence[Sequence[Point]], most_points: int) -> list[Sequence[Point]]:
    """The latest ways that have no more points together."""
    kept, room = list[Sequence[Point]](), most_points
    for way in ways:
        room -= len(way)
        if room < 0:
            break
        kept.append(way)
    return kept


def _held(drawn: LifeMap, region: Region) -> str:
    held = [place for place in drawn.places if region.holds(place.lat, place.lon)]
    if not held:
        return ""
    stays, all_stays = _stays(held), _stays(drawn.places)
    which = f"{stays:,} of {all_stays:,} stays" if stays < all_stays else count_of(stays, "stay")
    most = f" Drawn are the {MOST_PLACES} with most." if len(held) > MOST_PLACES else ""
    return f"{count_of(len(held), 'place')} with {which}.{most}"


def _keys(drawn: LifeMap, ways: Sequence[Sequence[Point]]) -> str:
    """What the colours mean, and which ways are drawn."""
    keys = [
        f'<li><span class="key-{css}">{sign}</span> {words}</li>'
        for css, sign, words in KEYS[: 3 if drawn.places else 2]
    ]
    if ways:
        older = drawn.ways_older + len(drawn.ways) - len(ways)
        which = f" of the latest {count_of(len(ways), 'trip')}" if older else ""
        keys.append(f'<li><span class="key-way">―</span> recorded ways{which}</li>')
    return f'<ul class="keys">{"".join(keys)}</ul>'


def _outside(drawn: LifeMap) -> str:
    """What lies in none of the regions."""
    out = [
        place
        for place in drawn.places
        if not any(region.holds(place.lat, place.lon) for region in drawn.regions)
    ]
    if not out:
        return ""
    most = drawn.places[0]
    away_m = max(gap_m(most.lat, most.lon, place.lat, place.lon) for place in out)
    lie = "lies" if len(out) == 1 else "lie"
    return (
        f"{count_of(len(out), 'place')} with {count_of(_stays(out), 'stay')} {lie} farther off, "
        f"up to {away_m / 1_000.0:,.0f} km from the largest disc."
    )


def _covered(drawn: LifeMap, region: Region, beneath: MapShapes | None) -> str:
    if beneath is None or not beneath.roads:
        return UNCOVERED
    held = [place for place in drawn.places if region.holds(place.lat, place.lon)]
    on_map = sum(place.on_map is True for place in held)
    if on_map == len(held):
        return ""
    return f"The map covers {on_map} of these {count_of(len(held), 'place')}: no streets are drawn around the others."


def _stays(places: Sequence[PlaceMapped]) -> int:
    return sum(place.stays for place in places)
