"""What who is in the car means for what is said: their taste as it is told, how much it may weigh, and what a ranker calls it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from msgspec import UNSET

from hearthway.records.company import Companion, TasteTold
from hearthway.records.errors import InputError
from hearthway.records.household import PersonKind
from hearthway.records.poi import Poi
from hearthway.records.situation import Situation

from .memory import Memory
from .taste import PRIOR_MEALS, living, taste_of

HALF = 0.5  # one passenger's taste counts half of the driver's own, all together at most as much
SHARES_MAX, NEVER_MAX = 16, 256  # what is told, and what is taken, of each sort
CALLED_MAX, TAG_MAX, OSM_ID_MAX = 40, 60, 40  # characters
MEALS_MAX = 20.0  # that is sure enough; more would say how often somebody eats out
STEP = 0.05  # shares are told in twentieths: two summaries tell little of the meals between them
_OSM = ("node", "way", "relation")


def told_of(memory: Memory, situation: Situation, called: str) -> TasteTold:
    """The taste of this memory's person as it may be told: shares in twentieths, whole meals, what is never wanted."""
    taste = taste_of(memory, situation.time_s, living(situation))
    shares: dict[str, list[tuple[str, float]]] = {"kind": [], "cuisine": []}
    for tag, meals in taste.tags.items():
        sort, _, name = tag.partition(":")
        share = round(min(1.0, meals / taste.meals) / STEP) * STEP if taste.meals > 0.0 else 0.0
        if share > 0.0 and sort in shares and 0 < len(name) <= TAG_MAX:
            shares[sort].append((name, round(share, 2)))
    return TasteTold(
        called="".join(c for c in called if c.isprintable())[:CALLED_MAX],
        meals=min(MEALS_MAX, float(round(taste.meals))),
        kinds=_most(shares["kind"]),
        cuisines=_most(shares["cuisine"]),
        never=_newest(memory),
    )


def _most(shares: Sequence[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Those with the largest shares, by name: their order tells nothing more."""
    most = sorted(shares, key=lambda one: (-one[1], one[0]))[:SHARES_MAX]
    return tuple(sorted(most))


def _newest(memory: Memory) -> tuple[str, ...]:
    """Of the POIs never wanted those turned down last, by id."""
    unwanted = memory.unwanted()
    said = {note.osm_id: note.time_s for note in memory.answers if note.osm_id in unwanted}
    newest = sorted(unwanted, key=lambda osm_id: (-said.get(osm_id, 0.0), osm_id))
    return tuple(sorted(newest[:NEVER_MAX]))


def checked(told: TasteTold) -> TasteTold:
    """The same; InputError for what no phone of this household tells of anybody's taste."""
    fits = (
        len(told.called) <= CALLED_MAX
        and told.called.isprintable()
        and isfinite(told.meals)
        and 0.0 <= told.meals <= MEALS_MAX
        and all(map(_are_shares, (told.kinds, told.cuisines)))
        and len(told.never) <= NEVER_MAX
        and all(map(_is_osm, told.never))
    )
    if not fits:
        raise InputError(
            "What came is nobody's taste, so it was refused.",
            "Are both phones on the same version?",
        )
    return told


def _are_shares(shares: Sequence[tuple[str, float]]) -> bool:
    names = {name for name, _ in shares}
    return (
        len(shares) == len(names) <= SHARES_MAX
        and all(0 < len(name) <= TAG_MAX and name.isprintable() for name in names)
        and all(0.0 <= share <= 1.0 for _, share in shares)
    )


def _is_osm(osm_id: str) -> bool:
    kind, _, number = osm_id.partition("/")
    return len(osm_id) <= OSM_ID_MAX and kind in _OSM and number.isascii() and number.isdecimal()


def weight_of_each(count: int) -> float:
    """What the taste of one of so many passengers counts beside the driver's own."""
    return min(HALF, 1.0 / count) if count else 0.0


def at_most(count: int, minutes: float) -> float:
    """What so many passengers may add where the driver's own taste adds at most `minutes`."""
    return weight_of_each(count) * count * minutes


def names(company: Sequence[Companion]) -> list[str]:
    """What to call each of them, apart from the others: two of one name by their ids as well."""
    called = [one.called for one in company]
    return [
        name if called.count(name) == 1 else f"{name} ({one.person[:8]})"
        for name, one in zip(called, company, strict=True)
    ]


def likes(companion: Companion, poi: Poi) -> tuple[tuple[str, float], float]:
    """The cuisine of this POI that they eat most with its share, and that of its kind; shrunk while their meals are few."""
    taste = companion.taste
    sure = taste.meals / (taste.meals + PRIOR_MEALS)
    shares = dict(taste.cuisines)
    best = max(((shares.get(c, 0.0), c) for c in sorted(poi.cuisines)), default=(0.0, ""))
    kind = dict(taste.kinds).get(poi.kind, 0.0)
    return (best[1] if best[0] > 0.0 else "", best[0] * sure), kind * sure


def unwanted(memory: Memory, company: Sequence[Companion]) -> frozenset[str]:
    """POIs that somebody in the car never wants to be shown."""
    return memory.unwanted().union(*(one.taste.never for one in company))


def called_by_ranker(situation: Situation) -> str | None:
    """Who is in the car in the survey's words; None where that is not known for sure. Never "alone": whoever has no phone is unseen."""
    aboard = () if situation.aboard is UNSET else situation.aboard
    kinds = [one.kind for one in aboard]
    if PersonKind.CHILD in kinds:
        return "children"
    return "partner" if kinds == [PersonKind.ADULT] else None
