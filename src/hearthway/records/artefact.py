"""What stands beside a student's file: who says that these bytes are the student of this task."""

from __future__ import annotations

from msgspec import Struct

TASK_MAX, NAME_MAX = 64, 120
SIGNATURE_MAX_BYTES = 4096  # of a packed `SignedArtefact`
SUFFIX = ".sig"  # appended to the name of the file that is signed


class ArtefactStatement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file, named by its content. Of two statements of one signer about one task the higher `serial` is the newer."""

    task: str  # "needs", "modes", "home"; as in the file itself
    identity: str  # SHA-256 of the whole file, hex
    size_bytes: int
    name: str  # for people
    serial: int  # Unix seconds at which it was signed
    household_id: str = ""  # empty: a publisher's word


class SignedArtefact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`statement` is the canonical bytes of an ArtefactStatement; signed after a context by the holder of `key`.

    The household's root signs with ECDSA P-256 (`key` is empty: every node has the root's), a publisher with Ed25519
    (`key` is its raw public key).
    """

    statement: bytes
    signature: bytes
    key: bytes = b""
