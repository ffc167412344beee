"""What was learned about one person: meals, what was said, what was answered.

The notes are kept as sorted sets, and every weight is derived from them when it is needed. So learning
commutes and may repeat (a node that delivers an event late or twice changes nothing), and what is
learned after forgetting equals, byte for byte, what is learned without the forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from hearthway.records import codec
from hearthway.records.geo import distance_m
from hearthway.records.suggestion import AnswerKind

KEEP = 1_000  # newest notes kept of each sort: years of meals, and a bound on what a node holds
DAY_S = 86_400.0
LIVING_M = 100.0
OFFSET_HALF_LIFE_S = 45 * DAY_S  # a bad month must not silence a person's assistant for ever
OFFSET_LIMIT = 3.0
USUAL_P = 0.7  # taken for a suggestion whose own probability has been forgotten

# Step of the per-person offset (log-odds) for each answer: residual of what the gate believed.
_STEP = {
    AnswerKind.ACCEPT: 0.8,
    AnswerKind.DISMISS: -0.8,
    AnswerKind.IGNORED: -0.3,
    AnswerKind.NOT_NOW: -0.2,
    AnswerKind.NEVER_HERE: -0.1,  # says something about the POI, little about the moment
}


class Meal(Struct, frozen=True, kw_only=True, order=True):
    """A visit at a food POI. `quarter` and `day` are local; `pois` are the POIs it may have been at, with shares
    that sum to 1."""

    time_s: float
    end_s: float
    quarter: int
    day: int
    lat: float
    lon: float
    pois: tuple[tuple[str, float], ...] = ()
    tags: tuple[tuple[str, float], ...] = ()  # ("cuisine:pizza", 1.0), ("kind:fast_food", 0.5)


class Said(Struct, frozen=True, kw_only=True, order=True):
    """A suggestion that was made: when, for what, how sure, about which POIs."""

    time_s: float
    suggestion_id: str
    day: int
    need: str
    p_useful: float
    osm_ids: tuple[str, ...] = ()


class Answered(Struct, frozen=True, kw_only=True):
    """An answer that was given. `osm_id` empty means the whole suggestion."""

    time_s: float
    suggestion_id: str
    kind: AnswerKind
    need: str
    osm_id: str = ""
    cuisines: tuple[str, ...] = ()


_N = TypeVar("_N")  # Meal, Said or Answered


def _key(note: Any) -> tuple[float, bytes]:
    return note.time_s, codec.pack(note)


def with_note(notes: tuple[_N, ...], note: _N) -> tuple[_N, ...]:
    """`notes` with `note`, in order of time, at most the newest `KEEP`; the same where it is known."""
    if note in notes:
        return notes
    if not notes or _key(notes[-1]) < _key(note):  # the usual case: it happened last
        return (*notes, note)[-KEEP:]
    return tuple(sorted((*notes, note), key=_key)[-KEEP:])


class Memory(Struct, frozen=True, kw_only=True):
    """Everything learned about one person. Equal histories give equal bytes in `dump`."""

    person: str
    meals: tuple[Meal, ...] = ()
    said: tuple[Said, ...] = ()
    answers: tuple[Answered, ...] = ()
    never: tuple[str, ...] = ()  # osm ids the person never wants to see again, sorted

    def dump(self) -> bytes:
        """Canonical bytes: what is stored, hashed and compared."""
        return codec.pack(self)

    @staticmethod
    def load(data: bytes) -> Memory:
        """The memory in `dump`'s bytes; WireError when they are something else."""
        return codec.unpack(data, Memory)

    def meal(self, note: Meal) -> Memory:
        """With one more meal."""
        return msgspec.structs.replace(self, meals=with_note(self.meals, note))

    def spoke(self, note: Said) -> Memory:
        """With one more suggestion made."""
        return msgspec.structs.replace(self, said=with_note(self.said, note))

    def heard(self, note: Answered) -> Memory:
        """With one more answer."""
        never = self.never
        if note.kind is AnswerKind.NEVER_HERE and note.osm_id:
            never = tuple(sorted({*never, note.osm_id}))
        return msgspec.structs.replace(self, answers=with_note(self.answers, note), never=never)

    def meals_out(self, now_s: float, living: Sequence[tuple[float, float]]) -> list[Meal]:
        """Meals that were over by `now_s`, without those at the points lived at: who lives above a
        restaurant is not dining out every evening."""
        return [
            meal
            for meal in self.meals
            if meal.end_s <= now_s
            and all(distance_m(meal.lat, meal.lon, *point) > LIVING_M for point in living)
        ]

    def shown(self, suggestion_id: str) -> tuple[str, ...]:
        """The POIs of a suggestion that was made."""
        for note in reversed(self.said):
            if note.suggestion_id == suggestion_id:
                return note.osm_ids
        return ()

    def unwanted(self) -> frozenset[str]:
        """POIs never to be shown again; a "never here" without a POI means the first one shown."""
        first = (
            self.shown(note.suggestion_id)[:1]
            for note in self.answers
            if note.kind is AnswerKind.NEVER_HERE and not note.osm_id
        )
        return frozenset(self.never).union(*first)

    def offset(self, now_s: float) -> float:
        """The person's own log-odds offset of usefulness: residuals of past answers, fading with age."""
        total = 0.0
        believed = {note.suggestion_id: note.p_useful for note in self.said}
        for note in self.answers:
            if note.time_s > now_s:
                continue
            step = _STEP[note.kind]
            p = believed.get(note.suggestion_id, USUAL_P)
            residual = 1.0 - p if step > 0 else p
            total += step * residual * fade(now_s - note.time_s, OFFSET_HALF_LIFE_S)
        return max(-OFFSET_LIMIT, min(OFFSET_LIMIT, total))


def fade(age_s: float, half_life_s: float) -> float:
    """What is left of a weight after `age_s`: 1 now, a half after each half-life."""
    return float(0.5 ** (max(0.0, age_s) / half_life_s))
