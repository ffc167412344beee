"""The bytes of a history file: opened safely, unpacked where needed, cut off cleanly where the file ends early."""

from __future__ import annotations

import gzip
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from hearthway.records.errors import InputError

from .archive import EMPTY_ZIP_MAGIC, ZIP_MAGIC, open_member
from .report import ReadReport

GZIP_MAGIC = b"\x1f\x8b"
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)
CHUNK = 1 << 16
RATIO_FROM = 1 << 26
MAX_RATIO = 250  # histories pack 5 to 40 times, one fix repeated some 100 times, deflate at most 1,032 times
MAX_LINE = 1 << 16  # a longer "line" is not text that a logger wrote


def check_regular(path: Path) -> None:
    """InputError for a pipe or a device: it may never end, and a history is read more than once. What is missing, or may
    not be read, its reader says."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    except ValueError:
        raise InputError(f"{str(path)!r} cannot be the name of a file.", "Name another.") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(
            f"{path} is not a file: it is a pipe or a device.",
            "Write what it holds to a file first, and name that.",
        )


def check_readable(path: Path) -> None:
    """InputError where `path` is no readable, non-empty file."""
    check_regular(path)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a directory.", "Name one history file in it.")
        with path.open("rb") as raw:
            first = raw.read(1)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.", "Check the path.") from None
    except PermissionError:
        raise InputError(
            f"No permission to read {path}.", f"Try `chmod u+r {path}`, or copy the file."
        ) from None
    except OSError as why:
        raise InputError(f"{path} cannot be read: {why.strerror}.", "Check the path.") from None
    if not first:
        raise InputError(f"{path} is empty.", "Export the history again.")


class Opened(NamedTuple):
    """The content of a file as a byte stream."""

    stream: IO[bytes]
    packed: int | None  # bytes before decompression; None: as it is


def open_bytes(path: Path) -> Opened:
    """The content of a file, decompressed: of a gzip, of the one history in a zip, or as it is."""
    check_readable(path)
    with path.open("rb") as raw:
        magic = raw.read(4)
    if magic.startswith(GZIP_MAGIC):
        packed = path.stat().st_size
        return Opened(io.BufferedReader(gzip.GzipFile(path, mode="rb")), packed)
    if magic in (ZIP_MAGIC, EMPTY_ZIP_MAGIC):
        return Opened(*open_member(path))
    return Opened(path.open("rb"), None)


def chunks(path: Path, report: ReadReport) -> Iterator[bytes]:
    """The file's content in pieces. An archive cut off or damaged ends there, and the report says so.

    InputError where it unpacks to more than `MAX_RATIO` times its size.
    """
    stream, packed = open_bytes(path)
    report.compressed = packed is not None
    size = 0
    with stream:
        while True:
            try:
                piece = stream.read1(CHUNK) if hasattr(stream, "read1") else stream.read(CHUNK)
            except DAMAGED:
                report.truncated = True
                report.notes.append(
                    f"{path.name} is damaged or cut off (it cannot be unpacked to its end): what came before is used"
                )
                return
            except OSError as why:
                raise InputError(
                    f"{path} cannot be read to its end: {why.strerror or why}.",
                    "Copy it to a healthy disk.",
                ) from None
            if not piece:
                return
            size += len(piece)
            if packed is not None and size > RATIO_FROM and size > MAX_RATIO * packed:
                raise InputError(
                    f"{path} unpacks to more than {MAX_RATIO} times its size: no history does.",
                    "If it really is one, unpack it and name the file inside.",
                )
            yield piece


def lines(path: Path, report: ReadReport) -> Iterator[tuple[int, str]]:
    """(line number, text without line end), UTF-8 with or without BOM; InputError elsewhere."""
    rest = b""
    number = 0
    for piece in chunks(path, report):
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        if len(rest) > MAX_LINE:
            raise _not_text(path, number + 1)
        if not newline:
            continue
        parts = _decoded(whole) if number else None  # line 1 may begin with a BOM
        if parts is None:
            for raw in whole.split(b"\n"):
                number += 1
                yield number, _text(path, raw, number)
        else:
            for part in parts:
                number += 1
                yield number, part
    if rest:
        yield number + 1, _text(path, rest, number + 1)


def _decoded(whole: bytes) -> list[str] | None:
    """Many lines at once: a third of the cost of one by one. None where one of them needs a closer look."""
    if b"\x00" in whole or b"\r" in whole:
        return None
    try:
        return whole.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return None


def _text(path: Path, raw: bytes, number: int) -> str:
    if b"\x00" in raw:
        raise _not_text(path, number)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _not_text(path, number) from None
    if number == 1:
        text = text.removeprefix("\ufeff")
    return text.rstrip("\r")


def _not_text(path: Path, number: int) -> InputError:
    return InputError(
        f"{path} is not UTF-8 text (line {number}).",
        "Save it as UTF-8, or name the file that the logger wrote.",
    )
