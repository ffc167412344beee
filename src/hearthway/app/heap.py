"""Memory that is held for nothing after a big piece of work."""

from __future__ import annotations

import ctypes
from contextlib import suppress

from hearthway.mesh.state.store import Store


def give_back(store: Store) -> None:
    """Pages SQLite keeps for what comes next, and free ends of the heap where the C library can be told (glibc)."""
    with store.database.transaction(durable=False) as db:
        db.execute("PRAGMA shrink_memory")
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
