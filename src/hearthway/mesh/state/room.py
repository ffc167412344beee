"""How much one device may write into everybody's replica: what it wrote is kept, read and hashed by every node."""

from __future__ import annotations

from .registers import Registers

KEYS_MAX = 10_000  # a household's devices write some hundred each
BYTES_MAX = 16 * 1024 * 1024


class Room:
    """The room that is left to each author during one transaction; looked up once an author."""

    def __init__(self, store: Registers) -> None:
        self._store = store
        self._used: dict[str, tuple[int, int]] = {}

    def takes(self, author: str, key: str, value: bytes) -> bool:
        """Is there room for that write? It is counted as written. What replaces its own write needs what it is longer."""
        used = self._used.get(author)
        if used is None:
            used = self._store.written_by(author)
        old = self._store.get_register(key)
        own = old is not None and old.hlc.node == author
        keys = used[0] + (not own)
        size = used[1] + len(value) + len(key)
        if old is not None and own:
            size -= len(old.value) + len(key)
        fits = size <= max(BYTES_MAX, used[1]) and keys <= max(KEYS_MAX, used[0])
        self._used[author] = (keys, size) if fits else used
        return fits
