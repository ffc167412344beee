"""What the owner can make the household forget, the order that carries it, and what was done."""

from __future__ import annotations

from msgspec import Struct


class PersonScope(Struct, frozen=True, kw_only=True, tag="person", forbid_unknown_fields=True):
    """Everything about one person, the name included."""

    person_id: str


class PlaceScope(Struct, frozen=True, kw_only=True, tag="place", forbid_unknown_fields=True):
    """Everything within `radius_m` of a point: of one person, or of everyone."""

    lat: float
    lon: float
    radius_m: float
    person_id: str | None = None


class RangeScope(Struct, frozen=True, kw_only=True, tag="range", forbid_unknown_fields=True):
    """Everything from `since_s` up to, not including, `until_s`: of one person, or of everyone."""

    since_s: float
    until_s: float
    person_id: str | None = None


Scope = PersonScope | PlaceScope | RangeScope


class Span(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `since_s` up to, not including, `until_s`; an empty person means everyone."""

    since_s: float
    until_s: float
    person_id: str = ""


class ForgetOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What other nodes must forget: random ids and times only, never a name or a coordinate."""

    order_id: str
    node: str  # who gives it
    time_s: float
    persons: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    suggestions: tuple[str, ...] = ()


class SignedForget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`order` is the canonical bytes of a ForgetOrder; Ed25519 over them by `key` (the giver's receipt key)."""

    order: bytes
    key: bytes
    signature: bytes


class ForgetReport(Struct, frozen=True, kw_only=True):
    """What was removed on this node, by record kind; `clean` is False until no free page holds it either."""

    order_id: str
    counts: dict[str, int]
    erased: tuple[int, ...] = ()  # seqs of receipts whose bodies are gone
    clean: bool = True
