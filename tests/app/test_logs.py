"""Logs: one JSON object a line, bounded, private; an error's type, never what it was about."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path

from hearthway.app.logs import LOG_BYTES, start_log, stop_log


def test_lines_and_modes(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    start_log(path)
    log = logging.getLogger("hearthway.test")
    log.info("node up", extra={"fields": {"role": "phone"}})
    try:
        raise ValueError("Aaro was at 60.17, 24.94")
    except ValueError:
        log.exception("task failed", extra={"fields": {"task": "a"}})
    stop_log()
    up, failed = (json.loads(line) for line in path.read_text().splitlines())
    assert (up["level"], up["part"], up["say"], up["role"]) == (
        "info",
        "hearthway.test",
        "node up",
        "phone",
    )
    assert failed["error"] == "ValueError"
    assert "Aaro" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_they_do_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    start_log(path)
    log = logging.getLogger("hearthway.test")
    for _ in range(600):
        log.info("x" * 10_000)
    stop_log()
    files = sorted(tmp_path.iterdir())
    assert len(files) <= 2
    for file in files:
        assert file.stat().st_size <= LOG_BYTES + 20_000
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
