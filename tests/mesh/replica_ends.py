"""Replicas on a wire of function calls, where each message is seen and any can be lost, on a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from hearthway.mesh.state.replica_sync import PeerState, ReplicaSync
from hearthway.mesh.state.replica_wire import CHANGES, FRESH, PULL, Changes, Pull

from .jumping import jump
from .replicas import NOW_S, ROSTER, RULES, Node
from .storm import until

Nodes = dict[str, Node]
LIMIT_S = 20.0  # of the clock that jumps
QUIET_S = 6.0  # of it: longer than anybody waits who is in step, but for the look once in a while


class End:
    """One node's end of the wire, in place of a mesh, and the sync that hangs on it."""

    def __init__(self, wire: Wire, node: Node) -> None:
        self.wire, self.node, self.device_id = wire, node, node.name
        self.identity = SimpleNamespace(roster=ROSTER)
        self.rules = RULES
        self.asked: list[tuple[str, Pull]] = []
        self.asked_at_s: list[float] = []
        self.told: list[tuple[str, Changes]] = []
        self.fail: Callable[[], Exception | None] | Callable[[], None] = lambda: None
        self.lose: Callable[[], str] = lambda: ""  # "lost": nobody notices; "full": not sent
        self.merged = 0
        mesh: Any = self
        self.sync = ReplicaSync(
            node.replica, mesh, lambda: self.rules, lambda: NOW_S, on_change=self._count
        )

    def _count(self) -> None:
        self.merged += 1

    # what a replica uses of a mesh

    def serve(self, key: str, kind: type, answer: Any, *, reply_key: str) -> None:
        assert (key, kind, reply_key) == (PULL, Pull, CHANGES)
        self.answer = answer

    def subscribe(self, key: str, kind: type, hear: Any) -> None:
        assert (key, kind) == (FRESH, Changes)
        self.hear = hear

    def on_peer(self, tell: Any) -> None:
        self.peer = tell

    def ready(self, to: str) -> list[str]:
        return [to] if frozenset((self.device_id, to)) in self.wire.up else []

    async def request(
        self, to: str, key: str, question: Pull, purpose: str, kind: type, timeout_s: float
    ) -> Changes:
        assert (key, purpose, kind, timeout_s) == (PULL, "household", Changes, 10.0)
        self.asked.append((to, question))
        self.asked_at_s.append(now_s())
        if (why := self.fail()) is not None:
            raise why
        page: Changes = await self.wire.ends[to].answer(self._meta(), question)
        return page

    async def publish(
        self, key: str, page: Changes, purpose: str, *, reliable: bool, to: str
    ) -> list[object]:
        assert (key, purpose, reliable) == (FRESH, "household", True)
        self.told.append((to, page))
        if (fate := self.lose()) != "":
            return [] if fate == "full" else [object()]
        await self.wire.ends[to].hear(self._meta(), page)
        return [object()]

    def _meta(self) -> SimpleNamespace:
        return SimpleNamespace(sender=self.device_id)

    async def write(self, key: str, value: bytes = b"1") -> None:
        await self.sync.set(key, value)

    def asks(self, of: str) -> int:
        return sum(to == of for to, _ in self.asked)

    def waits_s(self) -> list[float]:
        """How long it waited between one question and the next."""
        return [round(b - a, 3) for a, b in pairwise(self.asked_at_s)]


class Wire:
    """The ends, and which of them hear each other."""

    def __init__(self, nodes: Nodes, *names: str) -> None:
        self.up: set[frozenset[str]] = set()
        self.ends = {name: End(self, nodes[name]) for name in names}

    async def join(self, a: str, b: str) -> None:
        """They meet; back when both have heard each other out."""
        self.up.add(frozenset((a, b)))
        for one, other in ((a, b), (b, a)):
            self.ends[one].sync.peers.pop(other, None)
            self.ends[one].peer(other, True)
        await until(lambda: all(self._in_step(*pair) for pair in ((a, b), (b, a))), LIMIT_S)

    def _in_step(self, one: str, other: str) -> bool:
        state = self.ends[one].sync.peers.get(other)
        return state is not None and state.in_step is True

    def part(self, a: str, b: str) -> None:
        self.up.discard(frozenset((a, b)))
        for one, other in ((a, b), (b, a)):
            self.ends[one].peer(other, False)


def carry_out(nodes: Nodes, scenario: Callable[[Wire], Awaitable[None]], *names: str) -> None:
    async def run() -> None:
        wire = Wire(nodes, *(names or ("car", "home")))
        try:
            await scenario(wire)
        finally:
            ended_s = now_s()
            for end in wire.ends.values():
                await end.sync.close()
        assert now_s() == ended_s  # nothing is waited for
        assert not any(end.sync._tasks for end in wire.ends.values())  # what is done is not kept
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with pytest.MonkeyPatch.context() as patch:
        jump(run, patch)


def now_s() -> float:
    """On the clock that jumps."""
    return asyncio.get_running_loop().time()


async def quiet(*ends: End) -> tuple[int, ...]:
    """How much was said once nobody says anything more."""
    while True:
        before = [(len(e.asked), len(e.told)) for e in ends]
        await asyncio.sleep(QUIET_S)
        if before == [(len(e.asked), len(e.told)) for e in ends]:
            return tuple(x for pair in before for x in pair)


def home_state(name: str) -> dict[str, PeerState]:
    """One peer, in step."""
    return {name: PeerState(behind=0, in_step=True, problem="")}
