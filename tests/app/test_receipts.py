"""The home vouches for a node's receipts from their first contact on, and sees at each one what was written without it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hearthway.app.home import HomeNode
from hearthway.app.offline import verify_node
from hearthway.app.offload_receipt import computed
from hearthway.app.wiping import erase_node
from hearthway.app.witness import receipt_lines
from hearthway.cli.main import cli
from hearthway.mesh.state.forget import sign_order
from hearthway.mesh.state.receipts import ReceiptChain, countersigns, enrolment
from hearthway.records.chain import VerifyReport
from hearthway.records.forgetting import ForgetOrder
from hearthway.records.messages import COUNTERSIGN, FORGET, HEAD
from hearthway.records.receipts import Receipt


def _write(node: Any, number: int) -> None:
    """A receipt as a suggestion leaves it, with nobody there to show it to."""
    node.receipts.write(
        suggestion_id=f"s-{number}",
        person="",
        time_s=1000.0 + number,
        fields=(),
        crossings=(),
        computations=(),
    )


def _bound(node: Any) -> bool:
    return enrolment(node.store, node.config.node.id) is not None


def _seen(home: Any, name: str) -> list[int]:
    return [head.seq for head in countersigns(home.store, name)]


def _verified(nodes: Any, *names: str) -> VerifyReport:
    """The first of these nodes, with what all of them know of it."""
    found = [nodes[name].paths for name in names]
    return verify_node(found[0], found)


def test_of_a_task_whoever_was_only_given_the_input_is_told_from_whose_answer_it_is() -> None:
    ran = computed("atlas", "car", "car", ["phone"], model="map-1")
    assert [(one.node, one.used, bool(one.code)) for one in ran] == [
        ("car", True, True),
        ("phone", False, False),
    ]
    assert [one.used for one in computed("atlas", "car", "phone", ["phone"], model="m")] == [True]
    late = computed("function", "car", "", ["home", "phone"], model="f", code="c0de")
    assert [(one.node, one.used, one.code) for one in late] == [
        ("home", False, "c0de"),
        ("phone", False, "c0de"),
    ]
    receipt = Receipt(
        suggestion_id="task-detours-1",
        node="car",
        role="car",
        person="anna",
        time_s=1.0,
        fields=(),
        crossings=(),
        computations=ran,
    )
    lines = [line for line in receipt_lines(receipt) if "atlas" in line]
    assert lines[0].startswith("  ran      atlas on car, code ")
    assert lines[1] == "  given to phone for atlas, model map-1; its answer was not used"


async def _hearthway(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, cli, list(words))


def test_a_home_that_is_killed_before_the_first_receipt_leaves_one_that_verifies(
    household: Any,
) -> None:
    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            await nodes.until(lambda: _bound(nodes["phone"]) and _bound(nodes["car"]))
            await nodes.down("home")
            for name in ("phone", "car"):
                _write(nodes[name], 1)
                report = _verified(nodes, name)
                assert report.ok, report.problems
                assert (report.receipts, report.witnessed_to) == (1, 0)
            await nodes.up("home")
            await nodes.reach("home", "phone", "car")
            for name in ("phone", "car"):
                await nodes.until(lambda name=name: _seen(nodes["home"], name) == [0, 1])
                await nodes.until(lambda name=name: _verified(nodes, name).witnessed_to == 1)

    asyncio.run(main())


def test_a_receipt_taken_out_while_the_home_was_away_is_not_countersigned_at_its_return(
    household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(HomeNode, "note", lambda _, text: notes.append(text))

    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            await nodes.until(lambda: _bound(phone))
            await nodes.down("home")
            _write(phone, 1)
            await nodes.up("home")
            await nodes.until(lambda: _seen(nodes["home"], "phone") == [0, 1])
            await nodes.down("home")
            with phone.store.database.transaction() as db:
                db.execute("DELETE FROM bodies")
                db.execute("DELETE FROM chain")
            _write(phone, 2)
            assert not notes  # nor does a node that closes look into its closed store
            await nodes.up("home")
            await nodes.until(lambda: any("it was changed" in note for note in notes))
            assert _seen(nodes["home"], "phone") == [0, 1]
            report = _verified(nodes, "phone", "home")
            assert {one.code for one in report.problems} == {"rewritten"}

    asyncio.run(main())


def test_a_suggestion_that_is_shown_twice_has_one_receipt_of_the_home(
    household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by its id: the home does not read all that it ever wrote to learn that it did."""
    read = list[Any]()

    async def main() -> None:
        async with household(phone="phone") as nodes:
            home, phone = nodes["home"], nodes["phone"]
            await nodes.until(lambda: _bound(phone))
            everything = ReceiptChain.receipts

            def counted(own: ReceiptChain) -> Any:
                read.append(own)
                return everything(own)

            monkeypatch.setattr(ReceiptChain, "receipts", counted)
            for number, shown in ((1, 1), (1, 1), (2, 2)):
                if shown > phone.receipts.chain.head().seq:
                    _write(phone, number)
                await phone.receipts.show_head(phone.mesh, f"s-{number}", 1.0)
            await nodes.until(lambda: home.receipts.chain.has("s-2"))
            written = [one.suggestion_id for _, one in everything(home.receipts.chain) if one]
            assert written == ["s-1", "s-2"]
            assert not read

    asyncio.run(main())


