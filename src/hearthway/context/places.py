"""Places of a life: stays within a stay radius of a place belong to it; labels come from habit."""

from __future__ import annotations

from collections.abc import Container

from msgspec import Struct

from hearthway.records.life import STAY_RADIUS_M, Place, Stay
from hearthway.records.localtime import DAY_S, utc_offset_s, weekday

from .flat import gap_m

NOWHERE = -1  # the index of what is no place, or none any more
MIN_HOME_S = 6 * 3600.0  # of night spent there before a place may be called home
MIN_WORK_DAYS = 3
MAX_UNSEEN = (
    1_000  # points where nobody was seen to stay; a recording of rare fixes has a new one with each
)


class KnownPlace(Struct):
    """A place as it is learned."""

    index: int
    lat: float
    lon: float
    visits: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    night_s: float = 0.0  # seconds stayed between 22:00 and 06:00
    office_s: float = 0.0  # seconds stayed on weekdays between 09:00 and 17:00
    office_days: int = 0
    last_office_day: int = -1
    total_s: float = 0.0
    name: str = ""  # given by the owner
    unseen: int = 0  # how often the recording broke off or began here


class PlaceBook:
    """All places of one person, in the order in which they were first stayed at."""

    def __init__(self, places: list[KnownPlace] | None = None) -> None:
        self.places = places if places is not None else []
        self._labels: dict[int, str] | None = None

    def nearest(self, lat: float, lon: float, within_m: float = STAY_RADIUS_M) -> KnownPlace | None:
        """The nearest place within `within_m`; the older one where two are equally near."""
        best, best_m = None, within_m
        band = within_m / 110_000.0
        for place in self.places:
            if abs(place.lat - lat) > band:
                continue
            away = gap_m(place.lat, place.lon, lat, lon)
            if away < best_m or (away == best_m and best is None):
                best, best_m = place, away
        return best

    def arrive(self, stay: Stay) -> tuple[KnownPlace, bool]:
        """The place of a stay that has become certain, and whether it is a new one."""
        self._labels = None
        place = self.nearest(stay.lat, stay.lon)
        new = place is None or place.visits == 0
        if place is None:
            place = self._add(stay.lat, stay.lon)
        if place.visits == 0:
            place.first_s = stay.start_s
        place.visits += 1
        place.last_s = stay.start_s
        place.lat += (stay.lat - place.lat) / place.visits
        place.lon += _turn(stay.lon - place.lon) / place.visits
        return place, new

    def presume(
        self, time_s: float, lat: float, lon: float, instead: KnownPlace | None = None
    ) -> tuple[KnownPlace, bool]:
        """The recording broke off or began here: the place, and whether nobody was known to have been near it.

        A new one takes the index of `instead`, of which nothing may be kept then.
        """
        place = self.nearest(lat, lon)
        new = place is None
        if place is None and instead is not None:
            place = KnownPlace(index=instead.index, lat=lat, lon=lon, first_s=time_s)
            self.places[place.index] = place
        elif place is None:
            place = self._add(lat, lon)
            place.first_s = time_s
        place.unseen += 1
        place.last_s = max(place.last_s, time_s)
        if place.visits == 0:
            place.lat += (lat - place.lat) / place.unseen
            place.lon += _turn(lon - place.lon) / place.unseen
        return place, new

    def outlived(self, lat: float, lon: float, needed: Container[int | None]) -> KnownPlace | None:
        """The point to give up for a new one here: of `MAX_UNSEEN` the one not come near for longest, save the needed."""
        if self.nearest(lat, lon) is not None:
            return None
        points = [p for p in self.places if not p.visits and not p.name]
        if len(points) < MAX_UNSEEN:
            return None
        spare = (p for p in points if p.index not in needed)
        return min(spare, key=lambda p: (p.last_s, p.index), default=None)

    def _add(self, lat: float, lon: float) -> KnownPlace:
        place = KnownPlace(index=len(self.places), lat=lat, lon=lon)
        self.places.append(place)
        return place

    def leave(self, place: KnownPlace, began: Stay, stay: Stay) -> None:
        """A stay is over: its final centre replaces the first one, its hours count towards the labels."""
        self._labels = None
        place.lat += (stay.lat - began.lat) / place.visits
        place.lon += _turn(stay.lon - began.lon) / place.visits
        place.last_s = stay.end_s
        place.total_s += stay.end_s - stay.start_s
        offset = utc_offset_s(stay.lat, stay.lon, stay.start_s)
        begin, end = stay.start_s + offset, min(stay.end_s, stay.start_s + 14 * DAY_S) + offset
        for day in range(int(begin // DAY_S) - 1, int(end // DAY_S) + 1):
            place.night_s += _overlap(
                begin, end, day * DAY_S + 22 * 3600, (day + 1) * DAY_S + 21600
            )
            if weekday(day) < 5:
                hours = _overlap(begin, end, day * DAY_S + 9 * 3600, day * DAY_S + 17 * 3600)
                place.office_s += hours
                if hours > 3600.0 and day != place.last_office_day:
                    place.office_days += 1
                    place.last_office_day = day

    def labels(self) -> dict[int, str]:
        """Labels by place index: the owner's name, else home (most nights), else work (most office hours)."""
        if self._labels is None:
            self._labels = self._habits()
        return self._labels

    def home(self) -> KnownPlace | None:
        """Where the nights are spent; None before that is known."""
        for index, label in self.labels().items():
            if label == "home":
                return self.places[index]
        return None

    def record(self, place: KnownPlace) -> Place:
        """The place as other parts see it."""
        return Place(
            place_id=f"p{place.index}",
            lat=place.lat,
            lon=place.lon,
            visits=place.visits,
            label=self.labels().get(place.index, ""),
            last_s=place.last_s,
        )

    def _habits(self) -> dict[int, str]:
        labels: dict[int, str] = {}
        nights = [p for p in self.places if p.night_s >= MIN_HOME_S]
        if nights:
            labels[max(nights, key=lambda p: (p.night_s, -p.index)).index] = "home"
        offices = [
            p for p in self.places if p.office_days >= MIN_WORK_DAYS and p.index not in labels
        ]
        if offices:
            labels[max(offices, key=lambda p: (p.office_s, -p.index)).index] = "work"
        for place in self.places:
            if place.name:
                labels[place.index] = place.name
        return labels


def _overlap(a: float, b: float, c: float, d: float) -> float:
    return max(0.0, min(b, d) - max(a, c))


def _turn(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0
