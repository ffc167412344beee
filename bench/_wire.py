"""A wire between nodes in namespaces of their own, and processes that are spoken with by lines."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hearthway.app.namespaces import Lan

RELAY = Path(__file__).resolve().parent.parent / "tests" / "netns" / "relay.py"


class Relay:
    """The program that carries every frame between nodes: late by so much each way, and losing that share of them."""

    def __init__(
        self,
        lan: Lan,
        names: Sequence[str],
        delay_ms: float = 0.0,
        loss: float = 0.0,
        seed: int = 1,
    ) -> None:
        quiet = ["gso_max_segs", "1"]  # frames of a wire, not 64 KB at once
        for index, name in enumerate(names):
            run(lan.at_switch(["ip", "link", "set", f"p{index}", "nomaster", *quiet]))
            run(lan.command(name, ["ip", "link", "set", "eth0", *quiet]))
        words = [str(delay_ms), str(loss), str(seed), *names]
        self._process = Talking(lan.at_switch([sys.executable, "-I", "-S", str(RELAY), *words]))
        self._process.line()

    def link(self, delay_ms: float, mbit: float) -> None:
        """So slow each way from now on."""
        self.tell(f"link {delay_ms} {mbit}")

    def tell(self, words: str) -> str:
        """Its answer to a command."""
        self._process.say(words)
        return self._process.line()

    def close(self) -> None:
        """End it."""
        self._process.close()


class Talking:
    """A process that is spoken with by lines."""

    def __init__(self, argv: list[str], errors: Path | None = None) -> None:
        with (errors or Path(os.devnull)).open("ab") as to:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=to,
                text=True,
                start_new_session=True,  # so that what it started ends with it
            )

    def say(self, words: str) -> None:
        """One line."""
        if self.process.stdin is None:
            raise RuntimeError("it has no input")
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def line(self) -> str:
        """The next line it says."""
        said = "" if self.process.stdout is None else self.process.stdout.readline().strip()
        if not said:
            raise RuntimeError(f"{self.process.args!r} has ended")
        return said

    def close(self) -> None:
        """End of input; killed where that does not end it."""
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """It and whatever it started, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


def run(argv: list[str]) -> None:
    """A short command."""
    subprocess.run(argv, check=True, timeout=10, capture_output=True)
