"""The page's routes. `create_app` is all that the outside needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hearthway.adapters.owntracks.adapter import credentials
from hearthway.adapters.owntracks.adapter import receive as receive_owntracks
from hearthway.adapters.owntracks.mapping import MAX_BYTES as OWNTRACKS_BYTES
from hearthway.records.codec import digest, to_json
from hearthway.records.errors import ConfigError, HearthwayError, InputError, MapError, WireError
from hearthway.records.page import MapShapes
from hearthway.records.suggestion import AnswerKind

from .guard import (
    WORKER_POLICY,
    BodyTooLargeError,
    Guard,
    read_body,
    refusal,
    token_matches,
)
from .hub import Hub, TooManyPagesError
from .present import shapes_view, why_view
from .view import NodeView

if TYPE_CHECKING:
    from .shapes import MapDrawer

log = logging.getLogger(__name__)
T = TypeVar("T")

BODY_BYTES = 4096  # of a question, or of an answer
MAX_BOX_DEG = 1.0
MIN_TOKEN = 16
WORKER, MODULE = "/student-worker.js", "/student.wasm"
STUDENT_TASK = "ask"  # whose student a browser may have
ASSETS = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/ask.js": ("ask.js", "text/javascript; charset=utf-8"),
    "/map.js": ("map.js", "text/javascript; charset=utf-8"),
    "/preview.js": ("preview.js", "text/javascript; charset=utf-8"),
    "/student.js": ("student.js", "text/javascript; charset=utf-8"),
    WORKER: ("student-worker.js", "text/javascript; charset=utf-8"),
    MODULE: ("module/student.wasm", "application/wasm"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class NotJsonError(InputError):
    """What was sent says of itself that it is something else: no other page's form can send JSON."""


class _QuestionBody(Struct, forbid_unknown_fields=True):
    text: str
    language: str = ""


class _AnswerBody(Struct, forbid_unknown_fields=True):
    suggestion_id: str
    kind: AnswerKind
    osm_id: str = ""


def create_app(
    node: NodeView,
    *,
    token: str,
    hosts: Sequence[str] = (),
    atlas: Path | None = None,
    pace_s: float = 0.2,
    heartbeat_s: float = 15.0,
) -> Starlette:
    """The node's page as an ASGI app. `hosts`: names besides localhost and addresses that it answers to.

    `atlas`: the file that the map is drawn from; without one the map shows no roads.
    `token`: the Basic password that OwnTracks always needs, and the page where it is not opened on this machine.
    ConfigError for a token shorter than 16 characters. Serves only under a server that runs its lifespan.
    """
    if len(token) < MIN_TOKEN:
        raise ConfigError(
            f"The page's token has {len(token)} characters.",
            f"Give it at least {MIN_TOKEN}, from a random source.",
        )
    routes = _Routes(node, token=token, atlas=atlas, pace_s=pace_s, heartbeat_s=heartbeat_s)
    app = Starlette(
        routes=[
            *(Route(path, routes.asset) for path in ASSETS),
            Route("/events", routes.events),
            Route("/api/state", routes.state),
            Route("/api/student/ask", routes.student),
            Route("/api/map", routes.map_shapes),
            Route("/api/why/{suggestion_id:str}", routes.why),
            Route("/api/answer", routes.answer, methods=["POST"]),
            Route("/api/ask", routes.ask, methods=["POST"]),
            Route("/owntracks", routes.owntracks, methods=["POST"]),
            Route("/pub", routes.owntracks, methods=["POST"]),
            Route("/healthz", routes.healthz),
        ],
        middleware=[Middleware(Guard, token=token, hosts=tuple(hosts))],
        exception_handlers={
            HearthwayError: _refused,
            BodyTooLargeError: _too_large,
            404: _not_found,
            405: _not_found,
        },
        lifespan=routes.lifespan,
    )
    app.state.hub = routes.hub
    return app


