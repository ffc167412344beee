"""The store: what goes in comes out, in order, once; bad files are named and left alone."""

from __future__ import annotations

import random
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.state.hlc import Hlc, HlcClock
from hearthway.mesh.state.registers import rank
from hearthway.mesh.state.store import BATCH, Added, Store
from hearthway.records.errors import InputError, StoreError
from hearthway.records.kinds import KINDS, as_markdown, kind_of
from hearthway.records.signals import Fix, Signal, Value
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Answer, AnswerKind, Suggestion
from hearthway.records.venue import Followed

ANNA = "a" * 16


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "phone" / "node.db", node_id="phone") as opened:
        yield opened


def fix(time_s: float, lat: float = 60.17, lon: float = 24.94) -> Fix:
    return Fix(time_s=time_s, lat=lat, lon=lon)


def suggestion(suggestion_id: str, time_s: float = 1000.0, person: str = ANNA) -> Suggestion:
    return Suggestion(
        suggestion_id=suggestion_id,
        need="dinner",
        person=person,
        time_s=time_s,
        utc_offset_s=7200,
        headline="heading to Forum",
        lines=("18:12",),
        options=(),
        reasons=(),
        p_useful=0.8,
        utility=1.0,
        threshold=0.5,
        propensity=1.0,
        situation=Situation(
            time_s=time_s, utc_offset_s=7200, person=person, mode="driving", lat=60.1, lon=24.9
        ),
    )


def test_persons_are_found_by_name_in_any_case_and_by_id(store: Store) -> None:
    anna = store.add_person("  Anna   Maria ")
    assert anna.name == "Anna Maria"
    assert store.add_person("anna maria") == anna
    assert store.person("ANNA MARIA") == store.person(anna.person_id) == anna
    bo = store.add_person("Bo", person_id="b0")
    assert store.persons() == [anna, bo]
    with pytest.raises(InputError, match=r"Known: Anna Maria, Bo\."):
        store.person("Cleo")
    with pytest.raises(InputError, match="somebody else"):
        store.add_person("Bo", person_id="other")
    with pytest.raises(InputError, match="called Bo already"):
        store.add_person("Robert", person_id="b0")
    with pytest.raises(InputError, match="needs a name"):
        store.add_person("  ")


def test_an_id_heard_before_its_name_becomes_that_person(store: Store) -> None:
    store.add_fixes("b0", [fix(1.0)], "mesh")
    assert [one.name for one in store.persons()] == [""]
    assert store.add_person("Bo", person_id="b0").person_id == "b0"


def test_fixes_come_back_in_time_order_once_and_by_range(store: Store) -> None:
    fixes = [fix(float(t), 60.0 + t * 1e-6) for t in range(BATCH + 500)]
    mixed = fixes[::-1] + fixes[:300]
    assert store.add_fixes(ANNA, iter(mixed), "a.gpx") == Added(added=len(fixes), duplicates=300)
    assert list(store.fixes(ANNA)) == fixes
    assert list(store.fixes(ANNA, 10.0, 13.0)) == fixes[10:13]
    assert list(store.fixes("nobody")) == []
    full = Fix(time_s=-5.5, lat=-1.0, lon=2.0, accuracy_m=3.0, speed_mps=0.5)
    store.add_fixes(ANNA, [full], "b.gpx")
    assert next(store.fixes(ANNA)) == full


def test_writing_while_reading_is_fine(store: Store) -> None:
    store.add_fixes(ANNA, [fix(float(t)) for t in range(BATCH * 2)], "a")
    seen = 0
    for one in store.fixes(ANNA):
        seen += 1
        if seen == 5:
            store.add_fixes(ANNA, [fix(one.time_s + 0.5)], "b")
    assert seen == BATCH * 2  # the page was read already; nothing came twice


@pytest.mark.parametrize(
    "bad",
    [
        fix(float("nan")),
        fix(float("inf")),
        fix(1.0, 91.0),
        fix(1.0, float("nan")),
        fix(1.0, 0.0, 0.0),
    ],
)
def test_a_point_off_the_earth_is_refused(store: Store, bad: Fix) -> None:
    with pytest.raises(InputError, match="not usable"):
        store.add_fixes(ANNA, [fix(0.0), bad], "a.gpx")
    assert list(store.fixes(ANNA)) == []


