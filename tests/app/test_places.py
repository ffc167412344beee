"""`hearthway places`: the same on a phone that runs and one that does not; what is said survives, and goes with the place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hearthway.app.brain import Brain
from hearthway.app.collecting import rules_of
from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, load_config, save_config
from hearthway.app.control import Control, running
from hearthway.app.equipment import brain_for
from hearthway.app.node import open_node
from hearthway.app.offline import forget_everywhere, relearn_everywhere, scope_of
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.places import act, act_offline
from hearthway.assist.moment import heading_to, headline
from hearthway.cli.main import main
from hearthway.mesh.state.backup import back_up, restore
from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m, offset
from hearthway.records.household import Role
from hearthway.records.life import Place
from hearthway.records.signals import Fix, Signal

DAY_S, MONDAY_S = 86_400.0, 1_709_510_400.0
HOME = (60.20, 24.90)
WORK, GYM = offset(*HOME, 3_000.0, 0.0), offset(*HOME, 0.0, 4_000.0)
Run = Callable[..., tuple[int, str, str]]


def visit(day: float, hour: float, at: tuple[float, float], hours: float) -> list[Fix]:
    start_s = MONDAY_S + day * DAY_S + (hour - 2.0) * 3600.0
    return [
        Fix(time_s=start_s + n * 600.0, lat=at[0], lon=at[1]) for n in range(int(hours * 6) + 1)
    ]


def history() -> list[Fix]:
    """Four weeks of home and work; the gym in three of them, 100 m from one stay to the next."""
    found: list[Fix] = []
    for day in range(28):
        found += visit(day, 0.5, HOME, 7.0)
        if day % 7 < 5:
            found += visit(day, 9.0, WORK, 7.0)
        if day in (7, 9, 14, 16, 21, 23):
            found += visit(day, 18.0, offset(*GYM, 0.0, 100.0 * (day % 2)), 1.0)
        found += visit(day, 22.0, HOME, 1.0)
    return found


@pytest.fixture
def phone(tmp_path: Path) -> NodePaths:
    paths = NodePaths(tmp_path / "phone")
    private_dir(paths.root)
    config = Config(
        version=1,
        node=NodeTable(id="phone", role=Role.PHONE),
        mesh=MeshTable(listen="127.0.0.1:0"),
        map=MapTable(atlas="none"),
    )
    save_config(paths, config)
    with Store.open(paths.database, node_id="phone") as store:
        store.add_person("Anna", "anna")
        store.add_person("Bo", "bo")
        store.add_fixes("anna", history(), "test")
    return paths


@pytest.fixture
def run(
    phone: NodePaths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    def verb(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hearthway", "places", *words, "--data", str(phone.root)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return verb


def learned(paths: NodePaths) -> Brain:
    """Another process's view, from the snapshot."""
    with Store.open(paths.database, node_id="phone") as store:
        return brain_for(
            store, store.person("anna"), load_config(paths.config), None, rules_of(paths)
        )


def by_id(paths: NodePaths) -> dict[str, Place]:
    return {place.place_id: place for place in learned(paths).life.places()}


