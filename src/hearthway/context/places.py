"""Places of a life: stays within a stay radius of a place belong to it. Two that turn out to be one are joined, one that
turns out to be two is divided; each place keeps its index, and with it its id, as long as it is known.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from msgspec import UNSET, field

from hearthway.records.life import STAY_RADIUS_M, Place, Reached, Stay, TravelMode
from hearthway.records.localtime import DAY_S, local_second, utc_offset_s

from .flat import gap_m
from .habits import Habitual, labels_of
from .heights import meant
from .settling import MIN_HOME_S, Settler, Settling
from .settling import NOWHERE as NOWHERE
from .spots import (
    SPLIT_M,
    SPOT_M,
    Spot,
    Tally,
    add_stay,
    as_spot,
    count,
    nearest_spot,
    tidy,
    total,
    turn,
    two_of,
)

MAX_UNSEEN = (
    1_000  # points where nobody was seen to stay; a recording of rare fixes has a new one with each
)
MAX_VISITED = 1_000  # places; the least of long ago makes room for a new one
WORTH_S = 180 * DAY_S  # how much longer ago a place may have been seen for each visit more
JOIN_STAYS = (
    2  # at each of two places before they are found to be one: a single stay may have been off
)
MAX_BLANK = 100  # indices of places that are no more, before one is used again
MAX_STAYS = 20  # the latest lengths of stay that tell how long one usually stays
MAX_BEGAN = 400  # the latest stays that tell when one comes: a year of coming home
QUARTER_S = 900.0
MAX_COUNTED_S = 14 * DAY_S  # of one stay, towards home and work


class KnownPlace(Habitual, kw_only=True):
    """A place as it is learned."""

    name: str = ""  # given by the owner
    unseen: int = (
        0  # how often the recording broke off or began here, or a stop here was what one left for
    )
    staying: bool = False  # a stay is going on, which counts and is in no spot yet
    spots: list[Spot] = field(default_factory=list)  # none where it has one
    joined: bool = False  # by the owner: it is where its spots are, and stays one
    apart: bool = False  # the owner says that it is a place of its own
    blank: bool = False  # there is no such place any more
    into: int = NOWHERE  # of a blank one: what it became a part of
    stays_s: list[float] = field(default_factory=list)  # how long the latest stays were
    began_q: list[int] = field(
        default_factory=list
    )  # in which quarter of the local day stays began
    car_stood: int = 0  # how often the car stood here and told of its charge before it left; faded
    car_charged: int = 0  # of these, how often it was charged
    height_m: float | None = None  # where the car stood here: the mean of what it told
    heights: int = 0  # how often it told
    reached: Reached = Reached()


class PlaceBook:
    """All places of one person, in the order in which they were first stayed at."""

    def __init__(
        self, places: list[KnownPlace] | None = None, settling: Settling | None = None
    ) -> None:
        self.places = places if places is not None else []
        self._settler = Settler(settling if settling is not None else Settling(), self.places)
        self._labels: dict[int, str] | None = None
        self._known = 0
        self._sleeps = NOWHERE  # where the stay that goes on makes a first home

    def nearest(self, lat: float, lon: float, within_m: float = STAY_RADIUS_M) -> KnownPlace | None:
        """The nearest place within `within_m`; the older one where two are equally near."""
        best, best_m = None, within_m
        band = within_m / 110_000.0
        for place in self.places:
            if place.blank or (abs(place.lat - lat) > band and not place.joined):
                continue
            away = _away_m(place, lat, lon)
            if away < best_m or (away == best_m and best is None):
                best, best_m = place, away
        return best

    def at(self, lat: float, lon: float) -> KnownPlace | None:
        """The place stayed at that is nearest to the point, within a stay radius."""
        found = ((_away_m(p, lat, lon), p.index, p) for p in self.visited())
        away, _, place = min(found, default=(STAY_RADIUS_M + 1.0, 0, None), key=lambda f: f[:2])
        return place if away <= STAY_RADIUS_M else None

    def stayed_at(self, lat: float, lon: float, began: Stay | None) -> KnownPlace | None:
        """The place whose stays were nearest to the point, within a stay radius: the middle of a long one may be far off."""
        found = [
            (nearest_spot(spots, lat, lon)[1], p.index, p)
            for p in self.visited()
            if (spots := spots_of(p, began))
        ]
        away, _, place = min(found, default=(STAY_RADIUS_M + 1.0, 0, None), key=lambda f: f[:2])
        return place if away <= STAY_RADIUS_M else None

    def visited(self) -> Iterator[KnownPlace]:
        """The places stayed at."""
        return (place for place in self.places if place.visits)

    def changed(self) -> None:
        """Somebody changed a place: its label is found again, and it is shown anew."""
        self._labels = None

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
        place.staying = True
        place.last_s = stay.start_s
        if not place.joined:
            place.lat += (stay.lat - place.lat) / place.visits
            place.lon += turn(stay.lon - place.lon) / place.visits
        return place, new

    def stays_on(self, place: KnownPlace, stay: Stay) -> None:
        """A stay goes on: who never left since his first night is at home as much as who left once. Nothing is kept of it."""
        if self._sleeps != NOWHERE or stay.end_s - stay.start_s < MIN_HOME_S:
            return
        zone_s = utc_offset_s(stay.lat, stay.lon, stay.start_s)
        until_s = min(stay.end_s, stay.start_s + MAX_COUNTED_S)
        if self._settler.is_home_so_far(place.index, stay.start_s + zone_s, until_s + zone_s):
            self._sleeps, self._labels = place.index, None

    def presume(
        self, time_s: float, lat: float, lon: float, instead: KnownPlace | None = None
    ) -> tuple[KnownPlace, bool]:
        """The recording broke off or began here, or one left for a stop here: the place, and whether nobody was known near it.

        A new one takes the index of `instead`, of which nothing may be kept then.
        """
        self._labels = None
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
            place.lon += turn(lon - place.lon) / place.unseen
        return place, new

    def outlived(self, lat: float, lon: float, needed: Container[int | None]) -> KnownPlace | None:
        """The point to give up for a new one here: of `MAX_UNSEEN` the one not come near for longest, save the needed."""
        if self.nearest(lat, lon) is not None:
            return None
        points = [p for p in self.places if not (p.visits or p.name or p.blank)]
        if len(points) < MAX_UNSEEN:
            return None
        spare = (p for p in points if p.index not in needed)
        return min(spare, key=lambda p: (p.last_s, p.index), default=None)

    def outdone(self, lat: float, lon: float, needed: Container[int | None]) -> KnownPlace | None:
        """The place to give up for a new one here: of `MAX_VISITED` the least of long ago, save the needed.

        None that the owner said anything of, nor home or work.
        """
        near = self.nearest(lat, lon)
        if near is not None and near.visits:
            return None
        found = list(self.visited())
        if len(found) < MAX_VISITED:
            return None
        kept = {index for index, label in self.labels().items() if label != "regular"}
        spare = [
            p
            for p in found
            if not (p.name or p.given or p.joined or p.apart or p.index in kept)
            and p.index not in needed
        ]
        return min(spare, key=lambda p: (p.last_s + WORTH_S * p.visits, p.index), default=None)

    def give_up(self, place: KnownPlace, into: int = NOWHERE) -> None:
        """There is no such place any more; its index is used again after many others."""
        self._labels, self._sleeps = None, NOWHERE
        self.places[place.index] = KnownPlace(
            index=place.index, lat=place.lat, lon=place.lon, blank=True, into=into
        )

    def _add(self, lat: float, lon: float) -> KnownPlace:
        blank = [p.index for p in self.places if p.blank]
        if len(blank) > MAX_BLANK:
            place = KnownPlace(index=blank[0], lat=lat, lon=lon)
            self.places[place.index] = place
            return place
        place = KnownPlace(index=len(self.places), lat=lat, lon=lon)
        self.places.append(place)
        return place

    def leave(self, place: KnownPlace, began: Stay, stay: Stay) -> None:
        """A stay is over: its final centre replaces the first one, its hours count towards the labels."""
        self._labels, self._sleeps = None, NOWHERE
        spots = spots_of(place, began)
        away = gap_m(spots[0].lat, spots[0].lon, stay.lat, stay.lon) if spots else 0.0
        place.staying = False
        if not place.joined:
            place.lat += (stay.lat - began.lat) / place.visits
            place.lon += turn(stay.lon - began.lon) / place.visits
        if not place.spots and away <= SPOT_M:
            place.scatter_m2 += away * away * (place.visits - 1) / place.visits
        else:
            add_stay(spots, stay)
            place.spots = spots if len(spots) > 1 else []
            place.scatter_m2 = total(spots).scatter_m2
        count(place, stay)
        place.stays_s.append(round(stay.end_s - stay.start_s, 1))
        del place.stays_s[:-MAX_STAYS]
        zone_s = self.stopped(place, stay)
        until_s = min(stay.end_s, stay.start_s + MAX_COUNTED_S)
        self._settler.learn(place.index, stay.start_s + zone_s, until_s + zone_s, zone_s)
        if place.joined:
            _settle_at_most_stayed(place, spots)

    @staticmethod
    def stopped(place: KnownPlace, stay: Stay) -> int:
        """One came here, for a stay or a stop: when is kept. Local time less UTC, in seconds."""
        zone_s = utc_offset_s(stay.lat, stay.lon, stay.start_s)
        place.began_q.append(int(local_second(stay.start_s, zone_s) // QUARTER_S))
        del place.began_q[:-MAX_BEGAN]
        return zone_s

    # --- joined and divided

    def twin(self, place: KnownPlace) -> KnownPlace | None:
        """The nearest other place within `SPLIT_M` that is the same one, as their stays show."""
        best, best_m = None, SPLIT_M
        for other in self.visited():
            few = min(place.visits, other.visits) < JOIN_STAYS
            if other is place or few or place.apart or other.apart or _disagree(place, other):
                continue
            away = gap_m(place.lat, place.lon, other.lat, other.lon)
            if away < best_m and two_of([*spots_of(place), *spots_of(other)]) is None:
                best, best_m = other, away
        return best

    def join(self, place: KnownPlace, into: KnownPlace, began: Stay | None = None) -> None:
        """The first becomes a part of the second. `began`: the stay that is going on, where it is at one of them."""
        spots = [*spots_of(into, began), *spots_of(place, began)]
        into.unseen += place.unseen
        into.stays_s = [*place.stays_s, *into.stays_s][-MAX_STAYS:]
        into.began_q = [*place.began_q, *into.began_q][-MAX_BEGAN:]
        into.car_stood += place.car_stood
        into.car_charged += place.car_charged
        if place.height_m is not None:
            both = into.heights + place.heights
            own = place.height_m if into.height_m is None else into.height_m
            into.height_m = own + (place.height_m - own) * place.heights / both
            into.heights = both
        into.reached = into.reached.plus(place.reached)
        into.name = into.name or place.name
        into.given = into.given or place.given
        into.joined = into.joined or place.joined
        staying = into.staying or place.staying
        self._compose(into, spots, began if staying else None)
        self.give_up(place, into=into.index)

    def divide(
        self, place: KnownPlace, away: Sequence[Spot], began: Stay | None = None
    ) -> KnownPlace:
        """The spots `away` become a place of their own; the rest keeps the index, the name and the owner's label."""
        gone = [(spot.lat, spot.lon) for spot in away]
        rest = [spot for spot in spots_of(place, began) if (spot.lat, spot.lon) not in gone]
        other = self._add(away[0].lat, away[0].lon)
        place.joined = False
        # Nobody knows which of the two these were of: they are learned again.
        place.stays_s, place.began_q, place.car_stood, place.car_charged = [], [], 0, 0
        place.height_m, place.heights = None, 0
        here = began if place.staying else None
        self._compose(other, list(away), None)
        self._compose(place, rest, None)
        if here is not None:
            near = min((place, other), key=lambda p: gap_m(p.lat, p.lon, here.lat, here.lon))
            _stay_on(near, here)
        return other

    def _compose(self, place: KnownPlace, spots: list[Spot], began: Stay | None) -> None:
        """A place anew from its spots, and the stay that is going on there."""
        self._labels, self._sleeps = None, NOWHERE
        if spots:
            whole = total(spots)
            for name in Tally.__struct_fields__:
                setattr(place, name, getattr(whole, name))
            tidy(spots)
        else:
            place.visits = 0
        place.spots = spots if len(spots) > 1 else []
        place.staying = False
        if began is not None:
            _stay_on(place, began)
        if place.joined:
            _settle_at_most_stayed(place, spots)

    def labels(self) -> dict[int, str]:
        """home, work or regular by place index, from habit or from what the owner said; others once anything of a place is another."""
        if self._labels is None:
            self._labels = labels_of(self.places, self._settler.kept, self._sleeps)
            self._known = sum(place.visits > 0 for place in self.places)
        return self._labels

    def known(self) -> int:
        """How many places were stayed at."""
        self.labels()
        return self._known

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
            name=place.name,
            reached=place.reached if place.reached != Reached() else UNSET,
        )

    @staticmethod
    def came(place: KnownPlace, mode: TravelMode) -> None:
        """A trip by that mode ended here."""
        place.reached = place.reached.plus(Reached(**{mode: 1}))

    @staticmethod
    def stood(place: KnownPlace, height_m: float | None) -> None:
        """The car came to stand here, and told that height; None where it told none."""
        if height_m is not None:
            place.heights += 1
            place.height_m = meant(place.height_m, place.heights, height_m)


