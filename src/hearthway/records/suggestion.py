"""What was proposed, why, and what the person answered."""

from __future__ import annotations

from enum import Enum

from msgspec import UNSET, Struct, UnsetType

from .poi import Opening, OpenState, Poi
from .situation import Situation
from .venue import Wait


class Reason(Struct, frozen=True, kw_only=True):
    """One contribution to a score: removing `feature` changes the score by `-weight`."""

    feature: str
    weight: float
    words: str


class Option(Struct, frozen=True, kw_only=True):
    """One POI of a suggestion, with everything it was ranked by."""

    poi: Poi
    utility: float
    opening: Opening
    arrive_s: float  # Unix time
    detour_s: float
    walk_m: float  # on foot from the destination
    wait: Wait
    reasons: tuple[Reason, ...] = ()
    # Hours unknown, but so many own meals there at this hour that it is as good as known to be open; else unset.
    eaten_then: int | UnsetType = UNSET

    @property
    def comes_last(self) -> bool:
        """Does it stand behind what is known to be open?"""
        return self.opening.state is OpenState.UNKNOWN and self.eaten_then is UNSET


class Suggestion(Struct, frozen=True, kw_only=True):
    """The moment. Its id is the digest of its content, so a replay gives the same id."""

    suggestion_id: str
    need: str  # "dinner"
    person: str
    time_s: float
    utc_offset_s: int
    headline: str
    lines: tuple[str, ...]  # as shown; every figure in them stands in the fields as well
    options: tuple[Option, ...]
    reasons: tuple[Reason, ...]
    p_useful: float
    utility: float
    threshold: float
    propensity: float  # probability with which the gate spoke, for off-policy estimates
    situation: Situation
    synthetic: bool = False
    p_before: float | None = None  # `p_useful` before this person's own answers moved it
    about: str | UnsetType = UNSET  # the one thing it is about, where its need tells several apart
    until_s: float | UnsetType = (
        UNSET  # from then on it is over (Unix seconds), where the need knows
    )
    phone_only: bool | UnsetType = UNSET  # said because of the calendar: no other device shows it
    heading: tuple[Reason, ...] | UnsetType = (
        UNSET  # why one is believed to be heading there, in log-odds: each less without it
    )
    others: str | UnsetType = (
        UNSET  # SHA-256 of the student of others' answers that had a part in the order of its options
    )


class Silence(Struct, frozen=True, kw_only=True):
    """Nothing was said, and why: `code` for programs, `words` for people."""

    time_s: float
    person: str
    code: str
    words: str
    utility: float | None = None
    threshold: float | None = None


class AnswerKind(Enum):
    """What the person did with a suggestion."""

    ACCEPT = "accept"
    DISMISS = "dismiss"
    NOT_NOW = "not-now"
    NEVER_HERE = "never-here"
    IGNORED = "ignored"


class Answer(Struct, frozen=True, kw_only=True):
    """An answer, with what is needed to learn from it without the suggestion beside it."""

    suggestion_id: str
    person: str
    kind: AnswerKind
    time_s: float
    osm_id: str = ""  # the option meant; empty means the whole suggestion
    need: str = "dinner"
    cuisines: tuple[str, ...] = ()
    utc_offset_s: int = 0
    lat: float | None = None  # where the option stands: `forget PLACE` finds it
    lon: float | None = None