VALUES: list[Value] = [1.5, "on", True, False, None, "", -0.0]


def test_signals_keep_type_unit_source_and_order(store: Store) -> None:
    signals = [
        Signal(
            key=f"K{i % 3}",
            value=value,
            time_s=float(i // 2),
            unit="m/s",
            source="car",
            person=ANNA,
        )
        for i, value in enumerate(VALUES)
    ]
    assert store.add_signals(ANNA, signals).added == len(signals)
    assert store.add_signals(ANNA, signals).duplicates == len(signals)
    back = list(store.signals(ANNA))
    assert sorted(map(repr, back)) == sorted(map(repr, signals))
    assert [(s.time_s, s.key) for s in back] == sorted((s.time_s, s.key) for s in back)
    assert [type(s.value) for s in back] == [
        type(s.value) for s in sorted(signals, key=lambda s: (s.time_s, s.key))
    ]
    assert {s.time_s for s in store.signals(ANNA, 1.0, 2.0)} == {1.0}


def test_many_signals_of_one_instant_cross_the_page(store: Store) -> None:
    many = [Signal(key=f"K{i:05d}", value=float(i), time_s=1.0) for i in range(BATCH + 3)]
    store.add_signals("", many)
    assert sum(1 for _ in store.signals("")) == BATCH + 3


WRITES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 2),
        st.sampled_from(["car", "home"]),
        st.binary(max_size=2),
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(WRITES, st.randoms(use_true_random=False))
def test_registers_converge_whatever_the_order(
    tmp_path_factory: pytest.TempPathFactory,
    writes: list[tuple[int, int, str, bytes]],
    order: random.Random,
) -> None:
    root = tmp_path_factory.mktemp("lww")
    results = []
    for name in ("one", "two"):
        with Store.open(root / name, node_id=name) as one:
            for wall, count, node, value in writes:
                one.put_register("key", value, Hlc(wall, count, node))
            for wall, count, node, value in writes:  # again: nothing changes
                assert not one.put_register("key", value, Hlc(wall, count, node))
            kept = one.get_register("key")
            results.append(None if kept is None else rank(kept))
        order.shuffle(writes)
    assert results[0] == results[1]


def test_registers_by_prefix_and_since(store: Store) -> None:
    clock = HlcClock("phone")
    first = clock.tick(10.0)
    store.put_register("settings.dial", b"1", first)
    store.put_register("settings.zone", b"2", clock.tick(10.0))
    store.put_register("latest.soc", b"3", clock.tick(11.0), person_id=ANNA, time_s=11.0)
    assert [one.key for one in store.registers("settings.")] == ["settings.dial", "settings.zone"]
    assert [one.key for one in store.registers(since=first)] == ["latest.soc", "settings.zone"]
    latest = store.get_register("latest.soc")
    assert latest is not None
    assert (latest.person_id, latest.time_s) == (ANNA, 11.0)
    assert store.last_hlc() == latest.hlc
    assert store.get_register("nothing") is None


def test_suggestions_by_unique_prefix(store: Store) -> None:
    for one in ("abcd1", "abcd2", "ffff0"):
        assert store.add_suggestion(suggestion(one))
    assert not store.add_suggestion(suggestion("ffff0"))
    assert store.suggestion("ff") == suggestion("ffff0")
    with pytest.raises(InputError, match="Several"):
        store.suggestion("abcd")
    for wrong in ("", "zz", "%", "abcd11"):
        with pytest.raises(InputError, match="no suggestion"):
            store.suggestion(wrong)
    assert [one.suggestion_id for one in store.suggestions(ANNA)] == ["abcd1", "abcd2", "ffff0"]


