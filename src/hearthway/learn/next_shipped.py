"""What a phone would have said before each visit: `context.where_next` with its constants, nothing fitted.

A visit where one was already counts here as elsewhere in these records, so where one is may be where one goes; a phone leaves it
out. Where no position is known, places are taken as far apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from hearthway.context.next_place import NEW, Visit
from hearthway.context.places import KnownPlace
from hearthway.context.prior import Departure, PastTrip
from hearthway.context.where_next import leaving_of, likely, ranked
from hearthway.records.life import STAY_MIN_S
from hearthway.records.localtime import DAY_S

from .next_walk import TOP, Outcome, Person, rank

FITTED = "fitted on other people"
KM_A_DEGREE = 111.195
APART_DEGREES = 0.5


class Known(Struct, frozen=True):
    """What a phone held as one left: the departure, places, legs, and the index of where one then went."""

    here: Departure
    visit: Visit
    places: list[KnownPlace]
    trips: list[PastTrip]
    truth: int


def known_before(person: Person) -> Iterator[Known]:
    """As the visits of a person end, but the last; lists are shared, and grow with the next."""
    places, trips, index = list[KnownPlace](), list[PastTrip](), dict[int, int]()
    last: Visit | None = None
    for visit in person.visits:
        if last is not None:
            here = _at(index[last.place], last.depart_s)
            yield Known(here, last, places, trips, index.get(visit.place, NEW))
        new = visit.place not in index
        if new:
            index[visit.place] = len(places)
            places.append(_place(len(places), visit))
        place = places[index[visit.place]]
        if last is not None:
            trips.append(_leg(_at(index[last.place], last.depart_s), place.index, visit, new=new))
        place.visits += 1
        place.last_s = visit.depart_s
        last = visit


def as_shipped(person: Person) -> list[tuple[int, float, float]]:
    """(rank of the truth, confidence in the first, in the first three together) before each visit but the first."""
    return [_said(known, known.here) for known in known_before(person)]


def while_staying(person: Person, asked: Sequence[bool]) -> list[tuple[bool, bool]]:
    """Of the visits `asked` about, asked when the stay before is certain: is the first right, as of the likely departure and
    as if one left now.
    """
    found = []
    for known, wanted in zip(known_before(person), asked, strict=True):
        if not wanted:
            continue
        visit, origin = known.visit, known.here.origin
        now = _at(origin, min(visit.depart_s, visit.start_s + STAY_MIN_S))
        likely = leaving_of(now, known.trips)
        found.append((_said(known, likely)[0] == 1, _said(known, now)[0] == 1))
    return found


def with_shipped(found: list[Outcome], people: Sequence[Person]) -> list[Outcome]:
    """The outcomes with what a phone would have said in the place of the fitted model, which becomes a peer."""
    said = [as_shipped(person) for person in people]
    out = []
    for one in found:
        ours, confidence, shortlist = said[one.who][one.visit - 2]
        out.append(
            msgspec.structs.replace(
                one,
                ours=ours,
                confidence=confidence,
                shortlist=shortlist,
                peers={**one.peers, FITTED: one.ours},
            )
        )
    return out


def _said(known: Known, leaving: Departure) -> tuple[int, float, float]:
    prior = likely(leaving, known.places, known.trips, known.places)
    order = ranked(prior.places.items())
    at = rank([index for index, _ in order], known.truth)
    return at, order[0][1], sum(p for _, p in order[:TOP])


def _at(origin: int | None, time_s: float) -> Departure:
    return Departure(origin, time_s, time_s % DAY_S, int(time_s // DAY_S) % 7)


def _place(index: int, visit: Visit) -> KnownPlace:
    if visit.at is None:
        return KnownPlace(index=index, lat=0.0, lon=index * APART_DEGREES % 180.0)
    east_km, north_km = visit.at
    return KnownPlace(index=index, lat=north_km / KM_A_DEGREE, lon=east_km / KM_A_DEGREE)


def _leg(leaving: Departure, destination: int, visit: Visit, *, new: bool) -> PastTrip:
    return PastTrip(
        origin=leaving.origin if leaving.origin is not None else NEW,
        destination=destination,
        depart_s=leaving.time_s,
        local_s=leaving.local_s,
        weekday=leaving.weekday,
        new=new,
        length_m=0.0,
        duration_s=max(0.0, visit.start_s - leaving.time_s),
    )
