"""What was learned about one person: meals, what was said, what was answered.

The notes are kept as sorted sets, and every weight is derived from them when it is needed. So learning
commutes and may repeat (a node that delivers an event late or twice changes nothing), and what is
learned after forgetting equals, byte for byte, what is learned without the forgotten.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from hearthway.records import codec
from hearthway.records.deeds import Deed
from hearthway.records.geo import distance_m
from hearthway.records.suggestion import AnswerKind, Option

from .deeds import Happened, became
from .willing import Heard, Willing, willing

KEEP = 1_000  # newest notes kept of each sort: years of meals, and a bound on what a node holds
DAY_S = 86_400.0
LIVING_M = 100.0
USUAL_P = 0.7  # taken for a suggestion whose own probability has been forgotten

# For or against the suggestion, and what that counts beside a plain answer.
_TELLS = {
    AnswerKind.ACCEPT: (True, 1.0),
    AnswerKind.DISMISS: (False, 1.0),
    AnswerKind.IGNORED: (False, 0.375),
    AnswerKind.NOT_NOW: (False, 0.25),
    AnswerKind.NEVER_HERE: (False, 0.125),  # says something about the POI, little about the moment
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
    p_before: float | None = (
        None  # before the person's own offset; None in what older versions stored
    )
    kind: str = ""  # of the POI it put first
    about: str = ""  # the one thing it was about; empty where its need speaks of one thing only
    points: tuple[
        tuple[float, float], ...
    ] = ()  # where its POIs lie, or the one thing it was about
    until_s: float | None = None  # from then on it was over (Unix s), where its need said so

    @property
    def believed(self) -> float:
        """What was believed of this suggestion, as far as that is known without the person's answers."""
        return self.p_useful if self.p_before is None else self.p_before


class Answered(Struct, frozen=True, kw_only=True):
    """An answer that was given. `osm_id` empty means the whole suggestion."""

    time_s: float
    suggestion_id: str
    kind: AnswerKind
    need: str
    osm_id: str = ""
    cuisines: tuple[str, ...] = ()


_N = TypeVar("_N")  # Meal, Said or Answered
_W = TypeVar("_W")


def _key(note: Any) -> tuple[float, bytes]:
    return note.time_s, codec.pack(note)


def _time_s(note: Any) -> float:
    time_s: float = note.time_s
    return time_s


def with_note(notes: tuple[_N, ...], note: _N) -> tuple[_N, ...]:
    """`notes` with `note`, in order of time, at most the newest `KEEP`; the same where it is known."""
    if note in notes:
        return notes
    if not notes or _key(notes[-1]) < _key(note):  # the usual case: it happened last
        return (*notes, note)[-KEEP:]
    return tuple(sorted((*notes, note), key=_key)[-KEEP:])


def since(notes: Sequence[_N], time_s: float) -> Sequence[_N]:
    """Those from then on, of notes in order of time: what was lately is not looked for in years."""
    return notes[bisect_left(notes, time_s, key=_time_s) :]


_NEED, _KIND = "need:", "kind:"


def topics(need: str, kind: str) -> tuple[str, ...]:
    """What a person may be more or less willing about than usual: this need, and this kind of POI."""
    return ((_NEED + need,) if need else ()) + ((_KIND + kind,) if kind else ())


def first_kind(options: Sequence[Option]) -> str:
    """The kind of the POI that comes first; empty without any."""
    first = max(options, key=lambda o: o.utility, default=None)
    return first.poi.kind if first is not None else ""