def became(places: Sequence[KnownPlace], index: int) -> int:
    """The place that the one of this index is a part of by now: itself, unless it was joined to another."""
    while places[index].blank and places[index].into != NOWHERE:
        index = places[index].into
    return index


def spots_of(place: KnownPlace, began: Stay | None = None) -> list[Spot]:
    """The spots of a place: one that keeps no list is its one spot itself, without the stay that is going on."""
    if place.spots:
        return place.spots
    one = as_spot(place)
    one.visits -= place.staying
    if not one.visits:
        return []
    if place.staying and began is not None and not place.joined:
        one.lat += (one.lat - began.lat) / one.visits
        one.lon = turn(one.lon + turn(one.lon - began.lon) / one.visits)
    return [one]


def _stay_on(place: KnownPlace, began: Stay) -> None:
    """The stay that is going on is at this place."""
    place.first_s = place.first_s if place.visits else began.start_s
    place.visits += 1
    place.staying = True
    place.last_s = max(place.last_s, began.start_s)
    if not place.joined:
        place.lat += (began.lat - place.lat) / place.visits
        place.lon = turn(place.lon + turn(began.lon - place.lon) / place.visits)


def _settle_at_most_stayed(place: KnownPlace, spots: Sequence[Spot]) -> None:
    """What the owner joined may lie far apart: it is shown where it was stayed at most, not in the middle."""
    if spots:
        most = max(spots, key=lambda spot: spot.visits)
        place.lat, place.lon = most.lat, most.lon


def _disagree(a: KnownPlace, b: KnownPlace) -> bool:
    """Did the owner say different things of the two?"""
    return (a.name != b.name and bool(a.name and b.name)) or (
        a.given != b.given and bool(a.given and b.given)
    )


def _away_m(place: KnownPlace, lat: float, lon: float) -> float:
    if place.joined and (spots := spots_of(place)):
        return nearest_spot(spots, lat, lon)[1]
    return gap_m(place.lat, place.lon, lat, lon)