class EventStream(StreamingResponse):
    """Server-sent events for one open page; its slot is freed however the page goes."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, last_id: str) -> None:
        super().__init__(iter(()))  # the slot, then the events, come with the call
        self._hub = hub
        self._last_id = last_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._hub.client() as client:
                self.body_iterator = self._hub.stream(client, self._last_id)
                await super().__call__(scope, receive, send)
        except TooManyPagesError:
            busy = refusal(503, "Too many pages of this node are open.", "Close one of them.")
            await busy(scope, receive, send)


class _Routes:
    def __init__(
        self, node: NodeView, *, token: str, atlas: Path | None, pace_s: float, heartbeat_s: float
    ) -> None:
        self._node = node
        self._atlas = atlas
        self._drawer: MapDrawer | None = None
        self._looked = False
        self._opening = asyncio.Lock()
        self._token = token
        self._assets: dict[str, tuple[bytes, str]] = {}
        self.hub = Hub(node, pace_s=pace_s, heartbeat_s=heartbeat_s)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._assets = await asyncio.to_thread(_read_assets)
        self.hub.start()
        try:
            yield
        finally:
            await self.hub.stop()
            if self._drawer is not None:
                self._drawer.close()
            self._drawer, self._looked = None, False

    async def _map(self) -> MapDrawer | None:
        """Opened by the first page that is looked at: drawing loads numpy, 13 MB of a phone in a pocket."""
        async with self._opening:
            if not self._looked and self._atlas is not None:
                self._looked = True
                self._drawer = await asyncio.to_thread(self._open, self._atlas)
        return self._drawer

    @staticmethod
    def _open(path: Path) -> MapDrawer | None:
        from .shapes import MapDrawer

        try:
            return MapDrawer(path)
        except MapError as why:  # a page without roads is better than none
            log.warning("the map is not drawn: %s", why)
            return None

    async def asset(self, request: Request) -> Response:
        body, tag = self._assets[request.url.path]
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.url.path == WORKER:
            headers["content-security-policy"] = WORKER_POLICY
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=ASSETS[request.url.path][1], headers=headers)

    async def student(self, request: Request) -> Response:
        """The student of a task as the node has it; its tag is its identity, which the browser checks."""
        found = await self._node.student(STUDENT_TASK)
        if found is None:
            return Response(status_code=204)  # no error: the page does without
        identity, data = found
        headers = {"etag": f'"{identity}"', "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type="application/octet-stream", headers=headers)

    async def events(self, request: Request) -> Response:
        return EventStream(self.hub, request.headers.get("last-event-id", ""))

    async def state(self, request: Request) -> Response:
        return Response(self.hub.payload, media_type="application/json")

    async def map_shapes(self, request: Request) -> Response:
        south, west, north, east = (
            _degrees(request, name) for name in ("south", "west", "north", "east")
        )
        if not (-90 <= south < north <= 90 and -180 <= west < east <= 180):
            raise InputError("The box is not one of the earth.", "Give south < north, west < east.")
        if north - south > MAX_BOX_DEG or east - west > 2 * MAX_BOX_DEG:
            raise InputError("The box is too large to draw.", "Zoom in.")
        drawer = await self._map()
        # Drawn and encoded off the loop, so that the next event is not kept waiting.
        body = await asyncio.to_thread(
            lambda: to_json(
                shapes_view(drawer.inside(south, west, north, east) if drawer else MapShapes())
            )
        )
        return Response(body, media_type="application/json")

    async def why(self, request: Request) -> Response:
        try:
            why = await self._node.why(request.path_params["suggestion_id"][:128])
        except InputError as unknown:
            return refusal(404, unknown.message, unknown.next_step)
        return Response(to_json(why_view(why)), media_type="application/json")

    async def ask(self, request: Request) -> Response:
        asked = await _told(request, _QuestionBody, "question")
        reply = await self._node.ask(asked.text, asked.language)
        return Response(to_json(reply), media_type="application/json")

    async def answer(self, request: Request) -> Response:
        answer = await _told(request, _AnswerBody, "answer")
        await self._node.answer(answer.suggestion_id, answer.kind, answer.osm_id)
        return JSONResponse({"answered": answer.kind.value})

    async def owntracks(self, request: Request) -> Response:
        if not token_matches(request.headers, self._token):
            return refusal(
                401,
                "The phone's password is not this node's token.",
                "Set the token as the password in the OwnTracks app.",
            )
        body = await read_body(request, OWNTRACKS_BYTES)
        delivery = receive_owntracks(
            body,
            now_s=self._node.now_s(),
            query_user=request.query_params.get("u", ""),
            query_device=request.query_params.get("d", ""),
            header_user=request.headers.get("x-limit-u", ""),
            header_device=request.headers.get("x-limit-d", ""),
            basic_user=credentials(request.headers.get("authorization", "")).user,
        )
        reading = delivery.reading
        for words in reading.left_out:
            log.info("owntracks: %s", words)
        if reading.fixes or reading.signals:
            await self._node.ingest(delivery.person, reading.fixes, reading.signals)
        return JSONResponse([])  # the app takes a list of messages for itself: there are none

    async def healthz(self, request: Request) -> Response:
        return JSONResponse({"ok": True})


async def _told(request: Request, kind: type[T], what: str) -> T:
    """What the page sends as JSON; InputError where it is something else."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise NotJsonError(f"A page's {what} is JSON.", "Send it as application/json.")
    body = await read_body(request, BODY_BYTES)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as why:
        raise InputError(
            f"The {what} does not decode: {why}.", f"Reload the page and give the {what} again."
        ) from None


def _read_assets() -> dict[str, tuple[bytes, str]]:
    page, student = files("hearthway.web").joinpath("static"), files("hearthway.student")
    assets: dict[str, tuple[bytes, str]] = {}
    for path, (name, _) in ASSETS.items():
        body = (student if path == MODULE else page).joinpath(name).read_bytes()
        assets[path] = (body, f'"{digest(body)}"')
    return assets


def _degrees(request: Request, name: str) -> float:
    try:
        value = float(request.query_params.get(name, ""))
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise InputError(f"{name} is not a number of degrees.", "Give south, west, north, east.")
    return value


def _refused(request: Request, why: Exception) -> Response:
    if not isinstance(why, HearthwayError):
        raise why
    if isinstance(why, NotJsonError):
        return refusal(415, why.message, why.next_step)
    bad_request = isinstance(why, InputError | WireError)
    return refusal(400 if bad_request else 503, why.message, why.next_step)


def _too_large(request: Request, why: Exception) -> Response:
    return refusal(413, "The body is too large.", "Send one message at a time.")


def _not_found(request: Request, why: Exception) -> Response:
    status = getattr(why, "status_code", 404)
    return refusal(status, "There is nothing here.", "The page itself is at /.")
