"""The page as a service of a phone node: what `app` knows, in the form `NodeView` asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from importlib import resources
from pathlib import Path

from hearthway.app.config import split_address
from hearthway.app.node import Node
from hearthway.app.offline import stored_receipts
from hearthway.app.phone import PhoneNode
from hearthway.records.errors import ConfigError, InputError
from hearthway.records.messages import AnswerGiven
from hearthway.records.page import MapShapes, PageEvent, PageState, Why
from hearthway.records.signals import Fix, Signal
from hearthway.records.suggestion import AnswerKind

from .page import create_app
from .server import Server
from .shapes import MapDrawer


class PhoneView:
    """A phone node as its page sees it."""

    def __init__(self, node: PhoneNode) -> None:
        self._node = node
        self._events: asyncio.Queue[PageEvent] = asyncio.Queue(1000)
        self._drawer: MapDrawer | None = None
        node.watch_changes(self._changed)

    def _changed(self, kind: str) -> None:
        if not self._events.full():  # the page reads the newest state whatever the number of events
            self._events.put_nowait(PageEvent(kind=kind))

    def now_s(self) -> float:
        """The node's clock."""
        return self._node.clock.now_s()

    def snapshot(self) -> PageState:
        """The state now."""
        node, situation = self._node, self._node.situation
        owner = node.owner
        peers = () if node.mesh is None else tuple(p for _, p in sorted(node.mesh.peers().items()))
        return PageState(
            node=node.config.node.id,
            role=str(node.config.node.role),
            person="" if owner is None else owner.name,
            time_s=0.0 if situation is None else situation.time_s,
            utc_offset_s=0 if situation is None else situation.utc_offset_s,
            synthetic=node.config.replay.synthetic,
            peers=peers,
            suggestion=node.suggestion,
            answered=node.answered,
            silence=node.silence,
            situation=situation,
            track=tuple(node.track),
            ahead=node.ahead(),
        )

    async def subscribe(self) -> AsyncIterator[PageEvent]:
        """Changes, for as long as the node runs."""
        while True:
            yield await self._events.get()

    async def map_shapes(self, south: float, west: float, north: float, east: float) -> MapShapes:
        """Roads and POIs of the carried atlas inside a box."""
        atlas = self._node.config.map.atlas
        if atlas == "none":
            return MapShapes()
        if self._drawer is None:
            path = Path(atlas)
            if atlas == "bundled":
                path = Path(str(resources.files("hearthway.atlas") / "data" / "helsinki.atlas"))
            self._drawer = await asyncio.to_thread(MapDrawer, path)
        return await asyncio.to_thread(self._drawer.inside, south, west, north, east)

    async def why(self, suggestion_id: str) -> Why:
        """A suggestion with this node's receipts; the other nodes' receipts stay with them."""
        suggestion = await asyncio.to_thread(self._node.store.suggestion, suggestion_id)
        receipts = await asyncio.to_thread(
            stored_receipts, self._node.paths, suggestion.suggestion_id
        )
        report = await asyncio.to_thread(self._node.receipts.chain.verify)
        verified = "this node's chain verifies" if report.ok else report.problems[0].words
        return Why(suggestion=suggestion, receipts=tuple(receipts), verified=verified)

    async def answer(self, suggestion_id: str, kind: AnswerKind, osm_id: str) -> None:
        """The person's answer."""
        await self._node.take_answer(
            AnswerGiven(suggestion_id=suggestion_id, kind=kind, time_s=self.now_s(), osm_id=osm_id)
        )

    async def ingest(self, person: str, fixes: Sequence[Fix], signals: Sequence[Signal]) -> None:
        """What the owner's phone said; InputError for anybody else."""
        owner = self._node.owner
        if owner is None:
            raise InputError(
                "Nobody lives on this phone yet.", "Run `hearthway import FILE --person NAME`."
            )
        if person.casefold() not in (owner.name.casefold(), owner.person_id):
            raise InputError(
                f"This node is not {person}'s.", "Set the OwnTracks user to its owner's name."
            )
        await self._node.take_own(fixes, signals)


class PageService:
    """Starts and stops the page with the node."""

    def __init__(self, node: PhoneNode) -> None:
        host, port = split_address(node.config.web.listen)
        self._server = Server(create_app(PhoneView(node), token=node.config.web.token), host, port)

    async def start(self) -> None:
        """Listen."""
        await self._server.start()

    async def stop(self) -> None:
        """Close."""
        await self._server.stop()


def page_service(node: Node) -> PageService:
    """The page of a phone node; ConfigError for another role."""
    if not isinstance(node, PhoneNode):
        raise ConfigError(
            "Only a phone node has a page.", 'Set [web] listen = "off", or run it on the phone.'
        )
    return PageService(node)