class Memory(Struct, frozen=True, kw_only=True, dict=True):
    """Everything learned about one person. Equal histories give equal bytes in `dump`.

    `dict` is for what is derived once and kept beside the fields; it is no part of the bytes.
    """

    person: str
    meals: tuple[Meal, ...] = ()
    said: tuple[Said, ...] = ()
    answers: tuple[Answered, ...] = ()
    deeds: tuple[Deed, ...] = ()  # what the life knows to have been done, by time
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

    def did(self, deeds: tuple[Deed, ...]) -> Memory:
        """With what is now known to have been done, by time; it stands for all that was known before."""
        return self if deeds == self.deeds else msgspec.structs.replace(self, deeds=deeds)

    @property
    def happened(self) -> Happened:
        """What needs judge their words by."""
        return Happened(meals=self.meals, deeds=self.deeds)

    def meals_out(self, now_s: float, living: Sequence[tuple[float, float]]) -> list[Meal]:
        """Meals that were over by `now_s`, without those at the points lived at: who lives above a
        restaurant is not dining out every evening."""

        def away() -> list[Meal]:
            return [
                meal
                for meal in self.meals
                if all(distance_m(meal.lat, meal.lon, *point) > LIVING_M for point in living)
            ]

        return [meal for meal in self.once("away", tuple(living), away) if meal.end_s <= now_s]

    def shown(self, suggestion_id: str) -> tuple[str, ...]:
        """The POIs of a suggestion that was made."""
        for note in reversed(self.said):
            if note.suggestion_id == suggestion_id:
                return note.osm_ids
        return ()

    def said_about(self) -> dict[str, float]:
        """When something was first said about each one thing (Unix seconds)."""
        return self._said_about

    @cached_property
    def _said_about(self) -> dict[str, float]:
        return {note.about: note.time_s for note in reversed(self.said) if note.about}

    def once(self, what: str, asked: object, work: Callable[[], _W]) -> _W:
        """What `work` makes of these notes: worked out once, until `what` is asked of anything that differs from `asked`."""
        known = self._worked.get(what)
        if known is None or known[0] != asked:
            self._worked[what] = known = asked, work()
        made: _W = known[1]
        return made

    @cached_property
    def _worked(self) -> dict[str, tuple[object, Any]]:
        return {}

    def unwanted(self) -> frozenset[str]:
        """POIs never to be shown again; a "never here" without a POI means the first one shown."""
        first = (
            self.shown(note.suggestion_id)[:1]
            for note in self.answers
            if note.kind is AnswerKind.NEVER_HERE and not note.osm_id
        )
        return frozenset(self.never).union(*first)

    def offset(self, now_s: float, need: str = "", kind: str | None = "") -> float:
        """Log-odds by which this person is likelier than thought to welcome a word about `need`, as known at `now_s`.

        `kind` is that of the POI put first; None, where that is still open: the highest of what may hold.
        """
        own = self._willing if now_s >= self._willing.at_s else self._willing_at(now_s)
        if kind is not None:
            return own.offset(now_s, topics(need, kind))
        liked = (topic for topic in own.weights if topic.startswith(_KIND))
        alone = topics(need, "")
        return max([own.offset(now_s, alone), *(own.offset(now_s, (*alone, t)) for t in liked)])

    @cached_property
    def _willing(self) -> Willing:
        return willing(self._evidence())

    def _willing_at(self, now_s: float) -> Willing:
        return willing(piece for piece in self._evidence() if piece.time_s <= now_s)

    def _evidence(self) -> Iterator[Heard]:
        """What answers and deeds say about the suggestions made, each at the time at which it was known."""
        said = {note.suggestion_id: note for note in self.said}
        for note in self.answers:
            yes, weight = _TELLS[note.kind]
            about = said.get(note.suggestion_id)
            p, kind = (USUAL_P, "") if about is None else (about.believed, about.kind)
            yield Heard(note.time_s, note.suggestion_id, yes, weight, p, topics(note.need, kind))
        happened = self.happened
        for one in self.said:
            for piece in became(one, happened):
                yield Heard(
                    max(piece.time_s, one.time_s),
                    one.suggestion_id,
                    piece.yes,
                    piece.weight,
                    one.believed,
                    topics(one.need, one.kind),
                )


def fade(age_s: float, half_life_s: float) -> float:
    """What is left of a weight after `age_s`: 1 now, a half after each half-life."""
    return float(0.5 ** (max(0.0, age_s) / half_life_s))
