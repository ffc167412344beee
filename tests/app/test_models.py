"""Students spread through a household: signed, checked on each node, turned over together, taken back."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from hearthway.app.config import ModelsTable, load_config, save_config
from hearthway.app.models import Models
from hearthway.cli.main import cli
from hearthway.cli.status import lines_of
from hearthway.mesh.trust.signing import public_bytes
from hearthway.records.errors import HearthwayError, InputError, MeshError

from .modelling import BAD, TASK, OpaqueCheck, give, model, opaque, own, publish, serves

__all__ = ["opaque"]
pytestmark = pytest.mark.usefixtures("opaque")
OLD, NEW = model("old"), model("new")


def test_all_turn_over_when_all_have_checked_it(household: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            everybody = ("home", "phone", "car")
            assert [serves(nodes[one]) for one in everybody] == [None, None, None]
            seen: list[bytes | None] = []
            nodes["phone"].part(Models).watch(TASK, lambda: seen.append(serves(nodes["phone"])))
            for data in (OLD, NEW):
                await give(nodes, tmp_path / "files", data, *everybody)
            await nodes.until(lambda: seen == [OLD, NEW])
            listed = (await nodes.ask("home", "models"))["models"][0]
            assert listed["waits_for"] == []
            assert listed["next"] is None
            back = await nodes.ask("home", "model-back", task=TASK)
            assert not back["problem"]  # it is here and turns over: nothing to wait for
            await nodes.until(lambda: all(serves(nodes[one]) == OLD for one in everybody))
            await nodes.down("phone")
            await nodes.up("phone")  # it is kept
            assert serves(nodes["phone"]) == OLD

    asyncio.run(main())


def test_two_phones_that_may_not_tell_each_other_are_no_trouble(
    household: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("hearthway.models")
    monkeypatch.setattr(log, "handlers", [caplog.handler])  # the node's own logger hands nothing on
    caplog.set_level(logging.DEBUG, log.name)

    def refused() -> set[str]:
        told = [one.__dict__["fields"] for one in caplog.records if one.message == "no orders"]
        return {one["peer"] for one in told if "problem" in one}

    async def main() -> None:
        async with household(phone="phone", other="phone") as nodes:
            await nodes.until(lambda: refused() == {"phone", "other"})
            for one in ("phone", "other"):
                assert (await nodes.ask(one, "status"))["last_trouble"] is None

    asyncio.run(main())


def test_who_is_away_is_waited_for_unless_the_owner_says_so(
    household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_check, check = threading.Event(), OpaqueCheck.__call__

    def held(self: OpaqueCheck, task: str, data: bytes, golden: bytes) -> None:
        if self.device == "car" and data == NEW:
            assert may_check.wait(20.0)
        check(self, task, data, golden)

    monkeypatch.setattr(OpaqueCheck, "__call__", held)

    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            await give(nodes, tmp_path / "files", OLD, "home", "phone", "car")
            await nodes.down("car")
            row = await nodes.ask("home", "model-add", **own(tmp_path, "new.student", NEW))
            assert "car" in row["waits_for"]
            phone = nodes["phone"].part(Models)
            await nodes.until(lambda: phone.report(TASK).staged != "")
            wanted = row["next"]["identity"]
            await nodes.until(lambda: phone.report(TASK).staged == wanted)
            await asyncio.sleep(0.3)
            assert (serves(nodes["home"]), serves(nodes["phone"])) == (OLD, OLD)
            assert (await nodes.ask("home", "models"))["models"][0]["waits_for"] == ["car"]
            await nodes.ask("home", "model-use", task=TASK)
            await nodes.until(lambda: serves(nodes["phone"]) == serves(nodes["home"]) == NEW)
            await nodes.up("car")
            car = nodes["car"].part(Models).shelf.artefacts
            await nodes.until(lambda: car.read(wanted) is not None)
            assert serves(nodes["car"]) == OLD  # until it has checked what it was given
            may_check.set()
            await nodes.until(lambda: serves(nodes["car"]) == NEW)

    asyncio.run(main())


def test_who_comes_back_makes_it_complete(household: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            await nodes.down("car")
            await nodes.ask("home", "model-add", **own(tmp_path, "new.student", NEW))
            await nodes.down("home")  # what was heard of the phone is heard again
            await nodes.up("home")
            await nodes.up("car")
            everybody = ("home", "phone", "car")
            await nodes.until(lambda: all(serves(nodes[one]) == NEW for one in everybody))

    asyncio.run(main())


def test_what_became_whole_while_others_were_looked_at_is_carried_out(
    household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fetch had not come back yet, was called off as wanted no more, and nobody looked again."""
    monkeypatch.setattr("hearthway.app.models.AGAIN_S", (600.0,))

    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"].part(Models)
            whole, asked = phone.fetcher.fetch, list[Any]()

            async def slow(*what: Any) -> bool:
                asked.append(what)
                return await asyncio.Event().wait()

            monkeypatch.setattr(phone.fetcher, "fetch", slow)
            await nodes.ask("home", "model-add", **own(tmp_path, "new.student", NEW))
            await nodes.until(lambda: bool(asked) and not phone._wake.is_set())
            await asyncio.sleep(0.3)  # the home has tried it, and waits for the phone alone
            assert await whole(*asked[0])
            assert not phone._wake.is_set()
            phone._fetch_next()
            await nodes.until(
                lambda: serves(nodes["home"]) == NEW, 5.0
            )  # asking the phone wakes it

    asyncio.run(main())


