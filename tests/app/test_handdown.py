"""A device goes to somebody else: without what it holds, what was granted to it, and what was agreed on it."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hearthway.app.config import load_config, save_config
from hearthway.app.consents import Consenting
from hearthway.app.granting import Granting
from hearthway.app.membership import Membership
from hearthway.app.node import open_node
from hearthway.app.paths import NodePaths
from hearthway.app.wiping import erase_node, is_handed_down, mark_handed_down
from hearthway.cli.main import cli
from hearthway.mesh.policy import grants
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.identity import device_key
from hearthway.records.errors import ConfigError, HearthwayError, IdentityError
from hearthway.records.household import HouseholdPerson, PersonKind
from hearthway.records.signals import Fix, Signal

PEOPLE = {"anna-old": ("anna", "adult"), "ben-phone": ("ben", "adult")}
ROLES = dict.fromkeys(PEOPLE, "phone")
PLANTED = "Quarry-by-the-lake"
KEY = "Home.Climate.Temperature"


def live(store: Store, person: str = "anna", name: str = "Anna") -> None:
    """A life on a device: somebody, where they were, what they were shown."""
    store.add_person(name, person)
    store.add_fixes(person, [Fix(time_s=1.0e9 + n, lat=60.1, lon=24.9) for n in range(20)], "gpx")
    store.add_event("surface", person, 1.0e9, PLANTED.encode(), suggestion_id="s-1")


def holds(path: Path, words: str) -> bool:
    return any(words.encode() in f.read_bytes() for f in path.rglob("*") if f.is_file())


def person_of(nodes: Any, device: str) -> str | None:
    member = nodes["home"].mesh.identity.roster.member(device)
    return None if member is None else str(member.person)


def test_a_device_is_not_made_anothers_with_what_is_on_it(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES, new="phone", car="car") as nodes:
            live(nodes["anna-old"].store)
            await nodes.ask("home", "people-add", person="kim", kind="child")
            for device, person in (
                ("new", "kim"),
                ("car", "anna"),
            ):  # the control: nobody's devices
                await nodes.ask("home", "people-assign", device=device, person=person)
                assert person_of(nodes, device) == person
            for device, whose in (("anna-old", "anna"), ("car", "anna")):
                for person in ("kim", "ben", ""):
                    for erase in (False, True):  # which is for the home itself
                        with pytest.raises(HearthwayError, match="go along with it") as refused:
                            await nodes.ask(
                                "home", "people-assign", device=device, person=person, erase=erase
                            )
                        assert "hand-down" in refused.value.next_step
                assert person_of(nodes, device) == whose
            key = device_key(nodes["anna-old"].paths.keys)
            kim = HouseholdPerson(person_id="kim", kind=PersonKind.CHILD)
            with pytest.raises(IdentityError, match="go along with it"):  # nor by pairing it again
                nodes.root.admit(
                    request(key, "anna-old"), "anna-old", "phone", time.time(), "", person=kim
                )
            with pytest.raises(IdentityError, match="go along with it"):
                nodes.root.introduce("anna-old", "kim", PersonKind.CHILD)
            assert person_of(nodes, "anna-old") == "anna"
            assert len(list(nodes["anna-old"].store.fixes("anna"))) == 20

    asyncio.run(main())


def test_a_phone_that_says_it_is_one_persons_is_not_made_anothers(household: Any) -> None:
    """It is nobody's on the list, and a life is on it: the home has heard whose."""

    async def main() -> None:
        async with household(people={"ben-phone": ("ben", "adult")}, **ROLES) as nodes:
            live(nodes["anna-old"].store)
            await nodes.down("anna-old")
            await nodes.up("anna-old")
            await nodes.until(lambda: nodes["home"].part(Membership).asked == {"anna-old": "anna"})
            with pytest.raises(HearthwayError, match="says that it is anna's"):
                await nodes.ask("home", "people-assign", device="anna-old", person="ben")
            assert person_of(nodes, "anna-old") == ""
            await nodes.ask("home", "people-add", person="anna", kind="adult")  # the control
            assert person_of(nodes, "anna-old") == "anna"

    asyncio.run(main())


