"""`hearthway router` on running nodes: the home lists, writes the file, removes; the others say how they stand."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.router_up import load_router
from hearthway.cli.router import router_line
from hearthway.cli.status import lines_of
from hearthway.mesh.links.router_config import read_router
from hearthway.records.errors import HearthwayError, InputError

AT = ["10.1.0.1:7450", "10.2.0.1:7450"]


def roster(nodes: Any, name: str) -> Any:
    mesh = nodes[name].mesh
    assert mesh is not None
    return mesh.identity.roster


def _modes(path: Path) -> tuple[int, int]:
    return stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)


def test_a_router_is_added_written_again_and_removed(household: Any) -> None:
    async def main() -> None:
        async with household(car="car") as nodes:
            assert await nodes.ask("home", "routers") == {"routers": []}
            done = await nodes.ask("home", "router-add", name="cottage", addresses=AT)
            path = Path(done["file"])
            assert path == nodes.path / "home" / "routers" / "cottage.json5"
            assert await asyncio.to_thread(_modes, path) == (0o600, 0o700)
            first = await asyncio.to_thread(load_router, path)
            assert (first.name, first.listen) == ("cottage", "0.0.0.0:7450")
            assert first.members == {"home", "car"}
            await nodes.until(lambda: roster(nodes, "car").router("cottage") is not None)
            assert list(roster(nodes, "car").router("cottage").addresses) == AT

            (row,) = (await nodes.ask("home", "routers"))["routers"]
            assert not row["file_old"]
            await nodes.ask("home", "revoke", device="car")
            (row,) = (await nodes.ask("home", "routers"))["routers"]
            assert row["file_old"]  # it lets somebody in who is out
            again = await nodes.ask("home", "router-add", name="cottage", listen="10.1.0.1:7450")
            assert again["addresses"] == AT  # what is not said stays
            second = await asyncio.to_thread(load_router, path)
            assert second.members == {"home"}
            assert second.listen == "10.1.0.1:7450"
            assert second.key.private_numbers() == first.key.private_numbers()
            assert second.certificate.serial_number != first.certificate.serial_number
            (row,) = (await nodes.ask("home", "routers"))["routers"]
            assert not row["file_old"]

            await asyncio.to_thread(path.write_bytes, b"lost")
            listed = roster(nodes, "home").router("cottage")
            await nodes.ask("home", "router-add", name="cottage")
            third = await asyncio.to_thread(load_router, path)
            assert third.key.private_numbers() != first.key.private_numbers()
            assert roster(nodes, "home").is_revoked(listed.public_key)

            await nodes.ask("home", "router-remove", name="cottage")
            assert roster(nodes, "home").routers == ()
            assert not await asyncio.to_thread(path.exists)

    asyncio.run(main())


def test_what_cannot_be_is_said(household: Any) -> None:
    async def main() -> None:
        async with household(car="car") as nodes:
            for name, do, fields, words in (
                ("car", "router-add", {"name": "cottage", "addresses": AT}, "home node"),
                ("car", "router-remove", {"name": "cottage"}, "home node"),
                ("home", "router-add", {"name": "cottage"}, "--address"),
                ("home", "router-add", {"name": "../keys/x", "addresses": AT}, "small letters"),
                ("home", "router-add", {"name": "x", "addresses": ["nowhere"]}, "host:port"),
                ("home", "router-add", {"name": "x", "addresses": AT, "listen": "y"}, "host:port"),
                ("home", "router-remove", {"name": "../node"}, "lists them"),
            ):
                with pytest.raises(HearthwayError) as why:
                    await nodes.ask(name, do, **fields)
                assert words in f"{why.value.message} {why.value.next_step}", (do, fields)
            assert not (nodes.path / "home" / "routers").exists()
            assert roster(nodes, "home").routers == ()

    asyncio.run(main())


def test_an_address_of_the_newer_kind_is_listened_at(household: Any) -> None:
    async def main() -> None:
        async with household() as nodes:
            done = await nodes.ask(
                "home", "router-add", name="cottage", addresses=["[fd00::1]:7450"]
            )
            assert done["listen"] == "[::]:7450"

    asyncio.run(main())


# the program ----------------------------------------------------------------------------------------------------------


def _run(path: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "hearthway", "router", "run", str(path), "--leash"]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=30, check=False, input="", **options
    )


def test_it_runs_until_its_leash_ends_and_says_what_is_wrong(household: Any) -> None:
    files: dict[str, Path] = {}

    async def main() -> None:
        async with household() as nodes:
            for name, at in (("here", "127.0.0.1:7459"), ("elsewhere", "192.0.2.1:7459")):
                done = await nodes.ask("home", "router-add", name=name, addresses=[at], listen=at)
                files[name] = Path(done["file"])

    asyncio.run(main())
    done = _run(files["here"])
    assert done.returncode == 0, done.stderr
    assert done.stdout == "router here is up at 127.0.0.1:7459; Ctrl-C ends it\n"
    for path, words in (
        (files["elsewhere"], "cannot listen at 192.0.2.1:7459"),
        (files["here"].with_name("missing.json5"), "cannot be read"),
    ):
        done = _run(path)
        assert done.returncode in (1, 2)
        assert words in done.stderr
        assert "  -> " in done.stderr
        assert "Traceback" not in done.stderr
    files["here"].chmod(0o644)
    with pytest.raises(InputError, match="other users"):
        load_router(files["here"])
    files["here"].chmod(0o600)
    config = json.loads(files["here"].read_text())
    config["access_control"]["default_permission"] = "allow"
    files["here"].write_text(json.dumps(config))
    with pytest.raises(InputError, match="no router's file"):
        load_router(files["here"])


def test_its_file_names_no_person_and_holds_no_key_of_the_household(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone", people={"phone": ("anna", "adult")}) as nodes:
            done = await nodes.ask("home", "router-add", name="cottage", addresses=AT)
            text = await asyncio.to_thread(Path(done["file"]).read_text)
            assert "phone" in text  # the control
            assert "anna" not in text
            mesh = nodes["home"].mesh
            keys = [mesh.identity.epoch_key, mesh.identity.key_path.read_bytes()]
            keys.append((nodes.path / "home" / "keys" / "root.key").read_bytes())
            import base64

            for key in keys:
                assert base64.b64encode(key).decode() not in text
            assert read_router(text.encode()).members == {"home", "phone"}

    asyncio.run(main())


# words ----------------------------------------------------------------------------------------------------------------


def test_status_says_how_it_stands() -> None:
    state = {"node": "phone", "role": "phone", "up": True, "paired": True, "healthy": True}
    for up, problem, words in (
        (True, "", "carries"),
        (False, "", "not in use"),
        (False, "It is away.", "It is away."),
    ):
        router = {"name": "cottage", "addresses": AT, "up": up, "problem": problem}
        assert router_line(router) == f"router cottage at {AT[0]}, {AT[1]}: {words}"
        assert f"  {router_line(router)}" in lines_of(state | {"routers": [router]})
