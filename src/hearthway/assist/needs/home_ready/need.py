"""The need for a warm house: colder than this household is used to, nobody in, and nothing about to heat it."""

from __future__ import annotations

from collections.abc import Mapping

from hearthway.assist import gate, moment
from hearthway.assist.driving import not_driving
from hearthway.assist.shape import Aim, Fact, Need, Offer, Saying, Scene, Unfit
from hearthway.records.count import count_of
from hearthway.records.geo import distance_m
from hearthway.records.life import HIT_RADIUS_M, TRIP_MIN_M, Place
from hearthway.records.localtime import clock_at
from hearthway.records.situation import House, HouseHabits, Told, Usual
from hearthway.records.venue import Wait

from .became import became
from .settings import (
    ALONE_DAYS,
    AT_SET_C,
    COAT_C,
    HEATED_S,
    LEAST_C,
    MIN_DAYS,
    MOST_MIN,
    REPEAT_S,
)
from .silences import SILENCES
from .warming import seconds_per_degree

HOUR_S = AROUND_S = 3600.0


class WarmAim(Aim, frozen=True, kw_only=True):
    """Warming this house before one is there."""

    home: Place
    room: Told
    occupied: Told
    usual: Usual
    usual_c: float
    warmings: int
    warm_s: float  # from now until it is warm, if the heating begins now

    @property
    def lacks_c(self) -> float:
        """How much colder than usual."""
        return self.usual_c - float(self.room.value)


class WarmOffer(Offer, frozen=True, kw_only=True):
    """The same, with what the way home takes: there is nothing to choose from."""

    aim: WarmAim
    arrive_s: float  # Unix seconds


def _house(scene: Scene) -> House | None:
    house = scene.situation.house
    return house if isinstance(house, House) else None


def _p_home(scene: Scene) -> float:
    """The probability that this drive leads home."""
    home = scene.situation.home
    if home is None:
        return 0.0
    at = home.lat, home.lon
    near = (
        d.p
        for d in scene.situation.destinations
        if distance_m(d.place.lat, d.place.lon, *at) <= HIT_RADIUS_M
    )
    return min(1.0, sum(near))


def could_matter(scene: Scene) -> Unfit | None:
    """On a drive that may lead home, to a house of which something is known."""
    idle = not_driving(scene)
    if idle is not None:
        return idle
    if scene.situation.home is None:
        return Unfit(code="home-unknown")
    if _p_home(scene) < scene.settings.min_destination_p:
        return Unfit(code="not-heading-home")
    return Unfit(code="no-trip-yet") if _gone_m(scene) < TRIP_MIN_M else None


def _gone_m(scene: Scene) -> float:
    """From where one left. What ends nearer than a trip's least length is none, so of it the destination's probability knows nothing."""
    here, origin = scene.situation, scene.situation.origin
    if origin is None:
        return here.trip_distance_m
    return distance_m(here.lat, here.lon, origin.lat, origin.lon)


def _told(scene: Scene, what: str) -> Told | None:
    house = _house(scene)
    return None if house is None else getattr(house, what)


def _warms_anyway(
    scene: Scene, house: House, habits: HouseHabits, arrive_s: float, usual_c: float
) -> Unfit | None:
    """Is it heated already, or about to be?"""
    heating, planned, wanted = house.heating, house.next_heating, house.setpoint
    if heating is not None and heating.value:
        return Unfit(code="heating-already")
    if planned is not None and scene.situation.time_s <= planned.value <= arrive_s:
        return Unfit(code="heating-set")
    if wanted is not None and wanted.value >= usual_c - AT_SET_C:
        return Unfit(code="heating-set")
    if habits.alone_days >= ALONE_DAYS:
        return Unfit(code="heating-by-itself")
    return None


def _at(habits: HouseHabits, time_s: float) -> Usual:
    """What is usual at that time; as near as it was worked out."""
    return min(habits.usual, key=lambda one: abs(one.time_s - time_s))


