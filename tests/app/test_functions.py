"""A function of the household's: spread and tried as a model, computed where its rules let it, and nowhere by one that cannot."""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import wasmtime
from click.testing import CliRunner, Result
from tests.mesh.test_offload_function import LOOP, module

from hearthway.app import model_check, offload_contents
from hearthway.app.functions import INPUT, KEY_MAX
from hearthway.app.lending import Lending
from hearthway.app.member import Member
from hearthway.app.model_check import ChildCheck
from hearthway.app.model_words import lines_of
from hearthway.app.models import Models
from hearthway.app.offload import Offloading
from hearthway.app.offload_contents import Contents
from hearthway.app.offload_jobs import FACTORY, FUNCTION, made
from hearthway.app.ruling import Ruling
from hearthway.app.worker import Worker
from hearthway.cli.main import cli
from hearthway.mesh.offload.placement import PROVEN, Choice
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.shelf import UnfitError
from hearthway.records.errors import HearthwayError, InputError, StoreError
from hearthway.records.offload import INPUT_MAX_BYTES, KEYS_MAX, Job

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "offload.md"
NAME, SPEED = "function.speeds", "Vehicle.Speed"
ANNA = {"phone": ("anna", "adult")}
CHECK = ChildCheck()
SPEEDS = bytes([0] * 30 + [35] * 20 + [119] * 10 + [250])