def test_the_list(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["id", "name", "label", "visits", "last", "visit", "share"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["p0", "-", "home"],
        ["p1", "-", "work"],
        ["p2", "-", "regular"],
    ]
    assert "2024-04-01 00:00" in lines[1], "he is there now; summer time began"
    found = json.loads(run("--json")[1])
    assert found["person"] == "Anna"
    assert sum(one["share"] for one in found["places"]) == pytest.approx(1.0, abs=1e-3)
    assert [one["label_by"] for one in found["places"]] == ["habit"] * 3


def test_what_is_said_survives_restart_relearning_and_backup(
    run: Run, phone: NodePaths, tmp_path: Path
) -> None:
    for words in (("name", "p2", "The Gym"), ("home", "p1"), ("split", "the gym")):
        code, _, err = run(*words)
        assert (code, err) == (0, "")
    found = by_id(phone)
    assert {i: (p.name, p.label) for i, p in found.items()} == {
        "p0": ("", "regular"),
        "p1": ("", "home"),
        "p2": ("The Gym", ""),
        "p3": ("", ""),
    }
    brain = learned(phone)
    before = brain.life.dump()
    with Store.open(phone.database, node_id="phone") as store:
        brain = brain_for(
            store, store.person("anna"), load_config(phone.config), None, rules_of(phone)
        )
        brain.rebuild()
    assert brain.life.dump() == before, "learned again from the history, it is the same"
    back_up(phone.root, tmp_path / "b.hearthway", b"e" * 16, 1.0)
    restore(tmp_path / "b.hearthway", tmp_path / "again", b"e" * 16)
    assert by_id(NodePaths(tmp_path / "again")) == found
    assert run("home", "p1", "--clear")[0] == run("name", "p2", "")[0] == 0
    assert {p.name for p in by_id(phone).values()} == {""}
    assert by_id(phone)["p0"].label == "home"
    with Store.open(phone.database, node_id="phone") as store:
        brain = brain_for(
            store, store.person("anna"), load_config(phone.config), None, rules_of(phone)
        )
        after = brain.life.dump()
        brain.rebuild()
        assert brain.life.dump() == after
        assert [word.kind for word in brain.said()] == ["split"]


def test_merging_what_was_split(run: Run, phone: NodePaths) -> None:
    assert run("split", "p2")[1] == "p3 is a place of its own now, 100 m from p2\n"
    assert run("merge", "p3", "p2")[1] == "p3 is a part of p2 now, with 6 visits\n"
    _, _, err = run("name", "p3", "x")
    assert "it is a part of p2" in err
    assert by_id(phone)["p2"].visits == 6
    assert run("split", "p2")[0] == 0, "what was merged comes apart again"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("name", "p9", "x"), "There is no place 'p9'"),
        (("name", "", "x"), "There is no place ''"),
        (("name", "p2", "x" * 41), "at most 40"),
        (("name", "p2", "\x07"), "printable"),
        (("name", "p2", "Home"), "`hearthway places home p2`"),
        (("name", "p2", "regular"), "what a label is called"),
        (("name", "p2", "p7"), "reads like an id"),
        (("name", "p2", "60.1,24.9"), "reads like an id"),
        (("name", "p2", "2025-11-01..2025-11-02"), "reads like an id"),
        (("name", "p2", "bo"), "is a person here"),
        (("name", "p2", "x", "--clear"), "Give one of the two"),
        (("name", "p2"), "No name was given"),
        (("home", "p0", "--clear"), "nothing to take back"),
        (("work", "gym"), "There is no place 'gym'"),
        (("merge", "p0", "home"), "p0 is p0 already"),
        (("merge", "p0", "p1"), "3.0 km apart"),
        (("merge", "p0", "p8"), "There is no place 'p8'"),
        (("split", "p0"), "lie in one cluster"),
        (("--person", "Bo"), "keeps the places of Anna, not those of Bo"),
        (("name", "p2", "x", "--person", "Bo"), "keeps the places of Anna"),
        (("--person", "Carl"), "There is no 'Carl'"),
    ],
)
def test_what_does_not_fit_is_said_and_changes_nothing(
    run: Run, phone: NodePaths, words: tuple[str, ...], says: str
) -> None:
    before = run("--json")[1]
    code, out, err = run(*words)
    assert code != 0
    assert out == ""
    assert says in err
    assert "  -> " in err
    assert "Traceback" not in err
    assert run("--json")[1] == before


def test_a_name_means_one_place(run: Run) -> None:
    assert run("name", "p2", "Gran's flat")[0] == 0
    _, _, err = run("name", "p1", "GRAN'S FLAT")
    assert "p2 is called Gran's flat already" in err
    assert run("name", "gran's flat", "Gran")[1] == "p2 is called Gran\n"


def test_a_phone_of_nobody_and_a_car(run: Run, phone: NodePaths) -> None:
    phone.database.unlink()
    assert "Nobody lives on this phone yet" in run()[2]
    config = load_config(phone.config)
    save_config(phone, replace(config, node=replace(config.node, role=Role.CAR)))
    assert "phone is a car: it knows nobody's places" in run()[2]


def test_forgetting_takes_the_names_of_what_is_gone(run: Run, phone: NodePaths) -> None:
    run("name", "p2", "Secret-gym")
    run("name", "p1", "Office")
    scope, _ = scope_of([phone], "2024-03-11..2024-03-28", None, 200.0)
    forget_everywhere([phone], scope)
    relearn_everywhere([phone])
    found = by_id(phone)
    assert sorted(p.name for p in found.values()) == ["", "Office"]
    assert b"Secret-gym" not in phone.database.read_bytes()
    scope, words = scope_of([phone], "office", None, 200.0)
    assert words == "everything within 200 m of the place office"
    forget_everywhere([phone], scope)
    relearn_everywhere([phone])
    assert [p.name for p in by_id(phone).values()] == [""]


@pytest.mark.parametrize("what", ["", "regular"])
def test_what_could_be_any_place_forgets_none(run: Run, phone: NodePaths, what: str) -> None:
    run("name", "p1", "Office")
    assert by_id(phone)["p2"].label == "regular"
    with pytest.raises(InputError, match="no person, place or time"):
        scope_of([phone], what, None, 200.0)
    for meant in ("home", "p2", "office"):
        assert scope_of([phone], meant, None, 200.0)[1] == (
            f"everything within 200 m of the place {meant}"
        )


