"""`hearthway drive`: what it says at its end can be done as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from hearthway.app.drive import DriveResult
from hearthway.app.paths import NodePaths
from hearthway.cli import drive


def node_at(root: Path) -> None:
    root.mkdir(parents=True)
    NodePaths(root).config.write_text("")


@pytest.mark.parametrize(
    ("given", "own", "told"),
    [
        ("", False, ""),
        ("", True, " --data {root}/drive"),  # a node of one's own: verbs look at that one
        ("my drive", False, " --data '{beside}/my drive'"),
    ],
)
def test_the_verbs_that_are_named_look_at_this_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, own: bool, told: str
) -> None:
    root = tmp_path / "hearthway"
    monkeypatch.setattr(drive, "data_root", lambda: root)
    data = tmp_path / given if given else root / "drive"
    node_at(data / "phone")
    if own:
        node_at(root / "phone")
    lines: list[str] = []
    result = DriveResult(suggestions=[{"suggestion_id": "ab12" * 8}], measured={"wall_s": 1.0})
    drive._close(result, data, lines.append)
    at = told.format(root=root, beside=tmp_path)
    assert lines[1] == f"  hearthway why {'ab12' * 3}{at}      hearthway receipts verify{at}"
