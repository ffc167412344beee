"""Stops on the way: too short for a stay, made there again and again, as where a child is fetched on the way home.

A stop is four minutes or more within 80 m of where one came to rest, and less than a stay. Of the way to a place it is
part if most of the latest like legs (same ends, same kind of day, about the same hour) made it, on three days at least.
A way that leads back to where it began was for the longest of its stops. While it is under way nobody knows: a stop
may have been what one left for, and then another leg began there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, zip_longest

from msgspec import Struct

from hearthway.records.life import STAY_MIN_S, TRIP_MIN_M, Stay
from hearthway.records.localtime import DAY_S
from hearthway.records.situation import Via

from .day_kind import NO_DAYS_OFF, DayKinds, same_kind
from .flat import gap_m
from .places import KnownPlace
from .prior import HALF_LIFE_DAYS, Departure, PastTrip, heeded
from .routes import Track

HALT_M, HALT_MIN_S = 80.0, 240.0  # longer than a traffic light, shorter than a stay
MAX_STOPS = 4  # of one leg, the latest
SAME_M = 150.0  # two stops so near one another are at the same place
LIKE, LIKE_MIN, SHARE = (
    12,
    3,
    0.6,
)  # the latest like legs looked at; of them so many, and such a part, stopped
LIKE_S = 2 * 3600.0  # so far apart in the local day at most
ASIDE_M, ASIDE = (
    1_000.0,
    0.4,
)  # driven so far out of the way to it, and so much of the way there: not today

FOR_ONE, OF = 1.0, 10.0  # whose legs are not known: of so many stops so many were what one left for
LIKE_THIS = 2.0  # what all stops tell of this one, in stops

Stop = tuple[float, float, float]  # latitude, longitude, seconds


class SetOut(Struct, frozen=True):
    """The leg that began at a stop if that was what one had left for, and how probably it was."""

    leaving: Departure
    p: float


def is_stop(halt: Stay, since_s: float | None) -> bool:
    """Is a halt that is over a stop of the leg that began at `since_s`?"""
    seconds = halt.end_s - halt.start_s
    return since_s is not None and halt.start_s >= since_s and HALT_MIN_S <= seconds < STAY_MIN_S


def stop_of(halt: Stay) -> Stop:
    """What is kept of a stop with its leg."""
    return round(halt.lat, 5), round(halt.lon, 5), float(round(halt.end_s - halt.start_s))


def errand_of(halts: Sequence[Stay], *ends: tuple[float, float]) -> Stay | None:
    """What a way was for that leads back to where it began: its longest stop that is a trip away from both ends."""
    away = [h for h in halts if all(gap_m(h.lat, h.lon, *end) > TRIP_MIN_M for end in ends)]
    return max(away, key=lambda h: h.end_s - h.start_s, default=None)


def was_for(
    trips: Sequence[PastTrip], departure: Departure, halt: Stay, spot: KnownPlace | None
) -> float:
    """How probably a leg that began with `departure` was for this stop: as often as past ones from there ended here, of those
    that stopped here. What is not known of this stop, this person's stops of all kinds tell.
    """
    led = passed = 0.0
    ended = went_on = 0.0
    late = trips[heeded(trips, departure.time_s) :]
    for trip, then in zip_longest(late, late[1:]):
        age = 0.5 ** (max(0.0, departure.time_s - trip.depart_s) / DAY_S / HALF_LIFE_DAYS)
        arrived_s = trip.depart_s + trip.duration_s
        if then is not None and trip.destination == then.origin:
            ended += age * (then.depart_s - arrived_s < STAY_MIN_S)
        went_on += age * len(trip.stops)
        if departure.origin is not None and trip.origin != departure.origin:
            continue
        if spot is not None and trip.destination == spot.index:
            led += age
        elif _nearest(trip.stops, halt.lat, halt.lon) is not None:
            passed += age
    any_stop = (ended + FOR_ONE) / (ended + went_on + OF)
    return (led + LIKE_THIS * any_stop) / (led + passed + LIKE_THIS)


def usual_stop(
    trips: Sequence[PastTrip],
    departure: Departure,
    destination: int,
    kinds: DayKinds = NO_DAYS_OFF,
) -> Via | None:
    """The usual stop on the way to `destination`; None without one."""
    to_there = (trip for trip in reversed(trips) if trip.destination == destination)
    like = list(islice(_like(to_there, departure, kinds), LIKE))
    best: list[Stop] = []
    for lat, lon, _ in (stop for trip in like for stop in trip.stops):
        there = [_nearest(trip.stops, lat, lon) for trip in like]
        found = [stop for stop in there if stop is not None]
        if len(found) > len(best):
            best = found
    if len(best) < max(LIKE_MIN, SHARE * len(like)):
        return None
    lat, lon = (sum(stop[i] for stop in best) / len(best) for i in (0, 1))
    seconds = sorted(stop[2] for stop in best)[len(best) // 2]
    return Via(lat=lat, lon=lon, seconds=seconds, times=len(best), of=len(like))


def to_come(usual: Via | None, made: Sequence[Stop], track: Track) -> Via | None:
    """That stop, if it is still to come."""
    if usual is None:
        return None
    lat, lon = usual.lat, usual.lon
    gone = _nearest(made, lat, lon) is not None or _passed(track, lat, lon)
    return None if gone else usual


def _like(trips: Iterable[PastTrip], leaving: Departure, kinds: DayKinds) -> Iterable[PastTrip]:
    """Those that began likewise. On a day off those of such days tell by themselves, once there are enough of them: who still
    goes to work may fetch no child on the way.
    """
    about: Iterable[PastTrip] = (trip for trip in trips if _alike(trip, leaving))
    if leaving.off:
        about = list(about)
        such = [trip for trip in about if trip.off == leaving.off]
        if len(such) >= LIKE_MIN:
            return such
    today = kinds.of(leaving)
    return (trip for trip in about if same_kind(kinds.of(trip), today))


def _alike(trip: PastTrip, leaving: Departure) -> bool:
    apart_s = abs(trip.local_s - leaving.local_s)
    return (
        leaving.origin is not None
        and trip.origin == leaving.origin
        and min(apart_s, DAY_S - apart_s) <= LIKE_S
    )


def _nearest(stops: Sequence[Stop], lat: float, lon: float) -> Stop | None:
    away = [(gap_m(lat, lon, stop[0], stop[1]), stop) for stop in stops]
    return min((one for one in away if one[0] <= SAME_M), default=(0.0, None))[1]


def _passed(track: Track, lat: float, lon: float) -> bool:
    """Does the way so far lead elsewhere?"""
    if not track.points:
        return False
    _, lat0, lon0 = track.points[0]
    here = track.last if track.last is not None else track.points[-1]
    whole = gap_m(lat0, lon0, lat, lon)
    gone = gap_m(lat0, lon0, here[1], here[2])
    return gone + gap_m(here[1], here[2], lat, lon) - whole > max(ASIDE_M, ASIDE * whole)
