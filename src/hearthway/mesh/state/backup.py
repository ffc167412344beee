"""A node in one file, sealed under a recovery phrase, and back: keys, settings, rules and the database of one moment.

The sealed content: what it is (`_About`), then each file as (name, size) and its bytes. The copy of the database is
made beside the node's own, where the same bytes lie in the clear anyway, never where the backup goes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from cryptography.exceptions import InvalidSignature
from msgspec import Struct

from hearthway.mesh.trust.certificates import certificate_key, load_certificate, load_private, spki
from hearthway.mesh.trust.roster import open_roster
from hearthway.records import codec
from hearthway.records.errors import (
    HearthwayError,
    IdentityError,
    InputError,
    StoreError,
    WireError,
)

from .database import Database, store_error
from .sealed_file import CHUNK_BYTES, SealedReader, SealedWriter
from .store import Store

Progress = Callable[[int, int], None]  # bytes done, bytes in all
WORK = ".backup"  # within the node's directory
DATABASE = "node.db"
_SMALL_MAX_BYTES = 8 * 1024 * 1024
_META_MAX_BYTES = 64 * 1024
_FILES_MAX = 10_000
_NAME = re.compile(
    r"(?:keys/(?:[A-Za-z0-9_-][\w.-]{0,99}/){0,3})?[A-Za-z0-9_-][\w.-]{0,99}", re.ASCII
)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _About(Struct, frozen=True, kw_only=True):
    """Fields of a newer Hearthway are passed over."""

    time_s: float
    files: int
    content_bytes: int


class _Entry(Struct, frozen=True, kw_only=True):
    name: str
    size: int


R = TypeVar("R", _About, _Entry)


class Backup(Struct, frozen=True, kw_only=True):
    """What a backup holds: when it was made (Unix seconds), how many files, and their bytes together."""

    time_s: float
    files: int
    content_bytes: int


def back_up(
    node: Path, target: Path, entropy: bytes, now_s: float, progress: Progress | None = None
) -> Backup:
    """Write the node in `node`, running or not, to `target`: whole or not at all, never over another file.

    StoreError or InputError says why not.
    """
    refuse_existing(target)
    with _work_directory(node) as work:
        kept = [(name, path.read_bytes()) for name, path in _small_files(node)]
        copies = [(path.name, _snapshot(path, work)) for path in sorted(node.glob("*.db"))]
        entries = [_Entry(name=name, size=len(data)) for name, data in kept]
        entries += [_Entry(name=name, size=path.stat().st_size) for name, path in copies]
        total = sum(entry.size for entry in entries)
        about = _About(time_s=now_s, files=len(entries), content_bytes=total)
        tell = _Teller(total, progress)
        with _new_file(target) as file:
            sealed = SealedWriter(file, entropy)
            _write_record(sealed, about)
            for entry, (_, data) in zip(entries, kept, strict=False):
                _write_record(sealed, entry)
                sealed.write(data)
                tell(len(data))
            for entry, (_, path) in zip(entries[len(kept) :], copies, strict=True):
                _write_record(sealed, entry)
                with path.open("rb") as source:
                    while piece := source.read(CHUNK_BYTES):
                        sealed.write(piece)
                        tell(len(piece))
            sealed.finish()
    return Backup(time_s=now_s, files=len(entries), content_bytes=total)


def restore(
    source: Path,
    target: Path,
    entropy: bytes,
    *,
    check: Callable[[Path], None] | None = None,
    progress: Progress | None = None,
) -> Backup:
    """Put a backup's node into `target`, which must not be there yet: checked first, then whole or not at all.

    `check(directory)` may look at the restored files and change them, or raise, before they are put in place.
    """
    refuse_node(target)
    try:
        with source.open("rb") as file:
            sealed = SealedReader(file, entropy, str(source))
            with _new_directory(target) as directory:
                about = _unpack(sealed, directory, str(source), progress)
                check_node(directory)
                _begin_anew(directory)
                if check is not None:
                    check(directory)
    except OSError as why:
        raise StoreError(
            f"{why.filename or target} cannot be used: {why.strerror or why}. Nothing was restored.",
            _mend(why),
        ) from None
    return Backup(time_s=about.time_s, files=about.files, content_bytes=about.content_bytes)


def _begin_anew(directory: Path) -> None:
    """Its numbers went back: others must not go on from those that they have."""
    path = directory / DATABASE
    if not path.is_file():
        return
    database = Database(path)
    try:
        row = database.row("SELECT value FROM meta WHERE key = 'node_id'")
        if row is not None:
            Store(database, bytes(row[0]).decode(errors="replace")).restored()
    finally:
        database.close()


def refuse_existing(target: Path) -> None:
    """StoreError where a file is already: a backup is never overwritten."""
    if target.exists() or target.is_symlink():
        raise StoreError(
            f"{target} is there already, and a backup is never overwritten.",
            "Name another file, or move that one away.",
        )


def refuse_node(target: Path) -> None:
    """StoreError unless a node can be restored there: nothing, or an empty directory."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise StoreError(f"{target} is a file.", "Name a directory that is not there yet.")
    with contextlib.suppress(FileNotFoundError):
        if any(target.iterdir()):
            raise StoreError(
                f"{target} is not empty; nothing was restored.",
                "Name a directory that is not there yet, or move the node there away.",
            )