def aim(scene: Scene) -> WarmAim | Unfit:
    """The house as it is against the house as it usually is when one will be there."""
    house, home = _house(scene), scene.situation.home
    if house is None or home is None or house.room is None:
        return Unfit(code="house-unknown")
    if house.occupied is None:
        return Unfit(code="presence-unknown")
    if house.occupied.value:
        return Unfit(code="somebody-home")
    habits = house.habits
    if habits is None or not habits.usual:
        return Unfit(code="usual-unknown")
    arrive_s = scene.situation.time_s + scene.way(home)[0]
    usual = _at(habits, arrive_s)
    then = (
        abs(usual.time_s - arrive_s) <= AROUND_S
    )  # a longer way than it was worked out for ends later
    if usual.celsius is None or usual.days < MIN_DAYS or not then:
        return Unfit(code="usual-unknown")
    lacks_c = usual.celsius - float(house.room.value)
    if lacks_c < LEAST_C:
        return Unfit(code="warm-enough")
    anyway = _warms_anyway(scene, house, habits, arrive_s, usual.celsius)
    if anyway is not None:
        return anyway
    last_s = habits.heated_age_s
    if last_s is None or last_s > HEATED_S:
        return Unfit(code="not-heated-lately")
    slow = seconds_per_degree(habits.warmings)
    if slow is None:
        return Unfit(code="warm-up-unknown")
    return WarmAim(
        topic="home-ready",
        p_useful=_p_home(scene),
        at_most_min=_worth_min(lacks_c, MOST_MIN),
        home=home,
        room=house.room,
        occupied=house.occupied,
        usual=usual,
        usual_c=usual.celsius,
        warmings=len(habits.warmings),
        warm_s=lacks_c * slow,
    )


def _worth_min(lacks_c: float, minutes: float) -> float:
    """What so many minutes less in the cold are worth."""
    return min(MOST_MIN, minutes) * min(1.0, lacks_c / COAT_C)


def _way_s(scene: Scene, aim: WarmAim) -> float:
    return scene.way(aim.home)[0]


def lead_s(scene: Scene, aim: WarmAim) -> float:
    """Until the heating has to begin for the house to be warm on arrival; from then on a minute later is a minute colder."""
    way_s = _way_s(scene, aim)
    least_s, saved_min = scene.settings.min_lead_s, min(aim.warm_s, way_s) / 60.0
    if way_s < least_s:
        return way_s
    return max(least_s, max(0.0, way_s - aim.warm_s) + gate.fading_s(saved_min))


def propose(scene: Scene, aim: WarmAim) -> WarmOffer | Unfit:
    """What beginning now saves against beginning on arrival: all of the warming, or as much as the way takes."""
    way_s = _way_s(scene, aim)
    return WarmOffer(
        topic=aim.topic,
        p_useful=aim.p_useful,
        lead_s=lead_s(scene, aim),
        at_best_min=_worth_min(aim.lacks_c, min(aim.warm_s, way_s) / 60.0),
        aim=aim,
        arrive_s=scene.situation.time_s + way_s,
    )


def decide(scene: Scene, offer: WarmOffer, waits: Mapping[str, Wait]) -> Saying | Unfit:
    """How warm it is, who says so, until when it would be warm, and what that is concluded from."""
    aim, situation = offer.aim, scene.situation
    here = situation.lat, situation.lon
    warm = clock_at(*here, situation.time_s + aim.warm_s)
    hours = aim.warm_s / HOUR_S
    saved_min = min(aim.warm_s, offer.arrive_s - situation.time_s) / 60.0
    return Saying(
        headline=(
            f"The house is at {float(aim.room.value):.1f}° ({_from(aim.room)}); "
            f"warm by {warm} if the heating starts now"
        ),
        lines=(
            f"home about {clock_at(*here, offer.arrive_s)} (p {offer.p_useful:.2f}) · nobody is in ({_from(aim.occupied)})",
            f"usually {aim.usual_c:.1f}° then (median of {count_of(aim.usual.days, 'day')} with somebody in)",
            f"{aim.lacks_c:.1f}° take about {_span(hours)} (4 of 5 of the last {aim.warmings} warmings were no slower)",
        ),
        worth_min=offer.at_best_min,
        worth_words=f"{saved_min:.0f} min less in a house {aim.lacks_c:.1f}° too cold",
        p_words=" (heading home)",
    )


def _from(told: Told) -> str:
    """Who says so, and how long ago."""
    return f"{moment.plain(told.source) or 'source unknown'}, {moment.ago(told.age_s)}"


def _span(hours: float) -> str:
    minutes = round(hours * 60.0)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"


NEED = Need[WarmAim, WarmOffer](
    name="home_ready",
    topics=("home-ready",),
    order=4,
    early_min=0.0,
    early_words="knowing it early",
    useful_words="you were heading home and wanted it warm",
    silences=SILENCES,
    must_know=(
        Fact(
            name="how warm the house is",
            code="house-unknown",
            known=lambda scene: _told(scene, "room") is not None,
        ),
        Fact(
            name="whether somebody is in",
            code="presence-unknown",
            known=lambda scene: _told(scene, "occupied") is not None,
        ),
        Fact(
            name="whether the heating is on",
            code="heating-unknown",
            known=lambda scene: _told(scene, "heating") is not None,
        ),
    ),
    could_matter=could_matter,
    aim=aim,
    lead_s=lead_s,
    propose=propose,
    decide=decide,
    became=became,
    repeat_s=REPEAT_S,
)
