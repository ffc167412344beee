"""The replica's rules: who may write, who may tell, what wins, what stays forgotten."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.hlc import CAP_MS, COUNT_MAX, Hlc
from hearthway.mesh.state.registers import Cursor, Register, Tombstone, hash_key, merge, rank, read
from hearthway.mesh.state.replica import (
    PAGE_BYTES,
    PAGE_ROWS,
    VALUE_MAX_BYTES,
    Replica,
    about,
    may_bury,
    may_tell,
    may_write,
    objection,
    owner_of,
)
from hearthway.mesh.state.replica_wire import Burial, Change, Changes, Pull
from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError

from .replicas import (
    ANNA,
    BO,
    NOW_S,
    ROSTER,
    YEAR_S,
    Node,
    member,
    party,
    rule,
    sync,
    view,
)

# --- merging ----------------------------------------------------------------------------------

VALUES = st.binary(max_size=2)
NUMBERS = st.one_of(st.none(), st.sampled_from([0.0, 1.0]))
WRITES = st.builds(
    Register,
    key=st.just("Setting.X"),
    value=VALUES,
    hlc=st.builds(Hlc, st.integers(0, 2), st.integers(0, 1), st.sampled_from(["car", "home"])),
    person_id=st.sampled_from(["", ANNA]),
    time_s=NUMBERS,
    lat=NUMBERS,
    lon=NUMBERS,
    ttl_s=st.sampled_from([0.0, 60.0]),
)


@given(WRITES, WRITES, WRITES)
def test_merge_is_idempotent_commutative_and_associative(
    a: Register, b: Register, c: Register
) -> None:
    assert merge(a, a) is a
    assert merge(None, a) is a
    assert rank(merge(a, b)) == rank(merge(b, a))
    assert rank(merge(merge(a, b), c)) == rank(merge(a, merge(b, c)))
    assert merge(a, b) in (a, b)
    if a.hlc != b.hlc:
        assert merge(a, b) is (a if a.hlc > b.hlc else b)
    assert (rank(a) == rank(b)) == (replace(a, written_s=0.0) == replace(b, written_s=0.0))


def test_of_one_moment_each_field_decides_in_its_turn() -> None:
    low = Register(key="Setting.X", value=b"1", hlc=Hlc(1, 0, "car"))
    for high in (
        replace(low, hlc=Hlc(2, 0, "car"), value=b"0"),
        replace(low, hlc=Hlc(1, 1, "car"), value=b"0"),
        replace(low, hlc=Hlc(1, 0, "home"), value=b"0"),
        replace(low, value=b"2"),
        replace(low, ttl_s=1.0),
        replace(low, person_id="a"),
        replace(low, time_s=-1.0),
        replace(low, lat=-1.0),
        replace(low, lon=-1.0),
    ):
        assert merge(low, high) is high
        assert merge(high, low) is high


# --- age --------------------------------------------------------------------------------------


def test_stale_is_told_and_never_current(nodes: dict[str, Node]) -> None:
    store = nodes["phone"].store
    nodes["phone"].set("Setting.Soc", b"80", ttl_s=60.0)
    nodes["phone"].set("Setting.Name", b"x")
    for after_s, stale in ((0.0, False), (60.0, False), (60.5, True), (-2.0, False), (-2.5, True)):
        reading = store.register("Setting.Soc", NOW_S + after_s)
        assert reading is not None
        assert (reading.stale, reading.source, reading.ttl_s) == (stale, "phone", 60.0)
        assert reading.age_s == (None if after_s < -2.0 else max(0.0, after_s))
        current = store.current("Setting.Soc", NOW_S + after_s)
        assert current == (None if stale else reading)
    for_ever = store.current("Setting.Name", NOW_S + 50 * YEAR_S)
    assert for_ever is not None
    assert for_ever.value == b"x"
    assert store.register("Setting.None", NOW_S) is None
    assert store.current("Setting.None", NOW_S) is None


@pytest.mark.parametrize("skew_s", [0.0, 3600.0, -3600.0, 10 * YEAR_S, -10 * YEAR_S])
def test_the_age_travels_not_the_time(nodes: dict[str, Node], skew_s: float) -> None:
    car, phone = nodes["car"], nodes["phone"]
    car.skew_s = skew_s
    car.set("Setting.Soc", b"80", ttl_s=600.0)
    car.time_s += 500.0
    phone.time_s += 500.0
    phone.pull(car)
    reading = phone.store.register("Setting.Soc", NOW_S + 500.0)
    assert reading is not None
    assert reading.age_s == pytest.approx(500.0)
    assert phone.store.current("Setting.Soc", NOW_S + 599.0) is not None
    assert phone.store.current("Setting.Soc", NOW_S + 601.0) is None


def test_a_clock_that_is_set_back_makes_nothing_look_fresh(nodes: dict[str, Node]) -> None:
    car, phone = nodes["car"], nodes["phone"]
    car.skew_s = 10 * YEAR_S
    car.set("Setting.Soc", b"80", ttl_s=600.0)
    car.skew_s = 0.0
    assert car.store.current("Setting.Soc", NOW_S) is None
    phone.pull(car)
    assert phone.value("Setting.Soc") == b"80"
    assert phone.store.current("Setting.Soc", NOW_S) is None
    old = Register(key="Setting.X", value=b"", hlc=Hlc(0, 0, "a"), written_s=NOW_S)
    assert not read(old, NOW_S - YEAR_S).stale  # what never gets stale does not
    assert read(old, NOW_S - YEAR_S).age_s is None


# --- whose it is ------------------------------------------------------------------------------


def test_a_key_says_whose_it_is() -> None:
    assert owner_of("Setting.Home.Arrival.Temperature") == ("everybody", "")
    assert owner_of("Household.Name") == ("everybody", "")
    assert owner_of(f"Person.{ANNA}.Dial") == ("person", ANNA)
    assert owner_of("Device.phone-bo.Battery.Level") == ("device", "phone-bo")
    for none in (
        "",
        "Setting",
        "Setting.",
        "Setting.a b",
        "Setting..X",
        "Settings.X",
        "Person.a1",
        "Device.car",
        "Vehicle.Speed",
        "setting.x",
        "Setting.X\n",
        "Setting." + "x" * 200,
    ):
        assert owner_of(none) is None, none
        assert not may_write(none, "home", ROSTER)
    assert owner_of("Setting." + "x" * 192) is not None
    assert about(f"Person.{ANNA}.Dial", ROSTER) == ANNA
    assert about("Device.phone-bo.Level", ROSTER) == BO
    assert about("Device.car.Level", ROSTER) == about("Device.nobody.Level", ROSTER) == ""
    assert about("Setting.X", ROSTER) == about("Vehicle.Speed", ROSTER) == ""


def test_who_may_write_and_who_may_tell() -> None:
    dial = f"Person.{ANNA}.Dial"
    writers = [m.device_id for m in ROSTER.members if may_write(dial, m.device_id, ROSTER)]
    assert writers == ["phone"]
    assert not may_write(dial, "nobody", ROSTER)
    assert may_write("Device.car.Level", "car", ROSTER)
    assert not may_write("Device.car.Level", "phone", ROSTER)
    assert may_write("Setting.X", "nobody", ROSTER)  # whether it may tell is asked elsewhere
    assert may_tell("car", party("car"))
    assert may_tell("car", party("home"))
    assert not may_tell("car", party("phone"))
    assert not may_tell("home", party("car"))


GOOD = Change(key="Setting.X", value=b"1", wall_ms=5, count=0, node="car")


@pytest.mark.parametrize(
    ("change", "sender", "why"),
    [
        (GOOD, "car", ""),
        (GOOD, "home", ""),
        (GOOD, "phone-bo", "another node's word"),
        (replace(GOOD, node="home"), "car", "another node's word"),
        (replace(GOOD, key=f"Person.{ANNA}.Dial"), "car", "not its owner"),
        (replace(GOOD, key=f"Person.{ANNA}.Dial", node="phone"), "car", "another node's word"),
        (replace(GOOD, key=f"Person.{BO}.Dial", node="car"), "home", "not its owner"),
        (replace(GOOD, key=f"Person.{ANNA}.Dial", node="phone"), "home", ""),
        (replace(GOOD, key=f"Person.{ANNA}.Dial", node="gone"), "home", ""),
        (replace(GOOD, key="Device.phone.Level"), "car", "not its owner"),
        (replace(GOOD, key="Device.car.Level"), "car", ""),
        (replace(GOOD, key="Vehicle.Speed"), "car", "not a replicated key or value"),
        (replace(GOOD, value=bytes(VALUE_MAX_BYTES)), "car", ""),
        (replace(GOOD, value=bytes(VALUE_MAX_BYTES + 1)), "car", "not a replicated key or value"),
        (replace(GOOD, ttl_s=-1.0), "car", "a number that is none"),
        (replace(GOOD, age_s=-1.0), "car", "a number that is none"),
        (replace(GOOD, ttl_s=float("nan")), "car", "a number that is none"),
        (replace(GOOD, age_s=float("inf")), "car", "a number that is none"),
        (replace(GOOD, time_s=float("nan")), "car", "a number that is none"),
        (replace(GOOD, time_s=-5.0, lat=60.0, lon=24.0), "car", ""),
        (replace(GOOD, lat=60.0), "car", "half a place"),
        (replace(GOOD, lon=24.0), "car", "half a place"),
        (replace(GOOD, lat=91.0, lon=24.0), "car", "a place off the earth"),
        (replace(GOOD, wall_ms=CAP_MS, count=COUNT_MAX), "car", ""),
        (replace(GOOD, wall_ms=CAP_MS + 1), "car", "dated past the year 9999"),
        (replace(GOOD, count=-1), "car", "dated past the year 9999"),
    ],
)
def test_what_is_not_taken_and_why(change: Change, sender: str, why: str) -> None:
    assert objection(change, party(sender), view("phone")) == why


def test_without_a_rule_nothing_is_told_or_taken(nodes: dict[str, Node]) -> None:
    none = Rules.parse("version = 1", "none")
    car, phone = nodes["car"], nodes["phone"]
    car.set("Setting.X", b"1")
    assert car.replica.page(party("phone"), Pull(), view("car", none)).changes == ()
    page = car.replica.page(party("phone"), Pull(), view("car"))
    assert len(page.changes) == 1  # the control
    applied = phone.replica.apply(party("car"), page, view("phone", none), answer=True)
    assert (applied.changed, applied.refused) == (0, {"no rule": 1})
    rough = Rules.parse(
        "version = 1\n" + rule("settings", "Setting.*", "car", extra='precision = "city"'), "rough"
    )
    assert car.replica.page(party("phone"), Pull(), view("car", rough)).changes == ()


def test_a_persons_field_goes_to_shared_devices_only(nodes: dict[str, Node]) -> None:
    nodes["phone"].set(f"Person.{ANNA}.Dial", b"quiet")
    nodes["phone"].set("Device.phone.Level", b"9")
    sync(*nodes.values())
    for key in (f"Person.{ANNA}.Dial", "Device.phone.Level"):
        held = [name for name, node in nodes.items() if node.value(key) is not None]
        assert held == ["phone", "car", "home"]


def test_the_car_forges_nobodys_writes(nodes: dict[str, Node]) -> None:
    """A car that runs other code: it makes pages by hand, of whatever it likes."""
    phone, home = nodes["phone"], nodes["home"]
    phone.set(f"Person.{ANNA}.Dial", b"quiet")
    phone.set("Setting.X", b"mine")
    sync(phone, home)
    forged = tuple(
        Change(key=key, value=b"forged", wall_ms=CAP_MS - 9, count=0, node=node)
        for key in (f"Person.{ANNA}.Dial", f"Person.{BO}.Dial", "Setting.X", "Device.phone.Level")
        for node in ("phone", "home", "phone-bo", "nobody", "car")
        if (key, node) != ("Setting.X", "car")  # this one is the car's to write
    )
    buried = tuple(
        Burial(key_hash=home.store.key_hash(f"Person.{ANNA}.Dial"), wall_ms=CAP_MS, count=0, node=n)
        for n in ("phone", "home")
    )
    page = Changes(
        database=b"d",
        since=0,
        next=9,
        last=9,
        changes=forged,
        buried=buried,
        salt=home.store.salt(),
    )
    before = home.replica.digest()
    applied = home.replica.apply(party("car"), page, view("home"), answer=True)
    assert applied.changed == 0
    assert sum(applied.refused.values()) == len(forged) + len(buried)
    assert home.replica.digest() == before
    own = replace(page, changes=(replace(forged[0], key="Setting.X", node="car"),), buried=())
    assert home.replica.apply(party("car"), own, view("home"), answer=True).changed == 1


def test_a_node_writes_only_what_is_its_own(nodes: dict[str, Node]) -> None:
    with pytest.raises(InputError, match="not for car to write"):
        nodes["car"].set(f"Person.{ANNA}.Dial", b"1")
    with pytest.raises(InputError, match="Setting"):
        nodes["car"].set("Vehicle.Speed", b"1")
    with pytest.raises(InputError, match="too large"):
        nodes["car"].set("Setting.X", bytes(VALUE_MAX_BYTES + 1))
    alone = nodes["car"].replica.set("Device.car.Level", bytes(VALUE_MAX_BYTES))
    assert alone.hlc.node == "car"
    with pytest.raises(InputError):
        nodes["phone"].replica.set(f"Person.{ANNA}.Dial", b"1")  # in no household: nobody's phone


# --- pages and cursors ------------------------------------------------------------------------


def test_pages_are_bounded_in_rows_and_bytes(nodes: dict[str, Node]) -> None:
    car, phone = nodes["car"], nodes["phone"]
    for number in range(PAGE_ROWS + 7):
        car.set(f"Setting.N{number}", b"1")
    for number in range(6):
        car.set(f"Setting.Big{number}", bytes(VALUE_MAX_BYTES))
    since, pages = Pull(), []
    while True:
        page = car.replica.page(party("phone"), since, view("car"))
        pages.append(page)
        assert sum(len(c.value) for c in page.changes) <= PAGE_BYTES
        assert len(page.changes) <= PAGE_ROWS
        assert page.since == since.since
        if page.next == page.last:
            break
        assert page.next > page.since
        assert page.digest == b""
        since = Pull(database=page.database, since=page.next)
    assert [len(p.changes) for p in pages] == [PAGE_ROWS, 7 + 3, 3]
    assert sorted(c.key for p in pages for c in p.changes) == [r.key for r in car.store.registers()]
    last = phone.pull(car)
    assert phone.replica.digest() == car.replica.digest()
    assert (
        phone.replica.in_step(party("car"), last, view("phone")) is None
    )  # the car has not asked yet
    last = car.pull(phone)
    assert car.replica.in_step(party("phone"), last, view("car")) is True


def test_a_page_of_nothing_that_may_be_told_still_goes_on(nodes: dict[str, Node]) -> None:
    nodes["phone"].set("Setting.First", b"1")
    for number in range(PAGE_ROWS):
        nodes["phone"].set(f"Person.{ANNA}.N{number}", b"1")
    nodes["phone"].set("Setting.Last", b"1")
    only = Rules.parse("version = 1\n" + rule("settings", "Setting.*", "phone"), "settings")
    car = nodes["car"]
    car.pull(nodes["phone"], only)
    assert [r.key for r in car.store.registers()] == ["Setting.First", "Setting.Last"]
    assert car.store.cursor("phone").seq == nodes["phone"].store.last_seq()
    car.store.drop_cursors()  # as when the rules change
    car.pull(nodes["phone"])
    assert car.store.count_registers() == PAGE_ROWS + 2


def test_a_cursor_of_another_file_or_from_the_future_starts_anew(nodes: dict[str, Node]) -> None:
    car = nodes["car"]
    car.set("Setting.X", b"1")
    good = Pull(database=car.store.database_id(), since=1)
    assert car.replica.page(party("phone"), good, view("car")).since == 1
    for bad in (
        replace(good, database=b"other"),
        replace(good, since=2),
        replace(good, since=-1),
    ):
        page = car.replica.page(party("phone"), bad, view("car"))
        assert (page.since, len(page.changes)) == (0, 1)
    car.store.renew_database_id()
    assert car.replica.page(party("phone"), good, view("car")).since == 0


def test_a_push_moves_the_cursor_only_without_a_gap(nodes: dict[str, Node]) -> None:
    car, phone = nodes["car"], nodes["phone"]
    phone.pull(car)
    pushes = []
    for number in range(3):
        since = Pull(database=car.store.database_id(), since=number)
        car.set(f"Setting.N{number}", b"1")
        pushes.append(car.replica.page(party("phone"), since, view("car"), answer=False))
    assert pushes[0].digest == b""
    first, _, third = (
        phone.replica.apply(party("car"), push, view("phone"), answer=False)
        for push in (pushes[0], pushes[0], pushes[2])
    )
    assert (first.changed, first.gap) == (1, False)
    assert (third.changed, third.gap) == (1, True)
    assert phone.store.cursor("car") == Cursor(database=car.store.database_id(), seq=1)
    late = phone.replica.apply(party("car"), pushes[0], view("phone"), answer=False)
    assert (late.changed, late.gap) == (0, False)
    assert phone.store.cursor("car").seq == 1
    foreign = replace(pushes[1], database=b"other")
    assert phone.replica.apply(party("car"), foreign, view("phone"), answer=False).gap
    phone.pull(car)
    assert phone.store.cursor("car").seq == 3
    assert phone.replica.digest() == car.replica.digest()


def test_a_push_leaves_out_what_the_receiver_wrote(nodes: dict[str, Node]) -> None:
    phone, home = nodes["phone"], nodes["home"]
    phone.set("Setting.X", b"1")
    home.pull(phone)
    home.set("Setting.Y", b"1")
    pushed = home.replica.page(party("phone"), Pull(), view("home"), answer=False)
    assert [c.key for c in pushed.changes] == ["Setting.Y"]
    asked = home.replica.page(party("phone"), Pull(), view("home"))
    assert [c.key for c in asked.changes] == ["Setting.X", "Setting.Y"]


def test_a_phone_that_lost_its_file_gets_its_own_writes_back_from_home(
    nodes: dict[str, Node], tmp_path: Path
) -> None:
    phone, home = nodes["phone"], nodes["home"]
    phone.set("Setting.X", b"1")
    home.pull(phone)
    phone.store.close()
    phone.path = tmp_path / "new.db"
    phone.skew_s = -10 * YEAR_S
    phone.open()
    sync(phone, home)
    assert phone.value("Setting.X") == b"1"
    phone.set("Setting.X", b"2")  # its clock counts on from what it has seen
    sync(phone, home)
    assert phone.value("Setting.X") == home.value("Setting.X") == b"2"
    phone.store.close()


def _restored(node: Node, copy: Path, path: Path) -> None:
    """The node goes on from that copy of its file, as `hearthway restore` leaves it."""
    node.store.close()
    node.path = path
    path.write_bytes(copy.read_bytes())
    with Store.open(path, node_id=node.name) as store:
        store.restored()
    node.open()


@pytest.mark.parametrize("skew_s", [0.0, -YEAR_S])
def test_a_restored_home_gets_back_what_it_wrote_since(
    nodes: dict[str, Node], tmp_path: Path, skew_s: float
) -> None:
    phone, car, home = nodes["phone"], nodes["car"], nodes["home"]
    home.set("Setting.Old", b"1")
    home.set("Setting.X", b"1")
    sync(phone, car, home)
    home.store.snapshot_to(tmp_path / "copy")
    home.time_s += 60.0
    home.set("Setting.X", b"2")
    home.set("Device.home.Level", b"7")
    phone.set("Setting.Y", b"3")
    sync(phone, car, home)
    whole = home.replica.digest()
    home.skew_s = skew_s
    _restored(home, tmp_path / "copy", tmp_path / "restored.db")
    assert home.value("Setting.X") == b"1"
    assert home.store.cursor("phone") == Cursor()
    assert home.replica.question("car").own
    home.set("Setting.Z", b"4")
    sync(phone, car, home)
    assert (home.value("Setting.X"), home.value("Setting.Y")) == (b"2", b"3")
    assert (
        home.value("Device.home.Level") is None
    )  # nobody else may write it, so nobody is believed
    assert car.value("Device.home.Level") == b"7"
    home.set("Setting.X", b"5")  # counts on from what came back, whatever its clock shows
    home.set("Device.home.Level", b"8")
    sync(phone, car, home)
    assert {n.value("Setting.X") for n in (phone, car, home)} == {b"5"}
    assert {n.value("Setting.Z") for n in (phone, car, home)} == {b"4"}
    if skew_s == 0.0:
        assert {n.value("Device.home.Level") for n in (car, home)} == {b"8"}
    assert home.replica.digest() != whole
    assert not home.replica.question("car").own  # once


def test_only_after_a_restore_and_only_once_is_one_told_what_one_wrote(
    nodes: dict[str, Node], tmp_path: Path
) -> None:
    car, home = nodes["car"], nodes["home"]
    home.set("Setting.X", b"1")
    sync(car, home)
    home.store.snapshot_to(tmp_path / "copy")
    forged = Change(key="Setting.X", value=b"x", wall_ms=CAP_MS - 9, count=0, node="home")
    page = Changes(database=b"d", since=0, next=9, last=9, changes=(forged,))

    def told(change: Change, *, answer: bool = True) -> dict[str, int]:
        told_page = replace(page, changes=(change,))
        return home.replica.apply(party("car"), told_page, view("home"), answer=answer).refused

    no = {"another node's word": 1}
    assert told(forged) == no
    _restored(home, tmp_path / "copy", tmp_path / "restored.db")
    assert told(forged, answer=False) == no  # unasked
    before = home.store.get_register("Setting.X")
    assert before is not None
    half = replace(page, last=10)
    home.replica.apply(party("car"), half, view("home"), answer=True)  # a page that is not the last
    assert home.value("Setting.X") == b"x"
    for change in (
        replace(forged, wall_ms=before.hlc.wall_ms, count=before.hlc.count),  # it knows that
        replace(forged, key="Device.home.Level"),
        replace(forged, key=f"Person.{ANNA}.Dial"),
        replace(forged, node="phone"),
    ):
        home.store.database.row("DELETE FROM meta WHERE key = 'back.car'")
        assert told(change) == no
    assert told(forged) == no  # the last page was that: it was told everything


def test_in_step_sees_a_difference(nodes: dict[str, Node]) -> None:
    phone, home = nodes["phone"], nodes["home"]
    phone.set("Setting.X", b"1")
    sync(phone, home)
    last = phone.pull(home)
    assert phone.replica.in_step(party("home"), last, view("phone")) is True
    with home.store.database.transaction() as db:  # nothing a peer can see: no number is given
        db.execute("UPDATE registers SET value = x'99'")
    home.replica = Replica(home.store, lambda: NOW_S)
    last = phone.pull(home)
    assert phone.replica.in_step(party("home"), last, view("phone")) is False
    home.set("Setting.Y", b"1")
    assert phone.replica.in_step(party("home"), last, view("phone")) is False
    phone.set("Setting.Z", b"1")
    assert phone.replica.in_step(party("home"), last, view("phone")) is None


def test_a_write_of_another_process_is_counted_on_from(nodes: dict[str, Node]) -> None:
    phone = nodes["phone"]
    phone.set("Setting.X", b"1")
    ahead = Replica(phone.store, lambda: NOW_S + YEAR_S).set("Setting.X", b"2")
    mine = phone.set("Setting.X", b"3")
    assert mine.hlc > ahead.hlc
    assert phone.value("Setting.X") == b"3"


# --- what was forgotten -----------------------------------------------------------------------


def test_what_was_forgotten_does_not_come_back_and_others_hear(nodes: dict[str, Node]) -> None:
    phone, car, home = nodes["phone"], nodes["car"], nodes["home"]
    car.set("Device.car.Position", b"x", time_s=5.0)
    phone.set("Setting.X", b"1")
    sync(phone, car, home)
    for node, key in ((car, "Device.car.Position"), (phone, "Setting.X")):
        held = node.store.get_register(key)
        assert held is not None
        node.store.bury_register(key, held.hlc)
    assert phone.value("Device.car.Position") is not None  # has not heard yet
    home.pull(phone)  # tells nothing of the car's
    assert home.value("Device.car.Position") is not None
    assert home.value("Setting.X") is None
    sync(phone, car, home)
    for node in (phone, car, home):
        assert node.value("Device.car.Position") is None or node is phone
        assert node.value("Setting.X") is None
    phone.set("Setting.X", b"again")  # a new write is no forgotten one
    sync(phone, car, home)
    assert {node.value("Setting.X") for node in (phone, car, home)} == {b"again"}


def test_who_may_bury() -> None:
    mine = Burial(key_hash=b"", wall_ms=1, count=0, node="phone")
    cars = replace(mine, node="car")
    me = view("home")
    assert may_bury("Setting.X", mine, party("phone"), me)
    assert may_bury("Setting.X", cars, party("phone"), me)  # under the rule to forget
    assert may_bury(f"Person.{ANNA}.X", cars, party("phone"), me)
    assert not may_bury(f"Person.{BO}.X", cars, party("phone"), me)
    assert not may_bury("Setting.X", cars, party("guest-phone"), me)
    assert not may_bury("Setting.X", mine, party("car"), me)
    assert may_bury(f"Person.{BO}.X", mine, party("home"), view("car"))


def test_nobody_buries_what_is_not_its_own_to_write(nodes: dict[str, Node]) -> None:
    """A burial names its own moment: that its node is the sender's says nothing about whose register it ends."""
    home, phone = nodes["home"], nodes["phone"]
    phone.set(f"Person.{ANNA}.Diet", b"1")
    phone.set("Device.phone.Level", b"1")
    sync(phone, home)
    salt = b"s" * 16
    for sender in ("car", "phone-bo", "guest-phone"):
        for key in (f"Person.{ANNA}.Diet", "Device.phone.Level"):
            end = Burial(key_hash=hash_key(key, salt), wall_ms=CAP_MS, count=COUNT_MAX, node=sender)
            page = Changes(database=b"d", since=0, next=1, last=1, buried=(end,), salt=salt)
            applied = home.replica.apply(party(sender), page, view("home"), answer=False)
            assert applied.refused == {"another node's word": 1}
            assert home.value(key) == b"1"


