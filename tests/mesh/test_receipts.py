"""Every tampering with a chain is found; erasing by the owner is not tampering."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hearthway.mesh.state import receipts as chains
from hearthway.mesh.state.receipts import ReceiptChain, comparable, verify_chain
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.signing import public_bytes, signing_key
from hearthway.records.chain import Countersign, Head, VerifyReport
from hearthway.records.errors import IdentityError, ReceiptError
from hearthway.records.receipts import Computation, Crossing, Measured, Receipt
from hearthway.records.situation import Evidence

NODE = Ed25519PrivateKey.from_private_bytes(b"n" * 32)
HOME = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
MALLORY = Ed25519PrivateKey.from_private_bytes(b"m" * 32)


def receipt(number: int, *, person: str = "a1", latency_ms: float = 1.0) -> Receipt:
    return Receipt(
        suggestion_id=f"suggestion-{number}",
        node="phone",
        role="phone",
        person=person,
        time_s=1000.0 + number,
        fields=(Evidence(key="Vehicle.Speed", source="car", age_s=0.5, person=person),),
        crossings=(
            Crossing(
                key="Vehicle.Speed",
                sender="car",
                receiver_role="phone",
                purpose="suggest",
                rule="r1",
            ),
        ),
        computations=(Computation(stage="assist", node="phone", code="c0de"),),
        measured=Measured(latency_ms=latency_ms),
    )


class World:
    """A phone's chain, the home that witnesses it, and a way to edit the phone's file behind its back."""

    def __init__(self, root: Path) -> None:
        self.path = root / "phone.db"
        self.phone = Store.open(self.path, node_id="phone")
        self.home = Store.open(root / "home.db", node_id="home")
        self.chain = ReceiptChain(self.phone, NODE)
        bound = chains.enrol(HOME, "phone", public_bytes(NODE), 1.0)
        chains.keep_enrolment(self.phone, bound)
        chains.keep_enrolment(self.home, bound)

    def write(self, count: int) -> None:
        for number in range(1, count + 1):
            self.chain.append(receipt(number))

    def witness(self, now_s: float = 2000.0) -> Countersign:
        seen = chains.countersign(self.home, self.chain.head(), HOME, now_s)
        chains.keep_countersign(self.phone, seen)
        return seen

    def edit(self, sql: str, *values: object) -> None:
        db = sqlite3.connect(self.path)
        with db:
            assert db.execute(sql, values).rowcount
        db.close()

    def verify(self) -> VerifyReport:
        return verify_chain(
            self.phone,
            witness_key=public_bytes(HOME),
            witness_heads=chains.countersigns(self.home, "phone"),
        )

    def close(self) -> None:
        self.phone.close()
        self.home.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def codes(report: VerifyReport) -> set[str]:
    return {problem.code for problem in report.problems}


def test_a_sound_chain_verifies_and_gives_its_receipts(world: World) -> None:
    assert world.verify().ok
    world.write(4)
    world.witness()
    report = world.verify()
    assert report.ok, report
    assert (report.entries, report.receipts, report.erased, report.witnessed_to) == (4, 4, 0, 4)
    assert world.chain.receipt("suggestion-2") == receipt(2)
    assert world.chain.has("suggestion-2")
    assert not world.chain.has("suggestion-9")
    assert [found for _, found in world.chain.receipts()] == [receipt(n) for n in range(1, 5)]
    with pytest.raises(ReceiptError, match="no receipt"):
        world.chain.receipt("nothing")


def test_erasing_is_not_tampering_and_reads_as_such(world: World) -> None:
    world.write(4)
    world.witness()
    entry = world.chain.erase([2, 3, 99], 3000.0)
    assert entry is not None
    assert (entry.kind, entry.erases) == ("erasure", (2, 3))
    report = world.verify()
    assert report.ok, report
    assert (report.entries, report.receipts, report.erased) == (5, 4, 2)
    assert [found is None for _, found in world.chain.receipts()] == [False, True, True, False]
    assert world.chain.erase([2, 3], 3001.0) is None
    with pytest.raises(ReceiptError, match="erased by the owner"):
        world.chain.receipt("suggestion-2")


def test_a_body_that_vanishes_without_an_erasure_is_found(world: World) -> None:
    world.write(3)
    world.edit("DELETE FROM bodies WHERE seq = 2")
    assert codes(world.verify()) == {"missing"}


def test_an_erased_body_that_returns_is_found(world: World) -> None:
    world.write(3)
    rows = world.phone.database.rows("SELECT * FROM bodies WHERE seq = 2")
    world.chain.erase([2], 3000.0)
    world.edit("INSERT INTO bodies VALUES (?, ?, ?, ?, ?, ?)", *rows[0])
    assert codes(world.verify()) == {"foreign-body"}


def test_a_removed_last_record_is_found(world: World) -> None:
    world.write(3)
    world.witness()
    for table in ("chain", "bodies", "countersigns"):  # every trace in the node's own file
        world.edit(f"DELETE FROM {table} WHERE seq = 3")
    assert codes(world.verify()) == {"truncated"}


def test_a_record_taken_from_the_middle_is_found(world: World) -> None:
    world.write(4)
    world.edit("DELETE FROM chain WHERE seq = 2")
    world.edit("DELETE FROM bodies WHERE seq = 2")
    assert "missing" in codes(world.verify())


def test_reordering_is_found(world: World) -> None:
    world.write(4)
    for table in ("chain", "bodies"):
        world.edit(f"UPDATE {table} SET seq = 100 WHERE seq = 2")
        world.edit(f"UPDATE {table} SET seq = 2 WHERE seq = 3")
        world.edit(f"UPDATE {table} SET seq = 3 WHERE seq = 100")
    assert {"order", "tampered"} <= codes(world.verify())


def test_swapped_bodies_are_found(world: World) -> None:
    world.write(3)
    world.edit("UPDATE bodies SET seq = 100 WHERE seq = 1")
    world.edit("UPDATE bodies SET seq = 1 WHERE seq = 2")
    world.edit("UPDATE bodies SET seq = 2 WHERE seq = 100")
    assert codes(world.verify()) == {"tampered"}


@pytest.mark.parametrize("key", [MALLORY, NODE], ids=["another key", "the node's own key"])
def test_a_wholly_rewritten_and_signed_file_is_found(
    world: World, tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    world.write(3)
    world.witness()
    forged = Store.open(tmp_path / "forged.db", node_id="phone")
    fake = ReceiptChain(forged, key)
    for number in range(1, 5):
        fake.append(receipt(number, latency_ms=9.0))
    fake_home = Store.open(tmp_path / "fake_home.db", node_id="home")
    for store in (forged, fake_home):
        chains.keep_enrolment(store, chains.enrol(MALLORY, "phone", public_bytes(key), 1.0))
    chains.keep_countersign(forged, chains.countersign(fake_home, fake.head(), MALLORY, 2.0))
    heads = chains.countersigns(world.home, "phone")
    report = verify_chain(forged, witness_key=public_bytes(HOME), witness_heads=heads)
    assert {"not-enrolled", "witness", "rewritten"} <= codes(report)
    known = verify_chain(
        forged, witness_key=public_bytes(HOME), node_key=public_bytes(NODE), witness_heads=heads
    )
    assert "rewritten" in codes(known)
    assert ("re-signed" in codes(known)) == (key is MALLORY)
    # without the home in reach the enrolled key alone tells another key's work
    alone = verify_chain(forged, witness_key=None, node_key=public_bytes(NODE))
    assert ("re-signed" in codes(alone)) == (key is MALLORY)
    forged.close()
    fake_home.close()


EDITS = [
    ("chain", column)
    for column in ("kind", "time_s", "commitment", "erases", "prev_hash", "hash", "signature")
] + [("bodies", column) for column in ("suggestion_id", "person_no", "time_s", "salt", "body")]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a sound chain: four receipts, the fourth erased."""
    world = World(tmp_path_factory.mktemp("sealed"))
    world.write(4)
    world.chain.erase([4], 3000.0)
    world.phone.person_no("other")
    world.close()
    return world.path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EDITS), st.integers(1, 5), st.integers(0, 2**16), st.integers(0, 7))
