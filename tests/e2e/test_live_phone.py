"""A real phone's posts, live: a node with a page, a history, and a drive told by OwnTracks over HTTP."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from tests.ports import free_port

from hearthway.app.recording import fix_signals, write_recording
from hearthway.atlas.store import Atlas
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import SyntheticHousehold, generate
from hearthway.synthetic.settings import Settings

pytestmark = pytest.mark.timeout(180)
HEARTHWAY = [sys.executable, "-m", "hearthway"]


def household() -> SyntheticHousehold:
    """Ends on the last Friday before today: the node's real clock must find the posts neither old nor early."""
    today = datetime.now(UTC).date() - timedelta(days=1)
    friday = today - timedelta(days=(today.weekday() - 4) % 7)
    atlas = Atlas.bundled()
    try:
        return generate(
            Settings(seed=2, end_day=friday.isoformat()),
            atlas,
            atlas,
            DrivePool.bundled(),
            atlas.place_name,
        )
    finally:
        atlas.close()


def test_posts_of_a_phone_give_a_moment_and_a_receipt(tmp_path: Path) -> None:
    lived = household()
    person = lived.person(lived.driver_id)
    signals = [s for fix in person.fixes for s in fix_signals(fix, person.person_id, "phone")]
    signals += person.car_signals
    recording = tmp_path / "life.jsonl.gz"
    write_recording(recording, sorted(signals, key=lambda signal: signal.time_s))
    data = tmp_path / "phone"
    port = free_port()
    node = subprocess.Popen(
        [
            *HEARTHWAY,
            "up",
            "--role",
            "phone",
            "--data",
            str(data),
            "--listen",
            "127.0.0.1:0",
            "--web",
            f"127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", node)
        run("import", str(recording), "--person", person.name, "--data", str(data))
        token = tomllib.loads((data / "node.toml").read_text())["web"]["token"]
        user = base64.b64encode(f"{person.name}:{token}".encode()).decode()
        for time_s, batch in lived.drive.ticks[::15]:
            said = {signal.key: signal.value for signal in batch}
            location: dict[str, object] = {
                "_type": "location",
                "lat": said["Vehicle.CurrentLocation.Latitude"],
                "lon": said["Vehicle.CurrentLocation.Longitude"],
                "vel": said["Vehicle.Speed"],
                "tst": int(time_s),
                "acc": 8,
                "tid": "ph",
            }
            post(f"http://127.0.0.1:{port}/owntracks", location, user)
        moments = json.loads(run("why", "--data", str(data), "--json"))
        assert [moment["need"] for moment in moments] == ["dinner"]
        told = run("why", moments[0]["suggestion_id"][:12], "--data", str(data))
        assert "Person.Location.Latitude  from owntracks" in told
        assert "verified: 1 receipt" in run("receipts", "verify", "--data", str(data))
    finally:
        node.terminate()
        _, err = node.communicate(timeout=20)
    assert err == ""
    assert node.returncode == 0


def run(*words: str) -> str:
    done = subprocess.run(
        [*HEARTHWAY, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def post(url: str, record: dict[str, object], user: str) -> None:
    request = Request(
        url,
        data=json.dumps(record).encode(),
        headers={"Authorization": f"Basic {user}", "Content-Type": "application/json"},
    )
    with urlopen(request, timeout=20) as answer:
        assert json.loads(answer.read()) == []


def wait_for(url: str, node: subprocess.Popen[str]) -> None:
    for _ in range(300):
        assert node.poll() is None
        try:
            with urlopen(url, timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    pytest.fail("the page did not come up within 30 s")
