"""The bytes of a history file: opened safely, gunzipped where needed, cut off cleanly where the file ends early."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hearthway.records.errors import InputError

from .report import ReadReport

GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 16
MAX_LINE = 1 << 16  # a longer "line" is not text that a logger wrote


def check_readable(path: Path) -> None:
    """InputError where `path` is no readable, non-empty file."""
    try:
        if path.is_dir():
            raise InputError(
                f"{path} is a directory.", "Name one history file: a .csv, .csv.gz, .gpx or .plt."
            )
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


def open_bytes(path: Path) -> tuple[IO[bytes], bool]:
    """The (decompressed) byte stream of a file, and whether it was gzip."""
    check_readable(path)
    with path.open("rb") as raw:
        magic = raw.read(2)
    if magic == GZIP_MAGIC:
        return io.BufferedReader(gzip.GzipFile(path, mode="rb")), True
    return path.open("rb"), False


def chunks(path: Path, report: ReadReport) -> Iterator[bytes]:
    """The file's content in pieces. A gzip cut off or damaged ends there, and the report says so."""
    stream, report.compressed = open_bytes(path)
    with stream:
        while True:
            try:
                piece = stream.read1(CHUNK) if hasattr(stream, "read1") else stream.read(CHUNK)
            except (EOFError, zlib.error, gzip.BadGzipFile):
                report.truncated = True
                report.notes.append(
                    f"{path.name} is damaged or cut off (gzip ends early): what came before is used"
                )
                return
            except OSError as why:
                raise InputError(
                    f"{path} cannot be read to its end: {why}.", "Copy it to a healthy disk."
                ) from None
            if not piece:
                return
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