def test_every_changed_bit_of_every_column_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    sealed: bytes,
    where: tuple[str, str],
    seq: int,
    at: int,
    bit: int,
) -> None:
    path = tmp_path_factory.mktemp("bits") / "node.db"
    path.write_bytes(sealed)
    table, column = where
    seq = seq if table == "chain" or seq <= 3 else 1
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous = OFF")
    (value,) = db.execute(f"SELECT {column} FROM {table} WHERE seq = {seq}").fetchone()
    if isinstance(value, bytes | str):
        data = bytearray(value if isinstance(value, bytes) else value.encode()) or bytearray(
            b"\x01"
        )
        data[at % len(data)] ^= 1 << bit
        changed: object = bytes(data) if isinstance(value, bytes) else data.decode(errors="replace")
    else:
        changed = value + 1
    with db:
        db.execute(f"UPDATE {table} SET {column} = ? WHERE seq = ?", (changed, seq))
    db.close()
    with Store.open(path, node_id="phone") as store:
        assert not verify_chain(store, witness_key=None, node_key=public_bytes(NODE)).ok


def test_a_flipped_byte_anywhere_in_the_raw_file_is_found_where_it_matters(world: World) -> None:
    world.write(3)
    world.witness()
    body = world.phone.database.rows("SELECT body FROM bodies WHERE seq = 2")[0][0]
    world.phone.close()
    data = bytearray(world.path.read_bytes())
    data[data.index(body) + 20] ^= 0x01
    world.path.write_bytes(data)
    world.phone = Store.open(world.path, node_id="phone")
    assert "tampered" in codes(world.verify())