def test_a_word_finds_its_place_though_the_ids_moved(run: Run, phone: NodePaths) -> None:
    run("name", "p1", "Office")
    scope, _ = scope_of([phone], "2024-03-01..2024-03-05T12:00", None, 200.0)
    forget_everywhere([phone], scope)
    relearn_everywhere([phone])
    named = [p for p in by_id(phone).values() if p.name]
    assert [(p.name, p.label) for p in named] == [("Office", "work")]


def test_the_name_is_what_is_said(phone: NodePaths, run: Run) -> None:
    run("name", "p1", "Lab")
    life = learned(phone).life
    place = by_id(phone)["p1"]
    heading = heading_to(lambda lat, lon: "Map Street", [place], place)
    said = headline(life.situation(MONDAY_S), place, heading, 0.9, 500.0)
    assert "heading to Lab (" in said


def test_a_running_phone_answers_the_same(phone: NodePaths, run: Run) -> None:
    async def lived() -> tuple[Any, Any, str]:
        node = open_node(phone)
        task = asyncio.create_task(node.run())
        async with asyncio.timeout(20.0):
            while not await asyncio.to_thread(running, phone.socket):  # noqa: ASYNC110  (another thread's answer)
                await asyncio.sleep(0.02)

        def asked() -> tuple[Any, Any, str]:
            with Control(phone.socket, 20.0) as control:
                with pytest.raises(Exception, match="no place 'p9'"):
                    control.ask("places", what="name", id="p9", name="x")
                done = control.ask("places", what="name", id="p2", name="Gym")
                return done, control.ask("places", what="list"), run("home", "p1")[1]

        try:
            return await asyncio.to_thread(asked)
        finally:
            node.stop()
            await task

    done, found, said = asyncio.run(lived())
    assert done == {"id": "p2", "name": "Gym", "label": "regular", "visits": 6}
    assert found["places"][2]["name"] == "Gym"
    assert said == "p1 is home until you say otherwise\n"
    assert by_id(phone)["p2"].name == "Gym"
    assert by_id(phone)["p1"].label == "home"


def test_an_unknown_request_is_refused(phone: NodePaths) -> None:
    with pytest.raises(InputError, match="Nothing is known of 'paint'"):
        act_offline(phone, {"what": "paint", "id": "p0"})


def test_a_name_stays_with_the_larger_part_and_is_taken_back_there(phone: NodePaths) -> None:
    """It was said where the smaller part is now: naming that one takes nothing from the larger one, in relearning either."""
    one = offset(*HOME, 0.0, 9_000.0)
    two = offset(*one, 0.0, 170.0)
    with Store.open(phone.database, node_id="phone") as store:
        brain = brain_for(
            store, store.person("bo"), load_config(phone.config), None, rules_of(phone)
        )
        days = iter(range(100))

        def went(*points: tuple[float, float]) -> None:
            for at in points:
                day = next(days)
                brain.observe(visit(day, 8.0, HOME, 1.0) + visit(day, 12.0, at, 0.7), [], "test")

        def names() -> list[str]:
            live = [place.name for place in brain.life.places()]
            brain.rebuild()
            assert [place.name for place in brain.life.places()] == live
            return live

        went(one, two, one, two, two, two, HOME)
        act(brain, store, {"what": "name", "id": "p1", "name": "Mall"})
        went(one, one, one, one, one, one, two, one, one, one, HOME)
        assert names() == ["", "Mall", ""]
        assert brain.life.place_at(*two) == "p2"
        (said,) = brain.said()
        assert brain.life.place_at(said.lat, said.lon) == "p2", "the test's own ground"
        act(brain, store, {"what": "name", "id": "p2", "name": "Gym"})
        assert names() == ["", "Mall", "Gym"]
        act(brain, store, {"what": "name", "id": "Mall", "clear": True})
        assert names() == ["", "", "Gym"]
        assert [word.name for word in brain.said()] == ["Gym"]


@pytest.mark.parametrize("what", ["name", "home"])
def test_late_positions_move_ids_and_the_answer_names_the_place_that_was_meant(
    phone: NodePaths, what: str
) -> None:
    with Store.open(phone.database, node_id="phone") as store:
        brain = brain_for(
            store, store.person("bo"), load_config(phone.config), None, rules_of(phone)
        )
        for day in (1, 2):
            brain.observe(visit(day, 8.0, HOME, 1.0) + visit(day, 12.0, GYM, 1.0), [], "test")
        brain.observe(visit(3, 8.0, HOME, 1.0), [], "test")
        brain.observe(visit(0, 8.0, WORK, 1.0), [], "late")
        assert [p.visits for p in brain.life.places()] == [3, 2], "the late ones are not known yet"
        said = act(brain, store, {"what": what, "id": "p1", "name": "Gym"})
        assert (said["id"], said["visits"]) == ("p2", 2)
        assert said["name" if what == "name" else "label"] == ("Gym" if what == "name" else "home")
        assert brain.life.place_at(*GYM) == "p2"


