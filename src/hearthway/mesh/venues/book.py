"""The venue's book: who came, who sits, who left. What is entered is on disk before it is acknowledged."""

from __future__ import annotations

from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError
from hearthway.records.venue import Party

MAX_SIZE = 100
KEEP_S = 56 * 86_400.0
MAX_PARTIES = 200_000  # more than anybody can seat in that time: the book has a bound of its own
_LOOK = "`hearthway venue queue` shows who is there."


class Book:
    """Parties by number, kept for `KEEP_S`. A number is never given twice."""

    def __init__(self, store: Store) -> None:
        self._database = store.database

    def came(self, size: int, now_s: float, *, seated: bool = False) -> Party:
        """A party of `size` came, and sits at once if `seated`; InputError on an impossible size."""
        if not 1 <= size <= MAX_SIZE:
            raise InputError(f"A party of {size} cannot be entered.", f"Type 1 to {MAX_SIZE}.")
        with self._database.transaction() as db:
            done = db.execute(
                "INSERT INTO parties (size, came_s, seated_s) VALUES (?, ?, ?)",
                (size, now_s, now_s if seated else None),
            )
            assert done.lastrowid is not None
            db.execute(  # after the new one has its number, so that none is given twice
                "DELETE FROM parties WHERE came_s < ? OR number <= ?",
                (now_s - KEEP_S, done.lastrowid - MAX_PARTIES),
            )
        return self.party(done.lastrowid)

    def seat(self, number: int, now_s: float) -> Party:
        """A party that waits sits down; InputError where it does not wait."""
        with self._database.transaction() as db:
            party = self.party(number)
            if party.left_s is not None:
                raise InputError(f"Party {number} has left.", _LOOK)
            if party.seated_s is not None:
                raise InputError(f"Party {number} sits already.", _LOOK)
            db.execute(
                "UPDATE parties SET seated_s = ? WHERE number = ?",
                (max(now_s, party.came_s), number),
            )
        return self.party(number)

    def leave(self, number: int, now_s: float) -> Party:
        """A party leaves its table, or the queue if it waits; InputError where it is gone already."""
        with self._database.transaction() as db:
            party = self.party(number)
            if party.left_s is not None:
                raise InputError(f"Party {number} has left already.", _LOOK)
            since_s = party.came_s if party.seated_s is None else party.seated_s
            db.execute(
                "UPDATE parties SET left_s = ? WHERE number = ?", (max(now_s, since_s), number)
            )
        return self.party(number)

    def party(self, number: int) -> Party:
        """The party of that number; InputError where there is none."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM parties WHERE number = ?", (number,))  # noqa: S608  (fixed columns)
        if row is None:
            raise InputError(f"There is no party {number}.", _LOOK)
        return _party(row)

    def parties(self, now_s: float) -> list[Party]:
        """Everybody who came within `KEEP_S`, by number."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM parties WHERE came_s >= ? ORDER BY number",  # noqa: S608  (fixed columns)
            (now_s - KEEP_S,),
        )
        return [_party(row) for row in rows]


_COLUMNS = "number, size, came_s, seated_s, left_s"


def _party(row: tuple[int, int, float, float | None, float | None]) -> Party:
    number, size, came_s, seated_s, left_s = row
    return Party(number=number, size=size, came_s=came_s, seated_s=seated_s, left_s=left_s)