@pytest.mark.parametrize(
    "change",
    [
        lambda seen: replace(seen, seq=2),
        lambda seen: replace(seen, time_s=1.0),
        lambda seen: replace(seen, signature=b"x" * 64),
        lambda seen: replace(seen, witness=b"short"),
    ],
)
def test_a_changed_countersignature_is_found(
    world: World, change: Callable[[Countersign], Countersign]
) -> None:
    world.write(3)
    seen = world.witness()
    report = verify_chain(world.phone, witness_key=public_bytes(HOME), witness_heads=[change(seen)])
    assert codes(report) == {"witness"}


def test_the_witness_refuses_what_contradicts_what_it_saw(world: World) -> None:
    world.write(2)
    early = world.chain.head()
    world.write(1)
    first = world.witness(1.0)
    assert world.witness(2.0) == first
    with pytest.raises(ReceiptError, match="it was changed"):
        chains.countersign(world.home, early, HOME, 3.0)
    forged = Head(node="phone", seq=9, hash=b"x" * 32, signature=b"y" * 64)
    with pytest.raises(ReceiptError, match="not signed by its enrolled key"):
        chains.countersign(world.home, forged, HOME, 3.0)
    with pytest.raises(ReceiptError, match="no enrolled"):
        chains.countersign(world.home, replace(forged, node="car"), HOME, 3.0)
    empty = Head(node="phone", seq=0, hash=b"x", signature=b"")
    with pytest.raises(ReceiptError, match="empty chain"):
        chains.countersign(world.home, empty, HOME, 3.0)


def test_a_node_is_bound_to_one_key(world: World) -> None:
    with pytest.raises(ReceiptError, match="another receipt key"):
        chains.keep_enrolment(world.home, chains.enrol(HOME, "phone", b"k" * 32, 2.0))
    bound = chains.enrolment(world.home, "phone")
    assert bound is not None
    assert chains.check_enrolment(bound, public_bytes(HOME))
    assert not chains.check_enrolment(bound, public_bytes(MALLORY))
    assert not chains.check_enrolment(replace(bound, node="car"), public_bytes(HOME))


def test_without_a_witness_the_own_key_is_checked_and_nothing_is_witnessed(world: World) -> None:
    world.write(2)
    world.witness()
    report = world.chain.verify()
    assert report.ok
    assert report.witnessed_to == 0
    assert world.chain.verify(witness_key=public_bytes(HOME)).witnessed_to == 2


def test_comparable_leaves_out_what_was_measured() -> None:
    assert comparable(receipt(1, latency_ms=1.0)) == comparable(receipt(1, latency_ms=99.0))
    assert comparable(receipt(1)) != comparable(receipt(2))


def test_the_same_receipt_twice_is_two_entries_that_tell_nothing_of_it(world: World) -> None:
    one, two = world.chain.append(receipt(1)), world.chain.append(receipt(1))
    assert one.commitment != two.commitment


def test_the_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "receipts.key"
    assert public_bytes(signing_key(path)) == public_bytes(signing_key(path))
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"short")
    with pytest.raises(IdentityError, match="no signing key"):
        signing_key(path)


def test_verifying_reads_one_moment_while_another_process_appends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(2)
    other = Store.open(world.path, node_id="phone")
    real = chains._bodies

    def meanwhile(*arguments: object) -> object:
        ReceiptChain(other, NODE).append(receipt(3))
        return real(*arguments)  # type: ignore[arg-type]  # the very arguments it was called with

    monkeypatch.setattr(chains, "_bodies", meanwhile)
    assert world.verify().ok
    monkeypatch.undo()
    assert world.verify().receipts == 3
    other.close()