def test_a_word_to_the_home_that_was_lost_is_said_again_at_once(
    household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            await give(nodes, tmp_path, NEW, "home", "phone")
            phone = nodes["phone"].part(Models)
            await nodes.until(lambda: phone._told.get(TASK) == phone.report(TASK))
            phone._told.clear()
            wire, lost = nodes["phone"].wire, list[str]()
            whole = wire.ask

            def ask(device_id: str, frame: bytes, timeout_s: float) -> Any:
                if not lost:
                    lost.append(device_id)
                    return away(device_id)
                return whole(device_id, frame, timeout_s)

            async def away(device_id: str) -> bytes:
                raise MeshError(f"{device_id} did not answer within 2 s.")

            monkeypatch.setattr(wire, "ask", ask)
            await phone._report(TASK)
            assert lost == ["home"]
            assert phone._told.get(TASK) == phone.report(TASK)

    asyncio.run(main())


def test_after_a_day_nobody_is_waited_for(
    household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            await nodes.down("car")
            monkeypatch.setattr("hearthway.app.releasing.ABSENT_S", 1.0)
            await nodes.ask("home", "model-add", **own(tmp_path, "new.student", NEW))
            assert serves(nodes["phone"]) is None
            await nodes.until(lambda: serves(nodes["phone"]) == serves(nodes["home"]) == NEW)

    asyncio.run(main())


def test_where_it_does_not_work_the_one_before_does(household: Any, tmp_path: Path) -> None:
    """The phone finds it unfit: nobody turns over by itself; when the owner turns over, the phone stays behind."""
    bad = model(BAD.decode() + " on phone")

    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            await give(nodes, tmp_path / "files", OLD, "home", "phone", "car")
            await nodes.ask("home", "model-add", **own(tmp_path, "bad.student", bad))
            told: list[str] = []
            for _ in range(300):
                row = (await nodes.ask("home", "models"))["models"][0]
                told = [one["node"] for one in row["nodes"] if one["problem"]]
                if told and row["waits_for"] == []:
                    break
                await asyncio.sleep(0.02)
            assert told == ["phone"]
            assert [serves(nodes[one]) for one in ("home", "phone", "car")] == [OLD, OLD, OLD]
            lines = lines_of({"up": True, **await nodes.ask("phone", "status")})
            assert any("does not work here" in line for line in lines)
            assert any("hearthway models back ask" in line for line in lines)
            await nodes.ask("home", "model-use", task=TASK)
            await nodes.until(lambda: serves(nodes["car"]) == serves(nodes["home"]) == bad)
            assert serves(nodes["phone"]) == OLD
            await give(nodes, tmp_path / "files", NEW, "home", "phone", "car")  # a mended one
            await nodes.ask("home", "model-use", task=TASK, model=hashlib.sha256(bad).hexdigest())
            await nodes.until(lambda: serves(nodes["car"]) == bad)
            assert serves(nodes["phone"]) == NEW
            await nodes.ask("home", "model-back", task=TASK)
            await nodes.until(lambda: serves(nodes["car"]) == NEW)
            await nodes.until(
                lambda: not nodes["phone"].part(Models).row(TASK)["problem"]
            )  # nothing is wrong any more

    asyncio.run(main())


def test_what_fails_in_use_is_taken_back_and_said(household: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            for data in (OLD, NEW):
                await give(nodes, tmp_path / "files", data, "home", "phone")
            phone = nodes["phone"].part(Models)
            found = phone.load(TASK)
            assert found is not None
            await phone.failed(TASK, "0" * 64, "another one")  # the control: not what serves
            assert serves(nodes["phone"]) == NEW
            await phone.failed(TASK, found[0], "It answered nothing.")
            assert (serves(nodes["phone"]), serves(nodes["home"])) == (OLD, NEW)
            assert (
                "It answered nothing."
                in (await nodes.ask("phone", "status"))["models"][0]["problem"]
            )
            await nodes.down("phone")
            await nodes.up("phone")
            assert serves(nodes["phone"]) == OLD  # for good
            await nodes.ask("home", "model-use", task=TASK, model=found[0][:8])
            await nodes.until(lambda: serves(nodes["phone"]) == NEW)  # the owner's word tries again

    asyncio.run(main())


def test_a_car_that_meets_only_the_phone_gets_it(household: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            nodes.hub.cut("home", "car")
            await nodes.ask("home", "model-add", **own(tmp_path, "new.student", NEW))
            await nodes.ask("home", "model-use", task=TASK)
            await nodes.until(lambda: serves(nodes["car"]) == NEW)

    asyncio.run(main())


def test_a_fetch_goes_on_after_a_cut_where_it_was(household: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone, home = nodes["phone"].part(Models), nodes["home"].part(Models)
            phone.fetcher.rate_bytes_s = 64 * 1024 / 0.1  # ten pieces a second
            given: list[int] = []
            piece = home.shelf.artefacts.piece

            def counted(identity: str, index: int) -> Any:
                given.append(index)
                return piece(identity, index)

            home.shelf.artefacts.piece = counted
            data = model("long", 20 * 64 * 1024)
            await nodes.ask("home", "model-add", **own(tmp_path, "long.student", data))
            await nodes.until(lambda: len(given) >= 5)
            nodes.hub.cut("home", "phone")
            await asyncio.sleep(0.3)
            assert serves(nodes["phone"]) is None
            phone.fetcher.rate_bytes_s = 1e9
            nodes.hub.heal("home", "phone")
            await nodes.until(lambda: serves(nodes["phone"]) == data)
            assert len(given) <= 22  # each once, but for what was under way
            assert set(given) == set(range(20))

    asyncio.run(main())


def test_one_that_nobody_has_holds_no_other_up(household: Any, tmp_path: Path) -> None:
    """As after a restore: the order is known, its file is lost."""

    async def main() -> None:
        async with household(phone="phone") as nodes:
            await nodes.down("phone")
            row = await nodes.ask("home", "model-add", **own(tmp_path, "new.student", NEW))
            lost = row["next"]["identity"]
            (nodes["home"].paths.models / f"{lost}.student").unlink()
            other = own(tmp_path, "old.student", OLD) | {"task": "tell"}
            wanted = (await nodes.ask("home", "model-add", **other))["next"]["identity"]
            await nodes.up("phone")
            phone = nodes["phone"].part(Models)
            await nodes.until(lambda: phone.report("tell").staged == wanted)
            assert (
                phone.shelf.wanted()[0][1].identity == lost
            )  # the control: it was asked for before

    asyncio.run(main())


def test_a_publisher_counts_once_the_owner_named_its_key(household: Any, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    file = publish(tmp_path, "new.student", NEW, key, serial=5)

    async def main() -> None:
        async with household(phone="phone") as nodes:
            with pytest.raises(HearthwayError, match="do not follow") as refused:
                await nodes.ask("home", "model-add", file=str(file))
            told = public_bytes(key).hex()
            assert told in refused.value.message
            paths = nodes["home"].paths
            config = load_config(paths.config)
            save_config(paths, replace(config, models=ModelsTable(publishers=[told])))
            await nodes.ask("home", "model-add", file=str(file))
            await nodes.until(lambda: serves(nodes["phone"]) == NEW)
            older = publish(tmp_path, "older.student", OLD, key, serial=4)
            with pytest.raises(HearthwayError, match="older"):
                await nodes.ask("home", "model-add", file=str(older))
            file.write_bytes(NEW[:-1] + b"!")
            with pytest.raises(HearthwayError, match="content differs"):
                await nodes.ask("home", "model-add", file=str(file))
            newer = publish(tmp_path, "newer.student", OLD, key, serial=6)  # the control
            await nodes.ask("home", "model-add", file=str(newer))
            await nodes.until(lambda: serves(nodes["phone"]) == OLD)

    asyncio.run(main())


def test_what_cannot_be_added_is_said(household: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            cases: dict[str, tuple[bytes, dict[str, Any], str]] = {
                "empty.student": (b"", {}, "is no model"),
                "large.student": (b"\0" * (16 * 2**20 + 1), {}, "is no model"),
                "bad.student": (model(BAD.decode()), {}, "does not work"),
                "nobody.student": (NEW, {"own": False}, "nobody stands by"),
                "what.student": (NEW, {"task": ""}, "For which task"),
            }
            for name, (data, fields, words) in cases.items():
                with pytest.raises(HearthwayError, match=words) as refused:
                    await nodes.ask("home", "model-add", **{**own(tmp_path, name, data), **fields})
                assert refused.value.next_step
            os.mkfifo(tmp_path / "pipe.student")
            with pytest.raises(HearthwayError, match="is not a file"):
                await nodes.ask(
                    "home", "model-add", file=str(tmp_path / "pipe.student"), own=True, task=TASK
                )
            with pytest.raises(HearthwayError, match="cannot be read"):
                await nodes.ask(
                    "home", "model-add", file=str(tmp_path / "none"), own=True, task=TASK
                )
            for verb in ("model-use", "model-back"):
                with pytest.raises(HearthwayError, match="was given no model"):
                    await nodes.ask("home", verb, task=TASK)
            for verb in ("model-add", "model-use", "model-back"):  # who has the root decides
                with pytest.raises(HearthwayError, match="does not know"):
                    await nodes.ask("phone", verb, task=TASK)
            assert not (nodes["home"].paths.models).exists()
            await give(nodes, tmp_path / "files", NEW, "home", "phone")  # the control
            with pytest.raises(HearthwayError, match="already"):
                await nodes.ask("home", "model-add", **own(tmp_path, "again.student", NEW))
            with pytest.raises(HearthwayError, match="none of the models"):
                await nodes.ask("home", "model-use", task=TASK, model="beef")
            row = await nodes.ask("home", "model-use", task=TASK, model="shipped")
            assert row["waits_for"] == []
            phone = nodes["phone"].part(Models)
            await nodes.until(lambda: phone.report(TASK).serves == "")
            assert serves(nodes["phone"]) == NEW  # none is shipped for this: what worked goes on

    asyncio.run(main())


def test_the_verb_lists_adds_and_goes_back(household: Any, tmp_path: Path) -> None:
    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, ["models", *words])

    def file(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    old, new = file("old.student", OLD), file("new.student", NEW)

    async def main() -> None:
        async with household(phone="phone") as nodes:
            home, phone = (["--data", str(nodes[one].paths.root)] for one in ("home", "phone"))
            assert (await run(*home)).output == "no model is here yet\n"
            for at, data in ((old, OLD), (new, NEW)):
                added = await run("add", at, "--own", "--task", TASK, *home)
                assert added.exit_code == 0
                assert added.output.startswith(f"{TASK}: ")
                await nodes.until(
                    lambda data=data: serves(nodes["phone"]) == serves(nodes["home"]) == data
                )
            listed = (await run(*phone)).output
            assert listed.startswith("ask: new (")
            rows = json.loads((await run(*home, "--json")).output)["models"]
            assert [row["serves"]["name"] for row in rows] == ["new"]
            assert {"nodes", "waits_for"} <= rows[0].keys()
            went = await run("back", TASK, *home, "--json")
            assert json.loads(went.output)["task"] == TASK
            await nodes.until(lambda: serves(nodes["phone"]) == serves(nodes["home"]) == OLD)
            again = rows[0]["serves"]["identity"][:10]
            assert (await run("use", TASK, again, *home)).exit_code == 0
            await nodes.until(lambda: serves(nodes["phone"]) == NEW)
            for words in (["add", new], ["use", TASK], ["back", TASK]):
                refused = await run(*words, *phone)
                assert isinstance(refused.exception, InputError)
                assert "home" in refused.exception.message

    asyncio.run(main())


def test_a_restored_home_hears_from_its_members_what_it_ordered(
    household: Any, tmp_path: Path
) -> None:
    """Models are in no backup; and its next order counts, although it had forgotten the last ones."""

    async def main() -> None:
        async with household(phone="phone") as nodes:
            for data in (OLD, NEW):
                await give(nodes, tmp_path / "files", data, "home", "phone")
            await nodes.down("home")
            shutil.rmtree(nodes["home"].paths.models)
            await nodes.up("home")
            await nodes.until(lambda: serves(nodes["home"]) == NEW)
            third = model("third")
            await give(nodes, tmp_path / "files", third, "home", "phone")
            await nodes.ask("home", "model-back", task=TASK)
            await nodes.until(lambda: serves(nodes["phone"]) == serves(nodes["home"]) == NEW)

    asyncio.run(main())


def test_a_restored_home_that_meets_nobody_orders_after_what_it_forgot(
    household: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            await give(nodes, tmp_path / "files", OLD, "home", "phone")
            nodes.hub.cut("home", "phone")
            await nodes.down("home")
            shutil.rmtree(nodes["home"].paths.models)
            await nodes.up("home")
            assert nodes["home"].part(Models).shelf.known() == {}
            await nodes.ask("home", "model-add", **own(tmp_path, "new.student", NEW))
            nodes.hub.heal("home", "phone")
            await nodes.until(lambda: serves(nodes["phone"]) == serves(nodes["home"]) == NEW)

    asyncio.run(main())


def test_what_comes_with_hearthway_serves_until_the_household_says_otherwise(
    household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = tmp_path / "brought"
    brought.mkdir()
    (brought / f"{TASK}.student").write_bytes(OLD)
    monkeypatch.setattr("hearthway.app.models.SHIPPED", brought)

    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"].part(Models)
            identity = hashlib.sha256(OLD).hexdigest()
            assert phone.load(TASK) == (identity, OLD)
            assert phone.load("other") is None
            assert phone.load("../brought/ask") is None
            assert phone.by_identity(identity) == OLD
            assert phone.by_identity("0" * 64) is None
            row = (await nodes.ask("phone", "models"))["models"][0]
            assert (row["task"], row["serves"]["identity"]) == (TASK, "")
            await give(nodes, tmp_path / "files", NEW, "home", "phone")
            assert phone.by_identity(hashlib.sha256(NEW).hexdigest()) == NEW
            await nodes.ask("home", "model-back", task=TASK)
            await nodes.until(lambda: serves(nodes["phone"]) == OLD)

    asyncio.run(main())
