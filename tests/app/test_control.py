"""The control socket: only verbs it knows, no matter what is sent; one node a directory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from hearthway.app.control import (
    LINE_LIMIT,
    Control,
    held,
    open_control,
    refuse_running,
    running,
)
from hearthway.app.control_server import ControlServer
from hearthway.app.paths import NodePaths, private_dir
from hearthway.records.errors import ConfigError, HearthwayError, InputError


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[ControlServer]:
    server = ControlServer(path)

    async def echo(request: dict[str, Any]) -> dict[str, Any]:
        return {"said": request.get("word")}

    async def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise InputError("That cannot be.", "Do this.")

    async def break_down(_: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("a secret detail")

    async def attend(request: dict[str, Any]) -> dict[str, Any]:
        server.attended.append("began")  # type: ignore[attr-defined]  # of this test
        try:
            await asyncio.sleep(float(request.get("for_s", 60.0)))
        except asyncio.CancelledError:
            server.attended.append("called off")  # type: ignore[attr-defined]
            raise
        return {"attended": True}

    server.attended = []  # type: ignore[attr-defined]
    server.on("attend", attend, with_client=True)
    server.on("echo", echo)
    server.on("refuse", refuse)
    server.on("break", break_down)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def ask(path: Path, do: str, **fields: Any) -> dict[str, Any]:
    def call() -> dict[str, Any]:
        with Control(path, 5.0) as control:
            return control.ask(do, **fields)

    return await asyncio.to_thread(call)


async def test_it_answers_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "node" / "control.sock"
    async with serving(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert await asyncio.to_thread(running, path)
        assert await ask(path, "echo", word="hei") == {"said": "hei"}
        with pytest.raises(HearthwayError, match="That cannot be") as caught:
            await ask(path, "refuse")
        assert caught.value.next_step == "Do this."
        with pytest.raises(HearthwayError) as broken:
            await ask(path, "break")
        assert "secret" not in str(broken.value)
        assert await ask(path, "echo", word="still here") == {"said": "still here"}
    assert not path.exists()
    assert not await asyncio.to_thread(running, path)
    with pytest.raises(ConfigError, match="No node runs"):
        Control(path)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"not json\n",
        b"[1, 2]\n",
        b"null\n",
        b'{"do": "no such verb"}\n',
        b'{"do": 7}\n',
        b'{"do": ["echo"]}\n',
        b'{"do": {"a": 1}}\n',
        b"\xff\xfe\x00\n",
        b"[" * 50_000 + b"\n",
    ],
)
async def test_garbage_is_refused_and_the_next_is_answered(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "control.sock"
    async with serving(path):
        reader, writer = await open_control(path)
        writer.write(garbage)
        answer = json.loads(await asyncio.wait_for(reader.readline(), 5.0))
        assert answer["ok"] is False
        assert answer["error"]
        writer.write(b'{"do": "echo", "word": 1}\n')
        assert json.loads(await asyncio.wait_for(reader.readline(), 5.0))["said"] == 1
        writer.close()


async def test_a_line_without_end_closes_that_connection_only(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with serving(path):
        reader, writer = await open_control(path)
        try:
            writer.write(b"x" * (LINE_LIMIT + 1024))
            await writer.drain()
            assert await asyncio.wait_for(reader.read(), 10.0) == b""
        except ConnectionError:
            pass  # closed while it was still being written
        writer.close()
        assert await ask(path, "echo", word="fine") == {"said": "fine"}


async def test_events_reach_every_listener_and_nobody_is_waited_for(tmp_path: Path) -> None:
    """One that never reads is dropped; the others hear everything."""
    path = tmp_path / "control.sock"
    async with serving(path) as server:
        deaf = socket.socket(socket.AF_UNIX)
        deaf.connect(str(path))
        deaf.sendall(b'{"do": "events"}\n')
        reader, writer = await open_control(path)
        writer.write(b'{"do": "events"}\n')
        assert json.loads(await reader.readline()) == {"event": "listening"}
        heard = 0
        for number in range(30_000):
            server.emit("note", text="x" * 50, n=number)
            if number % 1000 == 999:
                while heard <= number:
                    assert json.loads(await reader.readline())["n"] == heard
                    heard += 1
        assert heard == 30_000
        writer.close()
        deaf.close()


async def test_a_socket_that_a_killed_node_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    assert not running(path)
    async with serving(path):
        assert await ask(path, "echo", word=1) == {"said": 1}


@pytest.mark.parametrize("turns", range(8))
async def test_whoever_connects_while_the_node_stops_is_let_go(tmp_path: Path, turns: int) -> None:
    """However far it had come: nothing of it stays open."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(1.0)
        async with serving(path):
            wire.connect(str(path))
            for _ in range(turns):
                await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        with contextlib.suppress(ConnectionResetError):
            assert wire.recv(1) == b""
    gc.collect()  # what was left open would warn here


