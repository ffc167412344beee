"""The home's word on heads: what it takes of a node is bounded, and a word that does not hold pins nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from hearthway.app.home import HomeNode
from hearthway.app.witness import HEADS_AT_ONCE, Heads, Receipts, Witness, pinned_witness
from hearthway.mesh.state import receipts as chains
from hearthway.mesh.state.receipts import countersigns, enrolment
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.signing import public_bytes
from hearthway.records.chain import Head
from hearthway.records.errors import ReceiptError
from hearthway.records.household import Role
from hearthway.records.messages import HeadShown, HeadWitnessed

PHONE = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
MALLORY = Ed25519PrivateKey.from_private_bytes(b"m" * 32)


def _shown(seq: int, *, link: bytes = b"", key: Ed25519PrivateKey = PHONE) -> HeadShown:
    """As a node may show it: nothing says that there is a chain behind it."""
    link = link or seq.to_bytes(32, "big", signed=True)
    signature = key.sign(chains._ENTRY + link)
    head = Head(node="phone", seq=seq, hash=link, signature=signature)
    return HeadShown(head=head, key=public_bytes(key))


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """The home's and the phone's."""
    home = Store.open(tmp_path / "home.db", node_id="home")
    phone = Store.open(tmp_path / "phone.db", node_id="phone")
    for name in ("home", "phone"):
        (tmp_path / name).mkdir(mode=0o700)
    yield home, phone
    home.close()
    phone.close()


@pytest.fixture
def witness(stores: tuple[Store, Store], tmp_path: Path) -> Witness:
    return Witness(stores[0], tmp_path / "home")


@pytest.mark.parametrize(
    "shown",
    [
        replace(_shown(1), key=public_bytes(PHONE) * 1000),
        replace(_shown(1), key=b""),
        _shown(1, link=b"x" * 100_000),
        replace(_shown(1), suggestion_id="s" * 100_000),
        replace(_shown(1), head=replace(_shown(1).head, seq=2**63)),
        _shown(-1),
    ],
    ids=["long-key", "no-key", "long-hash", "long-id", "past-64-bits", "before-the-first"],
)
def test_what_is_no_head_is_not_kept(
    witness: Witness, stores: tuple[Store, Store], shown: HeadShown
) -> None:
    with pytest.raises(ReceiptError, match="no head of a chain"):
        witness.sign("phone", shown, 1.0)
    assert enrolment(stores[0], "phone") is None
    assert countersigns(stores[0], "phone") == []
    word = witness.sign("phone", _shown(1), 1.0)  # the control
    assert countersigns(stores[0], "phone") == [word.countersign]


def test_nobody_binds_another_nodes_key(witness: Witness, stores: tuple[Store, Store]) -> None:
    with pytest.raises(ReceiptError, match="showed a chain of phone"):
        witness.sign("car", _shown(1, key=MALLORY), 1.0)
    assert enrolment(stores[0], "phone") is None
    witness.sign("phone", _shown(1), 1.0)
    with pytest.raises(ReceiptError, match="another receipt key"):
        witness.sign("phone", _shown(2, key=MALLORY), 1.0)


def test_a_head_is_looked_at_beside_the_last_one_alone(
    witness: Witness, stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home sees many in its life."""
    for seq in range(1, 20):
        witness.sign("phone", _shown(seq), 1.0)
    read = list[int]()
    rows = type(stores[0].database).rows

    def counted(self: Any, *words: Any) -> Any:
        found = list(rows(self, *words))
        read.append(len(found))
        return found

    monkeypatch.setattr(type(stores[0].database), "rows", counted)
    again = witness.sign("phone", _shown(19), 5.0)
    assert again.countersign.time_s == 1.0
    with pytest.raises(ReceiptError, match="it was changed"):
        witness.sign("phone", _shown(18), 5.0)
    witness.sign("phone", _shown(20), 5.0)
    assert max(read) == 1


def test_a_word_that_does_not_hold_pins_nobody(
    witness: Witness, stores: tuple[Store, Store], tmp_path: Path
) -> None:
    keys = tmp_path / "phone"
    receipts = Receipts(stores[1], keys, "phone", Role.PHONE, cast(Any, None))
    shown = HeadShown(head=receipts.chain.head(), key=receipts.chain.public_key)
    good = witness.sign("phone", shown, 1.0)
    other = chains.enrol(MALLORY, "phone", shown.key, 1.0)
    for bad in (
        replace(good, enrolment=replace(other, signature=bytes(64))),
        replace(good, enrolment=other),  # its witness is not the countersignature's
        replace(good, countersign=replace(good.countersign, seq=7)),
        replace(good, enrolment=replace(good.enrolment, key=public_bytes(PHONE))),
        replace(good, enrolment=chains.enrol(witness._key, "car", shown.key, 1.0)),
    ):
        with pytest.raises(ReceiptError):
            receipts.witnessed(bad)
        assert pinned_witness(keys) is None
        assert enrolment(stores[1], "phone") is None
    receipts.witnessed(good)
    assert pinned_witness(keys) == witness.public_key
    mallorys = HeadWitnessed(
        enrolment=other, countersign=chains.countersign(stores[0], shown.head, witness._key, 1.0)
    )
    with pytest.raises(ReceiptError, match="does not trust"):
        receipts.witnessed(mallorys)


def test_heads_are_taken_as_often_as_anybody_needs() -> None:
    """Each may cost the home a record that it keeps for ever."""
    now_s = 1000.0
    heads = Heads(lambda: now_s)
    assert sum(heads.take("phone") for _ in range(3 * HEADS_AT_ONCE)) == HEADS_AT_ONCE
    assert heads.take("car")  # each for itself
    now_s += 10.0
    assert sum(heads.take("phone") for _ in range(100)) == 10
    now_s += 1e9
    assert sum(heads.take("phone") for _ in range(3 * HEADS_AT_ONCE)) == HEADS_AT_ONCE


def test_a_flood_of_heads_is_told_of_and_leaves_no_records(
    witness: Witness, stores: tuple[Store, Store]
) -> None:
    notes, answered = list[str](), list[Any]()
    home = cast(Any, object.__new__(HomeNode))
    home._witness, home._heads = witness, Heads(lambda: 0.0)
    home.wall = SimpleNamespace(now_s=lambda: 1.0)
    home.note = notes.append

    def spawn(work: Any, _: str) -> None:
        work.close()
        answered.append(work)

    home.spawn = spawn
    meta = SimpleNamespace(sender="phone", sender_role="phone")
    for _ in range(HEADS_AT_ONCE):
        assert home._heads.take("phone")
    home._head(meta, _shown(1))
    assert countersigns(stores[0], "phone") == []
    assert "too many" in notes[0]
    home._heads = Heads(lambda: 0.0)  # the control
    home._head(meta, _shown(1))
    assert len(countersigns(stores[0], "phone")) == len(answered) == len(notes) == 1
