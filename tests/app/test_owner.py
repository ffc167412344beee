"""Whose phone it is: whom the household's list names, whatever other people's data lies on it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.membership import owner_of
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.phone import PhoneNode
from hearthway.cli.forget import command as forget
from hearthway.cli.import_ import command as import_
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError, InputError, StoreError
from hearthway.records.household import Role
from hearthway.records.life import Person


def _thinks_for(phone: PhoneNode) -> str:
    return "" if phone.brain is None else phone.brain.person.person_id


def test_the_households_list_says_whose_phone_it_is(household: Any) -> None:
    async def main() -> None:
        async with household(people={"phone": ("zoe", "adult")}, phone="phone") as nodes:
            phone = nodes["phone"]
            assert isinstance(phone, PhoneNode)
            phone.store.add_person("Anna", "anna")  # first by name: somebody else's history
            assert owner_of(phone) == "anna"  # nobody else is known here yet
            phone.store.add_person("Zoe", "zoe")
            assert owner_of(phone) == "zoe"
            assert (await nodes.ask("phone", "people"))["owner"] == "zoe"
            await nodes.down("phone")
            await nodes.up("phone")
            phone = nodes["phone"]
            assert isinstance(phone, PhoneNode)
            await nodes.until(lambda: _thinks_for(phone) == "zoe")

    asyncio.run(main())


def test_a_phone_of_no_household_is_the_first_persons(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            assert owner_of(phone) is None
            assert owner_of(nodes["home"]) is None
            phone.store.person_no("somebody-in-the-car")  # only ever an id: nobody who lives here
            assert owner_of(phone) is None
            phone.store.add_person("Zoe", "zoe")
            phone.store.add_person("Anna", "anna")
            assert owner_of(phone) == "zoe"

    asyncio.run(main())


def _history(file: Path, days: int = 5) -> Path:
    rows = ["lat,lng,datetime"]
    for day in range(1, days + 1):
        for hour in range(24):
            lat = 60.17 if 8 <= hour < 16 else 60.20
            rows.append(f"{lat},24.94,2025-03-{day:02d}T{hour:02d}:00:00Z")
    file.write_text("\n".join(rows))
    return file


def _alone(root: Path) -> NodePaths:
    paths = NodePaths(private_dir(root / "alone"))
    save_config(
        paths,
        Config(
            node=NodeTable(id="alone", role=Role.PHONE),
            mesh=MeshTable(listen="127.0.0.1:1"),
            map=MapTable(atlas="none"),
        ),
    )
    return paths


async def _cli(verb: click.Command, *words: str | Path) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, verb, [str(word) for word in words])


def test_somebody_elses_history_is_refused_and_changes_nothing(
    household: Any, tmp_path: Path
) -> None:
    """With the phone running and not: names it, stores nothing, and the owner's own comes in as before."""
    mine, hers = _history(tmp_path / "mine.csv"), _history(tmp_path / "hers.csv", 9)
    paths = _alone(tmp_path)

    async def main() -> None:
        async with household() as nodes:
            await nodes.up("alone")
            phone = nodes["alone"]
            assert isinstance(phone, PhoneNode)
            await nodes.ask("alone", "import", file=str(mine), name="Me")
            (me,) = phone.store.persons()
            for refused in ({"name": "Anna"}, {"name": "Me", "person_id": "another"}):
                with pytest.raises(HearthwayError, match="This is Me's phone") as caught:
                    await nodes.ask("alone", "import", file=str(hers), **refused)
                assert "Nothing was taken in" in caught.value.next_step
            assert phone.store.persons() == [me]
            assert _thinks_for(phone) == me.person_id
            again = await nodes.ask("alone", "import", file=str(hers), name=" ME ")
            assert (again["fixes"], again["duplicates"]) == (4 * 24, 5 * 24)
            await nodes.down("alone")

    asyncio.run(main())
    done = CliRunner().invoke(import_, [str(hers), "--person", "Anna", "--data", str(paths.root)])
    assert isinstance(done.exception, HearthwayError)
    assert "This is Me's phone" in done.exception.message
    with Store.open(paths.database, node_id="alone") as store:
        assert [one.name for one in store.persons()] == ["Me"]
    done = CliRunner().invoke(import_, [str(hers), "--person", "me", "--data", str(paths.root)])
    assert "0 fixes are new" in done.output