async def test_what_nobody_waits_for_any_more_is_called_off(tmp_path: Path) -> None:
    """And the control: who waits gets the answer, and what was asked meanwhile is answered after it."""
    path = tmp_path / "control.sock"
    async with serving(path) as server:
        said: list[str] = server.attended  # type: ignore[attr-defined]
        reader, writer = await open_control(path)
        writer.write(b'{"do": "attend", "for_s": 0.1}\n{"do": "echo", "word": "next"}\n')
        assert json.loads(await reader.readline()) == {"ok": True, "attended": True}
        assert json.loads(await reader.readline()) == {"ok": True, "said": "next"}
        writer.write(b'{"do": "attend"}\n')
        await until(lambda: said == ["began", "began"])
        writer.close()
        await until(lambda: said[-1] == "called off", 5.0)


async def test_one_that_has_said_its_last_word_is_still_answered(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with serving(path) as server:
        said: list[str] = server.attended  # type: ignore[attr-defined]
        reader, writer = await open_control(path)
        writer.write(b'{"do": "attend", "for_s": 0.2}\n')
        writer.write_eof()
        assert json.loads(await reader.read()) == {"ok": True, "attended": True}
        assert said == ["began"]
        writer.close()
        _, writer = await open_control(path)
        writer.write(b'{"do": "attend"}\n')
        writer.write_eof()
        await until(lambda: said == ["began", "began"], 5.0)
        writer.close()  # the control: now it is gone
        await until(lambda: said[-1] == "called off", 5.0)


async def test_a_refusal_keeps_its_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with serving(path):
        with pytest.raises(HearthwayError) as told:
            await ask(path, "refuse")
        assert told.value.exit_code == InputError.exit_code != HearthwayError.exit_code


def test_a_node_that_starts_is_waited_for_and_is_no_stopped_one(tmp_path: Path) -> None:
    """Whoever took it for stopped would write into the store that it has open."""
    path = tmp_path / "control.sock"
    paths = NodePaths(tmp_path)
    assert paths.socket == path
    with held(path):
        with pytest.raises(ConfigError, match="already"), held(path):
            pass
        with pytest.raises(ConfigError, match="running already"):
            refuse_running(paths)
        looked: list[bool] = []
        looking = threading.Thread(target=lambda: looked.append(running(path)))
        looking.start()
        looking.join(0.3)
        assert looking.is_alive()
        assert looked == []
    looking.join(5.0)
    refuse_running(paths)  # the control
    assert looked == [False], "it ended without ever answering"
    assert list(tmp_path.iterdir()) == []
    with held(path):  # the next one
        assert not (tmp_path / "control.sock").exists()


def test_a_node_that_starts_for_too_long_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthway.app.control._PATIENCE_S", 0.1)
    path = tmp_path / "control.sock"
    with held(path), pytest.raises(ConfigError, match="starting or ending"):
        running(path)
    assert not running(path)


def test_where_no_lock_can_be_made_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    (tmp_path / "control.sock.lock").mkdir()
    with (
        pytest.raises(ConfigError, match=r"control\.sock\.lock cannot be made: Is a directory"),
        held(path),
    ):
        pass


def test_who_asks_a_node_that_does_not_run_is_told_how_to_start_that_one(tmp_path: Path) -> None:
    paths = NodePaths(private_dir(tmp_path / "my phone"))
    with pytest.raises(ConfigError) as caught:
        Control(paths.socket)
    assert caught.value.message == f"No node runs at {paths.root}."
    assert caught.value.next_step == f"Start it with `hearthway up --data '{paths.root}'`."
    deep = NodePaths(private_dir(tmp_path / ("x" * 120)))
    with pytest.raises(ConfigError) as caught:  # its socket stands elsewhere
        Control(deep.socket)
    assert str(deep.socket.parent) not in caught.value.message