def test_handed_down_it_is_a_new_device(household: Any, tmp_path: Path) -> None:
    """Nothing of the former person's is on it, none of their grants and consents count for the next."""
    path = tmp_path / "anna-old"

    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            old, home = nodes["anna-old"], nodes["home"]
            live(old.store)
            home.part(Granting).sensed(
                [Signal(key=KEY, value=21.5, time_s=time.time(), unit="celsius", source="home")]
            )
            until = (datetime.now() + timedelta(days=1)).strftime("%Y-%m-%d")
            given = await nodes.ask(
                "home", "grant-give", keys=["Home.Climate.*"], operation="read", to="anna-old",
                until=until, zone="Europe/Helsinki",
            )  # fmt: skip
            reads = {"key": KEY, "from": "home"}
            assert (await nodes.ask("anna-old", "grant-read", **reads))["value"] == 21.5
            agreed = await nodes.ask(
                "anna-old", "consent-give", to="ben", keys=["Person.Location.*"], purpose="share"
            )
            ben = nodes["ben-phone"].part(Consenting)
            await nodes.until(lambda: [c.state for c in ben.found()] == ["waiting"])
            await nodes.ask("ben-phone", "consent-accept", id=agreed["id"])
            await nodes.until(lambda: [c.state for c in ben.found()] == ["in force"])
            assert holds(path, PLANTED)  # the control
            before = device_key(old.paths.keys).private_numbers().private_value
            await nodes.hand_down("anna-old")
            assert not holds(path, PLANTED)
            assert {p.name for p in path.iterdir()} == {"node.toml", "rules.toml"}
            await nodes.until(lambda: person_of(nodes, "anna-old") is None)
            await nodes.until(lambda: ben.found() == [])  # what was agreed on it counts no longer
            granted = grants.said(grants.from_text(given["token"])).grant_id
            assert granted in home.mesh.identity.roster.revoked_grants

            await nodes.admit("anna-old", "phone", "kim", "child")
            await nodes.reach("anna-old", "home", "ben-phone")
            kims = nodes["anna-old"]
            assert person_of(nodes, "anna-old") == "kim"
            assert device_key(kims.paths.keys).private_numbers().private_value != before
            assert kims.store.persons() == []
            assert [c.state for c in kims.part(Consenting).found()] == []
            await nodes.ask("anna-old", "grant-keep", token=given["token"])  # its letters were kept
            with pytest.raises(HearthwayError, match="do not let"):
                await nodes.ask("anna-old", "grant-read", **reads)
            assert (
                home.mesh.identity.roster.person("anna") is not None
            )  # she stays in the household

    asyncio.run(main())


def test_a_device_that_was_put_out_leaves_its_grants(household: Any) -> None:
    """Whatever is paired under its name later has no right to them."""

    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            until = (datetime.now() + timedelta(days=1)).strftime("%Y-%m-%d")
            ids = {}
            for name in ROLES:
                given = await nodes.ask(
                    "home", "grant-give", keys=[KEY], operation="read", to=name, until=until
                )
                ids[name] = grants.said(grants.from_text(given["token"])).grant_id
            await nodes.ask("home", "revoke", device="anna-old")
            revoked = nodes["home"].mesh.identity.roster.revoked_grants
            assert revoked == (ids["anna-old"],)
            await nodes.ask("home", "people-remove", person="ben")
            revoked = nodes["home"].mesh.identity.roster.revoked_grants
            assert set(revoked) == set(ids.values())

    asyncio.run(main())


