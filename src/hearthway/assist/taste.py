"""A person's taste, derived from memory: cuisines, kinds and POIs, recent ones weighing more."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hearthway.records.life import LIVED
from hearthway.records.poi import Poi
from hearthway.records.situation import Situation
from hearthway.records.suggestion import AnswerKind

from .memory import DAY_S, Memory, fade

TAG_HALF_LIFE_S = 180 * DAY_S
POI_HALF_LIFE_S = 120 * DAY_S
ANSWER_HALF_LIFE_S = 90 * DAY_S
SURE = 0.8
PRIOR_MEALS = (
    4.0  # a taste is believed as far as it outweighs this many meals about which nothing is known
)

# What an answer says about the POI it was about. "Not now" speaks of the moment, mostly.
_VERDICT = {
    AnswerKind.ACCEPT: 1.0,
    AnswerKind.DISMISS: -1.0,
    AnswerKind.NOT_NOW: -0.25,
    AnswerKind.IGNORED: -0.25,
    AnswerKind.NEVER_HERE: -4.0,
}


class Taste(Struct, frozen=True, kw_only=True):
    """Derived weights: tag -> meals, POI -> meals, POI -> verdict; faded with age."""

    meals: float
    tags: dict[str, float]
    pois: dict[str, float]
    verdicts: dict[str, float]
    counts: dict[str, int]  # POI -> meals eaten there, unfaded, for the words
    quarters: dict[str, dict[int, int]]  # POI -> local quarter -> meals begun then
    others: dict[str, float] = {}  # kind -> how much rather others take it than what else is there

    def share(self, tag: str) -> float:
        """Share of this person's meals that carry `tag`, shrunk towards 0 while meals are few."""
        return self.tags.get(tag, 0.0) / (self.meals + PRIOR_MEALS)

    def favourite(self, poi: Poi) -> tuple[str, float]:
        """The cuisine of this POI that the person eats most, and its share; ("", 0) for none."""
        best = max(
            ((self.share(f"cuisine:{c}"), c) for c in sorted(poi.cuisines)), default=(0.0, "")
        )
        return (best[1], best[0]) if best[0] > 0 else ("", 0.0)

    def eaten_here_then(self, osm_id: str, quarter: int, reach: int = 4) -> int:
        """Own meals at this POI begun within `reach` quarter hours of this local quarter."""
        seen = self.quarters.get(osm_id, {})
        return sum(seen.get((quarter + d) % 96, 0) for d in range(-reach, reach + 1))


def living(situation: Situation) -> tuple[tuple[float, float], ...]:
    """Where this person lives and works, as far as the situation tells."""
    points = {(d.place.lat, d.place.lon) for d in situation.destinations if d.place.label in LIVED}
    if situation.home is not None:
        points.add((situation.home.lat, situation.home.lon))
    return tuple(sorted(points))


def taste_of(memory: Memory, now_s: float, living: Sequence[tuple[float, float]] = ()) -> Taste:
    """The taste that follows from the answers and the meals out remembered up to `now_s`."""
    tags: dict[str, float] = {}
    pois: dict[str, float] = {}
    counts: dict[str, int] = {}
    quarters: dict[str, dict[int, int]] = {}
    verdicts: dict[str, float] = {}
    meals = 0.0
    for meal in memory.meals_out(now_s, living):
        left = fade(now_s - meal.end_s, TAG_HALF_LIFE_S)
        meals += left
        for tag, weight in meal.tags:
            tags[tag] = tags.get(tag, 0.0) + left * weight
        here = fade(now_s - meal.end_s, POI_HALF_LIFE_S)
        for osm_id, part in meal.pois:
            pois[osm_id] = pois.get(osm_id, 0.0) + here * part
        osm_id, part = max(meal.pois, key=lambda p: (p[1], p[0]), default=("", 0.0))
        if part >= SURE:  # only a sure visit counts as "you have eaten here"
            counts[osm_id] = counts.get(osm_id, 0) + 1
            bins = quarters.setdefault(osm_id, {})
            bins[meal.quarter] = bins.get(meal.quarter, 0) + 1
    for note in memory.answers:
        if note.time_s > now_s:
            continue
        left = fade(now_s - note.time_s, ANSWER_HALF_LIFE_S)
        about = (note.osm_id,) if note.osm_id else memory.shown(note.suggestion_id)
        for osm_id in about:
            verdict = _VERDICT[note.kind] * left / len(about)
            verdicts[osm_id] = verdicts.get(osm_id, 0.0) + verdict
        if note.kind is AnswerKind.ACCEPT and note.cuisines:
            meals += left
            for cuisine in sorted(set(note.cuisines)):
                tag = f"cuisine:{cuisine}"
                tags[tag] = tags.get(tag, 0.0) + left
    return Taste(
        meals=meals, tags=tags, pois=pois, verdicts=verdicts, counts=counts, quarters=quarters
    )
