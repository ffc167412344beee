"""A file of short notes, flushed as they are made: so many places of 32 bytes, the oldest written over by the newest.

Every note carries its number and a checksum, so a place that was half written when the power went, or is damaged,
costs that note and no other. What `add` returned from is on the disk. Like SQLite it counts on a disk that spoils
nothing but the sectors it writes when the power goes.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

from hearthway.records.errors import StoreError

log = logging.getLogger("hearthway.mesh")

NOTE_BYTES = 16
PLACES = 32_768
_BODY = struct.Struct(f">Q{NOTE_BYTES}s")  # number from 1, note
_PLACE_BYTES = 32
_PAD = bytes(_PLACE_BYTES - 4 - _BODY.size)
_HEAD_BYTES = 4096
_HEAD = b"hearthway notes 1\n".ljust(_HEAD_BYTES, b"\0")
FILE_BYTES = _HEAD_BYTES + PLACES * _PLACE_BYTES
_to_disk = getattr(os, "fdatasync", os.fsync)


class Notes:
    """The open file; one process at a time has it. Every method blocks. One thread at a time may use it."""

    def __init__(self, path: Path, handle: int, found: list[bytes], last: int) -> None:
        self.path = path
        self.found = found  # when it was opened, the oldest first
        self._handle = handle
        self._last = last

    @classmethod
    def open(cls, path: Path) -> Notes:
        """Open or make it (0600); StoreError when it is foreign, damaged at its head, in use or not writable."""
        try:
            if not path.exists():
                _make(path)
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as why:
            raise _problem(path, why) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            data = _read(handle)
            if len(data) != FILE_BYTES or data[:_HEAD_BYTES] != _HEAD:
                raise StoreError(
                    f"{path} is no file of notes, or its beginning is damaged. It was left as it is.",
                    "Move it away: then a new one is made, and a command under way may be done once more.",
                )
            numbered = _numbered(path, data)
        except OSError as why:
            os.close(handle)
            raise _problem(path, why) from None
        except BaseException:
            os.close(handle)
            raise
        last = max(numbered, default=0)
        return cls(path, handle, [numbered[number] for number in sorted(numbered)], last)

    def add(self, notes: list[bytes]) -> None:
        """On the disk when this returns; StoreError: whether they are is not known."""
        for start in range(0, len(notes), PLACES):
            self._add(notes[start : start + PLACES])

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)

    def _add(self, notes: list[bytes]) -> None:
        places = [_place(self._last + n, note) for n, note in enumerate(notes, 1)]
        first = self._last % PLACES
        until_end = PLACES - first
        try:
            _write(self._handle, b"".join(places[:until_end]), _at(first))
            if len(places) > until_end:
                _write(self._handle, b"".join(places[until_end:]), _at(0))
            _to_disk(self._handle)
        except OSError as why:
            raise _problem(self.path, why) from None
        self._last += len(notes)


def _at(place: int) -> int:
    return _HEAD_BYTES + place * _PLACE_BYTES


def _place(number: int, note: bytes) -> bytes:
    body = _BODY.pack(number, note)
    return zlib.crc32(body).to_bytes(4, "big") + body + _PAD


def _numbered(path: Path, data: bytes) -> dict[int, bytes]:
    numbered, spoilt = {}, 0
    for place in range(PLACES):
        start = _at(place)
        if data[start : start + 4 + _BODY.size] == bytes(4 + _BODY.size):
            continue
        number, note = _BODY.unpack_from(data, start + 4)
        whole = zlib.crc32(data[start + 4 : start + 4 + _BODY.size])
        if whole.to_bytes(4, "big") == data[start : start + 4] and (number - 1) % PLACES == place:
            numbered[number] = note
        else:
            spoilt += 1
    if spoilt > 1:  # one is what a power cut leaves of a note that nobody relied on
        log.warning("%d notes in %s are damaged: those commands may be done again", spoilt, path)
    return numbered


def _make(path: Path) -> None:
    """Complete or not there at all; its zeros are written, so that later flushes need no room and no bookkeeping."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _write(handle, _HEAD + bytes(PLACES * _PLACE_BYTES), 0)
        os.fsync(handle)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    finally:
        os.close(handle)
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(handle: int) -> bytes:
    parts, at = [], 0
    while part := os.pread(handle, FILE_BYTES + 1 - at, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _write(handle: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(handle, data, at)
        data, at = data[written:], at + written


def _problem(path: Path, why: OSError) -> StoreError:
    if why.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"The disk is full: {path} could not be written, so the command was not begun.",
            "Free some space, then ask again.",
        )
    if why.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
        return StoreError(
            f"{path} is in use by another process.", "Stop the other Hearthway of this directory."
        )
    if why.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            f"No permission to write {path} or its directory.",
            f"`ls -ld {path.parent}` shows the owner; run as that user or choose another data directory.",
        )
    return StoreError(
        f"{path}: {why.strerror or why}. The command was not begun.", "Check the disk."
    )
