"""A node's page as a service of that node: the bridge between `app` and the screens."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from ipaddress import ip_address

from msgspec.structs import replace

from hearthway.app.ask.part import Asking
from hearthway.app.config import split_address
from hearthway.app.member import Member
from hearthway.app.models import Models
from hearthway.app.node import Node
from hearthway.app.offline import verify_node
from hearthway.app.phone import PhoneNode
from hearthway.app.renewal import Renewal
from hearthway.assist.standing import stands
from hearthway.context.motion import SILENT_S
from hearthway.records.ask import Reply
from hearthway.records.errors import ConfigError, InputError
from hearthway.records.household import Peer, Role
from hearthway.records.messages import AnswerGiven
from hearthway.records.page import PageEvent, PageState, Point, Why
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Situation
from hearthway.records.suggestion import AnswerKind, Silence

from .page import create_app
from .server import Server

log = logging.getLogger(__name__)

LOOK_S = 1.0  # what nobody announces (a peer that went) is noticed within this


class NodePage:
    """A node as its page sees it (web.view.NodeView)."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._events: asyncio.Queue[PageEvent] = asyncio.Queue(maxsize=1)
        self._routed: Situation | None = None
        self._ahead: tuple[Point, ...] = ()
        self._heading = ""
        self._rough = ""

    def start(self) -> None:
        """Begins to listen to the node; once, after the node has started."""
        if isinstance(self._node, PhoneNode):
            self._node.watch_changes(self._changed)

    def now_s(self) -> float:
        """The wall clock: what a live phone's timestamps are held against, also on a replaying node."""
        return self._node.wall.now_s()

    def snapshot(self) -> PageState:
        """The state now; what the node does not have reads empty."""
        node = self._node
        place = node.config.node
        if not isinstance(node, PhoneNode):
            return PageState(
                node=place.id,
                role=str(place.role),
                synthetic=node.config.replay.synthetic,
                peers=self._peers(),
                silence=Silence(
                    time_s=0.0,
                    person="",
                    code="role",
                    words="Suggestions are made on the phone; this node takes part in them.",
                ),
            )
        now_s, owner, suggestion = node.clock.now_s(), node.owner, node.suggestion
        situation, silence = _known_now(node.situation, now_s), node.silence
        if owner is None:
            silence = Silence(
                time_s=0.0,
                person="",
                code="nobody",
                words="Nobody lives on this phone yet: `hearthway import FILE --person NAME` brings a history.",
            )
        elif suggestion is not None and not stands(suggestion, now_s, situation):
            suggestion = None  # also where nothing has come in since, and the phone did not look
        latest = situation or (suggestion.situation if suggestion else None)
        return PageState(
            node=place.id,
            role=str(place.role),
            person="" if owner is None else owner.name,
            time_s=0.0 if latest is None else latest.time_s,
            utc_offset_s=0 if latest is None else latest.utc_offset_s,
            synthetic=node.config.replay.synthetic,
            peers=self._peers(),
            suggestion=suggestion,
            answered=node.answered,
            silence=silence,
            situation=situation,
            # A name of where one went before is none of where one goes now.
            heading=self._heading if situation is node.situation is self._routed else "",
            onward=onward.words if (onward := node.onward()) else "",
            rough=self._rough,
            track=tuple(node.track),
            ahead=self._ahead if situation is node.situation else (),
        )

    async def subscribe(self) -> AsyncIterator[PageEvent]:
        """What the node announces, and a look every second for what nobody does."""
        while True:
            event = PageEvent()
            with suppress(TimeoutError):
                event = await asyncio.wait_for(self._events.get(), LOOK_S)
            await self._route()
            yield event

    async def why(self, suggestion_id: str) -> Why:
        """The suggestion with this node's receipt; the other nodes keep their own."""
        node = self._node
        if not isinstance(node, Member):
            raise InputError("This node keeps no suggestions.", "Ask the phone.")
        suggestion = await asyncio.to_thread(node.store.suggestion, suggestion_id)
        kept = await asyncio.to_thread(node.receipts.chain.receipts)
        report = await asyncio.to_thread(verify_node, node.paths, [node.paths])
        words = (
            f"This node's chain of {report.entries} verifies."
            if report.ok
            else "This node's receipts do not verify: `hearthway receipts verify` says more."
        )
        return Why(
            suggestion=suggestion,
            receipts=tuple(
                receipt
                for _, receipt in kept
                if receipt is not None and receipt.suggestion_id == suggestion.suggestion_id
            ),
            verified=words,
            sound=report.ok,
        )

    async def answer(self, suggestion_id: str, kind: AnswerKind, osm_id: str) -> None:
        """Stores and learns; InputError where the suggestion or the POI is not known."""
        node = self._node
        if not isinstance(node, PhoneNode):
            raise InputError("Answers are taken on the phone.", "Answer there.")
        given = AnswerGiven(
            suggestion_id=suggestion_id, kind=kind, time_s=node.clock.now_s(), osm_id=osm_id
        )
        await node.take_answer(given)

    async def ask(self, text: str, language: str) -> Reply:
        """As `hearthway ask` on this node: whoever may open its page is its owner."""
        if self._node.config.node.role not in (Role.PHONE, Role.HOME):
            raise InputError("This node answers no questions.", "Ask the phone.")
        return await self._node.part(Asking).ask(text, "", language)

    async def ingest(self, person: str, fixes: Sequence[Fix], signals: Sequence[Signal]) -> None:
        """Takes what the owner's phone said; InputError for anybody else's."""
        node = self._node
        if not isinstance(node, PhoneNode):
            raise InputError(
                "This node is not a phone: positions are taken in where they are kept.",
                "Post to the phone's node.",
            )
        owner = node.owner
        if owner is not None and person.casefold() not in (
            owner.name.casefold(),
            owner.person_id.casefold(),
        ):
            raise InputError(
                f"This is not the phone of {person[:40]}.",
                f"Set the user in the OwnTracks app to {owner.name or owner.person_id!r}, whose phone it is.",
            )
        if owner is None:
            owner = await asyncio.to_thread(node.adopt, person)
            node.part(Renewal).with_home_soon()  # it is told whose phone this is
        person_id = owner.person_id
        await node.take_own(fixes, [replace(signal, person=person_id) for signal in signals])

    async def student(self, task: str) -> tuple[str, bytes] | None:
        """What serves the task in this household; None where nothing does, or the node's role has no models."""
        try:
            models = self._node.part(Models)
        except LookupError:
            return None
        return await asyncio.to_thread(models.load, task)

    async def _route(self) -> None:
        # A way is searched, and a name looked up, once a situation, and off the loop: a snapshot must not wait for it.
        node = self._node
        if not isinstance(node, PhoneNode):
            return
        rough = await asyncio.to_thread(node.rough)  # what came in the last day is read
        self._rough = "" if rough is None else f"{rough['words']}. {rough['next']}"
        if node.situation is not self._routed:
            self._routed = node.situation
            self._ahead = await asyncio.to_thread(node.ahead)
            self._heading = await asyncio.to_thread(node.heading)

    def _changed(self, kind: str) -> None:
        if self._events.full():
            waiting = self._events.get_nowait()
            kind = "moment" if "moment" in (kind, waiting.kind) else kind
        self._events.put_nowait(PageEvent(kind=kind))

    def _peers(self) -> tuple[Peer, ...]:
        mesh = self._node.mesh
        return () if mesh is None else tuple(peer for _, peer in sorted(mesh.peers().items()))


