"""What replicas say to each other. Two versions talk during an upgrade: what a struct does not know it passes over,
and every field that a later version added has a default.
"""

from __future__ import annotations

from msgspec import Struct

PULL = "Household.State.Pull"
CHANGES = "Household.State.Changes"
FRESH = "Household.State.Fresh"
PURPOSE = "household"


class Pull(Struct, frozen=True, kw_only=True):
    """Asks for the changes of `database` after number `since`; the answer is one page of `Changes`.

    `own`: the asker's file came from a backup, so it asks for its own writes as well.
    """

    database: bytes = b""
    since: int = 0
    own: bool = False


class Change(Struct, frozen=True, kw_only=True):
    """The winning write of a key. `age_s` instead of a time: wrong clocks do not make an old value look fresh."""

    key: str
    value: bytes
    wall_ms: int
    count: int
    node: str
    ttl_s: float = 0.0
    age_s: float = 0.0
    time_s: float | None = None
    lat: float | None = None
    lon: float | None = None


class Burial(Struct, frozen=True, kw_only=True):
    """A forgotten register: the hash of its key under the page's salt, and its last write."""

    key_hash: bytes
    wall_ms: int
    count: int
    node: str


class Changes(Struct, frozen=True, kw_only=True):
    """Changes of `database` after `since`, up to `next`; `last` is the newest there is.

    `seen` and `seen_database`: how far the sender has merged the receiver's own changes. `digest`, on the last
    page: over everything of the sender's that both may hold.
    """

    database: bytes
    since: int
    next: int
    last: int
    changes: tuple[Change, ...] = ()
    buried: tuple[Burial, ...] = ()
    salt: bytes = b""
    seen_database: bytes = b""
    seen: int = 0
    digest: bytes = b""
