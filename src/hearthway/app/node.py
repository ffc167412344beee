"""A running node: what every role shares. Roles add their services; `wiring` says which role has which."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from hearthway.mesh.links.beside import beside
from hearthway.mesh.links.link import Link
from hearthway.mesh.links.relay import RelayLink
from hearthway.mesh.links.routed import RoutedLink
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.state.journal import StoredJournal
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import ConfigError, HearthwayError, IdentityError, StoreError

from .clock import Clock, EventClock, SystemClock
from .config import Config, load_config
from .control import held, refuse_running, running
from .control_server import ControlServer
from .counters import InternetWatch
from .granting import grant_book
from .logs import start_log, stop_log
from .part import Part
from .paths import NodePaths, write_private
from .wiping import erase_node, is_handed_down

log = logging.getLogger("hearthway.node")
Request = dict[str, Any]
P = TypeVar("P", bound=Part)
PEER_TIMEOUT_S = 15.0
LOOK_OFTEN_S, LOOK_OFTEN_FOR_S = 0.25, 30.0  # while nobody is reached: its reason is said at once
LOOK_SELDOM_S = 5.0  # away for long
LOOK_WELL_S = 60.0  # somebody is there, and who goes wakes us
UNHEALTHY_FOR_S = 2.0  # a session that is opened anew is no news; said within 3 s all the same


class Service(Protocol):
    """Something that runs beside the node, such as its page."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class Node:
    """One device's process. Subclasses are the roles; each registers its handlers in `mesh_started`."""

    def __init__(self, paths: NodePaths, config: Config) -> None:
        self.paths = paths
        self.config = config
        self.wall = SystemClock()
        self.clock: Clock = EventClock() if config.replay.clock else self.wall
        self.control = ControlServer(paths.socket)
        self.watch = InternetWatch.start()
        self.mesh: MeshNode | None = None
        self.wire: Link | None = None  # what the mesh stands on
        self._store: Store | None = None
        self._journal: StoredJournal | None = None
        self._stop = asyncio.Event()
        self._trouble: IdentityError | None = None  # why this device is in no household any more
        self._tasks: set[asyncio.Task[Any]] = set()
        self._peers_moved = asyncio.Event()  # wakes who watches the mesh's health
        self.services: list[Service] = []
        self.parts: list[Part] = []  # set by `wiring.build`

    def part(self, kind: type[P]) -> P:
        """This node's part of that kind; LookupError where its role has none."""
        for part in self.parts:
            if isinstance(part, kind):
                return part
        raise LookupError(kind.__name__)

    # life of the process -----------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The node's database, open while it runs."""
        if self._store is None:
            raise HearthwayError("The node is not running.")
        return self._store

    async def run(self, *, leash: bool = False, up: Callable[[], None] | None = None) -> None:
        """Until stopped by a signal, by `stop`, or (with `leash`) by the end of standard input.

        `up` is called once every port is bound.
        """
        refuse_running(self.paths)
        with held(self.paths.socket):
            await self._run(leash=leash, up=up)

    async def _run(self, *, leash: bool, up: Callable[[], None] | None) -> None:
        start_log(self.paths.log)
        try:
            self._store = Store.open(self.paths.database, node_id=self.config.node.id)
            self._journal = StoredJournal(self._store, self.paths.commands, self.wall.now_s)
            self._stop_on_signals(leash=leash)
            for part in self.parts:
                await part.starting()
            await self.started()
            if self._stop.is_set():  # nothing is up yet that somebody could miss
                return
            for service in self.services:
                await service.start()
            self._verbs()
            for part in self.parts:
                part.verbs(self.control)
            await self.control.start()
            log.info("node up", extra={"fields": {"role": str(self.config.node.role)}})
            if up is not None:
                up()
            await self._stop.wait()
        finally:
            await self._close()

    async def started(self) -> None:
        """Open the mesh where this device is paired."""
        if not self.paths.ever_paired():
            log.info("not paired yet")
            return
        try:
            await self._open_mesh()
        except IdentityError as why:
            # The node stays up without a mesh: it says what is wrong, and pairing again needs it running.
            self.mesh, self._trouble = None, why
            log.warning("no household", extra={"fields": {"problem": why.message}})

    def link(self, identity: DeviceIdentity) -> Link:
        """This node's end of the wire: zenoh, or in one process the in-memory one."""
        listen = self.config.mesh.listen
        direct = ZenohLink(identity, listen=listen, now_s=self.wall.now_s())
        return RelayLink(RoutedLink(direct, identity))

    def mesh_started(self, mesh: MeshNode) -> None:
        """Register what this role publishes, answers and listens to."""

    async def stopping(self) -> None:
        """Last words of a role, while store and mesh are still open."""

    def stop(self) -> None:
        """Ask the node to end."""
        self._stop.set()

    def spawn(self, work: Awaitable[Any], name: str) -> None:
        """Run `work` beside everything else; what it raises is logged and told, never lost."""

        async def guarded() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except HearthwayError as why:
                self.note(str(why))
            except Exception:
                log.exception("task failed", extra={"fields": {"task": name}})
                self.note(f"{name} failed; node.log has the line.")

        beside(self._tasks, guarded(), work).set_name(name)

    def note(self, text: str) -> None:
        """A sentence for whoever watches this node."""
        self.control.emit("note", text=text)

    async def _close(self) -> None:
        for service in self.services:
            await service.stop()
        await self._end_tasks()
        with contextlib.suppress(HearthwayError):
            if self._store is not None:
                for part in self.parts:
                    await part.stopping()
                await self.stopping()
        if self.mesh is not None:
            await self.mesh.close()
            await self._end_tasks()  # every peer went, and that sets work going
        await self.control.stop()
        if self._journal is not None:
            await asyncio.to_thread(self._journal.close)
        if self._store is not None:
            self._store.close()
        log.info("node down")
        stop_log()

    async def _end_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _stop_on_signals(self, *, leash: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        if leash:
            loop.add_reader(sys.stdin.fileno(), self._leash_moved)

    def _leash_moved(self) -> None:
        if not os.read(sys.stdin.fileno(), 1024):  # end of file: whoever started this node is gone
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self.stop()

    # household ---------------------------------------------------------------------------------------------

    def rules(self) -> Rules:
        """The owner's rules of this node; the defaults are written down at the first start."""
        if not self.paths.rules.exists():
            write_private(self.paths.rules, default_rules().encode())
        return Rules.load(self.paths.rules)

    async def joined(self) -> None:
        """Pairing gave this device new keys: open the mesh with them."""
        if self.mesh is not None:
            await self.mesh.close()
        await self._open_mesh()
        self._trouble = None

    async def out_of_household(self, why: IdentityError) -> None:
        """This device is no member any more (put out, or its certificate ended): it says so and goes on alone."""
        mesh, self.mesh, self._trouble = self.mesh, None, why
        log.warning("no household", extra={"fields": {"problem": why.message}})
        self.note(str(why))
        if mesh is not None:
            await mesh.close()

    async def _open_mesh(self) -> None:
        rules = self.rules()
        identity = await asyncio.to_thread(DeviceIdentity.load, self.paths.keys, self.wall.now_s())
        grants = grant_book(self, identity)
        self.wire = wire = self.link(identity)
        mesh = MeshNode(
            identity, wire, rules, self.wall.now_s, grants=grants, journal=self._journal
        )
        self.mesh = mesh
        self.mesh_started(mesh)
        for part in self.parts:
            part.mesh_started(mesh)
        mesh.on_peer(self.peer_changed)
        await mesh.open()
        self.spawn(self._watch_health(mesh), "mesh health")

    async def _watch_health(self, mesh: MeshNode) -> None:
        """Sleeps while somebody is reached: only a peer that goes can change that. Else it looks, ever less often."""
        told, bad_since = "", None
        loop = asyncio.get_running_loop()
        while self.mesh is mesh:
            self._peers_moved.clear()
            health, now = mesh.health(), loop.time()
            if health.ok:
                told, bad_since = "", None
            elif bad_since is None:
                bad_since = now
            elif now - bad_since >= UNHEALTHY_FOR_S and health.problem != told:
                told = health.problem
                log.warning("mesh unhealthy", extra={"fields": {"problem": health.problem}})
                self.note(f"{health.problem} {health.next_step}")
            well = bad_since is None and any(peer.alive for peer in mesh.peers().values())
            long_away = bad_since is not None and now - bad_since > LOOK_OFTEN_FOR_S
            pause_s = LOOK_WELL_S if well else LOOK_SELDOM_S if long_away else LOOK_OFTEN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._peers_moved.wait()

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        """Liveness of another node changed."""
        self._peers_moved.set()
        log.info("peer", extra={"fields": {"peer": device_id, "alive": alive}})
        self.control.emit("peer", node=device_id, alive=alive)
        for part in self.parts:
            part.peer_changed(device_id, alive)

    # verbs every node answers --------------------------------------------------------------------------------

    def _verbs(self) -> None:
        on = self.control.on
        on("ping", self._ping)
        on("stop", self._do_stop)
        on("status", self._status)
        on("await-peers", self._await_peers)
        on("await-gone", self._await_gone)

    async def _ping(self, _: Request) -> Request:
        return {"node": self.config.node.id}

    async def _do_stop(self, _: Request) -> Request:
        self.stop()
        return {}

    async def _status(self, _: Request) -> Request:
        state = Node.status(self)
        for status in (self.status, *(part.status for part in self.parts)):
            try:
                state |= status()
            except StoreError as why:  # the rest is said all the same
                state |= {"healthy": False, "problem": why.message, "next": why.next_step}
        return state

    def status(self) -> Request:
        """Who is there and how well, for `hearthway status`."""
        node = self.config.node
        peers: list[Request] = []
        if self._trouble is not None:
            paired, healthy, problem = True, False, self._trouble.message
            next_step = self._trouble.next_step
        elif self.mesh is None:
            paired, healthy, problem = False, True, "not paired with a household yet"
            next_step = "Run `hearthway pair` here and on the home node."
        else:
            health = self.mesh.health()
            paired, healthy, problem = True, health.ok, health.problem
            next_step = health.next_step
            peers = [
                {"node": p.device_id, "role": str(p.role), "alive": p.alive, "since_s": p.since_s}
                for _, p in sorted(self.mesh.peers().items())
            ]
        return {
            "node": node.id,
            "role": str(node.role),
            "paired": paired,
            "healthy": healthy,
            "problem": problem,
            "next": next_step,
            "peers": peers,
        }

    async def _await_peers(self, request: Request) -> Request:
        wanted = [str(role) for role in request.get("roles", [])]
        await self._paired().wait_ready(wanted, PEER_TIMEOUT_S)
        return {}

    async def _await_gone(self, request: Request) -> Request:
        mesh, name = self._paired(), str(request.get("node"))
        for _ in range(int(PEER_TIMEOUT_S / 0.05)):
            if not mesh.ready(name):
                return {"healthy": mesh.health().ok}
            await asyncio.sleep(0.05)
        raise HearthwayError(f"{name} is still there.", "Stop it first.")

    def paired(self) -> MeshNode:
        """The mesh this node is on; IdentityError or ConfigError says why there is none."""
        return self._paired()

    def _paired(self) -> MeshNode:
        if self._trouble is not None:
            raise self._trouble
        if self.mesh is None:
            raise ConfigError(
                "This node is not paired yet.", "Run `hearthway pair` here and at home."
            )
        return self.mesh


def open_node(paths: NodePaths) -> Node:
    """The node of the role that node.toml names."""
    from .wiring import build

    if is_handed_down(paths) and not running(paths.socket):  # else whoever runs it erases it
        erase_node(paths)
    config = load_config(paths.config)
    return build(paths, config)
