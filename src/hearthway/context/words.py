"""What the owner says of places, as a part of the history: each word holds from its moment on, in replay as it did live.

A word is bound to a point. Where no place is there (any more, or not yet) it waits for one.
"""

from __future__ import annotations

from hearthway.records.life import PlaceWord

from .places import KnownPlace, PlaceBook, spots_of
from .remap import move_part, renumber
from .spots import divided
from .state import LifeState


def hear(state: LifeState, book: PlaceBook, word: PlaceWord) -> bool:
    """Do what a word says; False where it fits no place now."""
    place = book.at(word.lat, word.lon)
    if word.kind in ("name", "home", "work"):
        if place is None:
            return False
        if word.kind == "name":
            place.name = word.name
        else:
            for one in state.places:
                one.given = "" if one.given == word.kind else one.given
            place.given = word.kind
        book.changed()
        return True
    if word.to_lat is None or word.to_lon is None:
        return False
    if word.kind == "split":  # its points are middles of stays, not of places
        place = book.stayed_at(word.lat, word.lon, state.began)
        other = book.stayed_at(word.to_lat, word.to_lon, state.began)
    else:
        other = book.at(word.to_lat, word.to_lon)
    if place is None or other is None:
        return False
    if word.kind == "merge":
        _merge(state, book, place, other)
        return True
    return _split(state, book, place, other, word)


def _merge(state: LifeState, book: PlaceBook, place: KnownPlace, into: KnownPlace) -> None:
    into.joined, into.apart = True, False
    if place is not into:
        book.join(place, into, state.began)
        renumber(state, place.index, into.index)


def _split(
    state: LifeState, book: PlaceBook, place: KnownPlace, other: KnownPlace, word: PlaceWord
) -> bool:
    if place is other:
        if word.to_lat is None or word.to_lon is None:
            return False
        parts = divided(
            spots_of(place, state.began), (word.lat, word.lon), (word.to_lat, word.to_lon)
        )
        if not parts[0] or not parts[1]:
            return False
        stays = [sum(spot.visits for spot in part) for part in parts]
        other = book.divide(place, parts[stays[0] >= stays[1]], state.began)
        move_part(state, place, other)
    place.apart = other.apart = True
    place.joined = other.joined = False
    return True
