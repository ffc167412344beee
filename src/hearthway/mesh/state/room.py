"""How much one device may write into everybody's replica: what it wrote is kept, read and hashed by every node."""

from __future__ import annotations

from .registers import Registers

KEYS_MAX = 10_000  # a household's devices write some hundred each
BYTES_MAX = 16 * 1024 * 1024


class Room:
    """The room that is left to each author.

    Counting all that one wrote takes a millisecond, so what is known is carried on. It is never too little: every
    write goes through here, and what was undone, deleted or replaced by another author is found at the next count,
    which comes before anything is refused.
    """

    def __init__(self, store: Registers) -> None:
        self._store = store
        self._used: dict[str, tuple[int, int]] = {}
        self._counted: set[str] = set()

    def begin(self) -> Room:
        """A transaction begins: an author is counted at most once in it, however much of it is refused."""
        self._counted.clear()
        return self

    def takes(self, author: str, key: str, value: bytes) -> bool:
        """Is there room for that write? It is counted as written. What replaces its own write needs what it is longer."""
        if self._fits(author, key, value):
            return True
        if author in self._counted:
            return False
        self._used.pop(author, None)
        return self._fits(author, key, value)

    def _fits(self, author: str, key: str, value: bytes) -> bool:
        used = self._used.get(author)
        if used is None:
            used = self._store.written_by(author)
            self._counted.add(author)
        old = self._store.get_register(key)
        own = old is not None and old.hlc.node == author
        keys = used[0] + (not own)
        size = used[1] + len(value) + len(key)
        if old is not None and own:
            size -= len(old.value) + len(key)
        fits = size <= max(BYTES_MAX, used[1]) and keys <= max(KEYS_MAX, used[0])
        self._used[author] = (keys, size) if fits else used
        return fits
