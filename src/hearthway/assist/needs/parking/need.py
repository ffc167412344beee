"""The need to park: a place one hardly knows, and the car parks on foot from it, before one starts to circle."""

from __future__ import annotations

from collections.abc import Mapping

from hearthway.assist import moment
from hearthway.assist.driving import not_driving
from hearthway.assist.options import best, on_foot, worth_of
from hearthway.assist.shape import Aim, Fact, Need, Offer, Saying, Scene, Unfit
from hearthway.records.life import Place
from hearthway.records.suggestion import Option, Reason
from hearthway.records.venue import Wait

from .became import became
from .settings import ASKED_P, FOUND_WALK_MIN, FULL_MIN, HABIT_VISITS, MIN_DAYS, SEARCH_MIN
from .silences import SILENCES

OWN = ("home", "work")
UNKNOWN = "free places, price unknown"
FULL = Reason(
    feature="full",
    weight=-FULL_MIN,
    words=f"free places unknown, charged as {FULL_MIN:.0f} min",
)


class ParkingAim(Aim, frozen=True, kw_only=True):
    """Parking at this destination."""

    place: Place
    p_there: float  # that it is the destination
    p_open: float  # that where to park there is a question for this person


class ParkingOffer(Offer, frozen=True, kw_only=True):
    """The car parks there."""

    aim: ParkingAim
    car_parks: tuple[Option, ...]


def question_p(visits: int) -> float:
    """Probability that where to park is still a question after so many own visits."""
    return float(0.5 ** (max(0, visits) / HABIT_VISITS))


def _visits(scene: Scene, place: Place) -> int:
    """Own visits there and to all that shares its car parks: the next house is no new place to park."""
    return sum(d.place.visits for d in scene.around(place))


def could_matter(scene: Scene) -> Unfit | None:
    """On a drive that is not known to lead where one knows where to park."""
    situation = scene.situation
    idle = not_driving(scene)
    if idle is not None:
        return idle
    if not situation.destinations:
        return None
    place = situation.destinations[0].place
    if place.label in OWN:
        return Unfit(code="own-parking")
    visits = _visits(scene, place)
    if visits == 0:
        return Unfit(code="no-stay-there")
    return None if question_p(visits) >= ASKED_P else Unfit(code="parked-there-often")


def aim(scene: Scene) -> ParkingAim | Unfit:
    """The most probable destination, and how probably one does not know where to park there."""
    goal = scene.situation.destinations[0]
    p_open = question_p(_visits(scene, goal.place))
    if scene.pois is None or not scene.pois.covers(goal.place.lat, goal.place.lon):
        return Unfit(code="off-map")
    return ParkingAim(
        topic="parking",
        p_useful=goal.p * p_open,
        p_way=goal.p,
        at_most_min=-FULL_MIN,
        place=goal.place,
        p_there=goal.p,
        p_open=p_open,
    )


def lead_s(scene: Scene, aim: ParkingAim) -> float:
    """Until arrival: from then on one looks for a place oneself."""
    return scene.way(aim.place)[0]


def propose(scene: Scene, aim: ParkingAim) -> ParkingOffer | Unfit:
    """The car parks on foot from there that are not known to be closed."""
    if scene.pois is None:
        return Unfit(code="needs-a-map")
    why = "Nobody tells how many places are free."
    car_parks = on_foot(scene, scene.pois, aim.place, "parking", ways=2, unknown=FULL, why=why)
    if not car_parks:
        return Unfit(code="no-car-park-near")
    return ParkingOffer(
        topic=aim.topic,
        p_useful=aim.p_useful,
        p_way=aim.p_way,
        lead_s=lead_s(scene, aim),
        at_best_min=max(option.utility for option in car_parks),
        aim=aim,
        car_parks=tuple(car_parks),
    )


def decide(scene: Scene, offer: ParkingOffer, waits: Mapping[str, Wait]) -> Saying | Unfit:
    """The nearest car parks, and what is not known of them."""
    aim, place = offer.aim, offer.aim.place
    unwanted = scene.memory.unwanted()
    options = best(
        [o for o in offer.car_parks if o.poi.osm_id not in unwanted], scene.settings.max_options
    )
    if not options:
        return Unfit(code="no-car-park-near")
    worth_min, worth_words = worth_of(options)
    visits = _visits(scene, place)
    times = "once" if visits == 1 else f"{visits} times"
    return Saying(
        headline=moment.headline(
            scene.situation,
            place,
            moment.heading_to(scene.name_of, [place], place),
            aim.p_there,
            scene.way(place)[1].distance_m,
        ),
        lines=(
            f"parking thereabouts, where you have been {times}:",
            *moment.columns(options, [UNKNOWN] * len(options)),
        ),
        options=options,
        heading=(place,),
        worth_min=worth_min,
        worth_words=worth_words,
        p_words=f" (heading there {aim.p_there:.2f}, parking still a question {aim.p_open:.2f}: "
        f"you have been thereabouts {times})",
    )


NEED = Need[ParkingAim, ParkingOffer](
    name="parking",
    topics=("parking",),
    order=2,
    early_min=SEARCH_MIN + 2 * FOUND_WALK_MIN,
    early_words="no search for a place, and no walk from where one is found,",
    useful_words="you were heading there and do not know where to park",
    silences=SILENCES,
    must_know=(
        Fact(
            name="which places are new to you",
            code="which-is-new-unknown",
            known=lambda scene: scene.situation.days_known >= MIN_DAYS,
        ),
        Fact(
            name="where you are heading",
            code="unknown-destination",
            known=lambda scene: scene.heading_known,
        ),
        Fact(name="the map", code="needs-a-map", known=lambda scene: scene.pois is not None),
    ),
    could_matter=could_matter,
    aim=aim,
    lead_s=lead_s,
    propose=propose,
    decide=decide,
    became=became,
)