def check_node(node: Path) -> None:
    """StoreError unless databases are sound and keys, certificates and the list of devices fit together."""
    for path in sorted(node.glob("*.db")):
        if path.name == DATABASE:
            database = Database(path)  # an older schema is brought up to date here
            try:
                found = database.problems()
            finally:
                database.close()
        else:
            found = _problems(path)
        if found:
            raise StoreError(
                f"The database {path.name} in the backup is damaged ({found[0]}).",
                "Use an older backup.",
            )
    try:
        _check_keys(node / "keys")
    except (HearthwayError, InvalidSignature, ValueError, TypeError, FileNotFoundError) as why:
        told = why.message if isinstance(why, HearthwayError) else "one is missing or foreign"
        raise StoreError(
            f"The keys in the backup do not fit together: {told}", "Use an older backup."
        ) from None


def sweep(node: Path) -> None:
    """Remove what a backup that was killed left behind: a copy of the database, which forgets nothing."""
    work = node / WORK
    with contextlib.suppress(StoreError, OSError):
        if work.is_dir():
            with _work_directory(node):
                pass


# the node's own files -------------------------------------------------------------------------------------------


def _small_files(node: Path) -> Iterator[tuple[str, Path]]:
    """Settings, rules and keys by their names in the backup, in order."""
    found = [*node.glob("*.toml"), *(node / "keys").rglob("*")]
    for path in sorted(found):
        name = path.relative_to(node).as_posix()
        if path.is_symlink() or not path.is_file() or _NAME.fullmatch(name) is None:
            continue  # a temporary file of a write under way starts with a dot
        if path.stat().st_size > _SMALL_MAX_BYTES:
            raise InputError(
                f"{path} is larger than any key or setting.", "Move it out of the node's directory."
            )
        yield name, path


def _snapshot(path: Path, work: Path) -> Path:
    copy = work / path.name
    if path.name == DATABASE:
        database = Database(path)
        try:
            database.backup_to(copy)
        finally:
            database.close()
        return copy
    try:
        source, target = sqlite3.connect(path), sqlite3.connect(copy)
        with contextlib.closing(source), contextlib.closing(target):
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            source.backup(target, pages=1024)
    except sqlite3.Error as why:
        raise store_error(why, path) from None
    return copy


@contextmanager
def _work_directory(node: Path) -> Iterator[Path]:
    """A private directory for copies in the clear, emptied before and after; StoreError while another backup runs."""
    work = node / WORK
    try:
        work.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as why:
        raise StoreError(f"{work} cannot be made: {why.strerror}.", _mend(why)) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(
                "Another backup of this node is being made.", "Wait until it is done."
            ) from None
        for left in list(work.iterdir()):
            left.unlink()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
    finally:
        os.close(lock)


# whole or not at all --------------------------------------------------------------------------------------------


