"""One is one: a number with what it counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.offline import opened
from hearthway.app.paths import NodePaths, private_dir
from hearthway.cli.export import command as export
from hearthway.cli.forget import command as forget
from hearthway.cli.status import lines_of
from hearthway.mesh.policy import retention
from hearthway.mesh.state import forget as forgetting
from hearthway.mesh.state.export import sections
from hearthway.records.count import count_of, kinds_of
from hearthway.records.household import Role
from hearthway.records.receipts import Receipt
from hearthway.records.signals import Fix


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (1200, "1,200 entries")],
)
def test_what_is_counted_agrees_with_the_number(number: int, words: str) -> None:
    assert count_of(number, "entry", "entries") == words
    assert count_of(number, "place").endswith("place" if number == 1 else "places")


def test_what_a_node_keeps_agrees_with_its_number() -> None:
    assert kinds_of({"fixes": 1, "answers": 0, "calendar": 2}) == "1 fix, 2 calendar entries"
    assert kinds_of({"receipts": 1200}) == "1,200 receipts"
    assert kinds_of({"fixes": 0}) == kinds_of({}) == ""


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """A position and a receipt."""
    paths = NodePaths(private_dir(tmp_path / "phone"))
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE)))
    private_dir(paths.keys)
    with opened(paths) as (store, chain):
        store.add_person("Anna", "anna")
        store.add_fixes("anna", [Fix(time_s=1e9, lat=60.2, lon=24.9)], "history")
        chain.append(
            Receipt(
                suggestion_id="ab12",
                node="phone",
                role="phone",
                person="anna",
                time_s=1e9,
                fields=(),
                crossings=(),
                computations=(),
            )
        )
    return paths.root


def test_every_table_that_a_verb_counts_has_its_singular(phone: Path) -> None:
    with opened(NodePaths(phone)) as (store, chain):
        tables = {name for name, _ in sections(store, chain, "anna")}
    tables |= {*forgetting._OWNED, *retention._TABLES.values(), "persons"}
    for table in tables:
        one, several = kinds_of({table: 1}), kinds_of({table: 2})
        assert one.removeprefix("1 ") != several.removeprefix("2 "), table
        assert "_" not in several


def test_export_and_forget_count_one_as_one(phone: Path, tmp_path: Path) -> None:
    to = ["--to", str(tmp_path / "out"), "--data", str(phone)]
    done = CliRunner().invoke(export, ["Anna", *to])
    assert done.exit_code == 0, done.output
    assert ": 1 source, 1 fix, 1 receipt\n" in done.output
    done = CliRunner().invoke(forget, ["Anna", "--yes", "--data", str(phone)])
    assert done.exit_code == 0, done.output
    assert "erased 1 fix, 1 person, 1 receipt; 1 receipt erased by the owner" in done.output


def test_status_counts_what_the_rules_deleted() -> None:
    state = {"node": "phone", "role": "phone", "up": True, "paired": False}
    told = lines_of(state | {"retention": {"deleted": {"fixes": 1, "signals": 1200}}})
    assert told[-1].endswith("keep it no longer: 1 fix, 1,200 signals")
