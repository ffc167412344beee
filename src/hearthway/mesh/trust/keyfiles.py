"""Files that hold keys: 0600 in a 0700 directory, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from hearthway.records.errors import IdentityError


def private_dir(path: Path) -> Path:
    """The directory, made with mode 0700; IdentityError where it cannot be made."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as why:
        raise IdentityError(
            f"The key directory {path} cannot be made: {why.strerror}.",
            "Give this user write permission there, or choose another data directory.",
        ) from None
    return path


def write_private(path: Path, data: bytes) -> None:
    """Write `data` with mode 0600: a crash leaves the old file or the new one, never a part."""
    private_dir(path.parent)
    try:
        put_private(path, data)
    except OSError as why:
        raise IdentityError(
            f"{path} cannot be written: {why.strerror}.",
            "Free some space or give this user write permission there.",
        ) from None


def put_private(path: Path, data: bytes) -> None:
    """The same in a directory that is there: `data` takes the place of whatever has that name; OSError where it cannot."""
    # Under a name that nobody can have laid there before, and 0600 whatever it holds.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise


def read_private(path: Path, *, missing: str, next_step: str, secret: bool = True) -> bytes:
    """The bytes of a key file; IdentityError when it is missing, unreadable, or open to other users."""
    try:
        if secret and path.stat().st_mode & 0o077:
            raise IdentityError(
                f"{path} can be read by other users of this machine.",
                f"Close it with `chmod 600 {path}`; if others had access, pair this device again.",
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise IdentityError(missing, next_step) from None
    except OSError as why:
        raise IdentityError(
            f"{path} cannot be read: {why.strerror}.",
            "Run Hearthway as the user that paired this device.",
        ) from None
