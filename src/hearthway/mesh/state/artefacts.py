"""Artefacts on a node's disk, by identity: whole ones, and parts of one that is still coming.

A part needs no journal: what of it is right is found by the hashes of its pieces, whatever ended the node. A whole
file is hashed each time it is read, so what was changed meanwhile never runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

from hearthway.records.errors import StoreError
from hearthway.records.releases import ARTEFACT_MAX_BYTES, IDENTITY, PIECE_BYTES, Release

from .disk import Disk, disk_error

WHOLE, PART = ".student", ".part"
FREE_MIN_BYTES = 16 * 1024 * 1024  # the database goes before


class ChangedFileError(StoreError):
    """A file is not what its name says; it was not used, and is gone."""


class Artefacts:
    """One folder (0700) of them. Blocking; one user at a time."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        """What a kill left half written goes; the folder is made by `make` when something is to be kept."""
        self.folder = folder
        self._disk = disk
        for left in folder.glob(".*.new"):
            with contextlib.suppress(StoreError):
                disk.remove(left)

    def make(self) -> None:
        """The folder, if it is not there; StoreError where it cannot be made."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as why:
            raise disk_error(why, self.folder) from None

    def has(self, identity: str) -> bool:
        """Is there a file of that name? What it holds is looked at when it is read."""
        try:
            return self._whole(identity).is_file()
        except OSError:  # fetching it says what is wrong with the folder
            return False

    def read(self, identity: str) -> bytes | None:
        """The artefact, hashed now; None where it is not here. ChangedFileError if it is another."""
        path = self._whole(identity)
        try:
            data = _unchanged(path, identity)
        except FileNotFoundError:
            return None
        except OSError as why:
            raise disk_error(why, path) from None
        if data is not None:
            return data
        self._disk.remove(path)
        raise ChangedFileError(
            f"The file of model {identity[:12]} was changed on this disk, so it was not used and is gone.",
            "It is fetched again from another node. Look who may write in this node's directory.",
        )

    def piece(self, identity: str, index: int) -> bytes | None:
        """One piece as it stands on the disk (who asked checks it); None where there is none."""
        try:
            with self._whole(identity).open("rb") as file:
                file.seek(index * PIECE_BYTES)
                return file.read(PIECE_BYTES) or None
        except OSError:
            return None

    def begin(self, release: Release) -> int:
        """The first piece that is missing; what was kept before a cut and is right counts. StoreError on a full disk."""
        path, right = self._part(release.identity), 0
        self.make()
        try:
            with path.open("rb") as file:
                while right < release.count and release.is_piece(right, file.read(PIECE_BYTES)):
                    right += 1
        except FileNotFoundError:
            pass
        except OSError as why:
            raise disk_error(why, path) from None
        left_bytes = release.size_bytes - right * PIECE_BYTES
        try:
            free_bytes = shutil.disk_usage(self.folder).free
        except OSError as why:
            raise disk_error(why, self.folder) from None
        if free_bytes < left_bytes + FREE_MIN_BYTES:
            raise StoreError(
                f"Only {free_bytes / 1e6:.0f} MB are free here, too few for model {release.name!r}.",
                "Free some space; the model that works stays in use.",
            )
        return right

    def add(self, release: Release, index: int, data: bytes) -> bool:
        """Keep the next piece; False, and nothing is kept, where these are not its bytes."""
        if not release.is_piece(index, data):
            return False
        path = self._part(release.identity)
        try:
            self._disk.append(path, index * PIECE_BYTES, data)
        except StoreError:
            with contextlib.suppress(StoreError):
                self._disk.remove(path)  # a full disk: the room is needed more for other things
            raise
        return True

    def finish(self, release: Release) -> bool:
        """All pieces are here: the whole file under its name, if its hash is its name; else False, and it begins anew."""
        path = self._part(release.identity)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return False
        except OSError as why:
            raise disk_error(why, path) from None
        if hashlib.sha256(data).hexdigest() != release.identity:
            self._disk.remove(path)
            return False
        self._disk.settle(path)
        self._disk.rename(path, self._whole(release.identity))
        self._disk.settle(self.folder)
        return True

    def put(self, data: bytes) -> str:
        """Keep a whole artefact that came as a file; its identity."""
        self.make()
        identity = hashlib.sha256(data).hexdigest()
        new = self.folder / f".{identity}.new"
        self._disk.write(new, data)
        self._disk.rename(new, self._whole(identity))
        self._disk.settle(self.folder)
        return identity

    def prune(self, keep: Collection[str]) -> None:
        """Remove what is not of `keep`."""
        try:
            found = sorted(self.folder.iterdir())
        except FileNotFoundError:
            return
        except OSError as why:
            raise disk_error(why, self.folder) from None
        for path in found:
            if path.suffix in (WHOLE, PART) and path.stem not in keep:
                self._disk.remove(path)

    def _whole(self, identity: str) -> Path:
        return self.folder / f"{_name(identity)}{WHOLE}"

    def _part(self, identity: str) -> Path:
        return self.folder / f"{_name(identity)}{PART}"


def intact(folder: Path, identity: str) -> bytes | None:
    """The artefact of that name in a folder, for who only reads; None where it is not there, not readable or another."""
    try:
        return _unchanged(folder / f"{_name(identity)}{WHOLE}", identity)
    except (OSError, StoreError):
        return None


def _unchanged(path: Path, identity: str) -> bytes | None:
    if path.stat().st_size > ARTEFACT_MAX_BYTES:
        return None
    data = path.read_bytes()
    return data if hashlib.sha256(data).hexdigest() == identity else None


def _name(identity: str) -> str:
    """An identity is a file's name here, so nothing else passes."""
    if IDENTITY.fullmatch(identity) is None:
        raise StoreError(f"{identity[:40]!r} names no artefact.", "Are both nodes on one version?")
    return identity