def test_a_lost_phone_is_put_out_also_where_the_list_of_grants_is_damaged(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            path = nodes["home"].paths.keys / "grants.bin"
            path.write_bytes(b"junk")
            await nodes.ask("home", "revoke", device="anna-old")
            roster = nodes["home"].mesh.identity.roster
            assert roster.member("anna-old") is None
            assert roster.member("ben-phone") is not None  # the control
            assert path.read_bytes() == b"junk"  # left as it is

    asyncio.run(main())


def test_without_the_home_nothing_is_erased(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            live(nodes["anna-old"].store)
            await nodes.down("home")
            await nodes.until(lambda: not nodes["anna-old"].mesh.ready("home"))
            with pytest.raises(HearthwayError, match="nothing was erased"):
                await nodes.ask("anna-old", "people-hand-down")
            assert len(list(nodes["anna-old"].store.fixes("anna"))) == 20
            assert not is_handed_down(nodes["anna-old"].paths)
            await nodes.up("home")
            await nodes.reach("anna-old", "home")
            await nodes.hand_down("anna-old")  # the control
            assert not nodes["anna-old"].paths.database.exists()

    asyncio.run(main())


def test_an_older_home_is_named(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            live(nodes["anna-old"].store)
            nodes["home"].mesh._answerer._servers.pop("Household.HandDown")
            with pytest.raises(HearthwayError, match="too old") as refused:
                await nodes.ask("anna-old", "people-hand-down")
            assert "hearthway revoke anna-old" in refused.value.next_step
            assert nodes["anna-old"].paths.database.exists()
            await nodes.ask("home", "revoke", device="anna-old")
            await nodes.until(lambda: nodes["anna-old"].mesh is None)
            await nodes.hand_down("anna-old")  # as it says
            assert not nodes["anna-old"].paths.database.exists()

    asyncio.run(main())


def test_killed_on_the_way_it_is_erased_before_anything_else(
    household: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            live(nodes["anna-old"].store)
            await nodes.down("anna-old")
            paths = nodes["anna-old"].paths
            config = load_config(paths.config)
            web = type(config.web)(listen="off", token="t" * 20)
            save_config(paths, type(config)(node=config.node, mesh=config.mesh, web=web))
            mark_handed_down(paths)
            await nodes.up("anna-old")
            assert not holds(tmp_path / "anna-old", PLANTED)
            assert nodes["anna-old"].store.persons() == []
            assert not (await nodes.ask("anna-old", "status"))["paired"]
            kept = load_config(paths.config)
            assert (kept.node, kept.mesh) == (config.node, config.mesh)
            assert len(kept.web.token) >= 16
            assert kept.web.token != web.token  # its former owner knows that one

    asyncio.run(main())


def test_a_second_start_beside_a_node_that_ends_erases_nothing_under_it(
    household: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            live(nodes["anna-old"].store)
            paths = nodes["anna-old"].paths
            mark_handed_down(paths)
            at = ["up", "--data", str(paths.root)]
            second = await asyncio.to_thread(CliRunner().invoke, cli, at)
            assert "running already" in str(second.exception)
            assert is_handed_down(paths)
            assert len(nodes["anna-old"].store.persons()) == 1
            await nodes.down("anna-old")
            await asyncio.to_thread(open_node, paths)  # the control
            assert not paths.database.exists()

    asyncio.run(main())


def test_what_does_not_go_is_said_and_it_goes_later(tmp_path: Path, monkeypatch: Any) -> None:
    from hearthway.app import wiping
    from hearthway.app.config import Config, NodeTable
    from hearthway.records.household import Role

    paths = NodePaths(tmp_path)
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE)))
    for file in (paths.database, paths.commands):
        file.write_bytes(PLANTED.encode())
    mark_handed_down(paths)

    def full(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as broken:
        broken.setattr(wiping, "_overwrite", full)
        with pytest.raises(ConfigError, match="not erased yet"):
            wiping.erase_node(paths)
    assert is_handed_down(paths)
    wiping.erase_node(paths)
    assert not is_handed_down(paths)
    assert [p.name for p in tmp_path.iterdir()] == ["node.toml"]


def test_a_phone_that_holds_another_persons_life_says_so(household: Any) -> None:
    """One that was made another's before that was refused, or whose list came from an older home."""

    async def main() -> None:
        async with household(people={"ben-phone": ("ben", "adult")}, **{"ben-phone": "phone"}) as n:
            live(n["ben-phone"].store)
            state = await n.ask("ben-phone", "status")
            assert not state["healthy"]
            assert state["problem"] == "This phone is listed as ben's, and holds the data of Anna."
            assert "hand-down" in state["next"]
            n["ben-phone"].store.add_person("Ben", "ben")  # the control: his own is there
            assert (await n.ask("ben-phone", "status"))["healthy"]

    asyncio.run(main())


def test_the_home_erases_where_it_stands(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            home = nodes["home"]
            for person, name in (("anna", "Anna"), ("ben", "Ben")):
                live(home.store, person, name)
            await nodes.ask("home", "people-assign", device="home", person="anna")
            with pytest.raises(HearthwayError, match="go along with it"):
                await nodes.ask("home", "people-assign", device="home", person="ben")
            assert len(list(home.store.fixes("anna"))) == 20
            await nodes.ask("home", "people-assign", device="home", person="anna", erase=True)
            assert len(list(home.store.fixes("anna"))) == 20  # hers already
            await nodes.ask("home", "people-assign", device="home", person="ben", erase=True)
            assert person_of(nodes, "home") == "ben"
            assert list(home.store.fixes("anna")) == []
            assert len(list(home.store.fixes("ben"))) == 20

    asyncio.run(main())


def test_the_verb_exports_first_or_is_told_not_to(household: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            live(nodes["anna-old"].store)
            at = ["--data", str(tmp_path / "anna-old")]

            async def run(*words: str, said: str = "y\n") -> Result:
                return await asyncio.to_thread(
                    CliRunner().invoke, cli, ["people", "hand-down", *words, *at], input=said
                )

            for words in ((), ("--no-export", "--export", "x")):
                refused = await run(*words)
                assert refused.exit_code != 0
                assert "Everything that this device holds" in str(refused.exception)
            assert (await run("--no-export", said="n\n")).exit_code != 0
            assert nodes["anna-old"].paths.database.exists()
            ending = asyncio.create_task(run("--export", str(tmp_path / "mine")))
            await nodes.tasks.pop("anna-old")
            await asyncio.sleep(0.3)
            erase_node(nodes["anna-old"].paths)  # as the end of `hearthway up`
            done = await ending
            assert done.exit_code == 0, done.output
            assert "it is erased" in done.stdout
            assert "60.1" in (tmp_path / "mine" / "anna-old.json").read_text()
            assert not nodes["anna-old"].paths.database.exists()

    asyncio.run(main())
