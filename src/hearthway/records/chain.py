"""What a receipt chain is made of, and what verifying it says. None of it is personal."""

from __future__ import annotations

from msgspec import Struct

ERASED = "erased by the owner"


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One link: a salted commitment to a body that stands beside it, or a note of what was erased.

    `hash` is SHA-256 over the canonical bytes of everything before it; `signature` is Ed25519 over `hash`.
    """

    seq: int  # from 1, without gaps
    kind: str  # "receipt" or "erasure"
    time_s: float
    commitment: bytes
    erases: tuple[int, ...]  # for an erasure: the seqs whose bodies the owner erased
    prev_hash: bytes
    hash: bytes
    signature: bytes


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The end of a node's chain, as it is shown to the witness."""

    node: str
    seq: int
    hash: bytes
    signature: bytes  # of the last entry; empty where the chain has none


class Countersign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The witness saw this head: Ed25519 by `witness` over (node, seq, hash, time)."""

    node: str
    seq: int
    hash: bytes
    time_s: float
    witness: bytes  # raw public key
    signature: bytes


class Enrolment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At pairing the witness bound a node to its receipt key: Ed25519 by `witness` over (node, key, time)."""

    node: str
    key: bytes  # raw public key of the node's receipts
    time_s: float
    witness: bytes
    signature: bytes


class Problem(Struct, frozen=True, kw_only=True):
    """One thing that does not verify: `code` for programs, `words` for people."""

    code: str
    seq: int
    words: str


class VerifyReport(Struct, frozen=True, kw_only=True):
    """The verdict over a whole chain."""

    node: str
    entries: int
    receipts: int
    erased: int  # bodies "erased by the owner"
    witnessed_to: int  # highest seq a trusted countersignature covers; 0 is none
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Nothing was found to be wrong."""
        return not self.problems
