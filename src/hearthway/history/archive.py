"""The one history in a zip, such as Google's Takeout: found by name, read as a stream, never unpacked to disk."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from hearthway.records.errors import InputError

ZIP_MAGIC = b"PK\x03\x04"
EMPTY_ZIP_MAGIC = b"PK\x05\x06"
KNOWN = ("records.json", "location history.json", "timeline.json", "location-history.json")
SUFFIXES = (".json", ".csv", ".gpx", ".plt", ".rec")
MAX_LIST = 1 << 24  # bytes of the list of members: some 150,000 files of a Takeout
_END = struct.Struct("<4s4H2LH")  # end of central directory: PKWARE APPNOTE 4.3.16
_END_64 = b"PK\x06\x06"  # its zip64 form: APPNOTE 4.3.14
_LOCATOR = struct.Struct("<4sLQL")  # APPNOTE 4.3.15


def open_member(path: Path) -> tuple[IO[bytes], int]:
    """The stream of the history in a zip, and its packed size; InputError where there is not exactly one."""
    _check_list(path)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise _damaged(path) from None
    with archive:
        member = _history_in(path, archive.infolist())
        if member.flag_bits & 1:
            raise InputError(
                f"{path} is protected by a password.", f"Unpack {member.filename} and name it."
            )
        try:
            # The stream keeps the file open by itself once the archive is closed.
            return archive.open(member), max(1, member.compress_size)
        except NotImplementedError:
            raise InputError(
                f"{path} is packed in a way that cannot be read here.",
                f"Unpack {member.filename} and name it.",
            ) from None
        except (zipfile.BadZipFile, RuntimeError, ValueError, OSError, EOFError):
            raise _damaged(path) from None


def _history_in(path: Path, members: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    """Google's own names first; else the only file that could be a history."""
    files = [one for one in members if not one.is_dir() and not _is_shadow(one.filename)]
    for name in KNOWN:
        found = [one for one in files if PurePosixPath(one.filename).name.lower() == name]
        if found:
            break
    else:
        found = [one for one in files if one.filename.lower().endswith(SUFFIXES)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.filename[:60] for one in (found or files)[:5])
    if not found:
        raise InputError(
            f"{path} holds no location history ({names or 'it is empty'}).",
            "Take the export that holds Records.json or Timeline.json: see docs/reference/histories.md.",
        )
    raise InputError(
        f"{path} holds {len(found):,} files that could be the history: {names}.",
        "Unpack the right one and name it.",
    )


def _is_shadow(name: str) -> bool:
    """macOS adds a `._` twin of each file."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name.startswith("._")


def _check_list(path: Path) -> None:
    """`zipfile` loads the whole list of members: refused where it alone would fill the memory."""
    with path.open("rb") as raw:
        size = raw.seek(0, 2)
        raw.seek(max(0, size - _END.size - 0xFFFF - _LOCATOR.size))
        tail = raw.read()
        at = tail.rfind(EMPTY_ZIP_MAGIC)
        if at < 0 or len(tail) - at < _END.size:
            raise _damaged(path)
        listed = int(_END.unpack_from(tail, at)[5])
        before = at - _LOCATOR.size
        if before >= 0 and tail[before : before + 4] == b"PK\x06\x07":
            raw.seek(int(_LOCATOR.unpack_from(tail, before)[2]))
            record = raw.read(56)
            if len(record) < 56 or not record.startswith(_END_64):
                raise _damaged(path)
            listed = int.from_bytes(record[40:48], "little")
    if listed > MAX_LIST:
        raise InputError(
            f"{path} lists too many files ({listed / 1e6:,.0f} MB of names alone).",
            "Unpack the history and name it.",
        )


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is a damaged or cut-off zip file.", "Download or export it again.")
