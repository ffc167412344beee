"""What a node shows on its own page: records that `app` fills and `web` draws."""

from __future__ import annotations

from msgspec import Struct

from .household import Peer
from .poi import Poi
from .receipts import Receipt
from .situation import Situation
from .suggestion import AnswerKind, Silence, Suggestion

Point = tuple[float, float]  # latitude, longitude


class PageState(Struct, frozen=True, kw_only=True):
    """Everything a page needs to draw itself once. `time_s` is event time, 0 before the first event."""

    node: str
    role: str
    person: str = ""  # the name to show, not the id
    time_s: float = 0.0
    utc_offset_s: int = 0
    synthetic: bool = False
    peers: tuple[Peer, ...] = ()
    suggestion: Suggestion | None = None  # the latest that still stands
    answered: AnswerKind | None = None  # what the person did with it
    silence: Silence | None = None  # why nothing is said, where nothing is
    situation: Situation | None = None
    heading: str = ""  # what the likeliest destination is called, where that is known
    onward: str = ""  # where somebody who stays goes next, while that is fresh
    rough: str = ""  # that only rough positions come, and what to do, where that is so
    track: tuple[Point, ...] = ()  # the trip's fixes so far, oldest first
    ahead: tuple[Point, ...] = ()  # the expected way to the destination, where the map has roads


class PageEvent(Struct, frozen=True, kw_only=True):
    """Something on the page changed; "moment" is shown at once, everything else within the page's own pace."""

    kind: str = "state"


class RoadShape(Struct, frozen=True, kw_only=True):
    """One road as drawn: `level` 0 is a trunk road, 1 a street that collects, 2 everything smaller."""

    level: int
    points: tuple[Point, ...]


class MapShapes(Struct, frozen=True, kw_only=True):
    """What the atlas draws inside a box. Empty where the map carries nothing there."""

    roads: tuple[RoadShape, ...] = ()
    pois: tuple[Poi, ...] = ()
    attribution: str = ""  # the licence's line: it stands on the map wherever the map is shown


class Why(Struct, frozen=True, kw_only=True):
    """A suggestion with every node's receipt of it, and what verifying the chain said."""

    suggestion: Suggestion
    receipts: tuple[Receipt, ...] = ()
    verified: str = ""
    sound: bool = True  # False: a chain does not verify