def speeds() -> bytes:
    """The function that the page shows, made as the page says."""
    [text] = re.findall(r"^```wat\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return bytes(wasmtime.wat2wasm(text))


def tens(output: bytes) -> dict[int, int]:
    """How often, by tens of km/h."""
    counts = [int.from_bytes(output[at : at + 4], "little") for at in range(0, len(output), 4)]
    return {10 * ten: count for ten, count in enumerate(counts) if count}


@asynccontextmanager
async def owning(household: Any, path: Path, data: bytes) -> AsyncIterator[Any]:
    """Car, phone and home have that function, as `hearthway models add` gives it to them."""
    file = path / "speeds.wasm"
    file.write_bytes(data)
    async with household(people=ANNA, phone="phone", car="car") as nodes:
        for name, part in (("phone", Lending), ("car", Offloading)):
            nodes[name].part(part).worker = Worker(FACTORY, json.dumps({"atlas": "none"}))
        await nodes.ask("home", "model-add", file=str(file), own=True, task=NAME)
        identity = hashlib.sha256(data).hexdigest()
        for name in ("home", "phone", "car"):
            models = nodes[name].part(Models)
            await nodes.until(lambda m=models: m.shelf.serving(NAME) == identity, 60.0)
        yield nodes


async def compute(nodes: Any, given: bytes = SPEEDS, **fields: Any) -> dict[str, Any]:
    """One request, as the command line makes it."""
    asked = {"name": NAME, "made_of": [SPEED], "within_s": 20.0} | fields
    text = base64.b64encode(given).decode()
    found: dict[str, Any] = await nodes.ask("car", "compute", input=text, **asked)
    return found | {"output": base64.b64decode(found["output"])}


def let(nodes: Any, *keys: str) -> None:
    """A rule lets what was made of these be computed on the phone."""
    for name in ("car", "phone"):
        rules = nodes[name].part(Ruling).rules
        more = [
            msgspec.structs.replace(one, keys=(*one.keys, *keys))
            for one in rules.rules
            if one.id == "computed-by-phone"
        ]
        assert more
        others = [one for one in rules.rules if one.id != "computed-by-phone"]
        nodes[name].mesh.use_rules(Rules([*others, *more], collect=rules.collect))


def test_the_pages_function_is_spread_tried_and_computed_where_the_rules_let_it(
    household: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with owning(household, tmp_path, speeds()) as nodes:
            car: Offloading = nodes["car"].part(Offloading)
            [row] = [
                one for one in (await nodes.ask("car", "models"))["models"] if one["task"] == NAME
            ]
            assert row["serves"]["name"] == "speeds"
            found = await compute(nodes)
            assert (found["computed_by"], tens(found["output"])) == (
                "car",
                {0: 30, 30: 20, 110: 10, 250: 1},
            )
            assert "rules" in found["not_asked"]["phone"], "speed is of no rule's task"
            let(nodes, SPEED)
            await compute(nodes)
            await nodes.until(lambda: car.placement.knows_terms("phone", time.monotonic()))
            job = Job(FUNCTION, hashlib.sha256(speeds()).hexdigest())
            assert job in car.placement._devices["phone"].terms.jobs  # type: ignore[union-attr]
            known = car.placement._devices["phone"].known(job)
            for _ in range(PROVEN):
                seen = known.same
                assert (await compute(nodes))["output"] == found["output"]
                await nodes.until(lambda seen=seen: known.same > seen)
            whole = car.run
            car.run = functools.partial(whole, place=lambda _: Choice("phone", None, 9.0))  # type: ignore[method-assign]
            there = await compute(nodes)
            assert (there["computed_by"], there["output"]) == ("phone", found["output"])
            node = nodes["car"]
            assert isinstance(node, Member)
            receipts = [one for _, one in node.receipts.chain.receipts() if one is not None]
            assert len(receipts) == PROVEN + 1, "of each whose input went, whoever answered"
            for receipt in receipts:
                assert {c.key for c in receipt.crossings} == {"Offload.Run", SPEED}
                assert {(c.stage, c.code) for c in receipt.computations} == {
                    (FUNCTION, job.identity)
                }
                assert receipt.measured.bytes_to["phone"] > 0
            ran = [[(c.node, c.used) for c in one.computations] for one in receipts]
            assert ran == [*[[("car", True), ("phone", False)]] * PROVEN, [("phone", True)]], (
                "who was only given the input is told from whose answer it is"
            )

    asyncio.run(main())


def test_a_phone_that_cannot_run_it_is_not_asked_nor_one_that_makes_something_else_of_it(
    household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with owning(household, tmp_path, module()) as nodes:
            let(nodes, SPEED)
            car: Offloading = nodes["car"].part(Offloading)
            lending: Lending = nodes["phone"].part(Lending)
            with monkeypatch.context() as bare:
                bare.setattr(offload_contents, "runs_functions", lambda: False)
                assert not [one for one in (await lending.terms()).jobs if one.kind == FUNCTION]
                await compute(nodes, b"a")
                await nodes.until(lambda: car.placement.knows_terms("phone", time.monotonic()))
                found = await compute(nodes, b"a")
            assert (found["computed_by"], found["output"]) == ("car", b"a")
            assert "not the same function" in found["not_asked"]["phone"]
            lending.contents = Contents(nodes["phone"])  # as after a restart, with wasmtime
            car.placement.told("phone", await lending.terms(), time.monotonic())
            honest = lending._computed

            async def lying(sender: str, task: Any) -> Any:
                return msgspec.structs.replace(await honest(sender, task), output=b"b")

            lending._computed = lying  # type: ignore[method-assign]
            assert (await compute(nodes, b"a"))["output"] == b"a"
            await nodes.until(lambda: bool(car.placement._devices["phone"].lied))
            assert "another than this" in (await compute(nodes, b"a"))["not_asked"]["phone"]

    asyncio.run(main())


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": "ask"}, "is no function"),
    "another": ({"name": "function.other"}, "no function of the name"),
    "no time": ({"within_s": 0}, "no deadline"),
    "no end": ({"within_s": "inf"}, "no deadline"),
    "no number": ({"within_s": "nan"}, "no deadline"),
    "many keys": ({"made_of": ["a"] * (KEYS_MAX + 1)}, "made of"),
    "a long key": ({"made_of": ["a" * (KEY_MAX + 1)]}, "made of"),
    "no keys": ({"made_of": [7]}, "made of"),
}


def test_what_is_no_request_is_said_and_an_endless_function_has_an_end(
    household: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with owning(
            household,
            tmp_path,
            module(f"(if (i32.eq (local.get 0) (i32.const 7)) (then {LOOP} drop)) i32.const 0"),
        ) as nodes:
            for name, (fields, words) in WRONG.items():
                with pytest.raises(HearthwayError, match=words):
                    await compute(nodes, b"", **fields)
                assert name
            for told in ("&", "YQ"):
                with pytest.raises(HearthwayError, match="no input"):
                    await nodes.ask("car", "compute", name=NAME, input=told)
            begun_s = time.monotonic()
            with pytest.raises(HearthwayError, match=r"not done within 0\.5 s"):
                await compute(nodes, bytes(7), within_s=0.5)  # no size that is tried
            assert time.monotonic() - begun_s < 10.0
            assert (await compute(nodes, b""))["output"] == b""  # the control

    asyncio.run(main())


def test_the_verb_writes_what_came_out_and_what_is_of_nothing_named_stays_in_the_car(
    household: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with owning(household, tmp_path, module()) as nodes:
            given, out = tmp_path / "given.bin", tmp_path / "out.bin"
            given.write_bytes(b"\0\xff\n")

            async def run(*words: str, stdin: bytes = b"") -> Result:
                argv = ["compute", *words, "--data", str(nodes["car"].paths.root)]
                return await asyncio.to_thread(CliRunner().invoke, cli, argv, input=stdin)

            told = await run(NAME, "--input", str(given), "--out", str(out), "--deadline-s", "20")
            assert (told.exit_code, out.read_bytes()) == (0, b"\0\xff\n"), told.output
            assert "computed by car in" in told.stderr
            told = await run(NAME, "--deadline-s", "20", stdin=b"ab")
            assert told.stdout_bytes == b"ab"
            told = await run(NAME, "--json", "--deadline-s", "20", stdin=b"ab")
            assert base64.b64decode(json.loads(told.stdout)["output"]) == b"ab"
            given.write_bytes(bytes(INPUT_MAX_BYTES + 1))
            told = await run(NAME, "--input", str(given))
            assert isinstance(told.exception, InputError)
            car: Offloading = nodes["car"].part(Offloading)
            assert "rules" in (await compute(nodes, b"a", made_of=[]))["not_asked"]["phone"]
            assert car._helpers((INPUT,), "anna")["phone"].why_not
            assert not car._helpers(("Task.Target",), "anna")["phone"].why_not  # the control
            let(nodes, INPUT)
            assert not car._helpers((INPUT,), "anna")["phone"].why_not

    asyncio.run(main())


# the check, and the worker ----------------------------------------------------------------------------------------


def test_the_check_tries_it_on_drawn_bytes_and_keeps_what_came_out() -> None:
    golden = CHECK.golden(NAME, module())
    CHECK(NAME, module(), golden)
    assert golden == CHECK.golden(NAME, module())
    with pytest.raises(UnfitError, match="other bits"):
        CHECK(NAME, module("i32.const 1"), golden)
    refusing = CHECK.golden(NAME, module("unreachable"))
    CHECK(NAME, module("unreachable"), refusing)  # some take no drawn bytes at all
    for data, words in ((module()[:-1], "no sound"), (b"\x89HWS\r\n\x1a\n", "no WebAssembly")):
        with pytest.raises(UnfitError, match=words):
            CHECK.golden(NAME, data)
    with pytest.raises(UnfitError, match="It is a function, and speeds is") as named:
        CHECK.golden("speeds", module())
    assert "--task function.speeds" in named.value.next_step


def test_without_wasmtime_it_is_not_tried_and_nothing_is_held_against_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    golden = CHECK.golden(NAME, module())
    monkeypatch.setattr(model_check, "runs_functions", lambda: False)
    with pytest.raises(StoreError, match="needs wasmtime"):
        CHECK(NAME, module(), golden)


def test_until_one_is_here_none_serves() -> None:
    row: dict[str, Any] = {
        "task": NAME,
        "serves": {"identity": ""},
        "next": None,
        "problem": "",
        "nodes": [],
    }
    assert lines_of(row) == [f"{NAME}: none yet"]
    assert lines_of(row | {"task": "ask"}) == ["ask: as shipped"]


def test_another_file_is_no_job() -> None:
    identity = hashlib.sha256(module()).hexdigest()
    assert made(Job(FUNCTION, identity), module())(b"a") == b"a"
    with pytest.raises(InputError, match="not the function"):
        made(Job(FUNCTION, identity), module() + b"\0")


def test_in_the_worker_it_has_its_cpu_its_memory_and_is_called_off() -> None:
    async def main() -> None:
        worker = Worker(FACTORY, json.dumps({"atlas": "none"}))

        async def run(data: bytes, given: bytes = b"a", **how: Any) -> Any:
            job = Job(FUNCTION, hashlib.sha256(data).hexdigest())
            limits = {"cpu_s": 20.0, "within_s": 30.0, "own": True} | how
            return (await worker.run(job, given, content=data, **limits))[0]

        try:
            assert (await run(module())).output == b"a"
            pid = worker.pid
            spent = await run(module(LOOP), cpu_s=0.3)
            assert "more CPU" in spent.why
            large = module(memory='(memory (export "memory") 1024)')
            for _ in range(3):
                assert (await run(large)).output == b"a"
            assert "memory" in (await run(module(memory='(memory (export "memory") 1025)'))).why
            endless = asyncio.create_task(run(module(LOOP)))
            await asyncio.sleep(0.5)
            endless.cancel()
            begun_s = time.monotonic()
            assert (await run(module())).output == b"a"
            assert time.monotonic() - begun_s < 5.0
            assert worker.pid == pid, "whatever it was, the process goes on"
            nested = "(func (param i32) {}{})".format(
                "(block (br_if 0 (local.get 0))" * 30_000, ")" * 30_000
            )
            slow = await run(module(more=nested), within_s=0.2)  # to compile
            assert "longer" in slow.why
            assert (await run(module())).output == b"a"
        finally:
            await worker.close()

    asyncio.run(main())