def test_a_name_is_given_to_an_owner_who_was_only_an_id(household: Any, tmp_path: Path) -> None:
    """A phone that was made to forget its owner still stands in the household's list as theirs."""
    file = _history(tmp_path / "zoe.csv")

    async def main() -> None:
        async with household(people={"phone": ("zoe", "adult")}, phone="phone") as nodes:
            nodes["phone"].store.person_no("zoe")
            await nodes.ask("phone", "import", file=str(file), name="Zoe")
            assert nodes["phone"].store.persons() == [Person(person_id="zoe", name="Zoe")]

    asyncio.run(main())


def test_who_was_forgotten_here_and_comes_back_is_whom_the_list_names(
    household: Any, tmp_path: Path
) -> None:
    """With another id the household would know two of one person, and the phone be theirs no more."""
    file = _history(tmp_path / "zoe.csv")

    async def main() -> None:
        async with household(people={"phone": ("zoe", "adult")}, phone="phone") as nodes:
            assert nodes["phone"].store.persons() == []
            await nodes.ask("phone", "import", file=str(file), name="Zoe")
            assert nodes["phone"].store.persons() == [Person(person_id="zoe", name="Zoe")]

    asyncio.run(main())


def test_an_owner_may_be_said_by_id(household: Any, tmp_path: Path) -> None:
    file = _history(tmp_path / "zoe.csv")

    async def main() -> None:
        async with household(people={"phone": ("a1b2", "adult")}, phone="phone") as nodes:
            first = await nodes.ask("phone", "import", file=str(file), name="Zoe")
            again = await nodes.ask("phone", "import", file=str(file), name="A1B2")
            assert (again["fixes"], again["duplicates"]) == (0, first["fixes"])
            assert nodes["phone"].store.persons() == [Person(person_id="a1b2", name="Zoe")]

    asyncio.run(main())


def test_a_running_phone_of_no_household_forgets_and_says_what(
    household: Any, tmp_path: Path
) -> None:
    file, paths = _history(tmp_path / "mine.csv"), _alone(tmp_path)

    async def main() -> None:
        async with household() as nodes:
            await nodes.up("alone")
            phone = nodes["alone"]
            assert isinstance(phone, PhoneNode)
            await nodes.ask("alone", "import", file=str(file), name="Me")
            done = await _cli(forget, "2025-03-01..2025-03-02", "--yes", "--data", paths.root)
            assert done.exit_code == 0, done.output
            assert (
                "alone    erased 46 fixes" in done.output
            )  # they begin at 02:00 by the clock there
            assert _thinks_for(phone)  # the control: who lives here still does
            done = await _cli(forget, "Me", "--yes", "--data", paths.root)
            assert done.exit_code == 0, done.output
            assert "74 fixes" in done.output
            assert not _thinks_for(phone)
            await nodes.down("alone")

    asyncio.run(main())


def test_what_was_erased_is_told_though_learning_again_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, paths = _history(tmp_path / "mine.csv"), _alone(tmp_path)
    CliRunner().invoke(import_, [str(file), "--person", "Me", "--data", str(paths.root)])

    def full(_: object) -> None:
        raise StoreError("The disk is full.", "Make room.")

    monkeypatch.setattr("hearthway.cli.forget.relearn_everywhere", full)
    done = CliRunner().invoke(
        forget, ["2025-03-01..2025-03-02", "--yes", "--data", str(paths.root)]
    )
    assert isinstance(done.exception, StoreError)
    assert "46 fixes" in done.output


@pytest.mark.parametrize("role", ["car", "home"])
def test_what_is_no_phone_takes_no_history_in(tmp_path: Path, role: str) -> None:
    paths = NodePaths(private_dir(tmp_path / role))
    save_config(paths, Config(node=NodeTable(id=role, role=Role(role))))
    file = _history(tmp_path / "mine.csv")
    done = CliRunner().invoke(import_, [str(file), "--person", "Me", "--data", str(paths.root)])
    assert isinstance(done.exception, InputError)
    assert f"{role} is a {role}" in done.exception.message
    assert not paths.database.exists()