@contextmanager
def _new_file(target: Path) -> Iterator[BinaryIO]:
    """A file (0600) that appears at `target` when everything is written, unless one is there by then."""
    name = ""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, target)
        except FileExistsError:
            refuse_existing(target)
        except OSError:  # a file system without links, such as a USB stick's
            refuse_existing(target)
            Path(name).replace(target)
        _sync(target.parent)
    except OSError as why:
        raise StoreError(
            f"{target} cannot be written: {why.strerror or why}. No backup was made.", _mend(why)
        ) from None
    finally:
        if name:
            Path(name).unlink(missing_ok=True)


@contextmanager
def _new_directory(target: Path) -> Iterator[Path]:
    """A directory (0700) that appears at `target` when everything in it was written and checked."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield directory
        for path in (*directory.rglob("*"), directory):
            _sync(path)
        refuse_node(target)
        directory.rename(target)  # an empty directory there is replaced
        _sync(target.parent)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _unpack(sealed: SealedReader, directory: Path, name: str, progress: Progress | None) -> _About:
    about = _read_record(sealed, _About, name)
    if not 0 <= about.files <= _FILES_MAX:
        raise InputError(f"{name} says it holds {about.files} files.", "Is it Hearthway's?")
    tell = _Teller(about.content_bytes, progress)
    for _ in range(about.files):
        entry = _read_record(sealed, _Entry, name)
        if _NAME.fullmatch(entry.name) is None or entry.size < 0:
            raise InputError(
                f"{name} holds a file that no node has; nothing was restored.",
                "Do not use it: whoever made it had the phrase, and meant harm.",
            )
        path = directory / entry.name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            left = entry.size
            while left:
                piece = sealed.read(min(left, CHUNK_BYTES))
                file.write(piece)
                tell(len(piece))
                left -= len(piece)
    sealed.ends()
    return about


def _write_record(sealed: SealedWriter, record: _About | _Entry) -> None:
    data = codec.pack(record)
    sealed.write(len(data).to_bytes(4, "big") + data)


def _read_record(sealed: SealedReader, kind: type[R], name: str) -> R:
    size = int.from_bytes(sealed.read(4), "big")
    try:
        if size > _META_MAX_BYTES:
            raise WireError("Too large.")
        return codec.unpack(sealed.read(size), kind)
    except WireError:
        raise InputError(f"{name} is not laid out as a backup.", "Update Hearthway here.") from None


class _Teller:
    """Counts bytes for whoever watches."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._done = 0
        self._progress = progress

    def __call__(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


# what fits ------------------------------------------------------------------------------------------------------


def _problems(path: Path) -> list[str]:
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            rows = db.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.Error as why:
        return [str(why)]
    return [str(row[0]) for row in rows if row[0] != "ok"]


def _check_keys(keys: Path) -> None:
    """Dates are not looked at: a home renews itself, and another device pairs again."""
    if (keys / "root.key").exists():
        root = load_certificate((keys / "root.pem").read_bytes(), "The root's certificate")
        key = load_private((keys / "root.key").read_bytes(), "The household root")
        if spki(certificate_key(root, "The root")) != spki(key.public_key()):
            raise IdentityError("the root's key and certificate differ.")
        open_roster((keys / "roster.bin").read_bytes(), certificate_key(root, "The root"))
    if (keys / "device.pem").exists():
        ca = load_certificate((keys / "ca.pem").read_bytes(), "The household's root certificate")
        own = load_certificate((keys / "device.pem").read_bytes(), "The device's certificate")
        key = load_private((keys / "device.key").read_bytes(), "The device's key")
        own.verify_directly_issued_by(ca)
        if spki(certificate_key(own, "The device")) != spki(key.public_key()):
            raise IdentityError("the device's key and certificate differ.")
        open_roster((keys / "roster.bin").read_bytes(), certificate_key(ca, "The root"))


def _mend(why: OSError) -> str:
    if why.errno in _FULL:
        return "Free some space, then try again."
    if why.errno in (errno.ENOENT, errno.ENOTDIR):
        return "Check the path: its directory must be there."
    return "Check who may read and write there, or name another place."


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
