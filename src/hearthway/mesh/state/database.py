"""One SQLite file: opened with care, migrated, never overwritten; SQLite's errors become sentences."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hearthway.records.errors import StoreError

from .schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION

BUSY_S = 10.0
_BACKUP_PAGES = 1024  # a step: 4 MiB
_MAGIC = b"SQLite format 3\x00"


class FullError(StoreError):
    """The disk has no room."""


def store_error(why: sqlite3.Error, path: Path) -> StoreError:
    """What SQLite's error means to the person, and what to do next."""
    name = getattr(why, "sqlite_errorname", "") or ""
    if _full(name):
        return FullError(
            f"The disk is full: {path} could not be written. What was acknowledged is kept.",
            "Free some space. A node that runs goes on by itself; try anything else again.",
        )
    if _damaged(name, why):
        return StoreError(
            f"{path} is damaged ({why}). It was left as it is.",
            "Keep a copy of it, then `hearthway restore` from the last backup.",
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreError(
            f"{path} is in use by another process for more than {BUSY_S:.0f} s.",
            "Wait for it to finish, or stop it, then try again.",
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return StoreError(
            f"No permission to write {path} or its directory.",
            f"`ls -ld {path.parent}` shows the owner; run as that user or choose another data directory.",
        )
    return StoreError(
        f"{path}: {why}.", "Check the disk and its space; a backup of the file has what was."
    )


def _full(name: str) -> bool:
    return name.startswith("SQLITE_FULL") or name.endswith(("IOERR_WRITE", "IOERR_SHMSIZE"))


def _damaged(name: str, why: sqlite3.Error) -> bool:
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "malformed" in str(why)


class Database:
    """A connection with transactions. Safe from several threads of a process, and from several processes.

    `trouble`: why the last write failed, until one succeeds; or what was found damaged, until the file is opened anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble: StoreError | None = None
        self._is_damaged = False
        self._lock = threading.RLock()
        self._depth = 0
        _prepare(path)
        try:
            self._db = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as why:
            raise store_error(why, path) from None
        try:
            self._check_and_set_up()
        except sqlite3.Error as why:
            self._db.close()
            raise store_error(why, path) from None
        except StoreError:
            self._db.close()
            raise

    def _check_and_set_up(self) -> None:
        db, path = self._db, self.path
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and application != APPLICATION_ID:
            raise StoreError(
                f"{path} is a database of another program. It was left as it is.",
                "Choose another data directory.",
            )
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by a newer Hearthway (schema {version}; this one knows {SCHEMA_VERSION}).",
                "Update Hearthway on this node; nothing was changed.",
            )
        self._write_ahead()
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
        self._durable = True  # what that is set to, so that it is set only where it changes
        db.execute("PRAGMA trusted_schema = OFF")
        if version < SCHEMA_VERSION:
            self._migrate()

    def _write_ahead(self) -> None:
        """Two processes that switch a new file at once: SQLite answers one "busy" without waiting, so we wait."""
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as why:
                if why.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _migrate(self) -> None:
        with self.transaction():
            # read again under the lock: another process may have been first
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            for number in range(version + 1, SCHEMA_VERSION + 1):
                for statement in MIGRATIONS[number - 1]:
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._db.execute(
                "INSERT OR IGNORE INTO meta VALUES ('salt', ?)", (secrets.token_bytes(16),)
            )

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """All or nothing; nested ones join the outer. Not `durable`: a power cut may lose it, a kill may not."""
        with self._lock:
            if self._depth:
                self._depth += 1
                try:
                    yield self._db
                finally:
                    self._depth -= 1
                return
            try:
                if durable != self._durable:
                    self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                    self._durable = durable
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as why:
                raise self._failed(why) from None
            self._depth = 1
            try:
                yield self._db
                self._db.execute("COMMIT")
                if not self._is_damaged:
                    self.trouble = None
            except sqlite3.Error as why:
                self._roll_back()
                raise self._failed(why) from None
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._depth = 0

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is of one moment, whatever other processes write meanwhile."""
        with self._lock:
            if self._depth:  # a transaction is a snapshot
                yield
                return
            try:
                self._db.execute("BEGIN")
            except sqlite3.Error as why:
                raise self._failed(why) from None
            self._depth = 1
            try:
                yield
            finally:
                self._depth = 0
                self._roll_back()

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # a full disk rolls back by itself
            self._db.execute("ROLLBACK")

    def _failed(self, why: sqlite3.Error) -> StoreError:
        """The sentence for an error; what lies with the disk or the file is remembered for the node's status."""
        name = getattr(why, "sqlite_errorname", "") or ""
        error = store_error(why, self.path)
        if not self._is_damaged and (
            _damaged(name, why) or name.startswith(("SQLITE_FULL", "SQLITE_IOERR"))
        ):
            self._is_damaged = _damaged(name, why)
            self.trouble = error
        return error

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, read at once: no statement stays open behind the caller's back."""
        with self._lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error as why:
                raise self._failed(why) from None

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row, or None."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def probe(self) -> None:
        """Try to write, so that `trouble` goes as soon as there is space again."""
        with suppress(StoreError), self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('probe', zeroblob(4096))")
            db.execute("DELETE FROM meta WHERE key = 'probe'")

    def scrub(self) -> None:
        """No deleted byte remains in the file, its WAL or free pages; StoreError while another process reads."""
        with self._lock:
            try:
                self._checkpoint()
                self._db.execute("VACUUM")
                self._checkpoint()
            except sqlite3.Error as why:
                raise store_error(why, self.path) from None

    def _checkpoint(self) -> None:
        (busy, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreError(
                f"{self.path} is being read by another process, so deleted pages cannot be wiped yet.",
                "It is tried again at the next start of the node.",
            )

    def problems(self) -> list[str]:
        """What SQLite's own integrity check finds; empty is sound."""
        return [str(row[0]) for row in self.rows("PRAGMA integrity_check(20)") if row[0] != "ok"]

    def backup_to(self, path: Path, progress: Callable[[int, int], None] | None = None) -> None:
        """A copy of one moment (0600), complete or not there at all; writers go on meanwhile.

        `progress(pages done, pages in all)`. An older copy at `path` is replaced only by a whole new one.
        """
        part = path.with_name(path.name + ".part")
        try:
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._copy(part, progress)
            _sync(part)
            part.replace(path)
            _sync(path.parent)
        except OSError as why:
            part.unlink(missing_ok=True)
            raise StoreError(
                f"{path} cannot be written: {why.strerror or why}.",
                "Choose another file or directory.",
            ) from None
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _copy(self, part: Path, progress: Callable[[int, int], None] | None) -> None:
        def tell(_: int, left: int, pages: int) -> None:
            if progress is not None:
                progress(pages - left, pages)

        copy = source = None
        try:
            source = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            copy = sqlite3.connect(part, isolation_level=None)
            source.execute("BEGIN")  # every step below reads this one moment
            source.execute("SELECT count(*) FROM meta").fetchone()
            source.backup(copy, pages=_BACKUP_PAGES, progress=tell, sleep=0.01)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
            if (found := copy.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise StoreError(
                    f"{self.path} is damaged ({found}), so no backup of it was made.",
                    "Keep a copy of it, then `hearthway restore` from the last backup.",
                )
        except sqlite3.Error as why:
            raise store_error(why, self.path) from None
        finally:
            for one in (copy, source):
                if one is not None:
                    one.close()

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        with self._lock:
            self._db.close()


def _prepare(path: Path) -> None:
    """The directory (0700) and the file (0600) are there, and the file is a database or empty."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with path.open("r+b") as file:
            start = file.read(len(_MAGIC))
        path.chmod(0o600)
    except OSError as why:
        raise StoreError(
            f"{path} cannot be opened: {why.strerror or why}.",
            f"`ls -ld {path.parent}` shows the owner; run as that user or choose another data directory.",
        ) from None
    if start and start != _MAGIC:
        raise StoreError(
            f"{path} is not a database, or its beginning is damaged. It was left as it is.",
            "Keep a copy of it, then `hearthway restore` from the last backup.",
        )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