class PageService:
    """Serves a node's page for as long as the node runs (app.node.Service)."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where the page is, once it is served."""
        return "" if self._server is None else self._server.url

    async def start(self) -> None:
        """Listens where `[web] listen` says; ConfigError with what to do where it cannot."""
        host, port = split_address(self._node.config.web.listen)
        token = self._node.config.web.token
        if not token:
            if not _loopback(host):
                raise ConfigError(
                    f"The page listens on {host} without a token.",
                    "Set web.token, or web.listen to 127.0.0.1.",
                )
            token = secrets.token_urlsafe(24)  # nobody knows it: OwnTracks stays shut
        view = NodePage(self._node)
        view.start()
        name = socket.gethostname()
        atlas = (
            self._node.atlas.path
            if isinstance(self._node, PhoneNode) and self._node.atlas
            else None
        )
        app = create_app(
            view,
            token=token,
            hosts=(name, f"{name}.local", *self._node.config.web.hosts),
            atlas=atlas,
        )
        self._server = Server(app, host, port)
        await self._server.start()
        log.info("page at %s", self._server.url)

    async def stop(self) -> None:
        """Ends open pages and frees the port."""
        if self._server is not None:
            await self._server.stop()


def page_service(node: Node) -> PageService:
    """The page of `node`, to be appended to its services."""
    return PageService(node)


def _known_now(situation: Situation | None, now_s: float) -> Situation | None:
    """As last looked at; whether somebody still moves is not known once nothing was heard for `SILENT_S`."""
    if situation is None or situation.mode == "staying" or now_s - situation.time_s <= SILENT_S:
        return situation
    return replace(situation, mode="unknown", speed_mps=None, destinations=(), p_new=1.0)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