def test_a_head_and_the_word_on_it_reach_nobody_else(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            await nodes.until(lambda: _bound(nodes["phone"]) and _bound(nodes["car"]))
            for name in ("phone", "car"):
                crossed = {
                    one.key: one.count
                    for one in nodes[name].mesh.crossings()
                    if one.purpose == "witness"
                }
                assert crossed[HEAD] == crossed[COUNTERSIGN], crossed
                assert {head.node for head in countersigns(nodes[name].store, name)} == {name}

    asyncio.run(main())


def test_a_device_that_is_wiped_and_paired_anew_under_its_name_is_witnessed_and_forgets(
    household: Any,
) -> None:
    async def main() -> None:
        people = {"phone": ("anna", "adult"), "old": ("anna", "adult")}
        async with household(people=people, phone="phone", old="phone") as nodes:
            home = nodes["home"]
            for name in people:
                _write(nodes[name], 1)
                await nodes[name].receipts.show_head(nodes[name].mesh)
                await nodes.until(lambda name=name: 1 in _seen(home, name))
            before = enrolment(home.store, "old")
            await nodes.hand_down("old")
            await nodes.until(lambda: enrolment(home.store, "old") is None)
            assert _seen(home, "old") == []
            assert 1 in _seen(home, "phone")  # the control: who stays keeps its heads
            await nodes.admit("old", "phone", "anna")
            await nodes.reach("home", "phone", "old")
            old = nodes["old"]
            await nodes.until(lambda: _bound(old))
            bound = enrolment(home.store, "old")
            assert bound is not None
            assert before is not None
            assert bound.key == old.receipts.chain.public_key != before.key
            _write(old, 2)
            await old.receipts.show_head(old.mesh)
            await nodes.until(lambda: _verified(nodes, "old", "home").witnessed_to == 1)
            assert _verified(nodes, "old", "home").ok
            order = ForgetOrder(order_id="0" * 32, node="old", time_s=1.0, persons=("anna",))
            signed = sign_order(order, old.receipts.chain)  # by the key that the home has bound
            await old.mesh.request("home", FORGET, signed, "forget", type(None), 10.0)

    asyncio.run(main())


def test_a_home_that_hears_late_that_a_name_is_anothers_binds_its_new_key(household: Any) -> None:
    """As one that was restored: put out and paired anew, and both in one list."""

    async def main() -> None:
        async with household(phone="phone", old="phone") as nodes:
            home = nodes["home"]
            await nodes.until(lambda: _bound(nodes["old"]) and _bound(nodes["phone"]))
            before = {name: enrolment(home.store, name) for name in ("old", "phone", "home")}
            await nodes.down("old")
            await asyncio.to_thread(nodes.root.revoke, "old")
            erase_node(nodes["old"].paths)
            assert enrolment(home.store, "old") == before["old"]  # nobody has told it
            await nodes.admit("old", "phone")
            await nodes.reach("home", "old")
            await nodes.until(lambda: _bound(nodes["old"]))
            bound = enrolment(home.store, "old")
            assert bound is not None
            assert bound.key == nodes["old"].receipts.chain.public_key
            for name in ("phone", "home"):  # the control
                assert enrolment(home.store, name) == before[name]

    asyncio.run(main())


def test_a_chain_no_witness_vouches_for_is_not_called_changed(household: Any) -> None:
    """The control beside it: one that was changed is."""

    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            await nodes.until(lambda: _bound(phone))
            _write(phone, 1)
            data = str(phone.paths.root)
            assert (await _hearthway("receipts", "verify", "--data", data)).exit_code == 0
            with phone.store.database.transaction() as db:
                kept = db.execute("SELECT node, body FROM enrolments").fetchall()
                db.execute("DELETE FROM enrolments")
            said = await _hearthway("receipts", "verify", "--data", data)
            assert said.exit_code == 1
            assert "first contact" in str(said.exception)
            with phone.store.database.transaction() as db:
                db.executemany("INSERT INTO enrolments VALUES (?, ?)", kept)
                db.execute("UPDATE chain SET time_s = time_s + 1")
            said = await _hearthway("receipts", "verify", "--data", data)
            assert said.exit_code == 1
            assert "changed them after" in str(said.exception)

    asyncio.run(main())
