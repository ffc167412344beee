"""Settings and latest values: the last write wins, and each knows its age, so that stale is never shown as current.

Every change has a number of this file (`seq`), so that a peer asks for what changed since the last one it has.
A register that was forgotten leaves a tombstone: a salted hash of its key, with a number of its own.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from hearthway.records.errors import InputError

from .database import Database
from .hlc import HORIZON_MS, Hlc

CLOCK_SLACK_S = 2.0  # a clock that was set back by less does not make a value stale
DATABASE_ID_BYTES = 16
SHARED = ("Setting.", "Household.")  # keys that belong to nobody in particular


class Register(Struct, frozen=True, kw_only=True):
    """A setting or latest value: the write with the highest `hlc` wins.

    `written_s` is this node's clock minus the age the write had when it came; `ttl_s` 0: it never gets stale.
    """

    key: str
    value: bytes
    hlc: Hlc
    person_id: str = ""
    time_s: float | None = None  # event time of a latest value; None for a setting
    lat: float | None = None
    lon: float | None = None
    ttl_s: float = 0.0
    written_s: float = 0.0
    seq: int = 0  # the number of the change in this file


class Reading(Struct, frozen=True, kw_only=True):
    """A register as of now. `source` is the node that wrote it; `age_s` None: the clock was set back since."""

    key: str
    value: bytes
    age_s: float | None
    stale: bool
    source: str
    ttl_s: float = 0.0


class Tombstone(Struct, frozen=True, kw_only=True):
    """A forgotten register: its key's salted hash, and the last write that must not come back."""

    key_hash: bytes
    hlc: Hlc
    seq: int = 0
    shared: bool = False  # of a key that everybody of the household has


class Cursor(Struct, frozen=True, kw_only=True):
    """How far a peer's changes are merged here: up to `seq` of its database of that id."""

    database: bytes = b""
    seq: int = 0


def rank(write: Register) -> tuple[Any, ...]:
    """What decides between two writes of a key: the moment; of one moment (a restored node) the greater content."""
    place = tuple((x is not None, x or 0.0) for x in (write.time_s, write.lat, write.lon))
    return (write.hlc, write.value, write.ttl_s, write.person_id, place)


def merge(old: Register | None, new: Register) -> Register:
    """The winner of two writes of a key, whatever came first; `old` itself where they are the same write."""
    if old is None or rank(new) > rank(old):
        return new
    return old


def read(register: Register, now_s: float) -> Reading:
    """The register with its age by this node's clock; an age that cannot be told counts as stale."""
    age_s = now_s - register.written_s
    known = math.isfinite(age_s) and age_s >= -CLOCK_SLACK_S
    return Reading(
        key=register.key,
        value=register.value,
        age_s=max(0.0, age_s) if known else None,
        stale=register.ttl_s > 0.0 and not (known and age_s <= register.ttl_s),
        source=register.hlc.node,
        ttl_s=register.ttl_s,
    )


_COLUMNS = "r.key, r.value, r.hlc, p.person_id, r.time_s, r.lat, r.lon, r.ttl_s, r.written_s, r.seq"


