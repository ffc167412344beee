"""`hearthway why ID`: the one that is meant, or what is wrong with the id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hearthway.app.config import Config, MapTable, NodeTable, save_config
from hearthway.app.offline import opened
from hearthway.app.paths import NodePaths, private_dir
from hearthway.cli.why import command
from hearthway.context.life import Life
from hearthway.records.errors import InputError
from hearthway.records.household import Role
from hearthway.records.life import LIFE_MODEL
from hearthway.records.receipts import Receipt
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Suggestion

HERE = Situation(time_s=1e9, utc_offset_s=0, person="anna", mode="driving", lat=60.1, lon=24.9)


def suggestion(suggestion_id: str) -> Suggestion:
    return Suggestion(
        suggestion_id=suggestion_id,
        need="dinner",
        person="anna",
        time_s=HERE.time_s,
        utc_offset_s=0,
        headline=f"headline of {suggestion_id}",
        lines=(f"headline of {suggestion_id}",),
        options=(),
        reasons=(),
        p_useful=0.8,
        utility=1.0,
        threshold=0.5,
        propensity=1.0,
        situation=HERE,
    )


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """Two suggestions with receipts, and the receipt of one that was erased."""
    paths = NodePaths(private_dir(tmp_path / "phone"))
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE)))
    private_dir(paths.keys)
    with opened(paths) as (store, chain):
        store.add_person("Anna", "anna")
        for suggestion_id in ("ab12", "ab34", "cd56"):
            if suggestion_id != "cd56":
                store.add_suggestion(suggestion(suggestion_id))
            chain.append(
                Receipt(
                    suggestion_id=suggestion_id,
                    node="phone",
                    role="phone",
                    person="anna",
                    time_s=HERE.time_s,
                    fields=(),
                    crossings=(),
                    computations=(),
                )
            )
    return paths.root


def asked(phone: Path, *words: str) -> Any:
    return CliRunner().invoke(command, [*words, "--data", str(phone)])


def test_the_one_that_begins_so_is_told_with_its_receipt_alone(phone: Path) -> None:
    done = asked(phone, "ab1")
    assert done.exit_code == 0, done.output
    assert "headline of ab12" in done.output
    assert done.output.count("receipt of phone for") == 1
    assert "receipt of phone for ab12" in done.output
    erased = asked(phone, "cd")
    assert "The suggestion itself was erased by the owner." in erased.output
    assert "receipt of phone for cd56" in erased.output


def test_a_time_that_was_left_out_is_asked_for(phone: Path) -> None:
    done = asked(phone, "--silent")  # what comes next is --data
    assert isinstance(done.exception, InputError)
    assert done.exception.message == "--silent needs a time."


@pytest.mark.parametrize(
    ("beginning", "says"),
    [("ab", "Several"), ("", "No suggestion ''"), ("ef", "No suggestion 'ef'")],
)
def test_what_means_none_or_several_tells_nothing_of_any(
    phone: Path, beginning: str, says: str
) -> None:
    done = asked(phone, beginning)
    assert isinstance(done.exception, InputError)
    assert done.exception.message.startswith(says)
    assert not done.output


def test_a_map_that_is_gone_keeps_nobody_from_the_receipt(phone: Path) -> None:
    paths = NodePaths(phone)
    gone = MapTable(atlas=str(phone / "gone.atlas"))
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE), map=gone))
    with opened(paths) as (store, _):
        store.put_model("anna", LIFE_MODEL, HERE.time_s, Life("anna").dump())
    done = CliRunner().invoke(command, ["ab12", "--data", str(phone)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "headline of ab12" in done.output
