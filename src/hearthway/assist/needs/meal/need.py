"""The need for a meal out: when it could matter, what it must know, candidates, and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import msgspec

from hearthway.assist import moment
from hearthway.assist.company import unwanted
from hearthway.assist.driving import not_driving
from hearthway.assist.memory import Meal
from hearthway.assist.options import best, worth_of
from hearthway.assist.settings import DECIDING_MIN
from hearthway.assist.shape import Aim, Fact, Need, Offer, Saying, Scene, Unfit
from hearthway.assist.taste import Taste, living, taste_of
from hearthway.records.localtime import local_day
from hearthway.records.poi import OpenState
from hearthway.records.venue import Wait

from .became import became
from .candidates import PRIOR_KNOWN, PRIOR_OPEN, Candidate, find
from .enquire import enquire
from .hunger import MEALS, usable, words_of
from .others import preferred
from .rank import best_option_min, option_of
from .rhythm import Rhythm, days_of, rhythm_of
from .settings import AT_TABLE_P
from .silences import SILENCES
from .sorts import COFFEE, of_topic, sort_of
from .table import at_table, tables_of
from .target import Target, find_target
from .words import routine_line


class MealAim(Aim, frozen=True, kw_only=True):
    """This meal at this destination."""

    target: Target


class MealOffer(Offer, frozen=True, kw_only=True):
    """Where one could eat there."""

    target: Target
    at_table: float  # probability that the meals it was concluded from were meals
    rhythm: Rhythm  # is this a day for it?
    heading: str  # "Forum", "near Forum", or empty
    distance_m: float
    candidates: tuple[Candidate, ...]
    known_open: int
    closed: int
    taste: Taste  # with what others rather take of the kinds there


def could_matter(scene: Scene) -> Unfit | None:
    """Only on a drive: who stands where he is decides without us."""
    return not_driving(scene)


def _sated(scene: Scene) -> Callable[[str, Meal], float]:
    """How probably a stay near a table sated: a meal does for all, a coffee for coffee. Asks the map, so it is worked out when asked."""
    pois = scene.pois

    @cache
    def found(topic: str) -> dict[Meal, float]:
        if pois is None:
            return {}
        out = of_topic(topic, _out(scene))
        return tables_of(out, pois, PRIOR_OPEN / PRIOR_KNOWN, sort_of(topic))

    def sated(topic: str, meal: Meal) -> float:
        ate = found("").get(meal, 1.0)
        return max(ate, found(topic).get(meal, 0.0)) if topic == COFFEE else ate

    return sated


def _out(scene: Scene) -> list[Meal]:
    return scene.memory.meals_out(scene.situation.time_s, living(scene.situation))


def aim(scene: Scene) -> MealAim | Unfit:
    """The meal and the destination with most to say."""
    target = find_target(scene.situation, scene.memory, scene.settings, _sated(scene))
    if isinstance(target, Unfit):
        return target
    if scene.pois is None or not scene.pois.covers(target.place.lat, target.place.lon):
        return Unfit(code="off-map")
    return MealAim(
        topic=target.hunger.name,
        p_useful=min(1.0, target.p_useful),
        p_way=min(1.0, target.p_useful / target.hunger.p),
        at_most_min=best_option_min(ranked=scene.ranker is not None, company=len(scene.company))
        - sort_of(target.hunger.name).less_min,
        target=target,
    )


def lead_s(scene: Scene, aim: MealAim) -> float:
    """Until arrival: then one chooses on the spot."""
    return scene.way(aim.target.place)[0]


def _taste(scene: Scene) -> Taste:
    return taste_of(scene.memory, scene.situation.time_s, living(scene.situation))


def propose(scene: Scene, aim: MealAim) -> MealOffer | Unfit:
    """Places to eat that are open or of unknown hours when one comes."""
    if scene.pois is None:
        return Unfit(code="needs-a-map")
    place, taste, sort = aim.target.place, _taste(scene), sort_of(aim.topic)
    seconds, route = scene.way(place)
    found = find(
        scene.situation,
        place,
        route,
        pois=scene.pois,
        roads=scene.roads,
        taste=taste,
        unwanted=unwanted(scene.memory, scene.company),
        settings=scene.settings,
        kinds=sort.tables,
    )
    if not found.candidates:
        return Unfit(code="nothing-open" if found.closed else "no-places-near")
    out = of_topic(aim.topic, _out(scene))
    likely = tables_of(out, scene.pois, found.open_share, sort)
    table = at_table(aim.target.there, likely)
    if table.sure < AT_TABLE_P:
        return Unfit(code="next-door-to-a-table")
    today = local_day(scene.situation.time_s + seconds, scene.situation.utc_offset_s)
    rhythm = rhythm_of(days_of(aim.topic, out, likely), today)
    rather = preferred(scene, place, {c.poi.kind for c in found.candidates})
    taste = msgspec.structs.replace(taste, others=rather)
    return MealOffer(
        topic=aim.topic,
        p_useful=aim.p_useful * table.p * rhythm.share,
        p_way=aim.p_way,
        at_table=table.p,
        rhythm=rhythm,
        lead_s=seconds,
        at_best_min=max(
            option_of(c, Wait(osm_id=c.poi.osm_id, minutes=0.0), taste, scene.company).utility
            for c in found.candidates
        )
        - sort.less_min,
        arrivals={c.poi.osm_id: c.arrive_s for c in found.candidates},
        target=aim.target,
        heading=moment.heading_to(scene.name_of, aim.target.area, place),
        distance_m=route.distance_m,
        candidates=found.candidates,
        known_open=found.known_open,
        closed=found.closed,
        taste=taste,
    )


def decide(scene: Scene, offer: MealOffer, waits: Mapping[str, Wait]) -> Saying | Unfit:
    """The best options with their waits, in words."""
    never = unwanted(scene.memory, scene.company)
    options = best(
        [
            option_of(
                c, waits.get(c.poi.osm_id) or Wait(osm_id=c.poi.osm_id), offer.taste, scene.company
            )
            for c in offer.candidates
            if c.poi.osm_id not in never
        ],
        scene.settings.max_options,
    )
    if not options:
        return Unfit(code="no-places-near")
    target, hunger = offer.target, offer.target.hunger
    worth_min, worth_words = worth_of(options)
    sort = sort_of(hunger.name)
    if sort.less_min:
        worth_words += f", less {sort.less_min:.0f} min: nobody searches as long for {sort.had}"
    shown_open = sum(o.opening.state is OpenState.OPEN for o in options)
    last = sum(o.comes_last for o in options)
    return Saying(
        headline=moment.headline(
            scene.situation,
            target.place,
            offer.heading,
            target.p_area,
            offer.distance_m,
            shared=len(target.area) > 1,
        ),
        lines=(
            routine_line(
                hunger,
                offer.known_open,
                shown_open,
                unsure=len(options) - shown_open - last,
                last=last,
            ),
            *moment.option_lines(options),
            moment.battery_line(scene.situation.battery),
        ),
        options=options,
        heading=target.area,
        worth_min=worth_min - sort.less_min,
        worth_words=worth_words,
        p_words=f" (heading there {target.p_area:.2f}, {hunger.name} then {hunger.p:.2f}:"
        f" {words_of(hunger)}; {sort.at}, not next door to one, {offer.at_table:.2f}"
        f"{offer.rhythm.words(hunger.name)})",
    )


NEED = Need[MealAim, MealOffer](
    name="meal",
    topics=MEALS,
    order=0,
    early_min=DECIDING_MIN,
    early_words="deciding early",
    useful_words="you were heading there to eat or drink",
    silences=SILENCES,
    must_know=(
        Fact(
            name="when you eat out",
            code="no-routine-yet",
            known=lambda scene: bool(usable(scene.situation, scene.settings)),
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
    by_company=True,
)
