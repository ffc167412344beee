"""The need to charge: home, or tomorrow's first trip, is out of reach, and there is a charger on foot from where one will be."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from hearthway.assist import moment
from hearthway.assist.driving import not_driving
from hearthway.assist.options import best, on_foot, utility_of, worth_of
from hearthway.assist.shape import Aim, Fact, Need, Offer, Saying, Scene, Unfit
from hearthway.records.count import count_of
from hearthway.records.geo import distance_m
from hearthway.records.life import Place
from hearthway.records.situation import Battery, Stand, Tomorrow
from hearthway.records.suggestion import Option, Reason
from hearthway.records.venue import Wait

from .became import became
from .enquire import enquire
from .settings import RESERVE_PCT, STOP_MIN, TAKEN_MIN, TOMORROW_FIRST
from .short import (
    charged_kwh,
    home_short_p,
    news_p,
    short_kwh,
    stranded_p,
    tomorrow_p,
    tomorrow_short_p,
    use_error,
)
from .silences import SILENCES
from .words import home_line, power_words, standing_line, tomorrow_line

TAKEN = Reason(
    feature="taken",
    weight=-TAKEN_MIN,
    words=f"free or taken unknown, charged as {TAKEN_MIN:.0f} min",
)


class ChargeAim(Aim, frozen=True, kw_only=True):
    """Charging at this destination."""

    place: Place
    p_area: float  # of the destination and all that share its chargers
    p_short: float  # of getting there, and not home, or not on tomorrow's first trip
    tomorrow: bool  # is it tomorrow's first trip that speaks for it?
    stay_min: float | None  # how long one usually stays there
    too_short_min: float  # by so much that is less than a stop: charging meanwhile saves no more


class ChargeOffer(Offer, frozen=True, kw_only=True):
    """The chargers there."""

    aim: ChargeAim
    chargers: tuple[Option, ...]


def _told(scene: Scene) -> Battery | None:
    """The battery, where it was told of lately."""
    battery = scene.situation.battery
    return battery if battery is not None and battery.age_s <= moment.BATTERY_FRESH_S else None


def _beyond_a_charge(scene: Scene, battery: Battery) -> bool:
    """Is home farther, as the crow flies, than a full battery carries? On a journey every drive is without that."""
    home, here = scene.situation.home, scene.situation
    if home is None or battery.pct_per_km is None:
        return False
    km = distance_m(here.lat, here.lon, home.lat, home.lon) / 1000.0
    return km * battery.pct_per_km > 100.0 - RESERVE_PCT


def could_matter(scene: Scene) -> Unfit | None:
    """On a drive, unless home is known to be within reach."""
    idle = not_driving(scene)
    if idle is not None:
        return idle
    battery = _told(scene)
    if battery is None or battery.at_home_pct is None:
        return None
    if _beyond_a_charge(scene, battery):
        return Unfit(code="home-too-far")
    least_p = scene.settings.min_need_p
    if max(home_short_p(battery), tomorrow_short_p(battery)) >= least_p:
        return None
    return Unfit(code="battery-enough", detail=_of_tomorrow(battery))


def _of_tomorrow(battery: Battery) -> str:
    """What is known of tomorrow where the battery gets one home."""
    home = battery.home
    if isinstance(battery.tomorrow, Tomorrow):
        return "It does for tomorrow's first trip as well."
    if not isinstance(home, Stand) or home.charges is None:
        return (
            "Whether the car charges there is not known yet, so tomorrow's trips are not looked at."
        )
    return "The car charges there." if home.charges else "Tomorrow's first trip is not known."


def aim(scene: Scene) -> ChargeAim | Unfit:
    """The most probable destination, and how probably home is out of reach from there."""
    battery = _told(scene)
    if battery is None:
        return Unfit(code="battery-unknown")
    place = scene.situation.destinations[0].place
    if scene.pois is None or not scene.pois.covers(place.lat, place.lon):
        return Unfit(code="off-map")
    p_home, p_tomorrow = stranded_p(battery), tomorrow_p(battery)
    p_short = max(p_home, p_tomorrow)
    if p_short < scene.settings.min_need_p:
        return Unfit(code="not-even-there")
    if p_short * news_p(battery) < scene.settings.min_need_p:
        return Unfit(code="charges-there")
    p_area = min(1.0, sum(d.p for d in scene.around(place)))
    stay_s = battery.there.usual_s if isinstance(battery.there, Stand) else None
    too_short_min = 0.0 if stay_s is None else max(0.0, STOP_MIN - stay_s / 60.0)
    return ChargeAim(
        topic="charge",
        p_useful=p_area * p_short * news_p(battery),
        p_way=p_area,
        at_most_min=-TAKEN_MIN - too_short_min,
        place=place,
        p_area=p_area,
        p_short=p_short,
        tomorrow=p_home < TOMORROW_FIRST * p_tomorrow,
        stay_min=None if stay_s is None else stay_s / 60.0,
        too_short_min=too_short_min,
    )


def lead_s(scene: Scene, aim: ChargeAim) -> float:
    """Until arrival: then the car stands somewhere else."""
    return scene.way(aim.place)[0]


def propose(scene: Scene, aim: ChargeAim) -> ChargeOffer | Unfit:
    """The chargers on foot from there."""
    battery = _told(scene)
    if scene.pois is None or battery is None:
        return Unfit(code="needs-a-map" if scene.pois is None else "battery-unknown")
    why = "Nobody tells whether it is free."
    chargers = on_foot(scene, scene.pois, aim.place, "charger", ways=2, unknown=TAKEN, why=why)
    if not chargers:
        return Unfit(code="no-charger-near")
    chargers = [_for_the_stay(option, aim, battery) for option in chargers]
    return ChargeOffer(
        topic=aim.topic,
        p_useful=aim.p_useful,
        p_way=aim.p_way,
        lead_s=lead_s(scene, aim),
        at_best_min=max(option.utility for option in chargers),
        aim=aim,
        chargers=tuple(chargers),
    )


def _for_the_stay(option: Option, aim: ChargeAim, battery: Battery) -> Option:
    """The option, less what a short stay there, or so little power, cannot save."""
    parts = [(aim.too_short_min, f"you usually stay {aim.stay_min or 0.0:.0f} min there")]
    power_kw = option.poi.power_kw
    if isinstance(power_kw, float):
        gives_kwh, lacks_kwh = charged_kwh(battery, power_kw), short_kwh(battery, aim.tomorrow)
        if gives_kwh is not None and lacks_kwh is not None and gives_kwh < lacks_kwh:
            words = f"gives at most {gives_kwh:.1f} of the {lacks_kwh:.1f} kWh that are missing"
            parts.append((STOP_MIN * (1.0 - gives_kwh / lacks_kwh), words))
    less_min, words = max(parts)
    if less_min <= 0.0:
        return option
    words = f"{words}: saves less than a stop of {STOP_MIN:.0f} min"
    reasons = (*option.reasons, Reason(feature="stay", weight=-less_min, words=words))
    return replace(option, reasons=reasons, utility=utility_of(reasons))


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
    worth_min, worth_words = worth_of(options)
    tomorrow = battery.tomorrow if aim.tomorrow else None
    line = (
        tomorrow_line(battery, tomorrow) if isinstance(tomorrow, Tomorrow) else home_line(battery)
    )
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
            line,
            *moment.columns(options, [power_words(battery, o.poi) for o in options]),
            standing_line(battery, tomorrow=aim.tomorrow),
            moment.battery_line(battery),
        ),
        options=options,
        heading=tuple(d.place for d in around),
        worth_min=worth_min,
        worth_words=worth_words,
        p_words=_p_words(battery, aim),
        phone_only=isinstance(tomorrow, Tomorrow) and tomorrow.source == "calendar",
    )


def _p_words(battery: Battery, aim: ChargeAim) -> str:
    short = "not on tomorrow's first trip" if aim.tomorrow else "not home from there"
    news, there = "", battery.there
    if isinstance(there, Stand) and there.charged:
        news = f"charged there anyway {1.0 - news_p(battery):.2f} ({there.charged} of {count_of(there.stood, 'time')}), "
    return (
        f" (heading there {aim.p_area:.2f}, {news}{short} {aim.p_short:.2f}: what "
        f"{count_of(battery.trips, 'trip')} used, give or take {use_error(battery):.0%})"
    )


NEED = Need[ChargeAim, ChargeOffer](
    name="battery",
    topics=("charge",),
    order=1,
    early_min=STOP_MIN,
    early_words="no stop to charge on the way",
    useful_words="you were heading there, and would not get home, or to tomorrow's first trip, without charging",
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
    enquire=enquire,
    became=became,
    repeat_s=6 * 3600.0,  # a low charge stays low: said once, until one has driven or charged
)