def test_answers_and_events_are_kept_once(store: Store) -> None:
    answer = Answer(suggestion_id="s", person=ANNA, kind=AnswerKind.NOT_NOW, time_s=5.0)
    assert store.add_answer(answer)
    assert not store.add_answer(answer)
    assert store.answers(ANNA) == [answer]
    assert store.answers(ANNA, until_s=5.0) == []
    one = store.add_event("said", ANNA, 4.0, b"x", suggestion_id="s")
    assert store.add_event("said", ANNA, 4.0, b"x", suggestion_id="s") == one
    other = store.add_event("said", "", 3.0, b"y")
    assert [event.event_id for event in store.events("said")] == [other, one]
    assert [event.body for event in store.events("said", ANNA)] == [b"x"]
    store.drop_event(one)
    assert store.events("said", ANNA) == []


def test_older_history_undoes_a_model_and_newer_does_not(store: Store) -> None:
    store.add_fixes(ANNA, [fix(100.0)], "a")
    store.put_model(ANNA, "places", 200.0, b"learned")
    store.add_fixes(ANNA, [fix(100.0)], "a")
    store.add_fixes(ANNA, [fix(200.5)], "a")
    model = store.model(ANNA, "places")
    assert model is not None
    assert (model.until_s, model.data) == (200.0, b"learned")
    store.add_fixes("other", [fix(150.0)], "a")
    assert store.model(ANNA, "places") is not None
    store.add_fixes(ANNA, [fix(150.0)], "a")
    assert store.model(ANNA, "places") is None
    store.put_model(ANNA, "places", 200.0, b"learned")
    store.add_signals(ANNA, [Signal(key="K", value=1.0, time_s=200.5)])
    assert store.model(ANNA, "places") is not None
    store.add_signals(ANNA, [Signal(key="K", value=1.0, time_s=200.0)])
    assert store.model(ANNA, "places") is None


def test_what_was_learned_of_a_history_that_was_changed_beside_it_is_not_kept(
    store: Store,
) -> None:
    def kept(history: int) -> bool:
        store.put_model(ANNA, "places", 300.0, b"learned", history)
        return store.model(ANNA, "places") is not None

    began = store.history()
    store.add_fixes(ANNA, [fix(100.0)], "a", learned=True)
    store.add_signals(ANNA, [Signal(key="K", value=1.0, time_s=100.0)], learned=True)
    assert kept(began), "who learns from it as it comes knows of it"
    began = store.history()
    store.add_fixes(ANNA, [fix(100.0)], "a")
    assert kept(began), "a repeat changes nothing"
    store.add_fixes(ANNA, [fix(50.0)], "a")
    assert not kept(began)
    began = store.history()
    assert kept(began)
    store.add_signals(ANNA, [Signal(key="K", value=1.0, time_s=50.0)])
    assert not kept(began)
    began = store.history()
    store.changed()
    assert not kept(began)


def test_what_is_forgotten_while_a_file_is_taken_in_does_not_come_back_with_the_rest(
    store: Store,
) -> None:
    began = store.generation()

    def fixes() -> Iterator[Fix]:
        yield from (fix(float(at)) for at in range(BATCH))
        with store.database.transaction() as db:
            db.execute("DELETE FROM fixes")
            db.execute(
                "INSERT OR REPLACE INTO meta VALUES ('generation', ?)", (bytes(7) + b"\x09",)
            )
        yield from (fix(float(at)) for at in range(BATCH, 2 * BATCH))

    with pytest.raises(StoreError, match="forgotten while") as told:
        store.add_fixes(ANNA, fixes(), "a", generation=began)
    assert "Import it again" in told.value.next_step
    assert list(store.fixes(ANNA)) == []
    with pytest.raises(StoreError, match="forgotten while"):
        store.add_signals(ANNA, [Signal(key="K", value=1.0, time_s=1.0)], generation=began)
    store.add_fixes(ANNA, [fix(1.0)], "a", generation=store.generation())
    assert len(list(store.fixes(ANNA))) == 1


def test_a_reading_without_a_time_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="has no time"):
        store.add_signals(ANNA, [Signal(key="K", value=1.0, time_s=float("nan"))])
    assert list(store.signals(ANNA)) == []


