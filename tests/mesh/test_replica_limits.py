"""The replica to the letter: sizes, the clock that counts on, what a page leaves out, and when two are in step."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.hlc import HORIZON_MS, Hlc
from hearthway.mesh.state.registers import Cursor, Register, hash_key
from hearthway.mesh.state.replica import Replica, may_bury, may_write, objection, owner_of
from hearthway.mesh.state.replica_wire import Burial, Change, Changes, Pull
from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError

from .replicas import (
    ANNA,
    GUEST,
    NOW_S,
    ROSTER,
    RULES,
    YEAR_S,
    Node,
    member,
    party,
    rule,
    sync,
    view,
)

NOW_MS = int(NOW_S * 1000)
GOOD = Change(key="Setting.X", value=b"1", wall_ms=5, count=0, node="car")
PAGE = Changes(database=b"d", since=0, next=1, last=1, changes=(GOOD,))


# --- sizes ------------------------------------------------------------------------------------


def test_a_page_looks_at_500_changes(nodes: dict[str, Node]) -> None:
    for number in range(501):
        nodes["car"].set(f"Setting.N{number}", b"1")
    page = nodes["car"].replica.page(party("phone"), Pull(), view("car"))
    assert (len(page.changes), page.next, page.last, page.digest) == (500, 500, 501, b"")


def test_a_page_that_ends_with_the_500th_change_is_the_last_one(nodes: dict[str, Node]) -> None:
    car, phone = nodes["car"], nodes["phone"]
    for number in range(500):
        car.set(f"Setting.N{number}", b"1")
    page = car.replica.page(party("phone"), Pull(), view("car"))
    assert (len(page.changes), page.next, page.last) == (500, 500, 500)
    assert page.digest == car.replica.digest()
    assert phone.pull(car) == page


def test_a_page_carries_256_kib(nodes: dict[str, Node]) -> None:
    car = nodes["car"]
    for name, size in (("A", 65_536), ("B", 65_536), ("C", 65_536), ("D", 65_536 - 4 * 109)):
        car.set(f"Setting.{name}", bytes(size))
    page = car.replica.page(party("phone"), Pull(), view("car"))
    assert [one.key for one in page.changes] == [f"Setting.{name}" for name in "ABCD"]
    car.set("Setting.D", bytes(65_536 - 4 * 109 + 1))
    page = car.replica.page(party("phone"), Pull(), view("car"))
    assert [one.key for one in page.changes] == [f"Setting.{name}" for name in "ABC"]


def test_a_value_of_64_kib_fits_and_one_byte_more_says_what_does(nodes: dict[str, Node]) -> None:
    nodes["car"].set("Setting.X", bytes(65_536))
    with pytest.raises(InputError, match="65537 bytes") as refused:
        nodes["car"].set("Setting.X", bytes(65_537))
    assert refused.value.next_step == "64 KiB fit."


@pytest.mark.parametrize(("length", "refused"), [(64, {}), (65, {"no salt": 1})])
def test_a_salt_has_64_bytes_at_most(
    nodes: dict[str, Node], length: int, refused: dict[str, int]
) -> None:
    home, salt = nodes["home"], bytes(length)
    home.replica.apply(party("car"), PAGE, view("home"), answer=True)
    key_hash = hash_key(GOOD.key, salt[:64])
    page = replace(
        PAGE,
        changes=(),
        salt=salt,
        buried=(Burial(key_hash=key_hash, wall_ms=5, count=0, node="car"),),
    )
    applied = home.replica.apply(party("car"), page, view("home"), answer=True)
    assert applied.refused == refused
    assert (home.value(GOOD.key) is None) is (not refused)


# --- the clock --------------------------------------------------------------------------------


def test_after_a_restart_the_clock_counts_on_for_every_key(nodes: dict[str, Node]) -> None:
    car = nodes["car"]
    car.skew_s = YEAR_S
    before = car.set("Setting.X", b"1")
    car.store.close()
    car.skew_s = 0.0
    car.open()
    assert car.set("Setting.Y", b"2").hlc == Hlc(before.hlc.wall_ms, 1, "car")


@pytest.mark.parametrize("forgotten", [False, True])
def test_what_is_heard_moves_the_clock_for_every_key(
    nodes: dict[str, Node], *, forgotten: bool
) -> None:
    home = nodes["home"]
    ahead = replace(GOOD, wall_ms=NOW_MS + 9, count=4)
    page = replace(PAGE, changes=(ahead,))
    if forgotten:  # the write itself is old, and its burial ahead
        home.replica.apply(party("car"), PAGE, view("home"), answer=True)
        end = Burial(key_hash=hash_key(GOOD.key, b"s"), wall_ms=NOW_MS + 9, count=4, node="car")
        page = replace(PAGE, changes=(), salt=b"s", buried=(end,))
    assert home.replica.apply(party("car"), page, view("home"), answer=True).changed == 1
    assert home.set("Setting.Y", b"2").hlc == Hlc(NOW_MS + 9, 5, "home")


def test_whoever_lost_to_another_process_goes_on_from_the_newest_of_all_keys(
    nodes: dict[str, Node],
) -> None:
    phone = nodes["phone"]
    other = Replica(phone.store, lambda: NOW_S + 100.0)
    other.set("Setting.X", b"1")
    newest = Replica(phone.store, lambda: NOW_S + 200.0).set("Setting.Y", b"2")
    mine = phone.set("Setting.X", b"3")
    assert mine.hlc == Hlc(newest.hlc.wall_ms, 1, "phone")
    assert phone.value("Setting.X") == b"3"


def test_two_processes_past_the_horizon_never_give_one_moment_twice(
    nodes: dict[str, Node],
) -> None:
    """Past the year 2500 no clock counts on from what is on disk: only the key's own write says what comes after."""
    phone = nodes["phone"]
    late_s = HORIZON_MS / 1000 + YEAR_S
    other = Replica(phone.store, lambda: late_s)
    other.set("Setting.X", b"0")
    before = other.set("Setting.X", b"1")
    mine = Replica(phone.store, lambda: late_s).set("Setting.X", b"2")
    assert mine.hlc > before.hlc
    assert mine.hlc.wall_ms == before.hlc.wall_ms


