"""The process inside a sink namespace: counts and names what arrives there, answers nothing.

Run by path with `python -I -S`, so it may use the standard library only. A line on stdin asks for the tally as one
JSON line; end of file on stdin, also when the starter was killed, ends it.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys

_ALL_FRAMES = 0x0003  # ETH_P_ALL
_IPV4, _IPV6 = 0x0800, 0x86DD
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
_KEPT = 1000


def describe(ethertype: int, packet: bytes) -> tuple[str, str, int]:
    """(destination, protocol, destination port or 0) of a packet without its link header."""
    if ethertype == _IPV4 and len(packet) >= 20:
        number, header = packet[9], (packet[0] & 0x0F) * 4
        destination = socket.inet_ntop(socket.AF_INET, packet[16:20])
    elif ethertype == _IPV6 and len(packet) >= 40:
        number, header = packet[6], 40
        destination = socket.inet_ntop(socket.AF_INET6, packet[24:40])
    else:
        return "", f"ethertype {ethertype:#06x}", 0
    port = 0
    if number in (6, 17) and len(packet) >= header + 4:
        port = struct.unpack_from("!H", packet, header + 2)[0]
    return destination, _PROTOCOLS.get(number, f"protocol {number}"), port


def main() -> None:
    """Count until stdin ends."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_FRAMES))
    raw.settimeout(0)
    tally: dict[tuple[str, str, str, int], int] = {}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        readable, _, _ = select.select([raw, sys.stdin], [], [])
        if raw in readable:
            _drain(raw, tally)
        if sys.stdin in readable:
            if not sys.stdin.readline():
                return
            _drain(raw, tally)
            rows = [[*key, number] for key, number in sorted(tally.items())]
            sys.stdout.write(json.dumps(rows) + "\n")
            sys.stdout.flush()


def _drain(raw: socket.socket, tally: dict[tuple[str, str, str, int], int]) -> None:
    while True:
        try:
            packet, source = raw.recvfrom(128)
        except BlockingIOError:
            return
        if source[2] == socket.PACKET_OUTGOING or source[0] == "lo":
            continue
        key = (source[0], *describe(source[1], packet))
        if key in tally or len(tally) < _KEPT:
            tally[key] = tally.get(key, 0) + 1


if __name__ == "__main__":
    main()
