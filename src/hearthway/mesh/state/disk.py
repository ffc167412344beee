"""The few things that are done to a node's artefacts on its disk, each so that a kill leaves what was or what is.

They stand together so that a test can end the node before, within and after every one of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hearthway.records.errors import StoreError


class Disk:
    """Blocking. StoreError says what to do about a full disk or a missing permission."""

    def write(self, path: Path, data: bytes) -> None:
        """A new file (0600) with that content, on the disk when this returns; half of it if killed."""
        with _said(path):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())

    def append(self, path: Path, at: int, data: bytes) -> None:
        """`data` behind the first `at` bytes of a file, which is made where there is none; what stood behind them goes."""
        with _said(path):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.truncate(at)
                file.seek(at)
                file.write(data)

    def settle(self, path: Path) -> None:
        """A file's content, or a directory's names, are on the disk when this returns."""
        with _said(path):
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def rename(self, path: Path, to: Path) -> None:
        """In one step, over what is there."""
        with _said(to):
            path.replace(to)

    def remove(self, path: Path) -> None:
        """Gone, if it was there."""
        with _said(path):
            path.unlink(missing_ok=True)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as why:
        raise disk_error(why, path) from None


def disk_error(why: OSError, path: Path) -> StoreError:
    """What the system says of a file, as a sentence and a next step."""
    words = f"{path} cannot be used: {why.strerror or why}."
    if why.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreError(words, "Free some space; the model that works stays in use.")
    return StoreError(
        words, f"Give this user permission in {path.parent}; the model that works stays in use."
    )


def replace_file(disk: Disk, path: Path, data: bytes) -> None:
    """The old content or the new one, never half of one, whenever it ends."""
    new = path.with_name(f".{path.name}.new")
    try:
        disk.write(new, data)
        disk.rename(new, path)
        disk.settle(path.parent)
    except StoreError:
        with contextlib.suppress(StoreError):
            disk.remove(new)
        raise