# --- whose it is ------------------------------------------------------------------------------


def test_yes_and_no_are_said_as_such() -> None:
    assert may_write("Vehicle.Speed", "car", ROSTER) is False
    assert may_write("Setting.X", "nobody", ROSTER) is True
    assert may_write("Setting.X", "guest-phone", ROSTER) is False
    mine = Burial(key_hash=b"", wall_ms=1, count=0, node="phone")
    assert may_bury("Setting.X", mine, party("guest-phone"), view("home")) is False
    assert may_bury("Setting.X", mine, party("phone"), view("home")) is True


def test_only_a_persons_and_a_devices_keys_have_an_owner() -> None:
    assert owner_of("Vehicle.Car.Speed") is None
    assert owner_of("Person.a1.Speed") == ("person", "a1")


def test_a_phone_whose_person_the_list_does_not_name_is_no_guests() -> None:
    """As a list of an older version is, that knows no people."""
    known = replace(ROSTER, members=(*ROSTER.members, member("old", "phone", "c9")))
    assert may_write("Setting.X", "old", known)
    assert not may_write(
        "Setting.X", "new", replace(known, members=(*ROSTER.members, member("new", "phone")))
    )


def test_a_guest_forgets_nothing_in_another_nodes_name_whatever_the_rules_say() -> None:
    cars = Burial(key_hash=b"", wall_ms=1, count=0, node="car")
    for key in ("Setting.X", f"Person.{GUEST}.X"):
        assert not may_bury(key, cars, party("guest-phone"), view("home"))
    assert may_bury(f"Person.{ANNA}.X", cars, party("phone"), view("home"))


def test_a_device_that_was_put_out_a_moment_ago_tells_no_persons_field() -> None:
    """What the home knows of devices that are gone it checked itself; nobody else's word is that good."""
    without = replace(ROSTER, members=tuple(m for m in ROSTER.members if m.device_id != "car"))
    dial = replace(GOOD, key=f"Person.{ANNA}.Dial")
    assert objection(dial, party("car"), view("phone", roster=without)) == "not its owner"
    assert objection(dial, party("home"), view("phone", roster=without)) == ""


def test_whom_a_register_is_about_is_kept_where_it_is_written_and_where_it_is_heard(
    nodes: dict[str, Node],
) -> None:
    """`forget` finds it by that."""
    phone, home = nodes["phone"], nodes["home"]
    phone.set(f"Person.{ANNA}.Dial", b"1")
    home.pull(phone)
    for node in (phone, home):
        held = node.store.get_register(f"Person.{ANNA}.Dial")
        assert held is not None
        assert held.person_id == ANNA


# --- what a page leaves out ---------------------------------------------------------------------


