"""A switch with a delay, a loss and a rate: between the ports p0, p1, ... of its namespace, by names, seeded.

    relay.py DELAY_MS LOSS SEED NAME NAME ...         p0 is the first name's port, p1 the second's

Run by path with `python -I -S`: standard library only. Every frame is handed on after the delay, or lost. Commands on
standard input, each answered by one line with the monotonic second at which it held: `cut A` (nothing of A passes),
`cut A B` (nothing between A and B), `heal` with the same words, `link DELAY_MS MBIT` (from now on; 0: as fast as it
comes), `tally` (frames passed, lost, cut). End of input ends it.
"""

from __future__ import annotations

import heapq
import random
import select
import socket
import sys
import time

_ALL_FRAMES = 0x0003  # ETH_P_ALL
_SOL_PACKET, _VNET_HDR, _IGNORE_OUTGOING = 263, 15, 23
_RCVBUFFORCE, _SNDBUFFORCE = 33, 32
_HDR_BYTES = (
    10  # virtio_net_hdr in front: a checksum the sender's kernel left open stays open, not wrong
)
_ASIDE = {"cut", "heal"}
_QUEUE_S = 0.5  # at a rate: what would wait longer at a port is lost, as in a real one


class Relay:
    """The ports, what is under way, and what is cut."""

    def __init__(self, delay_s: float, loss: float, seed: int, names: list[str]) -> None:
        self._delay_s, self._loss = delay_s, loss
        self._s_per_byte = 0.0
        self._free_s: dict[int, float] = {}  # when each port has sent what waits for it
        self._rng = random.Random(seed)
        self._names = names
        self._ports = [_port(f"p{index}") for index in range(len(names))]
        self._under_way: list[tuple[float, int, int, int, bytes]] = []
        self._number = 0
        self._where: dict[bytes, int] = {}
        self._cut: set[frozenset[str]] = set()
        self._tally = {"passed": 0, "lost": 0, "cut": 0}

    def run(self) -> None:
        """Until standard input ends."""
        while True:
            wait_s = self._due()
            readable, _, _ = select.select([*self._ports, sys.stdin], [], [], wait_s)
            for index, port in enumerate(self._ports):
                if port in readable:
                    self._take(index, port)
            if sys.stdin in readable and not self._obey(sys.stdin.readline().split()):
                return

    def _due(self) -> float | None:
        """Hand on what is due; seconds until the next."""
        while self._under_way:
            left_s = self._under_way[0][0] - time.monotonic()
            if left_s > 0:
                return left_s
            _, _, source, target, data = heapq.heappop(self._under_way)
            if self._is_cut(source, target):
                self._tally["cut"] += 1
                continue
            try:
                self._ports[target].send(data)
            except OSError:
                self._tally["lost"] += 1  # the other side's queue is full, as a real one may be
        return None

    def _take(self, source: int, port: socket.socket) -> None:
        for _ in range(64):
            try:
                data = port.recv(131_072)
            except BlockingIOError:
                return
            to, sender = data[_HDR_BYTES : _HDR_BYTES + 6], data[_HDR_BYTES + 6 : _HDR_BYTES + 12]
            self._where[sender] = source
            known = self._where.get(to)
            targets = range(len(self._ports)) if known is None or to[0] & 1 else [known]
            for target in targets:
                if target != source:
                    self._send_later(source, target, data)

    def _send_later(self, source: int, target: int, data: bytes) -> None:
        if self._is_cut(source, target):
            self._tally["cut"] += 1
        elif self._rng.random() < self._loss:
            self._tally["lost"] += 1
        else:
            now_s = time.monotonic()
            sent_s = max(now_s, self._free_s.get(target, 0.0)) + len(data) * self._s_per_byte
            if self._s_per_byte and sent_s - now_s > _QUEUE_S:
                self._tally["lost"] += 1
                return
            self._free_s[target] = sent_s
            self._number += 1
            self._tally["passed"] += 1
            due_s = sent_s + self._delay_s
            heapq.heappush(self._under_way, (due_s, self._number, source, target, data))

    def _is_cut(self, source: int, target: int) -> bool:
        a, b = self._names[source], self._names[target]
        return not self._cut.isdisjoint({frozenset([a]), frozenset([b]), frozenset([a, b])})

    def _obey(self, words: list[str]) -> bool:
        if not words:
            return False
        if words[0] in _ASIDE:
            ends = frozenset(words[1:])
            (self._cut.add if words[0] == "cut" else self._cut.discard)(ends)
            print(f"{time.monotonic():.6f}", flush=True)
        elif words[0] == "link":
            mbit = float(words[2])
            self._delay_s = float(words[1]) / 1000
            self._s_per_byte = 8 / (mbit * 1e6) if mbit else 0.0
            self._free_s.clear()
            print(f"{time.monotonic():.6f}", flush=True)
        else:
            print(*(f"{key}={value}" for key, value in self._tally.items()), flush=True)
        return True


def _port(name: str) -> socket.socket:
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_FRAMES))
    port.setsockopt(_SOL_PACKET, _VNET_HDR, 1)
    port.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    port.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 8 * 1024 * 1024)
    port.setsockopt(socket.SOL_SOCKET, _SNDBUFFORCE, 8 * 1024 * 1024)
    port.bind((name, _ALL_FRAMES))
    port.settimeout(0)
    return port


def main() -> None:
    """Relay until standard input ends."""
    delay_ms, loss, seed, *names = sys.argv[1:]
    relay = Relay(float(delay_ms) / 1000, float(loss), int(seed), names)
    print("ready", flush=True)
    relay.run()


if __name__ == "__main__":
    main()
