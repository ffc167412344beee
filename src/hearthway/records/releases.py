"""What a household says about its students: which one serves a task, which is being spread, and what nodes ask for it.

An artefact is named by its content (SHA-256 of the whole file) and stated by its signer (`records.artefact`); around
that stands the household's order, signed by its root and numbered, which any node may hand on.
"""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

ORDERS = "Household.ModelOrders"
PIECE = "Household.ModelPiece"
STAGED = "Household.ModelStaged"
PURPOSE = "household"

PIECE_BYTES = 64 * 1024
ARTEFACT_MAX_BYTES = 16 * 1024 * 1024
GOLDEN_MAX_BYTES = 64 * 1024
ORDER_MAX_BYTES = 256 * 1024  # signed, with three releases
TASKS_MAX = 16
NAME_MAX = 120
NUMBER_MAX = 2**53
WORDS_MAX = 300  # characters of what a node gives as its reason
HASH_BYTES = 32

TASK = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
IDENTITY = re.compile(r"[0-9a-f]{64}")


class Release(Struct, frozen=True, kw_only=True):
    """One artefact for a task. `pieces`: SHA-256 of each 64 KiB, one after the other; `golden`: what it must answer.

    `publisher`: the raw Ed25519 key (hex) of who signed it; empty where the household itself stands by it.
    `serial` orders the releases of one signer (Unix seconds of signing).
    """

    identity: str
    size_bytes: int
    name: str
    serial: int
    pieces: bytes
    golden: bytes
    publisher: str = ""

    @property
    def count(self) -> int:
        """How many pieces it has."""
        return -(-self.size_bytes // PIECE_BYTES)

    def size_of(self, index: int) -> int:
        """Bytes of one piece."""
        return min(PIECE_BYTES, self.size_bytes - index * PIECE_BYTES)

    def is_piece(self, index: int, data: bytes) -> bool:
        """Are these the bytes of that piece?"""
        wanted = self.pieces[index * HASH_BYTES : (index + 1) * HASH_BYTES]
        return len(data) == self.size_of(index) and hashlib.sha256(data).digest() == wanted


class Order(Struct, frozen=True, kw_only=True):
    """The household's word on one task; a higher `number` (milliseconds of its making) replaces a lower one.

    `serves` None: the student that Hearthway ships. `next` is spread and checked, and serves nothing yet. `before` is
    what `back` returns to, if `returns`.
    """

    household_id: str
    task: str
    number: int
    serves: Release | None = None
    next: Release | None = None
    before: Release | None = None
    returns: bool = False

    def releases(self) -> tuple[Release, ...]:
        """Those that it names, each once."""
        found = {one.identity: one for one in (self.before, self.next, self.serves) if one}
        return tuple(found.values())


class SignedOrder(Struct, frozen=True, array_like=True):
    """The canonical bytes of an Order, and the root's signature over them after a context."""

    order: bytes
    signature: bytes


class OrdersSaid(Struct, frozen=True, kw_only=True):
    """Which orders the sender knows, by task and number, and some of them as they were signed."""

    known: dict[str, int]
    orders: tuple[bytes, ...] = ()


class PieceWanted(Struct, frozen=True, kw_only=True):
    """One piece of an artefact."""

    identity: str
    index: int


class Piece(Struct, frozen=True, kw_only=True):
    """Its bytes."""

    data: bytes


class Staged(Struct, frozen=True, kw_only=True):
    """A node tells the home how it stands with an order: which artefact is checked and kept there, which serves.

    `problem`: why the one that is spread does not work there, or where none is spread the one that should serve.
    """

    task: str
    number: int
    staged: str = ""
    serves: str = ""
    problem: str = ""


def pieces_of(data: bytes) -> bytes:
    """The hashes of an artefact's pieces, one after the other."""
    parts = (data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES))
    return b"".join(hashlib.sha256(part).digest() for part in parts)


def implausible(order: Order) -> str:
    """What in an order can be none; "" where nothing is wrong."""
    if TASK.fullmatch(order.task) is None or not 0 < order.number <= NUMBER_MAX:
        return "its task or its number can be none"
    for one in order.releases():
        if IDENTITY.fullmatch(one.identity) is None or one.serial < 0:
            return "an artefact in it has no name"
        if not 0 < one.size_bytes <= ARTEFACT_MAX_BYTES:
            return f"an artefact in it has {one.size_bytes} bytes, and {ARTEFACT_MAX_BYTES >> 20} MiB are the most"
        if len(one.pieces) != one.count * HASH_BYTES:
            return "the pieces of an artefact in it are not as many as its size says"
        if len(one.golden) > GOLDEN_MAX_BYTES or len(one.name) > NAME_MAX:
            return "what it says of an artefact is too long"
    return ""
