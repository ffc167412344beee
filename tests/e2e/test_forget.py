"""What the owner forgets is gone, on every node, to the last free page; what remains verifies and stays as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.config import load_config
from hearthway.app.equipment import brain_for
from hearthway.app.maps import open_atlas
from hearthway.app.offline import opened
from hearthway.app.paths import NodePaths
from hearthway.mesh.state.store import Store
from hearthway.records.signals import Fix

Hearthway = Callable[..., Any]


def _found(data: Path, word: str) -> list[str]:
    """Files of the household below `data` that hold `word`: what `grep -a` would find. A venue knows its own name."""
    return [
        str(path.relative_to(data))
        for path in sorted(data.rglob("*"))
        if path.is_file() and path.parent.name != "venue" and word.encode() in path.read_bytes()
    ]


def _name(driven: Any) -> str:
    with opened(NodePaths(driven.data / "phone")) as (store, _):
        return store.persons()[0].name


def test_a_person(copied: Any, hearthway: Hearthway, tmp_path: Path) -> None:
    """Export shows everything; then name, POIs and fixes are nowhere, and the receipts still verify."""
    data, name = str(copied.data), _name(copied)
    moment = copied.result["suggestions"][0]
    words = [name, moment["person"], *(option["poi"]["name"] for option in moment["options"])]
    # Whose a device is stands in the household's list, by a random id, until its person leaves.
    listed = {f"{node}/keys/roster.bin" for node in ("car", "home", "phone")}
    assert _found(copied.data, name), "the control: it is there before"
    exported = hearthway("export", name, "--to", str(tmp_path / "export"), "--data", data)
    assert exported.code == 0, exported.err
    phone = json.loads((tmp_path / "export" / "phone.json").read_bytes())
    text = json.dumps(phone, ensure_ascii=False)
    assert all(word in text for word in words)
    with opened(NodePaths(copied.data / "phone")) as (store, _):
        fixes = list(store.fixes(moment["person"]))
    assert text.count('"accuracy_m"') >= len(fixes) > 20_000
    forgotten = hearthway("forget", name, "--yes", "--data", data)
    assert forgotten.code == 0, forgotten.err
    left = {word: set(_found(copied.data, word)) for word in words}
    assert left.pop(moment["person"]) <= listed
    assert left == {word: set() for word in left}
    verified = hearthway("receipts", "verify", "--data", data)
    assert verified.code == 0, verified.out + verified.err
    assert "erased by the owner" in verified.out
    assert "NOT VERIFIED" not in verified.out
    again = hearthway("forget", name, "--yes", "--data", data)
    again.refuses("is no person, place or time")
    assert hearthway("why", moment["suggestion_id"], "--data", data).code != 0 or (
        "erased by the owner" in hearthway("why", moment["suggestion_id"], "--data", data).out
    )


def test_asking_first(copied: Any, hearthway: Hearthway) -> None:
    """Without --yes and without an answer nothing is erased."""
    name = _name(copied)
    assert hearthway("forget", name, "--data", str(copied.data)).code != 0
    assert _found(copied.data, name)


def _digest(paths: NodePaths) -> str:
    """What this phone has learned, as it would start."""
    config = load_config(paths.config)
    atlas = open_atlas(config.map)
    try:
        with opened(paths) as (store, _):
            return brain_for(store, store.persons()[0], config, atlas).model_digest()
    finally:
        if atlas is not None:
            atlas.close()


def _never_had(copied: Any, target: Path, kept: Callable[[Fix], bool], since_s: float) -> str:
    """The digest of a phone that imported only the fixes for which `kept` holds, and signals before `since_s`."""
    paths = NodePaths(copied.data / "phone")
    config = load_config(paths.config)
    atlas = open_atlas(config.map)
    try:
        with (
            opened(paths) as (before, _),
            Store.open(target, node_id="phone") as fresh,
        ):
            person = before.persons()[0]
            fresh.add_person(person.name, person.person_id)
            fresh.add_fixes(
                person.person_id, [f for f in before.fixes(person.person_id) if kept(f)], "again"
            )
            fresh.add_signals(
                person.person_id,
                [s for s in before.signals(person.person_id) if s.time_s < since_s],
            )
            return brain_for(fresh, person, config, atlas).model_digest()
    finally:
        if atlas is not None:
            atlas.close()


def test_a_time(copied: Any, hearthway: Hearthway, tmp_path: Path) -> None:
    """From a day on, the evening included: the models equal those of a phone that never had it."""
    since_s = 1_761_948_000.0  # 2025-11-01T00:00 in Helsinki
    wanted = _never_had(copied, tmp_path / "node.db", lambda fix: fix.time_s < since_s, since_s)
    paths = NodePaths(copied.data / "phone")
    assert _digest(paths) != wanted
    done = hearthway("forget", "2025-11-01..2026-01-01", "--yes", "--data", str(copied.data))
    assert done.code == 0, done.err
    assert _digest(paths) == wanted
    moment = copied.result["suggestions"][0]
    assert _found(copied.data, moment["headline"]) == []
    verified = hearthway("receipts", "verify", "--data", str(copied.data))
    assert verified.code == 0, verified.out
    assert "erased by the owner" in verified.out


def test_a_place(copied: Any, hearthway: Hearthway) -> None:
    """Home by its learned label: no fix is left near it, the others stay, the place is not learned any more."""
    paths = NodePaths(copied.data / "phone")
    with opened(paths) as (store, _):
        before = len(list(store.fixes(store.persons()[0].person_id)))
    done = hearthway("forget", "home", "--radius", "300", "--yes", "--data", str(copied.data))
    assert done.code == 0, done.err
    with opened(paths) as (store, _):
        after = len(list(store.fixes(store.persons()[0].person_id)))
    assert 0 < after < before
    assert hearthway("receipts", "verify", "--data", str(copied.data)).code == 0
    gone = hearthway("forget", "Atlantis", "--yes", "--data", str(copied.data))
    gone.refuses("Atlantis")


@pytest.mark.parametrize("what", ["2025-11-14..2025-11-01", "91.0,24.9", "2025-11-01..soon"])
def test_what_cannot_be_meant(copied: Any, hearthway: Hearthway, what: str) -> None:
    hearthway("forget", what, "--yes", "--data", str(copied.data)).refuses()


def test_forgetting_with_a_node_away(copied: Any, hearthway: Hearthway, tmp_path: Path) -> None:
    """The car's data is elsewhere: its order waits on the phone; the others forget at once."""
    name = _name(copied)
    shutil.move(copied.data / "car", tmp_path / "car")
    assert hearthway("forget", name, "--yes", "--data", str(copied.data)).code == 0
    assert _found(copied.data, name) == []
