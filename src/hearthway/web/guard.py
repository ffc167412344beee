"""Who may speak to the page: the host it was asked for, where the request comes from, the token, the body's size."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hearthway.adapters.owntracks.adapter import credentials

# No inline script or style, nothing from another host, no frame around the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A worker goes by the policy of its own answer: only there, and not in the page, may WebAssembly be compiled.
WORKER_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "geolocation=(), camera=(), microphone=()",
}
OPEN_PATHS = ("/healthz",)
OWN_AUTH_PATHS = ("/owntracks", "/pub")  # they ask for the token even on loopback
DRAIN_BYTES = 4 * 1024 * 1024


class BodyTooLargeError(Exception):
    """The request's body is larger than this path takes."""


def refusal(status: int, message: str, next_step: str = "") -> JSONResponse:
    """An error as the page and programs read it: a sentence, and what to do."""
    headers = {"www-authenticate": 'Basic realm="hearthway", charset="UTF-8"'}
    return JSONResponse(
        {"error": message, "next_step": next_step},
        status_code=status,
        headers=headers if status == 401 else None,
    )


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The body, or BodyTooLargeError; the rest of a large one is read off so that the answer can arrive."""
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit_bytes:
            parts.append(chunk)
        elif size > DRAIN_BYTES:
            break
    if size > limit_bytes:
        raise BodyTooLargeError
    return b"".join(parts)


def token_matches(headers: Headers, token: str) -> bool:
    """Does the Basic password equal the node's token? Compared in constant time."""
    given = credentials(headers.get("authorization", "")).password
    return hmac.compare_digest(given.encode(), token.encode())


class Guard:
    """ASGI middleware: the checks every request passes before a route sees it."""

    def __init__(self, app: ASGIApp, *, token: str, hosts: Sequence[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self._refuse(scope)
        if refused is None:
            await self._app(scope, receive, send_guarded)
        else:
            await refused(scope, receive, send_guarded)

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = _host_name(headers.get("host", ""))
        if not (host == "localhost" or _is_address(host) or host in self._hosts):
            return refusal(
                421,
                "This name is not one of this node's.",
                "Open the page by its IP address, or add the name to [web] hosts in node.toml.",
            )
        if not _same_origin(scope, headers):
            return refusal(403, "Another site asked for this; only the node's own page may.")
        path: str = scope["path"]
        if path in OPEN_PATHS or path in OWN_AUTH_PATHS:
            return None
        if _is_loopback(host) and _is_loopback(_client(scope)):
            return None
        if token_matches(headers, self._token):
            return None
        return refusal(
            401,
            "This page is the household's own.",
            "Sign in with any name and the node's token as the password.",
        )


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    # A name can be made to point anywhere (DNS rebinding); an address says what it is.
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _same_origin(scope: Scope, headers: Headers) -> bool:
    site = headers.get("sec-fetch-site", "none")
    if scope["method"] in ("GET", "HEAD"):
        # Following a link to the page is fine; another site's script or image tag asking for data is not.
        opening = headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"
        return site in ("none", "same-origin") or opening
    if site not in ("none", "same-origin"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host", "")
