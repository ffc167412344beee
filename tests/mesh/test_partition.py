"""Three nodes apart: random writes with wrong clocks, kill -9, forgetting and loss, then healed. The same everywhere, nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase as Step
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.state.hlc import Hlc
from hearthway.mesh.state.registers import Register
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.records.errors import StoreError

from .storm import NAMES, Member, members, seeded_loss

MEMORY = Path("/dev/shm")
LINKS = (("car", "home"), ("car", "phone"), ("home", "phone"))
YEAR_S = 365.25 * 86_400.0
AGREE_S = 60.0
BURST = 200  # writes before the loop has its turn, and pushes go out where a link is up
PHASES = (Step.explicit, Step.reuse, Step.generate)  # what is random inside a plan does not shrink
RUNS, PIECES, WRITES = 500, 25, 10_000


@dataclass(frozen=True)
class Kill:
    """`at`: the share of the writes before it. `statements` 0: between two writes, else so many SQL statements on."""

    at: float
    name: str
    statements: int
    turns: bool  # the clock is wrong the other way afterwards


@dataclass(frozen=True)
class Phase:
    """So long (in shares) some links are up; in the first one none is."""

    weight: int
    up: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Plan:
    """A partition, as hypothesis draws it; whatever is random inside comes from `seed`."""

    seed: int
    skews_s: tuple[float, float, float]
    weights: tuple[int, int, int]  # who writes how much
    keys: int
    phases: tuple[Phase, ...]
    kills: tuple[Kill, ...]
    forgets: float  # share of the writes
    loss: float  # share of the messages of replicas
    heals: tuple[tuple[str, str], ...]


SKEWS = st.one_of(
    st.floats(-3600.0, 3600.0), st.sampled_from([3600.0, -3600.0, 10 * YEAR_S, -10 * YEAR_S])
)
KILLS = st.builds(
    Kill,
    st.floats(0.0, 1.0),
    st.sampled_from(NAMES),
    st.one_of(st.just(0), st.integers(1, 25)),
    st.booleans(),
)
PLANS = st.builds(
    Plan,
    seed=st.integers(0, 2**32 - 1),
    skews_s=st.tuples(SKEWS, SKEWS, SKEWS),
    weights=st.tuples(*[st.integers(1, 9)] * 3),
    keys=st.sampled_from([5, 300, 2_000]),
    phases=st.builds(
        lambda first, rest: (Phase(first), *rest),
        st.integers(3, 9),
        st.lists(
            st.builds(Phase, st.integers(1, 5), st.frozensets(st.sampled_from(LINKS))), max_size=3
        ),
    ),
    kills=st.lists(KILLS, min_size=3, max_size=12).map(tuple),
    forgets=st.sampled_from([0.0, 0.002, 0.05]),
    loss=st.sampled_from([0.0, 0.05, 0.3]),
    heals=st.permutations(LINKS).map(tuple),
)


# --- what has to hold ---------------------------------------------------------------------------


@dataclass
class Ledger:
    """What was asked for, what was acknowledged, and so what must be there in the end."""

    asked: dict[str, set[bytes]] = field(default_factory=dict)
    newest: dict[str, Register] = field(default_factory=dict)
    ended: dict[str, Hlc] = field(default_factory=dict)  # acknowledged forgetting
    asked_to_end: dict[str, Hlc] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)

    def ask(self, key: str) -> bytes:
        """The value of the next write: no two have the same."""
        self.count["asked"] += 1
        value = b"%d" % self.count["asked"]
        self.asked.setdefault(key, set()).add(value)
        return value

    def acknowledge(self, written: Register) -> None:
        """That write may be superseded, and never be lost."""
        self.count["acknowledged"] += 1
        before = self.newest.get(written.key)
        if before is None or written.hlc > before.hlc:
            self.newest[written.key] = written

    def faults(self, held: Iterable[Register]) -> list[str]:
        """What is lost, invented or came back."""
        found = {one.key: one for one in held}
        wrong = [
            f"{key}: nobody wrote {one.value!r}"
            for key, one in found.items()
            if one.value not in self.asked[key]
        ]
        for key, written in self.newest.items():
            kept, end = found.get(key), self.asked_to_end.get(key)
            if kept is None:
                if end is None or end < written.hlc:
                    wrong.append(f"{key}: {written.value!r} is lost")
            elif kept.hlc < written.hlc or (
                kept.hlc == written.hlc and kept.value != written.value
            ):
                wrong.append(f"{key}: {written.value!r} was not superseded by {kept.value!r}")
        wrong += [
            f"{key} came back"
            for key, end in self.ended.items()
            if key in found and found[key].hlc <= end
        ]
        return wrong


def test_the_ledger_sees_what_is_lost_invented_or_came_back() -> None:
    def wrote(value: bytes, wall_ms: int) -> Register:
        return Register(key="Setting.X", value=value, hlc=Hlc(wall_ms, 0, "car"))

    ledger = Ledger(asked={"Setting.X": {b"1", b"2", b"3"}})
    ledger.acknowledge(wrote(b"2", 20))
    ledger.acknowledge(wrote(b"1", 10))
    assert ledger.faults([wrote(b"2", 20)]) == []
    assert ledger.faults([wrote(b"3", 30)]) == []  # not acknowledged, and there all the same
    assert ledger.faults([]) == ["Setting.X: b'2' is lost"]
    assert ledger.faults([wrote(b"1", 10)]) == ["Setting.X: b'2' was not superseded by b'1'"]
    assert ledger.faults([wrote(b"3", 20)]) == ["Setting.X: b'2' was not superseded by b'3'"]
    assert ledger.faults([wrote(b"4", 40)]) == ["Setting.X: nobody wrote b'4'"]
    ledger.asked_to_end["Setting.X"] = Hlc(19, 0, "car")
    assert ledger.faults([]) == ["Setting.X: b'2' is lost"]
    ledger.asked_to_end["Setting.X"] = ledger.ended["Setting.X"] = Hlc(20, 0, "car")
    assert ledger.faults([]) == []
    assert ledger.faults([wrote(b"3", 21)]) == []
    assert ledger.faults([wrote(b"2", 20)]) == ["Setting.X came back"]


# --- a run --------------------------------------------------------------------------------------


class Run:
    """Carries a plan out."""

    def __init__(self, plan: Plan, writes: int, hub: MemoryHub, nodes: dict[str, Member]) -> None:
        self.plan, self.writes, self.hub, self.nodes = plan, writes, hub, nodes
        self.rng = random.Random(plan.seed)
        self.ledger = Ledger()

    def _write(self, count: int) -> None:
        """So many writes, here and there; fewer where a node dies."""
        for _ in range(count):
            node, key = self._draw()
            try:
                if self.rng.random() < self.plan.forgets:
                    self._forget(node, key)
                value = self.ledger.ask(key)
                written = node.replica.set(key, value, roster=node.identity.roster)
                self.ledger.acknowledge(written)
            except StoreError:
                assert node.dead
                return

    def _draw(self) -> tuple[Member, str]:
        node = self.nodes[self.rng.choices(NAMES, self.plan.weights)[0]]
        return node, f"Setting.K{self.rng.randrange(self.plan.keys)}"

    async def _write_one(self) -> None:
        """Beside the loop and told at once, as `hearthway setting` does it."""
        node, key = self._draw()
        try:
            self.ledger.acknowledge(await node.sync.set(key, self.ledger.ask(key)))
        except StoreError:
            assert node.dead

    def _forget(self, node: Member, key: str) -> None:
        """What the node may: the home and the phone everything, the car what it wrote."""
        held = node.store.get_register(key)
        if held is None or (node.name == "car" and held.hlc.node != "car"):
            return
        ledger = self.ledger
        ledger.asked_to_end[key] = max(held.hlc, ledger.asked_to_end.get(key, held.hlc))
        node.store.bury_register(key, held.hlc)
        ledger.ended[key] = max(held.hlc, ledger.ended.get(key, held.hlc))
        ledger.count["forgotten"] += 1

    async def _revive(self) -> None:
        for node in self.nodes.values():
            if node.dead:
                await self._kill(node)

    async def _kill(self, node: Member) -> None:
        self.ledger.count["killed in a statement" if node.dead else "killed"] += 1
        await node.kill()
        await node.up()

    async def _until(self, target: int) -> None:
        while (left := target - self.ledger.count["asked"]) > 0:
            if left > 1:
                await asyncio.to_thread(self._write, min(left - 1, BURST))
                await self._revive()
            await self._write_one()
            await self._revive()
            for node in self.nodes.values():
                node.sync.changed()

    async def _storm(self) -> None:
        kills = sorted(self.plan.kills, key=lambda one: one.at)
        weight, total = 0, sum(phase.weight for phase in self.plan.phases)
        for phase in self.plan.phases:
            for link in LINKS:
                (self.hub.heal if link in phase.up else self.hub.cut)(*link)
            weight += phase.weight
            until = self.writes * weight // total
            while kills and kills[0].at * self.writes <= until:
                kill = kills.pop(0)
                await self._until(int(kill.at * self.writes))
                node = self.nodes[kill.name]
                if kill.statements:
                    node.die_after(kill.statements)
                else:
                    await self._kill(node)
                if kill.turns:
                    node.skew_s = -node.skew_s
            await self._until(until)

    async def carry_out(self) -> Counter[str]:
        """Storm, heal, compare; how much of everything there was."""
        for number, (node, skew_s) in enumerate(
            zip(self.nodes.values(), self.plan.skews_s, strict=True)
        ):
            node.skew_s, node.loses = skew_s, seeded_loss(self.plan.seed + number, self.plan.loss)
        await self._storm()
        for link in self.plan.heals:
            self.hub.heal(*link)
            await asyncio.sleep(self.rng.choice((0.0, 0.02)))
        await self._agree()
        held = [
            {(r.key, r.hlc, r.value) for r in node.store.registers()}
            for node in self.nodes.values()
        ]
        assert held[0] == held[1] == held[2]  # what equal hashes stand for
        assert self.ledger.faults(self.nodes["home"].store.registers()) == []
        assert self.ledger.count["asked"] == self.writes
        return self.ledger.count

    async def _agree(self) -> None:
        """Until all hashes are equal; a node may still have to die, of what it merges."""
        hashes: dict[str, tuple[Any, bytes]] = {}
        async with asyncio.timeout(AGREE_S):
            while len({found for _, found in hashes.values()}) != 1 or len(hashes) < len(NAMES):
                await asyncio.sleep(0.02)
                await self._revive()
                for name, node in self.nodes.items():
                    with contextlib.suppress(StoreError):  # it died of this
                        now = (node.store, node.store.last_seq())
                        if name not in hashes or hashes[name][0] != now:
                            hashes[name] = (now, node.replica.digest())


def _carry_out(three: dict[str, DeviceIdentity], plan: Plan, writes: int) -> Counter[str]:
    async def scenario(root: Path) -> Counter[str]:
        async with members(three, root) as (hub, nodes):
            return await Run(plan, writes, hub, nodes).carry_out()

    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as root:
        return asyncio.run(scenario(Path(root)))


@settings(max_examples=8, deadline=None, phases=PHASES)
@given(PLANS)
def test_nodes_apart_become_the_same_and_lose_nothing(storm_three: Any, plan: Plan) -> None:
    _carry_out(storm_three, plan, 400)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("piece", range(PIECES))
def test_500_partitions_of_10000_writes(storm_three: Any, piece: int) -> None:
    """In pieces, so that each has a time limit; a piece draws the same plans every time."""
    total: Counter[str] = Counter()

    @seed(piece)
    @settings(max_examples=RUNS // PIECES, deadline=None, database=None, phases=PHASES)
    @given(PLANS)
    def run(plan: Plan) -> None:
        total.update(_carry_out(storm_three, plan, WRITES), runs=1)

    run()
    print(f"piece {piece}: {dict(total)}", flush=True)
    assert total["runs"] >= RUNS // PIECES
    assert min(total[what] for what in ("killed", "killed in a statement", "forgotten")) > 0
    assert total["asked"] - total["acknowledged"] <= total["killed in a statement"]
