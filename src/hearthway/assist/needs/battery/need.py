"""The need to charge: home is out of reach from where one is heading, and there is a charger on foot from there."""

from __future__ import annotations

from collections.abc import Mapping

from hearthway.assist import moment
from hearthway.assist.options import best, on_foot
from hearthway.assist.shape import Aim, Fact, Need, Offer, Saying, Scene, Unfit
from hearthway.records.life import Place
from hearthway.records.situation import Battery
from hearthway.records.suggestion import Option, Reason
from hearthway.records.venue import Wait

from .settings import RESERVE_PCT, STOP_MIN, TAKEN_MIN
from .short import home_short_p, stranded_p, use_error
from .silences import SILENCES

UNKNOWN = "power, free or taken unknown"
TAKEN = Reason(
    feature="taken",
    weight=-TAKEN_MIN,
    words=f"free or taken unknown, charged as {TAKEN_MIN:.0f} min",
)


class ChargeAim(Aim, frozen=True, kw_only=True):
    """Charging at this destination."""

    place: Place
    p_area: float  # of the destination and all that share its chargers
    p_short: float  # of getting there, and not home


class ChargeOffer(Offer, frozen=True, kw_only=True):
    """The chargers there."""

    aim: ChargeAim
    chargers: tuple[Option, ...]


def _told(scene: Scene) -> Battery | None:
    """The battery, where it was told of lately."""
    battery = scene.situation.battery
    return battery if battery is not None and battery.age_s <= moment.BATTERY_FRESH_S else None


def could_matter(scene: Scene) -> Unfit | None:
    """On a drive, unless home is known to be within reach."""
    if scene.situation.mode != "driving":
        return Unfit(code="not-driving")
    battery = _told(scene)
    if battery is None or battery.at_home_pct is None:
        return None
    enough = home_short_p(battery) < scene.settings.min_need_p
    return Unfit(code="battery-enough") if enough else None


def aim(scene: Scene) -> ChargeAim | Unfit:
    """The most probable destination, and how probably home is out of reach from there."""
    battery = _told(scene)
    if battery is None:
        return Unfit(code="battery-unknown")
    place = scene.situation.destinations[0].place
    if scene.pois is None or not scene.pois.covers(place.lat, place.lon):
        return Unfit(code="off-map")
    p_short = stranded_p(battery)
    if p_short < scene.settings.min_need_p:
        return Unfit(code="not-even-there")
    p_area = min(1.0, sum(d.p for d in scene.around(place)))
    return ChargeAim(
        topic="charge",
        p_useful=p_area * p_short,
        at_most_min=-TAKEN_MIN,
        place=place,
        p_area=p_area,
        p_short=p_short,
    )


def lead_s(scene: Scene, aim: ChargeAim) -> float:
    """Until arrival: then the car stands somewhere else."""
    return scene.way(aim.place)[0]


def propose(scene: Scene, aim: ChargeAim) -> ChargeOffer | Unfit:
    """The chargers on foot from there."""
    if scene.pois is None:
        return Unfit(code="needs-a-map")
    why = "Nobody tells whether it is free."
    chargers = on_foot(scene, scene.pois, aim.place, "charger", ways=2, unknown=TAKEN, why=why)
    if not chargers:
        return Unfit(code="no-charger-near")
    return ChargeOffer(
        topic=aim.topic,
        p_useful=aim.p_useful,
        lead_s=lead_s(scene, aim),
        at_best_min=max(option.utility for option in chargers),
        aim=aim,
        chargers=tuple(chargers),
    )


def _charge_line(p_short: float, trips: int) -> str:
    reserve = f"below {RESERVE_PCT:.0f} % at home with p {p_short:.2f}"
    return f"charge there: {reserve} ({trips} trips of this car):"


def decide(scene: Scene, offer: ChargeOffer, waits: Mapping[str, Wait]) -> Saying | Unfit:
    """The nearest chargers, and what is known and not known of them."""
    battery = _told(scene)
    if battery is None:
        return Unfit(code="battery-unknown")
    aim, place = offer.aim, offer.aim.place
    unwanted = scene.memory.unwanted()
    options = best(
        [o for o in offer.chargers if o.poi.osm_id not in unwanted], scene.settings.max_options
    )
    if not options:
        return Unfit(code="no-charger-near")
    around = scene.around(place)
    first = max(options, key=lambda o: o.utility)
    return Saying(
        headline=moment.headline(
            scene.situation,
            place,
            moment.heading_to(scene.name_of, [d.place for d in around], place),
            aim.p_area,
            scene.way(place)[1].distance_m,
            shared=len(around) > 1,
        ),
        lines=(
            _charge_line(home_short_p(battery), battery.trips),
            *moment.columns(options, [UNKNOWN] * len(options)),
            moment.battery_line(battery),
        ),
        options=options,
        worth_min=first.utility,
        worth_words=f"{moment.called(first.poi)}: {first.utility:+.1f} min",
        p_words=f" (heading there {aim.p_area:.2f}, not home from there {aim.p_short:.2f}: what "
        f"{battery.trips} trips used, give or take {use_error(battery):.0%})",
    )


NEED = Need[ChargeAim, ChargeOffer](
    name="battery",
    topics=("charge",),
    order=1,
    early_min=STOP_MIN,
    early_words="no stop to charge on the way home",
    useful_words="you were heading there and would not get home without charging",
    silences=SILENCES,
    must_know=(
        Fact(
            name="what is left in the battery",
            code="battery-unknown",
            known=lambda scene: _told(scene) is not None,
        ),
        Fact(
            name="what the car uses",
            code="consumption-unknown",
            known=lambda scene: (b := _told(scene)) is not None and b.pct_per_km is not None,
        ),
        Fact(
            name="where home is",
            code="home-unknown",
            known=lambda scene: (b := _told(scene)) is not None and b.at_home_pct is not None,
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
    repeat_s=6 * 3600.0,  # a low charge stays low: said once, until one has driven or charged
)