def test_what_is_not_replicated_is_not_told_even_where_a_rule_would_let_it(
    nodes: dict[str, Node],
) -> None:
    car = nodes["car"]
    rules = Rules(
        [*RULES.rules, *Rules.parse("version = 1\n" + rule("v", "Vehicle.*", "car"), "t").rules]
    )
    car.set("Setting.X", b"1")
    empty = car.replica.digest()
    car.store.put_register("Vehicle.Speed", b"9", Hlc(5, 0, "car"))
    page = car.replica.page(party("phone"), Pull(), view("car", rules))
    assert [one.key for one in page.changes] == ["Setting.X"]
    assert car.replica.digest() == empty


def test_a_burial_waits_for_the_page_that_reaches_it(nodes: dict[str, Node]) -> None:
    home = nodes["home"]
    for number in range(5):
        home.set(f"Setting.Big{number}", bytes(65_536))
    home.store.bury_register("Setting.Gone", Hlc(1, 0, "home"))
    first = home.replica.page(party("car"), Pull(), view("home"))
    assert (len(first.changes), first.next, first.buried) == (3, 3, ())
    rest = home.replica.page(party("car"), Pull(database=first.database, since=3), view("home"))
    assert (len(rest.changes), rest.next, len(rest.buried)) == (2, 6, 1)


def test_a_write_waits_for_the_page_that_reaches_it(nodes: dict[str, Node]) -> None:
    home = nodes["home"]
    for number in range(501):
        home.store.bury_register(f"Setting.N{number}", Hlc(1, 0, "home"))
    home.set("Setting.Last", b"1")
    first = home.replica.page(party("car"), Pull(), view("home"))
    assert (len(first.buried), first.next, first.changes) == (500, 500, ())
    rest = home.replica.page(party("car"), Pull(database=first.database, since=500), view("home"))
    assert (len(rest.buried), [one.key for one in rest.changes]) == (1, ["Setting.Last"])


def test_what_was_lost_comes_back_under_a_rule_only(nodes: dict[str, Node]) -> None:
    car = nodes["car"]
    car.store.put_register("Setting.X", b"1", Hlc(5, 0, "home"))
    none = Rules.parse("version = 1", "none")
    assert car.replica.page(party("home"), Pull(own=True), view("car", none)).changes == ()
    (told,) = car.replica.page(party("home"), Pull(own=True), view("car")).changes
    assert told.key == "Setting.X"


def test_what_was_lost_is_asked_for_until_the_last_page_came(nodes: dict[str, Node]) -> None:
    home = nodes["home"]
    home.store.restored()
    page = replace(PAGE, last=2)
    home.replica.apply(party("car"), page, view("home"), answer=True)
    assert home.replica.question("car").own
    home.replica.apply(party("car"), replace(page, next=2), view("home"), answer=True)
    assert not home.replica.question("car").own
    assert home.replica.question("phone").own


@pytest.mark.parametrize(
    ("back_s", "age_s"),
    [(-5.0, 5.0), (0.0, 0.0), (0.5, 0.0), (2.0, 0.0), (2.5, 62.0), (YEAR_S, 62.0)],
)
def test_an_age_is_never_told_younger_than_it_is(
    nodes: dict[str, Node], back_s: float, age_s: float
) -> None:
    """`back_s`: by how much the clock was set back since the write; two seconds are slack."""
    car = nodes["car"]
    car.set("Setting.X", b"1", ttl_s=60.0)
    car.time_s -= back_s
    (told,) = car.replica.page(party("phone"), Pull(), view("car")).changes
    assert told.age_s == age_s


# --- in step ------------------------------------------------------------------------------------


def test_what_the_peer_wrote_itself_it_need_not_hear(nodes: dict[str, Node]) -> None:
    phone, home = nodes["phone"], nodes["home"]
    phone.set("Setting.X", b"1")
    last = home.pull(phone)  # the phone has asked for nothing yet, and lacks nothing
    phone.pull(home)
    home.set("Device.home.Level", b"1")
    sync(phone, home)
    phone.set("Setting.X", b"2")
    last = home.pull(phone)
    assert last.seen < home.store.last_seq()
    assert home.replica.in_step(party("phone"), last, view("home")) is True


