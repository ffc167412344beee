"""Stops on the way: too short for a stay, made there again and again, as where a child is fetched on the way home.

A stop is four minutes or more within 80 m of where one came to rest, and less than a stay. Of the way to a place it is
part if most of the latest like legs (same ends, same kind of day, about the same hour) made it, on three days at least.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from hearthway.records.life import STAY_MIN_S, Stay
from hearthway.records.localtime import DAY_S
from hearthway.records.situation import Via

from .flat import gap_m
from .prior import Departure, PastTrip
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

Stop = tuple[float, float, float]  # latitude, longitude, seconds


def stop_of(halt: Stay, since_s: float | None) -> Stop | None:
    """A halt that is over as a stop of the leg that began at `since_s`; None where it is none."""
    seconds = halt.end_s - halt.start_s
    if since_s is None or halt.start_s < since_s or not HALT_MIN_S <= seconds < STAY_MIN_S:
        return None
    return round(halt.lat, 5), round(halt.lon, 5), float(round(seconds))


def via_of(
    trips: Sequence[PastTrip],
    departure: Departure,
    destination: int,
    made: Sequence[Stop],
    track: Track,
) -> Via | None:
    """The usual stop on the way to `destination` that is still to come; None without one."""
    to_there = (trip for trip in reversed(trips) if trip.destination == destination)
    like = list(islice((trip for trip in to_there if _alike(trip, departure)), LIKE))
    best: list[Stop] = []
    for lat, lon, _ in (stop for trip in like for stop in trip.stops):
        there = [_nearest(trip.stops, lat, lon) for trip in like]
        found = [stop for stop in there if stop is not None]
        if len(found) > len(best):
            best = found
    if len(best) < max(LIKE_MIN, SHARE * len(like)):
        return None
    lat, lon = (sum(stop[i] for stop in best) / len(best) for i in (0, 1))
    if _nearest(made, lat, lon) is not None or _passed(track, lat, lon):
        return None
    seconds = sorted(stop[2] for stop in best)[len(best) // 2]
    return Via(lat=lat, lon=lon, seconds=seconds, times=len(best), of=len(like))


def _alike(trip: PastTrip, leaving: Departure) -> bool:
    apart_s = abs(trip.local_s - leaving.local_s)
    return (
        leaving.origin is not None
        and trip.origin == leaving.origin
        and (trip.weekday < 5) == (leaving.weekday < 5)
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