class Registers:
    """The registers of a store. `person_no` is the store's."""

    database: Database
    node_id: str
    person_no: Callable[[str], int]
    _salt: bytes = b""

    def put_register(
        self,
        key: str,
        value: bytes,
        hlc: Hlc,
        *,
        person_id: str = "",
        time_s: float | None = None,
        lat: float | None = None,
        lon: float | None = None,
        ttl_s: float = 0.0,
        written_s: float | None = None,
    ) -> bool:
        """Write if `hlc` is the latest (ties: the greater value); False when an older or forgotten write lost.

        `person_id`, `time_s`, `lat`, `lon` say what `forget` finds it by; a setting has none of them.
        `written_s`: when it was written by this node's clock (default: the moment itself). InputError on no numbers.
        """
        return self.merge_register(
            Register(
                key=key,
                value=value,
                hlc=hlc,
                person_id=person_id,
                time_s=time_s,
                lat=lat,
                lon=lon,
                ttl_s=ttl_s,
                written_s=hlc.wall_ms / 1000 if written_s is None else written_s,
            )
        )

    def merge_register(self, new: Register) -> bool:
        """Keep `new` if it wins over what is held and over what was forgotten; False when it lost."""
        numbers = (new.time_s, new.lat, new.lon, new.ttl_s, new.written_s)
        if not all(x is None or math.isfinite(x) for x in numbers) or new.ttl_s < 0.0:
            raise InputError(f"{new.key} was written with a number that is none.")
        with self.database.transaction() as db:
            if self.is_buried(new):
                return False
            old = self.get_register(new.key)
            if merge(old, new) is old:
                return False
            db.execute(
                "INSERT OR REPLACE INTO registers"
                " (key, value, hlc, person_no, time_s, lat, lon, ttl_s, written_s, seq)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    new.key,
                    new.value,
                    new.hlc.encode(),
                    self.person_no(new.person_id) if new.person_id else 0,
                    new.time_s,
                    new.lat,
                    new.lon,
                    new.ttl_s,
                    new.written_s,
                    next_seq(db),
                ),
            )
        return True

    def get_register(self, key: str) -> Register | None:
        """The winning write of a key, or None."""
        found = self._registers("WHERE r.key = ?", (key,))
        return found[0] if found else None

    def register(self, key: str, now_s: float) -> Reading | None:
        """A key's value with its age, whether it is stale, and who wrote it; None where there is none."""
        found = self.get_register(key)
        return None if found is None else read(found, now_s)

    def current(self, key: str, now_s: float) -> Reading | None:
        """The same, and None as well where the value is stale: what may be shown as current."""
        found = self.register(key, now_s)
        return None if found is None or found.stale else found

    def registers(self, prefix: str = "", since: Hlc | None = None) -> list[Register]:
        """All registers whose key starts with `prefix`, written after `since`."""
        after = since.encode() if since else ""
        return self._registers(
            "WHERE substr(r.key, 1, length(?1)) = ?1 AND r.hlc > ?2 ORDER BY r.key",
            (prefix, after),
        )

    def registers_after(self, seq: int, limit: int) -> list[Register]:
        """The first `limit` changes after number `seq`, in order of their numbers."""
        return self._registers("WHERE r.seq > ? ORDER BY r.seq LIMIT ?", (seq, limit))

    def keys_by_hash(self, salt: bytes) -> dict[bytes, str]:
        """Every register's key by its hash under that salt."""
        rows = self.database.rows("SELECT key FROM registers")
        return {hash_key(key, salt): key for (key,) in rows}

    def count_registers(self) -> int:
        """How many registers there are."""
        row = self.database.row("SELECT count(*) FROM registers")
        return 0 if row is None else int(row[0])

    def written_by(self, node: str) -> tuple[int, int]:
        """How many keys hold a write of that device, and their bytes."""
        row = self.database.row(
            "SELECT count(*), coalesce(sum(length(key) + length(value)), 0) FROM registers"
            " WHERE substr(hlc, ?) = ?",
            (len(Hlc(0, 0, "").encode()) + 1, node),
        )
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def size_of(self, prefix: str) -> tuple[int, int]:
        """How many keys start with `prefix`, and the bytes of their values."""
        row = self.database.row(
            "SELECT count(*), coalesce(sum(length(value)), 0) FROM registers"
            " WHERE substr(key, 1, length(?1)) = ?1",
            (prefix,),
        )
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def last_seq(self) -> int:
        """The number of the newest change."""
        return last_seq(self.database)

    def last_hlc(self) -> Hlc | None:
        """The highest moment on disk, forgotten ones included, up to the year 2500: where the node's clock goes on."""
        row = self.database.row(
            "SELECT max(hlc) FROM (SELECT max(hlc) AS hlc FROM registers WHERE hlc < ?1"
            " UNION ALL SELECT max(hlc) FROM tombstones WHERE hlc < ?1)",
            (Hlc(HORIZON_MS + 1, 0, "").encode(),),
        )
        return None if row is None or row[0] is None else Hlc.decode(row[0])

    def last_of(self, key: str) -> Hlc | None:
        """The moment after which a write of that key counts: of the write held, or of what was forgotten."""
        held = self.get_register(key)
        row = self.database.row(
            "SELECT hlc FROM tombstones WHERE key_hash = ?", (self.key_hash(key),)
        )
        moments = [] if held is None else [held.hlc]
        return max(moments + ([] if row is None else [Hlc.decode(row[0])]), default=None)

    def _registers(self, where: str, values: Sequence[Any]) -> list[Register]:
        return [
            Register(
                key=row[0],
                value=row[1],
                hlc=Hlc.decode(row[2]),
                person_id=row[3],
                time_s=row[4],
                lat=row[5],
                lon=row[6],
                ttl_s=row[7],
                written_s=row[8],
                seq=row[9],
            )
            for row in self.database.rows(
                f"SELECT {_COLUMNS} FROM registers r JOIN persons p USING (person_no) {where}",  # noqa: S608  (conditions of this module)
                values,
            )
        ]

    # --- what was forgotten ------------------------------------------------------------------

    def salt(self) -> bytes:
        """What this file's key hashes are salted with."""
        if not self._salt:  # drawn once, when the file was made
            row = self.database.row("SELECT value FROM meta WHERE key = 'salt'")
            self._salt = b"" if row is None else bytes(row[0])
        return self._salt

    def key_hash(self, key: str) -> bytes:
        """A salted hash that remembers a forgotten key without holding it."""
        return hash_key(key, self.salt())

    def is_buried(self, write: Register) -> bool:
        """Was this key forgotten with this write or a later one?"""
        row = self.database.row(
            "SELECT hlc FROM tombstones WHERE key_hash = ?", (self.key_hash(write.key),)
        )
        return row is not None and write.hlc <= Hlc.decode(row[0])

    def drop_register(self, key: str) -> None:
        """Delete it without a trace: for what is kept here alone and never merged from elsewhere."""
        with self.database.transaction() as db:
            db.execute("DELETE FROM registers WHERE key = ?", (key,))

    def bury_register(self, key: str, hlc: Hlc, *, told: bool = True) -> None:
        """Delete a key's writes up to `hlc` and let none of them come back; peers hear of it if `told`."""
        with self.database.transaction() as db:
            name = self.key_hash(key)
            db.execute("DELETE FROM registers WHERE key = ? AND hlc <= ?", (key, hlc.encode()))
            db.execute(
                "INSERT INTO tombstones (key_hash, hlc, seq, shared) VALUES (?1, ?2, ?3, ?4)"
                " ON CONFLICT (key_hash) DO UPDATE SET hlc = ?2, seq = ?3 WHERE hlc < ?2",
                (name, hlc.encode(), next_seq(db) if told else 0, key.startswith(SHARED)),
            )

    def tombstones_after(self, seq: int, limit: int) -> list[Tombstone]:
        """The first `limit` burials after change number `seq`."""
        return [
            Tombstone(key_hash=name, hlc=Hlc.decode(hlc), seq=number, shared=bool(shared))
            for name, hlc, number, shared in self.database.rows(
                "SELECT key_hash, hlc, seq, shared FROM tombstones"
                " WHERE seq > ? ORDER BY seq LIMIT ?",
                (seq, limit),
            )
        ]

    # --- what is merged of whom --------------------------------------------------------------

    def database_id(self) -> bytes:
        """This file's random id: a peer that sees another one starts from the beginning."""
        row = self.database.row("SELECT value FROM meta WHERE key = 'database_id'")
        return self.renew_database_id() if row is None else bytes(row[0])

    def renew_database_id(self) -> bytes:
        """A new id, as a restored backup needs it: its numbers went back."""
        made = secrets.token_bytes(DATABASE_ID_BYTES)
        with self.database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('database_id', ?)", (made,))
        return made

    def restored(self) -> None:
        """This file came from a backup: everybody begins anew with it, and it with everybody.

        What it wrote since is where others have it; `lost_after` says until when each is asked for that.
        """
        with self.database.transaction() as db:
            db.execute("DELETE FROM meta WHERE key LIKE 'back.%'")
            last = self.last_hlc()
            db.execute(
                "INSERT OR REPLACE INTO meta VALUES ('restored', ?)",
                ((last or Hlc(0, 0, "-")).encode().encode(),),
            )
            self.drop_cursors()
            self.renew_database_id()

    def lost_after(self, peer: str) -> Hlc | None:
        """Own writes after this moment may be lost here, and `peer` was not asked for them; None: nothing is missing."""
        row = self.database.row(
            "SELECT value FROM meta WHERE key = 'restored'"
            " AND NOT EXISTS (SELECT 1 FROM meta WHERE key = ?)",
            (f"back.{peer}",),
        )
        return None if row is None else Hlc.decode(bytes(row[0]).decode())

    def has_back(self, peer: str) -> None:
        """That peer told everything: from now on nobody but this node says what it wrote."""
        with self.database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, x'')", (f"back.{peer}",))

    def cursor(self, peer: str) -> Cursor:
        """How far that peer's changes are merged here."""
        row = self.database.row("SELECT database, seq FROM cursors WHERE peer = ?", (peer,))
        return Cursor() if row is None else Cursor(database=row[0], seq=row[1])

    def set_cursor(self, peer: str, cursor: Cursor) -> None:
        """Everything of that peer up to there is merged here: call it in the merge's own transaction."""
        with self.database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO cursors (peer, database, seq) VALUES (?, ?, ?)",
                (peer, cursor.database, cursor.seq),
            )

    def drop_cursors(self) -> None:
        """Begin anew with everybody: what the rules refused before may be let now."""
        with self.database.transaction() as db:
            db.execute("DELETE FROM cursors")


def hash_key(key: str, salt: bytes) -> bytes:
    """BLAKE2b of a key under a salt."""
    return hashlib.blake2b(key.encode(), key=salt, digest_size=16).digest()


def last_seq(database: Database) -> int:
    """The number of the newest change, 0 before the first."""
    row = database.row("SELECT value FROM meta WHERE key = 'seq'")
    return 0 if row is None else int(row[0])


def next_seq(db: sqlite3.Connection) -> int:
    """The number of a change made in this transaction; never given twice, whatever is deleted."""
    row = db.execute("SELECT value FROM meta WHERE key = 'seq'").fetchone()
    number = (0 if row is None else int(row[0])) + 1
    db.execute("INSERT OR REPLACE INTO meta VALUES ('seq', ?)", (str(number).encode(),))
    return number
