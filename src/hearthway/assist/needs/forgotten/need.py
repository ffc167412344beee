"""The need to turn back: something stayed at home that went along on nearly all trips like this one."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from hearthway.assist import moment
from hearthway.assist.shape import Aim, Fact, Need, Offer, Saying, Scene, Unfit
from hearthway.records.count import count_of
from hearthway.records.situation import Habit, Thing, Told
from hearthway.records.venue import Wait

from .settings import BACK_MIN_PER_MIN, GO_P, LATE_S, MISSING_MIN, NEARLY_ALL, PROBABLE_P, URGENT_S
from .silences import SILENCES

MOST_NAMED = 3


class Left(Struct, frozen=True, kw_only=True):
    """One thing that stayed, how probably it was to go along, and the habit that says most of that."""

    name: str
    told: Told
    p: float
    habit: Habit


class LeftAim(Aim, frozen=True, kw_only=True):
    """Turning back for these, the surest first."""

    left: tuple[Left, ...]


class LeftOffer(Offer, frozen=True, kw_only=True):
    """The same: there is nothing to choose from."""

    aim: LeftAim


def _away_s(scene: Scene) -> float | None:
    """Since this person left home; None where that is not what is going on."""
    situation = scene.situation
    start_s, origin, home = situation.trip_start_s, situation.origin, situation.home
    if start_s is None or origin is None or home is None or origin.place_id != home.place_id:
        return None
    return situation.time_s - start_s


def could_matter(scene: Scene) -> Unfit | None:
    """In the first minutes after leaving home, by whatever one moves."""
    away_s = _away_s(scene)
    if away_s is None or scene.situation.mode in ("staying", "unknown"):
        return Unfit(code="not-leaving")
    return Unfit(code="too-late") if away_s > LATE_S else None


def _things(scene: Scene) -> tuple[Thing, ...]:
    things = scene.situation.things
    return things if isinstance(things, tuple) else ()


def _since_leaving(scene: Scene, told: Told | None) -> bool:
    """Was it told after this person had left? What was seen before went along perhaps."""
    away_s = _away_s(scene)
    return told is not None and away_s is not None and told.age_s < away_s


def _known(scene: Scene) -> bool:
    return any(_since_leaving(scene, thing.at_home) for thing in _things(scene))


def _stayed(scene: Scene, thing: Thing) -> Told | None:
    """Home's word that it is there, unless the phone sees it."""
    at_home = thing.at_home
    if at_home is None or not at_home.value or not _since_leaving(scene, at_home):
        return None
    seen = thing.with_phone is not None and bool(thing.with_phone.value)
    return None if seen else at_home


def posterior(habit: Habit) -> float:
    """That it was to go along, after so many occasions (every share as likely before); 0 where it is no habit."""
    if habit.along < NEARLY_ALL * habit.times:
        return 0.0
    return (habit.along + 1.0) / (habit.times + 2.0)


def _p_along(scene: Scene, thing: Thing) -> tuple[float, Habit] | None:
    """Over where this trip may lead, or by what the calendar has next; None where there is no habit at all."""
    goals = {d.place.place_id: d.p for d in scene.situation.destinations}
    parts = [(goals.get(h.place_id, 0.0) * posterior(h), h) for h in thing.habits]
    by_goal = sum(p for p, _ in parts)
    found = [(by_goal, max(parts, key=lambda part: part[0])[1])] if parts else []
    if thing.planned is not None:
        found.append((GO_P * posterior(thing.planned), thing.planned))
    return max(found, key=lambda one: one[0]) if found else None


def aim(scene: Scene) -> LeftAim | Unfit:
    """Everything that stayed and was probably to go along."""
    stayed = [(t, told) for t in _things(scene) if (told := _stayed(scene, t)) is not None]
    if not stayed:
        return Unfit(code="nothing-left")
    left = []
    for thing, told in stayed:
        found = _p_along(scene, thing)
        if found is not None:
            left.append(Left(name=thing.name, told=told, p=found[0], habit=found[1]))
    if not left:
        return Unfit(code="too-few-leavings")
    surest = sorted(left, key=lambda one: (-one.p, one.name))
    probable = tuple(one for one in surest if one.p >= PROBABLE_P)
    if not probable:
        return Unfit(code="rarely-along")
    return LeftAim(topic="forgotten", p_useful=surest[0].p, at_most_min=0.0, left=probable)


def lead_s(scene: Scene, aim: LeftAim) -> float:
    """Every minute away makes turning back dearer, so the next calm moment is the best."""
    return URGENT_S


def _back_min(scene: Scene) -> float:
    return BACK_MIN_PER_MIN * (_away_s(scene) or 0.0) / 60.0


def propose(scene: Scene, aim: LeftAim) -> LeftOffer | Unfit:
    """What it costs to turn back now."""
    return LeftOffer(
        topic=aim.topic,
        p_useful=aim.p_useful,
        lead_s=lead_s(scene, aim),
        at_best_min=-_back_min(scene),
        aim=aim,
    )


def called(name: str) -> str:
    """ "Sports bag" of "Sports_bag"."""
    return moment.plain(name.replace("_", " "))


def _line(scene: Scene, left: Left) -> str:
    habit = left.habit
    if habit.title:
        where = f'when "{moment.plain(habit.title)}" came next'
    else:
        places = (d.place for d in scene.situation.destinations)
        place = next((p for p in places if p.place_id == habit.place_id), None)
        name = "" if place is None else moment.heading_to(scene.name_of, [place], place)
        label = name or ("" if place is None else moment.plain(place.called))
        where = f"on trips from home to {label or 'your regular place'} {habit.like}"
    return f"{called(left.name)}: along {habit.along} of {count_of(habit.times, 'time')} {where}"


def decide(scene: Scene, offer: LeftOffer, waits: Mapping[str, Wait]) -> Saying | Unfit:
    """What stayed, who says so and when, how often it went along, and what turning back costs."""
    left = offer.aim.left[:MOST_NAMED]
    told = max((one.told for one in left), key=lambda one: one.age_s)
    source = moment.plain(told.source) or "source unknown"
    names = " and ".join(called(one.name) for one in left)
    verb = "is" if len(left) == 1 else "are"
    back_min = _back_min(scene)
    return Saying(
        headline=f"{names} {verb} still at home ({source}, {moment.ago(told.age_s)})",
        lines=(
            *(_line(scene, one) for one in left),
            f"turning back costs about {back_min:.0f} min now",
        ),
        worth_min=-back_min,
        worth_words=f"turning back costs {back_min:.0f} min",
        p_words=" (it goes along there)",
        phone_only=any(one.habit.title for one in left),
    )


NEED = Need[LeftAim, LeftOffer](
    name="forgotten",
    topics=("forgotten",),
    order=5,
    early_min=MISSING_MIN,
    early_words="not noticing it only there",
    useful_words="you wanted it along",
    silences=SILENCES,
    must_know=(Fact(name="where the things are", code="whereabouts-unknown", known=_known),),
    could_matter=could_matter,
    aim=aim,
    lead_s=lead_s,
    propose=propose,
    decide=decide,
)
