"""Writes every frame that nodes put on the private link into a pcap file, until its standard input ends.

Run by path with `python -I -S`: standard library only. Says "ready", and at the end how many frames the kernel lost.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from pathlib import Path
from typing import BinaryIO

_ALL_FRAMES = 0x0003  # ETH_P_ALL
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_RCVBUFFORCE = 33
_SNAP_BYTES = 262_144
_PCAP_HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAP_BYTES, 1)  # 1: Ethernet


def main() -> None:
    """Capture until standard input ends."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_FRAMES))
    raw.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 64 * 1024 * 1024)
    raw.settimeout(0)
    with Path(sys.argv[1]).open("wb") as file:
        file.write(_PCAP_HEAD)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            readable, _, _ = select.select([raw, sys.stdin], [], [])
            _drain(raw, file)
            if sys.stdin in readable and not sys.stdin.readline():
                break
        _drain(raw, file)
    lost = struct.unpack("<II", raw.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]
    sys.stdout.write(f"{lost}\n")


def _drain(raw: socket.socket, file: BinaryIO) -> None:
    while True:
        try:
            frame, source = raw.recvfrom(_SNAP_BYTES)
        except BlockingIOError:
            return
        # each frame once: where it comes in from a node's cable, not again where the bridge hands it on
        if source[2] != socket.PACKET_OUTGOING and source[0].startswith("p"):
            now_us = time.time_ns() // 1000
            size = len(frame)
            file.write(struct.pack("<IIII", now_us // 10**6, now_us % 10**6, size, size) + frame)


if __name__ == "__main__":
    main()
