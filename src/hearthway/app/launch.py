"""Node processes of a drive: started, listened to, and gone when the parent is gone, however it went."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hearthway.records.errors import HearthwayError

from .control import Control, open_control
from .paths import NodePaths, write_private

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0  # a node whose peers vanish with it waits for two wires, 2 s each, on a busy machine longer


class NodeProcess:
    """One `hearthway up`. Its standard input is a leash: when this process dies, the node stops itself."""

    def __init__(
        self, name: str, paths: NodePaths, wrap: Callable[[str, Sequence[str]], list[str]]
    ) -> None:
        """`wrap` puts a command into the node's namespace."""
        self.name = name
        self.paths = paths
        self._wrap = wrap
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = paths.root / "stderr.txt"

    def start(self) -> None:
        """Start it, in a session of its own, so that a Ctrl-C reaches it only through us."""
        write_private(self._errors, b"")
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                self._wrap(
                    self.name,
                    [
                        sys.executable,
                        "-P",  # nothing that lies in this directory
                        "-m",
                        "hearthway",
                        "up",
                        "--data",
                        str(self.paths.root),
                        "--leash",
                    ],
                ),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The node's process id."""
        if self._process is None:
            raise HearthwayError(f"{self.name} was not started.")
        return self._process.pid

    def alive(self) -> bool:
        """Is the process there?"""
        return self._process is not None and self._process.poll() is None

    async def ready(self) -> None:
        """Wait until it answers on its control socket; what it said on stderr where it does not."""
        for _ in range(int(START_TIMEOUT_S / 0.05)):
            if not self.alive():
                raise HearthwayError(
                    f"The {self.name} node ended at once: {self.said() or 'no message'}",
                    f"Its log is {self.paths.log}.",
                )
            with contextlib.suppress(OSError):
                _, writer = await open_control(self.paths.socket)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.05)
        raise HearthwayError(
            f"The {self.name} node did not start within {START_TIMEOUT_S:.0f} s.", self.said()
        )

    def said(self) -> str:
        """The last of what it printed on standard error."""
        with contextlib.suppress(OSError):
            return self._errors.read_bytes()[-600:].decode(errors="replace").strip()
        return ""

    async def ask(self, do: str, timeout_s: float = 60.0, **fields: Any) -> dict[str, Any]:
        """One control request, without blocking the loop."""

        def call() -> dict[str, Any]:
            with Control(self.paths.socket, timeout_s) as control:
                return control.ask(do, **fields)

        return await asyncio.to_thread(call)

    async def events(self, queue: asyncio.Queue[tuple[str, dict[str, Any]]]) -> None:
        """Put everything it tells into `queue` as (name, event), until it stops."""
        reader, writer = await open_control(self.paths.socket)
        try:
            writer.write(b'{"do": "events"}\n')
            await writer.drain()
            while line := await reader.readline():
                await queue.put((self.name, json.loads(line)))
        except ConnectionError:
            pass
        finally:
            writer.close()
        await queue.put((self.name, {"event": "gone"}))

    def kill(self) -> None:
        """kill -9: nothing is said, nothing is flushed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """Let go of the leash, and insist where that is not enough."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                process.wait(1.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(1.0)
                self.paths.socket.unlink(missing_ok=True)  # it could not do so itself


def stop_all(processes: Sequence[NodeProcess]) -> None:
    """Let go of every leash first, then wait: they stop side by side."""
    for process in processes:
        if process._process is not None and process._process.stdin is not None:
            with contextlib.suppress(OSError):
                process._process.stdin.close()
    for process in processes:
        process.stop()


def fresh_dir(path: Path, marker: str) -> Path:
    """An empty `path`; what stands there is removed only where `marker` shows that a drive made it."""
    import shutil

    from .paths import private_dir

    if path.exists() and any(path.iterdir()):
        if not (path / marker).exists():
            raise HearthwayError(
                f"{path} is not empty, and no drive made it.",
                "Give an empty directory with --data.",
            )
        shutil.rmtree(path)
    if not path.parent.exists():
        private_dir(path.parent)  # the data root itself, at the first drive of this user
    private_dir(path)
    (path / marker).touch(mode=0o600)
    return path
