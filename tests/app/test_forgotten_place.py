"""What is left of a place once it was forgotten: the ways that lead there may still tell of a stay near it, and the verb says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.offline import relearn_everywhere
from hearthway.app.paths import NodePaths, private_dir
from hearthway.cli.forget import command
from hearthway.mesh.state.store import Store
from hearthway.records.geo import offset
from hearthway.records.household import Role
from hearthway.records.signals import Fix

HOME, MONDAY_S = (60.20, 24.90), 1_709_510_400.0
WORK = offset(*HOME, 3_000.0, 0.0)


def day(number: int, *, ways: bool) -> list[Fix]:
    """At home until 08:00, at work until 16:00 and back, with a fix each 100 m of the one road between them."""
    start_s = MONDAY_S + number * 86_400.0 - 2 * 3600.0
    fixes = [Fix(time_s=start_s + n * 600.0, lat=HOME[0], lon=HOME[1]) for n in range(48)]
    fixes += [Fix(time_s=start_s + n * 600.0, lat=WORK[0], lon=WORK[1]) for n in range(50, 96)]
    for step in range(1, 30) if ways else ():
        at = offset(*HOME, 100.0 * step, 0.0)
        fixes.append(Fix(time_s=start_s + 28_500.0 + 40.0 * step, lat=at[0], lon=at[1]))
        fixes.append(Fix(time_s=start_s + 58_500.0 - 40.0 * step, lat=at[0], lon=at[1]))
    fixes += [Fix(time_s=start_s + n * 600.0, lat=HOME[0], lon=HOME[1]) for n in range(98, 144)]
    return sorted(fixes, key=lambda fix: fix.time_s)


def phone(root: Path, *, ways: bool) -> NodePaths:
    paths = NodePaths(private_dir(root))
    config = Config(
        version=1,
        node=NodeTable(id="phone", role=Role.PHONE),
        mesh=MeshTable(listen="127.0.0.1:0"),
        map=MapTable(atlas="none"),
    )
    save_config(paths, config)
    with Store.open(paths.database, node_id="phone") as store:
        store.add_person("Anna", "anna")
        store.add_fixes("anna", [fix for n in range(5) for fix in day(n, ways=ways)], "test")
    relearn_everywhere([paths])
    return paths


def forget(paths: NodePaths, *words: str) -> Any:
    done = CliRunner().invoke(command, [*words, "--yes", "--data", str(paths.root)])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_ways_that_still_tell_of_it_are_told(tmp_path: Path) -> None:
    paths = phone(tmp_path / "ways", ways=True)
    said = forget(paths, "home")
    assert "may still tell of a stay near it. Known near it:\n  p" in said
    assert "m from there" in said
    assert "Forgotten as days" in said
    gone = forget(paths, "2024-03-03..2024-03-09")
    assert "still tell" not in gone
    assert "still tell" not in forget(paths, "60.20,24.90")  # nothing is left that could


def test_where_nothing_leads_there_nothing_is_told(tmp_path: Path) -> None:
    paths = phone(tmp_path / "alone", ways=False)
    said = forget(paths, "home")
    assert "fixes" in said
    assert "still tell" not in said