def test_a_guest_writes_nothing_that_is_everybodys() -> None:
    for key in ("Setting.X", "Household.X"):
        for writer, may in (("phone", True), ("car", True), ("home", True), ("guest-phone", False)):
            assert may_write(key, writer, ROSTER) is may
    nobodys = replace(ROSTER, members=(*ROSTER.members, member("new", "phone")))
    assert not may_write("Household.X", "new", nobodys)
    assert may_write(
        "Household.X", "new", replace(nobodys, people=(), members=(member("new", "phone"),))
    )


def test_a_write_from_the_end_of_time_stops_nobodys_clock(nodes: dict[str, Node]) -> None:
    """A car that was taken over writes its own key at the last moment there is: everybody else goes on writing."""
    home, phone = nodes["home"], nodes["phone"]
    for count, wall_ms in enumerate((CAP_MS, CAP_MS - 1, CAP_MS // 2), start=1):
        last = Change(
            key=f"Device.car.K{count}", value=b"x", wall_ms=wall_ms, count=COUNT_MAX, node="car"
        )
        page = Changes(database=b"d", since=0, next=count, last=count, changes=(last,))
        assert home.replica.apply(party("car"), page, view("home"), answer=False).changed == 1
    shared = Change(key="Setting.X", value=b"x", wall_ms=CAP_MS - 9, count=COUNT_MAX, node="car")
    page = Changes(database=b"d", since=3, next=4, last=4, changes=(shared,))
    assert home.replica.apply(party("car"), page, view("home"), answer=False).changed == 1
    for once_more in range(2):
        home.set("Setting.Y", b"1")
        home.set("Setting.X", b"2")  # also over that very write
        home.set("Device.home.Level", str(once_more).encode())
        sync(phone, home)
        assert (phone.value("Setting.X"), phone.value("Setting.Y")) == (b"2", b"1")
        phone.set("Setting.Y", b"3")
        sync(phone, home)
        assert home.value("Setting.Y") == b"3"
        home.store.close()
        home.open()  # a restart counts on from what is on disk


def test_of_a_persons_keys_not_even_a_hash_goes_to_somebody_else(nodes: dict[str, Node]) -> None:
    home = nodes["home"]
    home.store.bury_register(f"Person.{ANNA}.X", Hlc(1, 0, "phone"))
    home.store.bury_register("Setting.X", Hlc(1, 0, "phone"))
    told = {
        name: len(home.replica.page(party(name), Pull(), view("home")).buried)
        for name in ("car", "phone", "phone-bo")
    }
    assert told == {"car": 2, "phone": 1, "phone-bo": 1}


def test_many_burials_make_pages(nodes: dict[str, Node]) -> None:
    home, car = nodes["home"], nodes["car"]
    for number in range(PAGE_ROWS + 3):
        home.set(f"Setting.N{number}", b"1")
    car.pull(home)
    for register in home.store.registers():
        home.store.bury_register(register.key, register.hlc)
    page = home.replica.page(party("car"), Pull(), view("home"))
    assert (len(page.buried), page.next < page.last) == (PAGE_ROWS, True)
    car.pull(home)
    assert car.store.count_registers() == 0


def test_an_untold_burial_stays_here(nodes: dict[str, Node]) -> None:
    home, car = nodes["home"], nodes["car"]
    written = home.set("Setting.X", b"1")
    sync(home, car)
    home.store.bury_register("Setting.X", written.hlc, told=False)
    assert home.store.tombstones_after(0, 9) == []
    sync(home, car)
    assert home.value("Setting.X") is None
    assert car.value("Setting.X") == b"1"
    home.store.bury_register("Setting.X", Hlc(written.hlc.wall_ms + 1, 0, "home"))
    (stone,) = home.store.tombstones_after(0, 9)
    assert stone == Tombstone(
        key_hash=home.store.key_hash("Setting.X"),
        hlc=Hlc(written.hlc.wall_ms + 1, 0, "home"),
        seq=home.store.last_seq(),
        shared=True,
    )
    home.store.bury_register("Setting.X", written.hlc)  # an older one changes nothing
    assert home.store.tombstones_after(0, 9) == [stone]


# --- convergence ------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["phone", "car", "home"]),
        st.sampled_from(["write", "write", "write", "pull", "kill", "clock"]),
        st.integers(0, 5),
    ),
    max_size=40,
)


