"""Where things stand in a student's file, and the checks on that. No numpy: a phone at rest reads small students by this."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Sequence

import msgspec

from hearthway.records.codec import to_json
from hearthway.records.errors import StudentError

from .header import Header, TensorEntry

MAGIC = b"\x89HWS\r\n\x1a\n"
VERSION = 1
ALIGN = 64
FILE_MAX = 32 * 2**20
HEADER_MAX = 256 * 2**10
PREAMBLE = struct.Struct("<8sIIQ")
AGAIN = "Get the file again from where it came."
_DECODER = msgspec.json.Decoder(Header)


def outline(data: bytes | mmap.mmap, where: str) -> tuple[Header, list[int]]:
    """The header and where each tensor starts, all lengths checked against the file's own."""
    if len(data) < PREAMBLE.size or data[: len(MAGIC)] != MAGIC:
        raise StudentError(f"{where}: this is no student.", AGAIN)
    _, version, length, size = PREAMBLE.unpack(data[: PREAMBLE.size])
    if version != VERSION:
        raise StudentError(
            f"{where}: a student of format {version}, and this Hearthway reads {VERSION}.",
            "Update Hearthway." if version > VERSION else "Export it anew.",
        )
    if size > FILE_MAX:
        raise StudentError(f"{where}: a student may have {FILE_MAX} bytes, not {size}.", AGAIN)
    if length > HEADER_MAX:
        raise StudentError(f"{where}: a header may have {HEADER_MAX} bytes, not {length}.", AGAIN)
    if size != len(data) or PREAMBLE.size + length > size:
        raise StudentError(f"{where}: {len(data)} bytes, and it should have {size}.", AGAIN)
    text = data[PREAMBLE.size : PREAMBLE.size + length]
    try:
        header = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as why:
        raise StudentError(f"{where}: its header does not decode: {why}.", AGAIN) from None
    names = [entry.name for entry in header.tensors]
    starts, wanted = laid_out(length, header.tensors)
    if to_json(header) != text or names != sorted(set(names)) or wanted != size:
        raise StudentError(f"{where}: its header is not in the one form it may have.", AGAIN)
    if any(any(data[begin:end]) for begin, end in _gaps(length, header.tensors, starts)):
        raise StudentError(f"{where}: there is something between its tensors.", AGAIN)
    return header, starts


def laid_out(header_length: int, entries: Sequence[TensorEntry]) -> tuple[list[int], int]:
    """(where each tensor starts, the file's length)."""
    starts = []
    at = PREAMBLE.size + header_length
    for entry in entries:
        at = -(-at // ALIGN) * ALIGN
        starts.append(at)
        at += entry.size
    return starts, at


def _gaps(
    header_length: int, entries: Sequence[TensorEntry], starts: Sequence[int]
) -> Iterator[tuple[int, int]]:
    at = PREAMBLE.size + header_length
    for entry, start in zip(entries, starts, strict=True):
        yield at, start
        at = start + entry.size
