"""The control socket: how this machine's owner speaks to a running node. A Unix socket, 0600, JSON lines.

A request is `{"do": verb, ...}`; the answer is `{"ok": true, ...}` or `{"ok": false, "error": ..., "next": ...}`.
`{"do": "events"}` turns the connection into a stream of what happens. The node's end stands in `control_server`, so
that a verb, which asks one thing and ends, does not load asyncio and TLS.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearthway.records.errors import ConfigError, HearthwayError

from .paths import SOCKET, NodePaths, private_dir, start_with

if TYPE_CHECKING:
    import asyncio

_PATIENCE_S = 60.0
LINE_LIMIT = 4 * 1024 * 1024


class Control:
    """The other end, for the command line: blocking, one request at a time."""

    def __init__(self, path: Path, timeout_s: float = 60.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            # of a node whose path is too long for a socket the directory does not follow from it
            root = path.parent if path.name == SOCKET else None
            what = "The node does not run." if root is None else f"No node runs at {root}."
            raise ConfigError(what, start_with(root)) from None
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """The node's answer; its refusal as a HearthwayError."""
        self._socket.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")
        answer = self._read()
        if not answer.pop("ok", False):
            raise refusal(answer)
        return answer

    def _read(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError:
            line = b""
        if not line:
            raise HearthwayError("The node stopped answering.", "Its node.log says why.")
        message: dict[str, Any] = json.loads(line)
        return message


def refusal(answer: dict[str, Any]) -> HearthwayError:
    """The error that `answer` tells of, with its exit code."""
    error = HearthwayError(str(answer.get("error", "")), str(answer.get("next", "")))
    error.exit_code = int(answer.get("exit", HearthwayError.exit_code))
    return error


def running(path: Path) -> bool:
    """Does a node answer at this control socket? One that is starting or ending is waited for; ConfigError after 60 s.

    It has its store open and learns: whoever took it for stopped would write beside it what it never hears of.
    """
    until_s = time.monotonic() + _PATIENCE_S
    while not _answers(path):
        if not _is_held(path):
            return False
        if time.monotonic() > until_s:
            raise ConfigError(
                f"The node at {path.parent} has been starting or ending for {_PATIENCE_S:.0f} s.",
                "Try again when it is up: it may be learning a long history.",
            )
        time.sleep(0.05)
    return True


def _answers(path: Path) -> bool:
    try:
        Control(path, 0.5).close()
    except ConfigError:
        return False
    return True


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """One process at a time is the node of this control socket, from before it opens its store until it has closed it."""
    private_dir(path.parent)
    for _ in range(20):  # who looks whether it is held, holds it for a moment
        lock = _taken(_lock(path))
        if lock is not None:
            break
        time.sleep(0.05)
    else:
        raise ConfigError(
            f"This node is starting or ending already ({path.parent}).", "Wait for it."
        )
    try:
        yield
    finally:
        if _is_same(lock, _lock(path)):
            _lock(path).unlink()
        os.close(lock)


def _taken(path: Path) -> int | None:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as why:
        raise ConfigError(
            f"{path} cannot be made: {why.strerror}.",
            f"`ls -ld {path.parent}` shows the owner, `df {path.parent}` the space.",
        ) from None
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_same(lock, path):  # else its last holder removed it meanwhile
            return lock
    os.close(lock)
    return None


def _is_same(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except OSError:
        return False


def _lock(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _is_held(path: Path) -> bool:
    try:
        lock = os.open(_lock(path), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def refuse_running(paths: NodePaths) -> None:
    """ConfigError where that node is running, starting or ending; nobody waits for that."""
    if _answers(paths.socket) or _is_held(paths.socket):
        raise ConfigError(
            f"This node is running already ({paths.root}).",
            "Stop it first, or give another directory with --data.",
        )


async def open_control(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection for asynchronous use: the drive listens to four nodes at once."""
    import asyncio

    return await asyncio.open_unix_connection(str(path), limit=LINE_LIMIT)
