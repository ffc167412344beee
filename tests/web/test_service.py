"""A real phone node with its page: from a phone's post to what the page shows, and to a clean end."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.ports import free_port
from tests.warden import Warden

from hearthway.web.service import NodePage

CLI = (sys.executable, "-c", "from hearthway.cli.main import main; main()")


def history(path: Path) -> Path:
    """Ten plain days between two places."""
    lines = ["lat,lng,datetime,uid"]
    start = datetime(2023, 10, 1, tzinfo=UTC)
    for step in range(10 * 96):
        at = start + timedelta(minutes=15 * step)
        lat, lon = (60.17, 24.94) if 8 <= at.hour < 17 else (60.2, 24.9)
        lines.append(f"{lat},{lon},{at:%Y-%m-%d %H:%M:%S},1")
    path.write_text("\n".join(lines) + "\n")
    return path


class Phone:
    """`hearthway up` as a process of its own."""

    def __init__(self, folder: Path, port: int, warden: Warden) -> None:
        self.data, self.port = folder / "phone", port
        self.process = subprocess.Popen(
            [*CLI, "up", "--role", "phone", "--data", self.data, "--web", f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        warden.bind(self.process.pid)

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            line.request("GET" if body is None else "POST", path, body, headers)
            answer = line.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            line.close()

    def wait(self, look: Any, timeout_s: float = 30.0) -> Any:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            try:
                if found := look():
                    return found
            except OSError:
                assert self.process.poll() is None, self.process.communicate()[0]
            time.sleep(0.05)
        raise AssertionError("it did not come")

    @property
    def token(self) -> str:
        line = next(x for x in (self.data / "node.toml").read_text().splitlines() if "token" in x)
        return line.split('"')[1]


@pytest.fixture
def phone(tmp_path: Path, warden: Warden) -> Iterator[Phone]:
    started = Phone(tmp_path, free_port(), warden)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.process.communicate()


def test_a_real_phones_post_reaches_the_page_and_the_node_ends_cleanly(
    phone: Phone, tmp_path: Path
) -> None:
    state = phone.wait(lambda: phone.ask("/api/state")[1])
    assert state["silence"]["code"] == "nobody"
    imported = subprocess.run(
        [*CLI, "import", history(tmp_path / "h.csv"), "--person", "Aino", "--data", phone.data],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert imported.returncode == 0, imported.stderr

    def post(user: str, **more: object) -> tuple[int, Any]:
        now_s = int(time.time())
        body = {"_type": "location", "lat": 60.17, "lon": 24.94, "tst": now_s - 30, **more}
        sign = b64encode(f"{user}:{phone.token}".encode()).decode()
        return phone.ask("/owntracks", json.dumps(body).encode(), authorization=f"Basic {sign}")

    assert post("Aino", batt=70, vel=30) == (200, [])
    assert post("Eve")[0] == 400
    assert post("Aino", tst=int(time.time()) + 200_000)[0] == 400
    state = phone.wait(lambda: (s := phone.ask("/api/state")[1])["map"]["position"] and s)
    assert state["person"] == "Aino"
    assert state["map"]["track"] == [[60.17, 24.94]]
    assert state["silence"]["words"]
    assert phone.ask("/api/why/nothing")[0] == 404

    line = http.client.HTTPConnection("127.0.0.1", phone.port, timeout=10)
    line.request("GET", "/events")
    events = line.getresponse()  # an open page must not hold the node up
    phone.process.send_signal(signal.SIGINT)
    said, _ = phone.process.communicate(timeout=20)
    assert phone.process.returncode == 0, said
    assert "Traceback" not in said
    events.close()
    line.close()


def test_a_page_port_in_use_ends_the_start_with_what_to_do(tmp_path: Path, warden: Warden) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        phone = Phone(tmp_path, taken.getsockname()[1], warden)
        said, _ = phone.process.communicate(timeout=60)
    assert phone.process.returncode == 2
    assert "is in use." in said
    assert "Set another port for the page" in said
    assert "Traceback" not in said


def test_the_page_gives_the_student_that_serves_here() -> None:
    class Kept:
        def load(self, task: str) -> tuple[str, bytes] | None:
            return ("ab12", b"the file") if task == "ask" else None

    def none_of(kind: type) -> Kept:
        raise LookupError(kind.__name__)

    page = NodePage(cast(Any, SimpleNamespace(part=lambda kind: Kept())))
    assert asyncio.run(page.student("ask")) == ("ab12", b"the file")
    assert asyncio.run(page.student("needs")) is None
    venue = NodePage(cast(Any, SimpleNamespace(part=none_of)))
    assert asyncio.run(venue.student("ask")) is None
