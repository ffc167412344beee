"""`hearthway dial`: the setting in force and what each would have meant, then another one, in node.toml and in a running phone."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.app.conftest import MakeNodes, household
from tests.replay.days import DAY_S, Diary

from hearthway.app.config import Config, MapTable, NodeTable, load_config, save_config
from hearthway.app.dial import DialDays
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.phone import PhoneNode
from hearthway.cli import dial as verb
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError
from hearthway.records.household import Role
from hearthway.records.life import Person
from hearthway.records.signals import Fix

__all__ = ["household"]
Hearthway = Callable[..., Any]
HOME, WORK = (60.17, 24.94), (60.20, 24.96)
COMMENT = "# this is mine\n"


def made_phone(root: Path, days: int, atlas: str = "none", role: Role = Role.PHONE) -> NodePaths:
    """A stopped phone that has lived so many days between home and work."""
    paths = NodePaths(private_dir(root / "phone"))
    save_config(paths, Config(node=NodeTable(id="phone", role=role), map=MapTable(atlas=atlas)))
    paths.config.write_text(COMMENT + paths.config.read_text("utf-8"), "utf-8")
    with Store.open(paths.database, node_id="phone") as store:
        person = store.add_person("Ada", "ada")
        fill(store, person, days)
    return paths


def fill(store: Store, person: Person, days: int) -> None:
    diary = Diary(HOME)
    for day in range(days):
        diary.rest(diary.local(day, 8.0))
        diary.go(WORK)
        diary.rest(diary.local(day, 16.0))
        diary.go(HOME)
        diary.rest(diary.local(day, 23.0))
    fixes = [item for item in diary.items if isinstance(item, Fix)]
    store.add_fixes(person.person_id, fixes, "test")


def test_it_shows_what_is_in_force_and_over_which_days(
    hearthway: Hearthway, tmp_path: Path
) -> None:
    paths = made_phone(tmp_path, 7)
    before = paths.config.read_bytes()
    done = hearthway("dial", "--data", paths.root)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "The dial of Ada's phone is at normal."
    assert lines[1].startswith(
        "On 7 days (12 January 2026 to 18 January 2026), as far as this phone still holds them;"
    )
    assert [line.split()[0] for line in lines[3:6]] == ["quiet", ">", "eager"]
    assert all(line.endswith("nothing was said") for line in lines[3:6])
    assert "no map" in done.out
    assert paths.config.read_bytes() == before
    told = json.loads(hearthway("dial", "--data", paths.root, "--json").out)
    assert (told["setting"], told["wanted"], told["enough"]) == ("normal", None, True)
    assert [one["dial"] for one in told["measured"]["dials"]] == ["quiet", "normal", "eager"]
    assert told["measured"]["until_s"] - told["measured"]["since_s"] > 6 * DAY_S


def test_few_days_are_unknown_and_do_not_keep_one_from_setting_it(
    hearthway: Hearthway, tmp_path: Path
) -> None:
    paths = made_phone(tmp_path, 2)
    done = hearthway("dial", "eager", "--data", paths.root)
    assert done.code == 0, done.err
    assert done.out.count("unknown") >= 6
    assert "> eager" in done.out
    assert "Fewer than 5 days tell nothing" in done.out
    assert done.out.endswith("assist.dial is eager from now on (node.toml)\n")
    assert load_config(paths.config).assist.dial == "eager"
    assert paths.config.read_text("utf-8").startswith(COMMENT)
    again = hearthway("dial", "eager", "--data", paths.root, "--json", "-")
    assert json.loads(again.out)["setting"] == "eager"
    assert again.err.endswith("assist.dial is eager already (node.toml)\n")


def test_what_cannot_be_is_refused_and_changes_nothing(
    hearthway: Hearthway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = made_phone(tmp_path, 0)
    before = paths.config.read_bytes()
    hearthway("dial", "loud", "--data", paths.root).refuses("quiet", "eager")
    hearthway("dial", "--data", paths.root).refuses("No life is known", "hearthway import")
    hearthway("dial", "--data", tmp_path / "nowhere").refuses("There is no node")
    hearthway("dial", "--data", made_phone(tmp_path / "car", 0, role=Role.CAR).root).refuses(
        "is a car"
    )
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    hearthway("dial", "quiet", "--data", paths.root).refuses("no permission")
    monkeypatch.undo()
    assert paths.config.read_bytes() == before


def test_a_map_that_is_gone_is_named(hearthway: Hearthway, tmp_path: Path) -> None:
    paths = made_phone(tmp_path, 1, atlas=str(tmp_path / "gone.atlas"))
    hearthway("dial", "--data", paths.root).refuses("gone.atlas")


@pytest.mark.parametrize(
    ("days", "atlas", "says"), [(0, "none", "No life is known"), (1, "gone.atlas", "gone.atlas")]
)
def test_a_wish_needs_no_past_days(
    hearthway: Hearthway, tmp_path: Path, days: int, atlas: str, says: str
) -> None:
    """Nothing can be measured, which is said, and the setting is another one all the same."""
    paths = made_phone(tmp_path, days, atlas=atlas if atlas == "none" else str(tmp_path / atlas))
    done = hearthway("dial", "eager", "--data", paths.root)
    assert done.code == 0, done.err
    first, last = done.out.splitlines()
    assert says in first
    assert first.endswith("So there is nothing to judge eager by.")
    assert last == "assist.dial is eager from now on (node.toml)"
    assert load_config(paths.config).assist.dial == "eager"
    told = hearthway("dial", "quiet", "--data", paths.root, "--json", "-")
    assert json.loads(told.out)["measured"] is None
    assert says in json.loads(told.out)["unknown"]
    assert load_config(paths.config).assist.dial == "quiet"


def test_a_form_that_only_its_owner_can_change_is_left_as_it_is(
    hearthway: Hearthway, tmp_path: Path
) -> None:
    paths = made_phone(tmp_path, 1)
    text = 'assist = {dial = "quiet"}\n' + paths.config.read_text("utf-8")
    paths.config.write_text(text, "utf-8")
    hearthway("dial", "eager", "--data", paths.root).refuses("only you can change")
    assert paths.config.read_text("utf-8") == text


def test_a_running_phone_goes_by_it_at_once(household: MakeNodes) -> None:
    async def main() -> None:
        async with household(phone="phone", people={"phone": ("ada", "adult")}) as nodes:
            phone = nodes["phone"]
            assert isinstance(phone, PhoneNode)
            fill(phone.store, phone.store.add_person("Ada", "ada"), 2)
            phone.wake()
            assert phone.brain is not None
            assert phone.brain.settings.dial == "normal"

            def turned() -> list[str]:
                return list(verb._set(phone.paths, load_config(phone.paths.config), "quiet"))

            assert (await asyncio.to_thread(turned))[-1] == "The running phone goes by it."
            assert phone.brain.settings.dial == "quiet"
            assert load_config(phone.paths.config).assist.dial == "quiet"
            assert phone.config.assist.dial == "quiet", "and so does a brain that is made anew"
            with pytest.raises(HearthwayError, match=r"assist\.dial"):
                await nodes.ask("phone", "dial", setting="loud")
            assert phone.brain.settings.dial == "quiet"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("on_map", "places", "says"),
    [
        (0, 1, "  The one place known is not on this phone's map"),
        (0, 2, "  None of these 2 places is on this phone's map"),
        (1, 3, "  1 of these 3 places is on this phone's map"),
        (2, 3, "  2 of these 3 places are on this phone's map"),
    ],
)
def test_how_many_places_a_map_holds_is_said_as_people_say_it(
    on_map: int, places: int, says: str
) -> None:
    found = DialDays(
        days=1, since_s=None, until_s=None, places=places, places_on_map=on_map, dials=(), log=()
    )
    told = verb.Told(person="Ada", setting="normal", wanted=None, enough=False, measured=found)
    lines = list(verb._lines(told))
    assert lines[1].startswith("On 1 day,")
    assert lines[-1].startswith(says)
