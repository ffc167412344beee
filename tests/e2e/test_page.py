"""A real drive on the phone's page in real Chromium: the moment comes live, and `why` opens its receipts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from tests.ports import free_port

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]


def until(look: Callable[[], Any], limit_s: float) -> Any:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"nothing came within {limit_s:.0f} s")


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "hearthway",
            "drive",
            "--data",
            str(tmp_path / "drive"),
            "--page",
            str(port),
            "--speed",
            "60",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            yield running, f"http://127.0.0.1:{port}/"
        finally:
            running.send_signal(signal.SIGINT)
            out, _ = running.communicate(timeout=30)
            print(out)  # shown where the test fails: how far the drive came
            assert "Traceback" not in out


def text(browser: Any, selector: str) -> str:
    return str(
        browser.execute_script(
            "return document.querySelector(arguments[0])?.textContent ?? ''", selector
        )
    )


def test_a_real_moment_appears_live_and_why_opens_its_receipt(
    chromium: Any, drive: tuple[subprocess.Popen[str], str]
) -> None:
    running, url = drive
    until(lambda: running.poll() is not None or answers(url + "healthz"), 90.0)
    assert running.poll() is None
    for log in ("browser", "performance"):
        chromium.get_log(log)
    chromium.get(url)
    assert not text(chromium, "#headline").startswith("Heading to")  # not come to its moment yet
    until(lambda: text(chromium, "#headline").startswith("Heading to"), 120.0)
    assert "ynthetic household" in text(chromium, "body")
    chromium.execute_script("document.getElementById('why').click()")
    receipt = until(
        lambda: "car-signals" in text(chromium, "body") and text(chromium, "body"), 20.0
    )
    assert "Vehicle.CurrentLocation.Latitude" in receipt

    assert [entry["message"] for entry in chromium.get_log("browser")] == []
    hosts = set()
    for entry in chromium.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked = urlsplit(message["params"]["request"]["url"])
            if asked.scheme in ("http", "https", "ws", "wss"):
                hosts.add(asked.hostname)
    chromium.get("about:blank")
    assert hosts == {"127.0.0.1"}
