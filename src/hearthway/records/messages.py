"""What household nodes say to one another beside signals. Every struct goes under one key of the rules.

Two versions talk during an upgrade: a field that this one does not know is passed over, and every new one has a
default. Only what restricts or is signed (consents, grants, orders to forget, chains) is refused whole instead.
"""

from __future__ import annotations

from msgspec import Struct

from .chain import Countersign, Enrolment, Head
from .suggestion import AnswerKind

TICK = "Replay.Tick"
ACK = "Replay.Ack"
SHOW = "Suggestion.Show"
ANSWER = "Answer.Given"
HEAD = "Receipt.Head"
COUNTERSIGN = "Receipt.Countersign"
FORGET = "Forget.Order"


class Tick(Struct, frozen=True, kw_only=True):
    """Everything of event time up to `time_s` has been said; answer with an Ack of the same number."""

    n: int
    time_s: float


class Ack(Struct, frozen=True, kw_only=True):
    """Everything up to tick `n` is processed and stored here."""

    n: int
    node: str


class Surface(Struct, frozen=True, kw_only=True):
    """A suggestion as another node may show it: its words, and nothing it was derived from."""

    suggestion_id: str
    person: str
    time_s: float
    utc_offset_s: int
    lines: tuple[str, ...]
    osm_ids: tuple[str, ...]
    synthetic: bool = False
    over: bool = False  # it stands no more: whoever shows it takes it away


class AnswerGiven(Struct, frozen=True, kw_only=True):
    """An answer given on another node's surface."""

    suggestion_id: str
    kind: AnswerKind
    time_s: float
    osm_id: str = ""


class HeadShown(Struct, frozen=True, kw_only=True):
    """A node's new chain head for the witness, and the receipt key to enrol at the first time."""

    head: Head
    key: bytes
    suggestion_id: str = ""
    time_s: float = 0.0  # event time of the suggestion


class HeadWitnessed(Struct, frozen=True, kw_only=True):
    """The witness's word on a head, and on whose key it is."""

    countersign: Countersign
    enrolment: Enrolment
