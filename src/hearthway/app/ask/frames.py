"""Frames of the Wyoming protocol: a line of JSON, and as many bytes of data and of payload as it says.

The protocol's own package reads as many as anybody says, so frames are read here, with bounds. Tests speak to it with that package.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

LINE_MAX, DATA_MAX, PAYLOAD_MAX = 16_384, 65_536, 1_048_576
Data = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """One event; `payload` is sound."""

    kind: str
    data: Data
    payload: bytes = b""


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """The next event; None at the end, and for what is no frame or too large: then the connection is of no use."""
    try:
        line = await reader.readline()
        head = json.loads(line) if line else None
        if not isinstance(head, dict) or not isinstance(head.get("type"), str):
            return None
        data: Data = head["data"] if isinstance(head.get("data"), dict) else {}
        sizes = [head.get(f"{part}_length") or 0 for part in ("data", "payload")]
        if not all(isinstance(size, int) and size >= 0 for size in sizes):
            return None
        if sizes[0] > DATA_MAX or sizes[1] > PAYLOAD_MAX:
            return None
        if sizes[0]:
            more = json.loads(await reader.readexactly(sizes[0]))
            data = {**data, **more} if isinstance(more, dict) else data
        payload = await reader.readexactly(sizes[1])
    except (ValueError, RecursionError, asyncio.IncompleteReadError):
        return None
    return Frame(str(head["type"]), data, payload)


def write_frame(writer: asyncio.StreamWriter, kind: str, data: Data, payload: bytes = b"") -> None:
    """Put it on its way; `drain` is the caller's."""
    body = json.dumps(data).encode()  # half a character of a context goes back as it came
    head: Data = {"type": kind, "data_length": len(body)}
    if payload:
        head["payload_length"] = len(payload)
    writer.write(json.dumps(head).encode() + b"\n" + body + payload)
