"""What the rules keep for some days only is gone afterwards, also from the file's free pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hearthway.mesh.policy.retention import DAY_S, learned_under, sweep
from hearthway.mesh.policy.rules import Rules, template
from hearthway.mesh.state.hlc import HlcClock
from hearthway.mesh.state.receipts import ReceiptChain, verify_chain
from hearthway.mesh.state.store import Store
from hearthway.records.receipts import Receipt
from hearthway.records.signals import Fix, Signal
from hearthway.records.suggestion import Answer, AnswerKind

NOW = 1_760_000_000.0
OLD, NEW = NOW - 100 * DAY_S, NOW - DAY_S
SECRET = b"kallio-salaisuus"  # stands in everything that is old
KEEP = """version = 2
[[keep]]
id = "weeks"
kinds = ["fix", "answer", "event", "receipt"]
days = 30
[[keep]]
id = "odometer"
keys = ["Vehicle.TraveledDistance"]
days = 30
"""


def receipt(at_s: float, words: str) -> Receipt:
    return Receipt(
        suggestion_id=words,
        node="phone",
        role="phone",
        person="anna",
        time_s=at_s,
        fields=(),
        crossings=(),
        computations=(),
    )


def fill(store: Store, chain: ReceiptChain) -> None:
    store.add_person("Anna", "anna")
    clock = HlcClock("phone")
    for at_s, words in ((OLD, SECRET.decode()), (NEW, "young")):
        fix = Fix(time_s=at_s, lat=60.0, lon=24.0)
        store.add_fixes("anna", [fix], words)
        for key in ("Vehicle.TraveledDistance", "Vehicle.Speed"):
            store.add_signals("anna", [Signal(key=key, value=1.0, time_s=at_s, source=words)])
            store.put_register(
                f"Device.car.{words}" if key.endswith("Speed") else key,
                words.encode(),
                clock.tick(at_s),
                time_s=at_s,
            )
        store.add_answer(
            Answer(
                suggestion_id=words,
                person="anna",
                kind=AnswerKind.ACCEPT,
                time_s=at_s,
                osm_id=words,
            )
        )
        store.add_event("surface", "anna", at_s, words.encode())
        chain.append(receipt(at_s, words))
    store.put_model("anna", "life", NOW, b"learned from " + SECRET)


def opened(path: Path) -> tuple[Store, ReceiptChain]:
    store = Store.open(path / "node.db", node_id="phone")
    return store, ReceiptChain(store, Ed25519PrivateKey.from_private_bytes(b"k" * 32))


def on_disk(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.glob("node.db*")))


def test_what_is_too_old_is_gone_from_the_disk_and_the_rest_stays(tmp_path: Path) -> None:
    store, chain = opened(tmp_path)
    with store:
        fill(store, chain)
        assert SECRET in on_disk(tmp_path)
        before = store.generation()
        rules = Rules.parse(
            KEEP + '[[keep]]\nid = "speed"\nkeys = ["Vehicle.Speed", "Device.*"]\ndays = 30\n',
            "test",
        )
        counts = sweep(store, chain, rules, NOW)
        assert counts == {
            "answers": 1,
            "events": 1,
            "fixes": 1,
            "receipts": 1,
            "registers": 1,
            "signals": 2,
        }
        assert SECRET not in on_disk(tmp_path)
        assert b"young" in on_disk(tmp_path)
        assert [fix.time_s for fix in store.fixes("anna")] == [NEW]
        assert len(list(store.signals("anna"))) == 2
        assert store.model("anna", "life") is None  # it is learned again from the rest
        assert store.generation() == before + 1
        report = verify_chain(store, witness_key=None, node_key=chain.public_key)
        assert report.ok
        assert report.receipts == 2
        assert report.erased == 1
        assert sweep(store, chain, rules, NOW) == {}
        assert store.generation() == before + 1


def test_days_are_counted_to_the_moment_and_the_shortest_holds(tmp_path: Path) -> None:
    store, chain = opened(tmp_path)
    with store:
        store.add_person("Anna", "anna")
        edge = NOW - 30 * DAY_S
        store.add_fixes(
            "anna", [Fix(time_s=edge + d, lat=60.0, lon=24.0) for d in (-1, 0, 1)], "test"
        )
        long = '[[keep]]\nid = "long"\nkinds = ["fix"]\ndays = 90\n'
        assert sweep(store, chain, Rules.parse(KEEP + long, "test"), NOW) == {"fixes": 1}
        assert [fix.time_s for fix in store.fixes("anna")] == [edge, edge + 1]


def test_without_a_keep_nothing_goes(tmp_path: Path) -> None:
    store, chain = opened(tmp_path)
    with store:
        fill(store, chain)
        for name in ("family", "open"):
            assert sweep(store, chain, Rules.parse(template(name), name), NOW) == {}
        assert [fix.time_s for fix in store.fixes("anna")] == [OLD, NEW]
        assert store.generation() == 0
        assert sweep(store, chain, Rules.parse(template("strict"), "strict"), NOW)


def test_a_wipe_that_failed_is_owed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hearthway.mesh.state.database import Database
    from hearthway.records.errors import StoreError

    store, chain = opened(tmp_path)
    wipes: list[int] = []
    real = Database.scrub

    def busy(self: Database) -> None:
        wipes.append(1)
        raise StoreError("busy", "")

    def done(self: Database) -> None:
        wipes.append(2)
        real(self)

    with store:
        fill(store, chain)
        monkeypatch.setattr(Database, "scrub", busy)
        rules = Rules.parse(KEEP, "test")
        assert sweep(store, chain, rules, NOW)
        monkeypatch.setattr(Database, "scrub", done)
        assert sweep(store, chain, rules, NOW) == {}
        assert sweep(store, chain, rules, NOW) == {}
        assert wipes == [1, 2]


def test_models_learned_under_other_rules_are_dropped(tmp_path: Path) -> None:
    store, _ = opened(tmp_path)
    with store:
        store.add_person("Anna", "anna")
        assert not learned_under(store, "a")
        store.put_model("anna", "life", NOW, b"x")
        assert learned_under(store, "a")
        assert store.model("anna", "life") is not None
        assert not learned_under(store, "b")
        assert store.model("anna", "life") is None
