"""What is left of a place once it was forgotten: no stay is read into the hole, and the verb says what is still known near it."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.offline import relearn_everywhere
from hearthway.app.paths import NodePaths, private_dir
from hearthway.cli.forget import command
from hearthway.context.life import Life
from hearthway.mesh.state.store import Store
from hearthway.records.geo import distance_m, offset
from hearthway.records.household import Role
from hearthway.records.life import LIFE_MODEL
from hearthway.records.signals import Fix

HOME, MONDAY_S = (60.20, 24.90), 1_709_510_400.0
WORK = offset(*HOME, 3_000.0, 0.0)
BACK_H = 14.25  # as the way back from work ends, in UTC


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


def with_visits(fixes: list[Fix], number: int, hours: Sequence[float]) -> list[Fix]:
    """A day with an hour and a half from these hours on 350 m from home, seen from its first minute to its last."""
    at = offset(*HOME, 350.0, 0.0)
    for hour in hours:
        begin_s = MONDAY_S + number * 86_400.0 + hour * 3600.0
        fixes = [fix for fix in fixes if not -60.0 < fix.time_s - begin_s < 5_460.0]
        fixes += [Fix(time_s=begin_s + n * 60.0, lat=at[0], lon=at[1]) for n in range(90)]
    return sorted(fixes, key=lambda fix: fix.time_s)


def phone(root: Path, *, ways: bool, hours: Sequence[float] = ()) -> NodePaths:
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
        for n in range(5):
            store.add_fixes("anna", with_visits(day(n, ways=ways), n, hours), "test")
    relearn_everywhere([paths])
    return paths


def forget(paths: NodePaths, *words: str) -> Any:
    done = CliRunner().invoke(command, [*words, "--yes", "--data", str(paths.root)])
    assert done.exit_code == 0, done.output
    return done.output


def known_m(paths: NodePaths) -> list[float]:
    """How far from home each place that is known lies, in metres."""
    with Store.open(paths.database, node_id="phone") as store:
        model = store.model("anna", LIFE_MODEL)
        assert model is not None
        places = Life.load(model.data).places()
        return sorted(round(distance_m(*HOME, p.lat, p.lon), -1) for p in places)


def fixes_m(paths: NodePaths) -> list[int]:
    with Store.open(paths.database, node_id="phone") as store:
        return [round(distance_m(*HOME, fix.lat, fix.lon)) for fix in store.fixes("anna")]


def test_no_stay_is_read_into_the_hole_between_two_ends_of_a_road(tmp_path: Path) -> None:
    """Whoever comes and goes by one road: that the night was spent near its end is not known any more."""
    paths = phone(tmp_path / "ways", ways=True)
    before = fixes_m(paths)
    assert "still tell" not in forget(paths, "home")
    assert known_m(paths) == [3_000]
    left = fixes_m(paths)
    assert min(left) > 200
    # of the way there all is kept that lies outside, of the way back what is no stay together with it
    assert left.count(300) + left.count(500) < before.count(300) + before.count(500)
    assert [m for m in left if m > 1_000] == [m for m in before if m > 1_000]


def test_a_visit_to_which_one_came_straight_from_there_and_back_goes_along(tmp_path: Path) -> None:
    """Else every night would be read into where one was in the evening, and that would be home."""
    paths = phone(tmp_path / "evenings", ways=False, hours=[16.0, 18.5])
    assert known_m(paths) == [0, 350, 3_000]
    forget(paths, "home")
    assert known_m(paths) == [350, 3_000]
    assert fixes_m(paths).count(350) == 90 * 5  # to the first of each evening one came from work


def test_what_was_seen_near_it_is_told(tmp_path: Path) -> None:
    paths = phone(tmp_path / "seen", ways=True, hours=[BACK_H])
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


def test_on_a_full_disk_it_is_said_that_nothing_is_gone_and_how_much_room_it_takes(
    tmp_path: Path,
) -> None:
    paths = phone(tmp_path / "full", ways=True)
    before = fixes_m(paths)

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    words = ["forget", "home", "--yes", "--data", str(paths.root)]
    done = subprocess.run(
        [sys.executable, "-m", "hearthway", *words],
        preexec_fn=full,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"nothing is forgotten yet in {paths.database}: that takes up to 2 MB" in done.stderr
    assert "run the same `hearthway forget` again" in done.stderr
    assert fixes_m(paths) == before
    assert "fixes" in forget(paths, "home")
    assert min(fixes_m(paths)) > 200
