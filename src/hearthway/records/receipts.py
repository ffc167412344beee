"""The receipt of a suggestion: what was used, what crossed, by which rule, what ran where, how many bytes."""

from __future__ import annotations

from msgspec import Struct

from .situation import Evidence


class Crossing(Struct, frozen=True, kw_only=True):
    """A key that went from one node to another, and the rule that let it (or refused it)."""

    key: str
    sender: str
    receiver_role: str
    purpose: str
    rule: str
    count: int = 1


class Computation(Struct, frozen=True, kw_only=True):
    """What ran where. `code` is the hash of the stage's source (empty where another node ran it), `model` of the learned state.

    Of a task that others may compute, each node that was given its input has one; `used` is that of whose answer was
    taken, so that False means: it had the input, and was overtaken, called off or not there in time.
    """

    stage: str
    node: str
    code: str
    model: str = ""
    used: bool = True


class Disclosure(Struct, frozen=True, kw_only=True):
    """What somebody outside the household could learn from a fetch."""

    peer: str
    learned: tuple[str, ...]


class Measured(Struct, frozen=True, kw_only=True):
    """Values of this machine and this run: outside every comparison. None reads "not measurable here"."""

    latency_ms: float | None = None
    bytes_to: dict[str, int] = {}
    internet_bytes: int | None = None
    internet_refused: int | None = None
    how: str = ""


class Receipt(Struct, frozen=True, kw_only=True):
    """One node's part in one suggestion."""

    suggestion_id: str
    node: str
    role: str
    person: str
    time_s: float
    fields: tuple[Evidence, ...]
    crossings: tuple[Crossing, ...]
    computations: tuple[Computation, ...]
    disclosures: tuple[Disclosure, ...] = ()
    measured: Measured = Measured()