def test_another_name_holds_since_the_first_one_was_said(phone: NodePaths) -> None:
    """Names kept two places apart that lie as near as one: relearning under the new name must not join them before it."""
    cafe, bar = offset(*HOME, 0.0, 9_000.0), offset(*HOME, 0.0, 9_230.0)
    with Store.open(phone.database, node_id="phone") as store:
        brain = brain_for(
            store, store.person("bo"), load_config(phone.config), None, rules_of(phone)
        )

        def went(first: int, *points: tuple[float, float]) -> None:
            for day, at in enumerate(points, first):
                brain.observe(visit(day, 8.0, HOME, 1.0) + visit(day, 12.0, at, 0.7), [], "test")

        went(0, cafe, bar, HOME)
        for place, name in (("p1", "Cafe"), ("p2", "Bar")):
            act(brain, store, {"what": "name", "id": place, "name": name})
        nearer = [offset(*HOME, 0.0, 9_000.0 + east) for east in (60.0, 170.0)]
        went(3, *nearer * 4, HOME)
        act(brain, store, {"what": "name", "id": "Cafe", "name": "Corner"})
        live = brain.life.dump()
        assert [p.name for p in brain.life.places()] == ["", "Corner", "Bar"]
        started = brain_for(store, brain.person, load_config(phone.config), None, rules_of(phone))
        assert started.life.dump() == live
        brain.rebuild()
        assert brain.life.dump() == live
        (corner,) = (word for word in brain.said() if word.name == "Corner")
        assert corner.time_s < MONDAY_S + 4 * DAY_S
        assert all(word.name != "Cafe" for word in brain.said())


def test_where_home_was_said_to_be_is_learned_of_anew_where_another_is(phone: NodePaths) -> None:
    """Trips from home are counted by where home was: what was counted by a word that is gone goes with it."""
    with Store.open(phone.database, node_id="phone") as store:
        brain = brain_for(
            store, store.person("anna"), load_config(phone.config), None, rules_of(phone)
        )
        tag = "Home.Items.bag.Present"

        def day(number: int) -> None:
            way_s = MONDAY_S + number * DAY_S + 6 * 3600.0 + 600.0
            brain.observe(visit(number, 6.0, WORK, 2.0), [], "test")
            brain.observe([Fix(time_s=way_s, lat=60.21, lon=24.92)], [], "test")
            brain.observe([], [Signal(key=tag, value=True, time_s=way_s + 600.0)], "home")
            brain.observe(visit(number, 8.4, GYM, 2.0) + visit(number, 14.0, HOME, 1.0), [], "test")

        act(brain, store, {"what": "home", "id": "p1"})
        for number in (30, 31, 32):
            day(number)
        outings = brain.life.state.items.outings
        assert {one.along for one in outings} == {False}, "it was seen at home meanwhile"
        for request in ({"id": "p2"}, {"id": "p2", "clear": True}):
            act(brain, store, {"what": "home", **request})
            live = brain.life.dump()
            brain.rebuild()
            assert brain.life.dump() == live
        assert outings != brain.life.state.items.outings


def test_no_half_of_a_merged_place_is_forgotten_by_its_name(run: Run, phone: NodePaths) -> None:
    other = offset(*GYM, 0.0, 700.0)
    with Store.open(phone.database, node_id="phone") as store:
        store.add_fixes("anna", visit(29, 18.0, other, 1.0) + visit(30, 8.0, HOME, 1.0), "test")
    for words in (("merge", "p3", "p2"), ("name", "p2", "Clinic")):
        assert run(*words)[0] == 0
    with pytest.raises(InputError, match=r"up to 6.. m from its middle") as refused:
        scope_of([phone], "clinic", None, 200.0)
    assert "--radius 900" in refused.value.next_step
    scope, _ = scope_of([phone], "clinic", None, 900.0)
    forget_everywhere([phone], scope)
    relearn_everywhere([phone])
    assert [p.label for p in by_id(phone).values()] == ["home", "work"]
    with Store.open(phone.database, node_id="phone") as store:
        assert not any(distance_m(f.lat, f.lon, *other) < 200.0 for f in store.fixes("anna"))