def test_500_changes_that_the_peer_knows_may_hide_one_that_it_does_not(
    nodes: dict[str, Node],
) -> None:
    phone, home = nodes["phone"], nodes["home"]
    phone.pull(home)
    for number in range(500):
        phone.set(f"Setting.N{number}", b"1")
    last = home.pull(phone)
    assert home.replica.in_step(party("phone"), last, view("home")) is None
    home.set("Setting.New", b"1")
    last = home.pull(phone)
    assert home.replica.in_step(party("phone"), last, view("home")) is None
    sync(phone, home)
    assert home.replica.in_step(party("phone"), home.pull(phone), view("home")) is True


def test_only_a_whole_pull_is_compared(nodes: dict[str, Node]) -> None:
    phone, home = nodes["phone"], nodes["home"]
    phone.set("Setting.X", b"1")
    sync(phone, home)
    last = phone.pull(home)

    def step(page: Changes) -> bool | None:
        return phone.replica.in_step(party("home"), page, view("phone"))

    assert step(last) is True
    assert step(replace(last, digest=b"")) is None
    assert step(replace(last, seen_database=b"other")) is None
    phone.store.set_cursor("home", Cursor(database=last.database, seq=last.last - 1))
    assert step(last) is None
    phone.store.set_cursor("home", Cursor(database=b"other", seq=last.last))
    assert step(last) is None


def test_two_compare_only_what_both_may_hold(nodes: dict[str, Node]) -> None:
    phone, home, other = nodes["phone"], nodes["home"], nodes["phone-bo"]
    phone.set(f"Person.{ANNA}.Dial", b"1")
    phone.set("Setting.X", b"1")
    sync(phone, home, other)
    assert other.value(f"Person.{ANNA}.Dial") is None
    assert other.replica.in_step(party("home"), other.pull(home), view("phone-bo")) is True
    assert home.replica.digest() != other.replica.digest()
    told = home.replica.digest(view("home"), party("home"), party("phone-bo"))
    assert told == other.replica.digest()
    phone.set(f"Person.{ANNA}.Dial", b"2")
    home.pull(phone)  # a change that the other phone will never hear of, and need not
    last = home.pull(other)
    assert last.seen < home.store.last_seq()
    assert home.replica.in_step(party("phone-bo"), last, view("home")) is True


def test_a_digest_is_worked_out_once_a_change(
    nodes: dict[str, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    car, count, digest = nodes["car"], [0], Replica.digest

    def counted(self: Replica, *args: object) -> bytes:
        count[0] += 1
        return digest(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Replica, "digest", counted)
    rules = Rules.parse("version = 1", "none")
    for known, whole in ((view("car"), 1), (view("car"), 1), (view("car", rules), 2)):
        car.replica.page(party("phone"), Pull(), known)
        assert count[0] == whole
    car.replica.page(party("home"), Pull(), view("car", rules))
    assert count[0] == 3  # each may hold something else
    car.set("Setting.X", b"1")
    car.replica.page(party("phone"), Pull(), view("car", rules))
    car.replica.page(party("phone"), Pull(), view("car", rules), answer=False)
    assert count[0] == 4


def test_a_pull_that_brings_nothing_new_writes_nothing(nodes: dict[str, Node]) -> None:
    car, home = nodes["car"], nodes["home"]
    car.set("Setting.X", b"1")
    with closing(sqlite3.connect(home.path)) as beside:

        def version() -> int:
            """Another one whenever something was written to the file."""
            return int(beside.execute("PRAGMA data_version").fetchone()[0])

        empty = version()
        home.pull(car)
        whole = version()
        assert whole != empty
        home.pull(car)
        assert version() == whole


def test_what_stands_twice_in_a_page_counts_once(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home.db", node_id="home") as store:
        home = Replica(store, lambda: NOW_S)
        twice = replace(PAGE, changes=(GOOD, GOOD))
        assert home.apply(party("car"), twice, view("home"), answer=True).changed == 1
        end = Burial(key_hash=hash_key(GOOD.key, b"s"), wall_ms=5, count=0, node="car")
        page = replace(PAGE, changes=(), salt=b"s", buried=(end, end))
        assert home.apply(party("car"), page, view("home"), answer=True).changed == 1
        assert store.registers() == []
        store.put_register("Vehicle.Speed", b"1", Hlc(5, 0, "car"))  # is nobody's to bury
        lone = replace(end, key_hash=hash_key("Vehicle.Speed", b"s"))
        applied = home.apply(
            party("home"), replace(page, buried=(lone,)), view("home"), answer=True
        )
        assert (applied.changed, applied.refused) == (0, {})
        assert isinstance(store.get_register("Vehicle.Speed"), Register)
