"""An export holds everything of one person and nothing of another; its file appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hearthway.mesh.state import export as exporting
from hearthway.mesh.state.calendar import Change, keep
from hearthway.mesh.state.export import export, write_export
from hearthway.mesh.state.forget import forget
from hearthway.mesh.state.hlc import Hlc
from hearthway.mesh.state.place_words import say
from hearthway.mesh.state.receipts import ReceiptChain
from hearthway.mesh.state.store import Store
from hearthway.records.calendar import CalendarEntry
from hearthway.records.errors import InputError
from hearthway.records.forgetting import PersonScope, RangeScope
from hearthway.records.kinds import KINDS
from hearthway.records.life import PlaceWord
from hearthway.records.receipts import Receipt
from hearthway.records.signals import Fix, Signal
from hearthway.records.suggestion import Answer, AnswerKind
from hearthway.records.venue import Followed

ANNA, BO = "a" * 16, "b" * 16
EMPTY_FOR_NOW = {"suggestions"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "node.db", node_id="phone") as opened:
        for person, name in ((ANNA, "Anna"), (BO, "Bo")):
            opened.add_person(name, person)
            opened.add_fixes(
                person, [Fix(time_s=float(t), lat=60.0, lon=24.0) for t in range(20)], f"{name}.gpx"
            )
            opened.add_signals(person, [Signal(key="K", value=f"of {name}", time_s=1.0)])
            opened.add_answer(
                Answer(suggestion_id="s1", person=person, kind=AnswerKind.ACCEPT, time_s=3.0)
            )
            opened.add_event("said", person, 2.0, f"said to {name}".encode())
            opened.put_model(person, "places", 100.0, b"\x00\xff")
            opened.put_register(f"settings.{name}", b"5", Hlc(1, 0, "phone"), person_id=person)
            opened.follow(
                Followed(osm_id="node/1", name="Cafe", address="10.0.0.1:1", key=b"k" * 32), person
            )
            entry = CalendarEntry(uid=f"u-{name}", occurs_s=30.0, start_s=30.0, end_s=40.0)
            change = Change(uid=entry.uid, whole=True, entries=(entry,), version=(0, 0.0))
            keep(opened, person, [change])
            word = PlaceWord(kind="name", time_s=5.0, lat=60.0, lon=24.0, name=f"of {name}")
            say(opened, person, word)
            ReceiptChain(opened, KEY).append(
                Receipt(
                    suggestion_id=f"s-{name}",
                    node="phone",
                    role="phone",
                    person=person,
                    time_s=2.0,
                    fields=(),
                    crossings=(),
                    computations=(),
                )
            )
        yield opened


KEY = Ed25519PrivateKey.from_private_bytes(b"n" * 32)


@pytest.fixture
def chain(store: Store) -> ReceiptChain:
    return ReceiptChain(store, KEY)


def test_everything_of_one_and_nothing_of_another(store: Store, chain: ReceiptChain) -> None:
    forget(
        store, chain, RangeScope(since_s=19.0, until_s=30.0, person_id=ANNA), 50.0, nodes=["car"]
    )
    store.put_model(ANNA, "places", 100.0, b"\x00\xff")
    found = export(store, chain, ANNA)
    assert found["person"] == {"person_id": ANNA, "name": "Anna"}
    assert len(found["fixes"]) == 19
    assert found["sources"] == [{"source": "Anna.gpx", "fixes": 19}]
    assert found["signals"][0]["value"] == "of Anna"
    assert found["receipts"][0]["seq"] == 1
    assert len(found["forget_orders"]) == 1
    for name, content in found.items():
        if name not in EMPTY_FOR_NOW:
            assert content, name
    text = json.dumps(found)
    assert BO not in text
    assert "Bo" not in text
    with pytest.raises(InputError):
        export(store, chain, "nobody")


def test_every_personal_kind_is_in_an_export(store: Store, chain: ReceiptChain) -> None:
    names = {name for name, _ in exporting.sections(store, chain, ANNA)}
    elsewhere = {
        "persons": "person",
        "bodies": "receipts",
        "orders": "forget_orders",
        "serials": "followed",
    }
    for kind in KINDS:
        if kind.personal and kind.table not in elsewhere:
            assert kind.table in names, kind.name


def test_the_file_says_the_same_and_is_private(
    store: Store, chain: ReceiptChain, tmp_path: Path
) -> None:
    path = tmp_path / "anna.json"
    counts = write_export(store, chain, ANNA, path)
    written: dict[str, Any] = json.loads(path.read_text())
    assert written == export(store, chain, ANNA)
    assert counts == {
        name: len(content) for name, content in written.items() if isinstance(content, list)
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir() if "part" in one.name] == []


def test_a_failed_export_leaves_the_old_file(
    store: Store, chain: ReceiptChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "anna.json"
    path.write_text("the old one")

    def broken(*_: object) -> Iterator[Fix]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "fixes", broken)
    with pytest.raises(KeyboardInterrupt):
        write_export(store, chain, ANNA, path)
    assert path.read_text() == "the old one"
    assert not (tmp_path / "anna.json.part").exists()
    with pytest.raises(InputError, match="cannot be written"):
        write_export(store, chain, ANNA, tmp_path / "missing" / "anna.json")


def test_after_forgetting_there_is_nobody_to_export(store: Store, chain: ReceiptChain) -> None:
    forget(store, chain, PersonScope(person_id=ANNA), 50.0)
    with pytest.raises(InputError, match="Known: Bo"):
        export(store, chain, ANNA)
    assert len(export(store, chain, BO)["fixes"]) == 20