def test_followed_venues_and_serials(store: Store) -> None:
    ours = Followed(osm_id="node/1", name="A", address="10.0.0.1:1", key=b"k" * 32)
    hers = Followed(osm_id="node/2", name="B", address="10.0.0.2:1", key=b"l" * 32)
    store.follow(ours)
    store.follow(hers, ANNA)
    assert store.followed(ANNA) == [ours, hers]
    assert store.followed("other") == [ours]
    assert store.followed() == [ours, hers]
    store.saw_serial("node/1", 5)
    store.saw_serial("node/1", 3)
    assert store.last_serial("node/1") == 5
    assert store.last_serial("node/9") is None
    assert store.unfollow("node/1")
    assert not store.unfollow("node/1")


def test_the_file_is_private_and_every_table_is_described(store: Store) -> None:
    store.add_fixes(ANNA, [fix(1.0)], "a")
    for path in store.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    tables = {
        row[0]
        for row in store.database.rows(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    }
    assert tables == {kind.table for kind in KINDS}
    assert as_markdown().count("\n") == len(KINDS) + 2
    assert kind_of("fixes").struct == "Fix"


# --- bad files --------------------------------------------------------------------------------


def test_not_a_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    path.write_bytes(b"my precious notes, not a database" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="left as it is") as why:
        Store.open(path, node_id="phone")
    assert "hearthway restore" in why.value.next_step
    assert path.read_bytes() == before


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store.open(path, node_id="phone")
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    Store.open(path, node_id="phone").close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    with pytest.raises(StoreError, match="newer Hearthway") as why:
        Store.open(path, node_id="phone")
    assert "Update" in why.value.next_step


def test_another_nodes_file_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path / "node.db", node_id="phone").close()
    with pytest.raises(StoreError, match="belongs to the node phone"):
        Store.open(tmp_path / "node.db", node_id="car")


def test_no_permission_reads_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened") as why:
        Store.open(tmp_path / "file" / "node.db", node_id="phone")
    assert "data directory" in why.value.next_step


@pytest.mark.parametrize("cut", [50, 5000])
def test_a_truncated_file_is_named_and_left(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "node.db"
    with Store.open(path, node_id="phone") as store:
        store.add_fixes(ANNA, [fix(float(t)) for t in range(2000)], "a")
    path.write_bytes(path.read_bytes()[:cut])
    before = path.read_bytes()
    with pytest.raises(StoreError), Store.open(path, node_id="phone") as store:
        assert list(store.fixes(ANNA))
    assert path.read_bytes()[:cut] == before


def test_a_damaged_page_is_named_not_traced(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    with Store.open(path, node_id="phone") as store:
        store.add_fixes(ANNA, [fix(float(t)) for t in range(20000)], "a")
    data = bytearray(path.read_bytes())
    for page in range(len(data) // 4096 // 2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(data)
    with Store.open(path, node_id="phone") as store:
        with pytest.raises(StoreError, match="damaged"):
            list(store.fixes(ANNA))
        assert store.database.problems()


def test_a_full_disk_loses_nothing_acknowledged(store: Store) -> None:
    store.add_fixes(ANNA, [fix(float(t)) for t in range(1000)], "a")
    (pages,) = store.database.rows("PRAGMA page_count")[0]
    store.database.rows(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(StoreError, match="disk is full") as why:
        store.add_fixes(ANNA, [fix(1000.0 + t) for t in range(9000)], "b")
    assert "Free some space" in why.value.next_step
    assert sum(1 for _ in store.fixes(ANNA)) == 1000
    store.database.rows("PRAGMA max_page_count = 1000000")
    assert store.add_fixes(ANNA, [fix(1000.0 + t) for t in range(9000)], "b").added == 9000


def test_a_writer_elsewhere_is_waited_for_then_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.database.rows("PRAGMA busy_timeout = 50")
    with pytest.raises(StoreError, match="in use by another process"):
        store.add_fixes(ANNA, [fix(1.0)], "a")
    other.execute("COMMIT")
    other.close()
    assert store.add_fixes(ANNA, [fix(1.0)], "a").added == 1


def test_a_failed_transaction_leaves_no_half(store: Store) -> None:
    def half() -> None:
        with store.database.transaction():
            store.add_person("Anna")
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert store.persons() == []