def _converges(root: Path, steps: list[tuple[str, str, int]], skews: list[float]) -> None:
    """Random writes and pulls, kills without a close, clocks that jump; then everybody with everybody."""
    names = ("phone", "car", "home")
    nodes = {n: Node(root / f"{n}.db", n, s) for n, s in zip(names, skews, strict=True)}
    acknowledged: list[Register] = []
    dropped: list[Store] = []
    try:
        for number, (name, what, which) in enumerate(steps):
            node = nodes[name]
            node.time_s += 0.4
            if what == "write":
                acknowledged.append(node.set(f"Setting.K{which}", b"%d" % number))
            elif what == "pull":
                node.pull(nodes[names[which % 3]]) if names[which % 3] != name else None
            elif what == "clock":
                node.skew_s = skews[which % 3] * (which - 2)
            else:
                dropped.append(node.store)  # neither closed nor told: as kill -9 leaves it
                node.open()
        sync(*nodes.values())
        assert len({node.replica.digest() for node in nodes.values()}) == 1
        for written in acknowledged:
            kept = nodes["phone"].store.get_register(written.key)
            assert kept is not None
            assert kept.hlc > written.hlc or (kept.hlc, kept.value) == (written.hlc, written.value)
        order = [w for w in acknowledged if w.hlc.node == "phone"]
        assert [w.hlc for w in order] == sorted({w.hlc for w in order})
    finally:
        for store in (*dropped, *(node.store for node in nodes.values())):
            store.close()


@settings(max_examples=20, deadline=None)
@given(
    STEPS,
    st.lists(
        st.sampled_from([0.0, 3600.0, -3600.0, 10 * YEAR_S, -10 * YEAR_S, 9000 * YEAR_S]),
        min_size=3,
        max_size=3,
    ),
)
def test_three_nodes_converge_and_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]], skews: list[float]
) -> None:
    _converges(tmp_path_factory.mktemp("lww"), steps, skews)


def test_a_fixed_long_run_converges(tmp_path: Path) -> None:
    rng = random.Random(7)
    steps = [
        (
            rng.choice(["phone", "car", "home"]),
            rng.choice(["write", "write", "pull", "kill", "clock"]),
            rng.randrange(6),
        )
        for _ in range(400)
    ]
    _converges(tmp_path, steps, [3600.0, -10 * YEAR_S, 0.0])
