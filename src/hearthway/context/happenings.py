"""Words of the home's routine: what happened, what may be next and why, and all that is remembered of it."""

from __future__ import annotations

from msgspec import Struct, field


class Happening(Struct, frozen=True):
    """One event at home: when, what, who acted where that is known, and which source says so."""

    time_s: float  # Unix
    local_s: float  # second of the local day
    what: str
    who: str = ""
    source: str = ""


class Reason(Struct, frozen=True):
    """One view's part in a candidate, and what it rests on."""

    view: str
    gain: float  # in log-odds, over the view's mean for all candidates
    seen: float  # how often the candidate came in this context, faded
    of: float  # how often anything did


class Candidate(Struct, frozen=True):
    """A thing that may be next, with its reasons, the largest gain first, and who spoke of it last."""

    what: str  # "" is something never seen before
    probability: float
    reasons: tuple[Reason, ...]
    last_s: float | None = None
    source: str = ""


class Row(Struct, array_like=True):
    """How often each thing followed one context, faded as of `at_s`."""

    at_s: float
    total: float = 0.0
    counts: dict[int, float] = field(default_factory=dict)


class Heard(Struct, array_like=True):
    """A thing, and when and from whom it was last heard of."""

    what: str
    at_s: float
    source: str


class HomeState(Struct, kw_only=True):
    """The fold of all events so far: written down and taken up again, it goes on unchanged."""

    version: int = 1
    events: int = 0
    things: list[Heard] = field(default_factory=list)  # a thing's symbol is its index + 1
    last: list[int] = field(default_factory=list)  # symbols of the last three events, newest first
    recent: list[tuple[int, float]] = field(default_factory=list)  # symbol and time, newest last
    last_s: float | None = None
    slot: int = 0  # half hour of the local day of the last event
    pause: int = 0  # class of the pause before it
    who: str = ""  # who acted in it
    rows: dict[str, Row] = field(default_factory=dict)
    weights: dict[str, list[float]] = field(default_factory=dict)
    new_bias: float = 0.0
