"""Merging one page: what it changes, what it refuses, where the cursor stands after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state import room
from hearthway.mesh.state.hlc import Hlc
from hearthway.mesh.state.registers import Cursor, hash_key
from hearthway.mesh.state.replica import PAGE_BYTES, SALT_MAX_BYTES, Replica, View
from hearthway.mesh.state.replica_wire import Burial, Change, Changes, Pull
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.roster import Member, Roster
from hearthway.records.errors import InputError, WireError
from hearthway.records.household import Party, Rule

NOW_S = 1_800_000_000.0
ROSTER = Roster(
    household_id="h",
    name="Test",
    serial=1,
    members=tuple(
        Member(device_id=role, role=role, address="", public_key=b"") for role in ("car", "home")
    ),
)
RULES = Rules(
    Rule(id=f"{role}-{n}", keys=(f"{key}.*",), sender=role, receivers=(other,), purpose=purpose)
    for role, other in (("car", "home"), ("home", "car"))
    for n, (key, purpose) in enumerate((("Setting", "share"), ("Household", "household")))
)
GOOD = Change(key="Setting.X", value=b"1", wall_ms=5, count=0, node="car")
PAGE = Changes(database=b"d", since=0, next=1, last=1, changes=(GOOD,))


def party(name: str) -> Party:
    found = ROSTER.party(name, NOW_S)
    assert found is not None
    return found


HOME = View(me=party("home"), roster=ROSTER, rules=RULES)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Replica]:
    with Store.open(tmp_path / "home.db", node_id="home") as store:
        yield Replica(store, lambda: NOW_S)


def test_a_page_is_merged_once_and_moves_the_cursor(home: Replica) -> None:
    applied = home.apply(party("car"), PAGE, HOME, answer=True)
    assert (applied.changed, applied.refused, applied.gap) == (1, {}, False)
    assert home.store.cursor("car") == Cursor(database=b"d", seq=1)
    again = home.apply(party("car"), PAGE, HOME, answer=True)
    assert (again.changed, again.refused, again.gap) == (0, {}, False)
    held = home.store.get_register("Setting.X")
    assert held is not None
    assert (held.value, held.hlc, held.written_s) == (b"1", Hlc(5, 0, "car"), NOW_S)


def test_an_answer_has_no_gap_whatever_it_begins_with(home: Replica) -> None:
    later = replace(PAGE, since=7, next=9, last=9)
    assert home.apply(party("car"), later, HOME, answer=True).gap is False
    other = replace(PAGE, database=b"e", since=3, next=4, last=4)
    assert home.apply(party("car"), other, HOME, answer=True).gap is False
    assert home.store.cursor("car") == Cursor(database=b"e", seq=4)
    assert home.question("car") == Pull(database=b"e", since=4)


def test_a_push_with_a_gap_is_merged_and_moves_nothing(home: Replica) -> None:
    home.apply(party("car"), PAGE, HOME, answer=True)
    news = replace(GOOD, key="Setting.Y", wall_ms=6)
    for page, gap, seq in (
        (replace(PAGE, since=2, next=3, changes=(news,)), True, 1),
        (replace(PAGE, database=b"e", since=0, next=3, changes=()), True, 1),
        (replace(PAGE, since=1, next=3, changes=()), False, 3),
        (replace(PAGE, since=0, next=2, changes=()), False, 3),  # nothing goes back
    ):
        assert home.apply(party("car"), page, HOME, answer=False).gap is gap
        assert home.store.cursor("car") == Cursor(database=b"d", seq=seq)
    assert home.store.get_register("Setting.Y") is not None


def test_what_is_refused_is_counted_and_the_rest_taken(home: Replica) -> None:
    page = replace(
        PAGE,
        changes=(
            replace(GOOD, key="Vehicle.Speed"),
            replace(GOOD, node="home"),
            replace(GOOD, node="home", key="Setting.Y"),
            GOOD,
        ),
    )
    applied = home.apply(party("car"), page, HOME, answer=True)
    assert applied.changed == 1
    assert applied.refused == {"another node's word": 2, "not a replicated key or value": 1}
    assert list(applied.refused) == sorted(applied.refused)


def _page(*changes: Change) -> Changes:
    return replace(PAGE, changes=changes)


def test_a_device_fills_its_own_room_and_nobody_elses(
    home: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "KEYS_MAX", 3)
    many = [replace(GOOD, key=f"Setting.K{n}") for n in range(5)]
    applied = home.apply(party("car"), _page(*many[:2]), HOME, answer=True)
    assert (applied.changed, applied.refused) == (2, {})
    applied = home.apply(party("car"), _page(*many), HOME, answer=True)
    assert (applied.changed, applied.refused) == (1, {"too much of one device": 2})
    assert home.store.written_by("car")[0] == 3
    # what it wrote it may write anew, and others have the room they had
    newer = replace(many[0], value=b"2", wall_ms=6)
    assert home.apply(party("car"), _page(newer, many[4]), HOME, answer=True).changed == 1
    home.set("Setting.Mine", b"1", roster=ROSTER)
    assert home.store.count_registers() == 4


def test_what_went_makes_room_again_and_nobody_is_counted_at_every_write(
    home: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "KEYS_MAX", 3)
    counted: list[str] = []
    written_by = home.store.written_by

    def counting(node: str) -> tuple[int, int]:
        counted.append(node)
        return written_by(node)

    monkeypatch.setattr(home.store, "written_by", counting)
    for key in ("Setting.A", "Setting.B", "Setting.C", "Setting.A"):
        home.set(key, b"1", roster=ROSTER)
    assert counted == ["home"]
    with pytest.raises(InputError, match="reach none of them"):
        home.set("Setting.D", b"1", roster=ROSTER)
    home.store.drop_register("Setting.B")  # not by a write of the replica
    home.set("Setting.D", b"1", roster=ROSTER)
    many = [replace(GOOD, key=f"Setting.K{n}") for n in range(9)]
    counted.clear()
    applied = home.apply(party("car"), _page(*many), HOME, answer=True)
    assert (applied.changed, applied.refused) == (3, {"too much of one device": 6})
    assert counted == ["car"]  # however much of a page is refused


def test_a_device_does_not_acknowledge_what_no_other_would_keep(
    home: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "KEYS_MAX", 2)
    home.apply(party("car"), _page(replace(GOOD, key="Setting.Z")), HOME, answer=True)
    for key in ("Setting.A", "Setting.B", "Setting.B"):  # what is its own it may write anew
        home.set(key, b"1", roster=ROSTER)
    with pytest.raises(InputError, match="reach none of them") as refused:
        home.set("Setting.C", b"1", roster=ROSTER)
    assert "another device" in refused.value.next_step
    assert home.store.get_register("Setting.C") is None
    monkeypatch.setattr(room, "KEYS_MAX", 3)
    home.set("Setting.C", b"1", roster=ROSTER)  # the control


def test_a_device_may_write_so_many_bytes(home: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BYTES_MAX", 100)
    large = replace(GOOD, value=b"x" * 80)  # and 9 of the key
    other = replace(GOOD, key="Setting.Y", value=b"y")
    longer = replace(large, value=b"x" * 92, wall_ms=6)
    shorter = replace(large, value=b"x", wall_ms=7)
    for change, changed in ((large, 1), (replace(other, value=b"y" * 9), 0), (longer, 0)):
        assert home.apply(party("car"), _page(change), HOME, answer=True).changed == changed
    for change in (shorter, other):
        assert home.apply(party("car"), _page(change), HOME, answer=True).changed == 1
    assert home.store.written_by("car") == (2, 20)
    assert home.store.written_by("home") == (0, 0)


def test_burials_are_weighed_one_by_one(home: Replica) -> None:
    home.apply(party("car"), PAGE, HOME, answer=True)
    home.set("Setting.Mine", b"1", roster=ROSTER)
    mine = home.store.get_register("Setting.Mine")
    assert mine is not None

    def burial(key: str, at: Hlc) -> Burial:
        return Burial(
            key_hash=hash_key(key, b"s"), wall_ms=at.wall_ms, count=at.count, node=at.node
        )

    buried = (
        burial("Setting.Mine", mine.hlc),  # not the car's to bury
        burial("Setting.None", Hlc(9, 0, "car")),
        burial("Setting.X", Hlc(5, 0, "car")),
    )
    page = replace(PAGE, changes=(), buried=buried, salt=b"s", next=2, last=2)
    too_long = replace(page, salt=bytes(SALT_MAX_BYTES + 1))
    applied = home.apply(party("car"), too_long, HOME, answer=True)
    assert (applied.changed, applied.refused) == (0, {"no salt": 1})
    applied = home.apply(party("car"), page, HOME, answer=True)
    assert applied.changed == 1
    assert sum(applied.refused.values()) == 1
    assert home.store.get_register("Setting.X") is None
    assert home.store.get_register("Setting.Mine") == mine
    assert home.apply(party("car"), PAGE, HOME, answer=True).changed == 0  # it stays buried


@pytest.mark.parametrize("wrong", [{"next": -1}, {"next": 2**63}, {"database": bytes(65)}], ids=str)
def test_numbers_that_can_be_none_are_refused(home: Replica, wrong: dict[str, object]) -> None:
    with pytest.raises(WireError):
        home.apply(party("car"), replace(PAGE, **wrong), HOME, answer=True)
    assert home.store.get_register("Setting.X") is None
    assert home.store.cursor("car") == Cursor()
    right = replace(PAGE, next=2**63 - 1, last=2**63 - 1, database=bytes(64))
    home.apply(party("car"), right, HOME, answer=True)


def test_a_page_holds_what_fits_to_the_byte(home: Replica) -> None:
    keys = [f"Setting.{name}" for name in "ABCDE"]
    for key in keys[:4]:
        home.set(key, bytes(PAGE_BYTES // 4 - len(key) - 100), roster=ROSTER)
    home.set(keys[4], b"", roster=ROSTER)
    page = home.page(party("car"), Pull(), HOME)
    assert [one.key for one in page.changes] == keys[:4]
    assert (page.next, page.last, page.digest) == (4, 5, b"")
    rest = home.page(party("car"), Pull(database=page.database, since=page.next), HOME)
    assert [one.key for one in rest.changes] == keys[4:]
    assert rest.next == rest.last == 5
    assert rest.digest


def test_one_byte_more_goes_with_the_next_page(home: Replica) -> None:
    for name in "ABCD":
        key = f"Setting.{name}"
        home.set(key, bytes(PAGE_BYTES // 4 - len(key) - 100 + (name == "D")), roster=ROSTER)
    page = home.page(party("car"), Pull(), HOME)
    assert [one.key for one in page.changes] == ["Setting.A", "Setting.B", "Setting.C"]
    assert (page.next, page.last) == (3, 4)


def test_every_field_travels(home: Replica) -> None:
    home.set("Setting.X", b"1", roster=ROSTER, ttl_s=9.0, time_s=5.0, lat=60.0, lon=24.0)
    (told,) = home.page(party("car"), Pull(), HOME).changes
    at = int(NOW_S * 1000)
    assert told == Change(
        key="Setting.X",
        value=b"1",
        wall_ms=at,
        count=0,
        node="home",
        ttl_s=9.0,
        age_s=0.0,
        time_s=5.0,
        lat=60.0,
        lon=24.0,
    )


def test_one_gets_back_only_ones_own_and_only_what_the_giver_might_have_written(
    tmp_path: Path,
) -> None:
    device = Rule(
        id="device", keys=("Device.*",), sender="car", receivers=("home",), purpose="share"
    )
    view = View(me=party("car"), roster=ROSTER, rules=Rules([*RULES.rules, device]))
    with Store.open(tmp_path / "car.db", node_id="car") as store:
        car = Replica(store, lambda: NOW_S)
        for key, node in (
            ("Setting.X", "home"),
            ("Device.home.Y", "home"),
            ("Setting.Z", "phone"),
            ("Device.car.Y", "car"),
        ):
            store.put_register(key, b"1", Hlc(5, 0, node))
        own = car.page(party("home"), Pull(own=True), view)
        assert [one.key for one in own.changes] == ["Setting.X", "Device.car.Y"]
        plain = car.page(party("home"), Pull(), view)
        assert [one.key for one in plain.changes] == ["Device.car.Y"]


def test_the_clock_counts_on_from_a_burial(home: Replica) -> None:
    home.apply(party("car"), PAGE, HOME, answer=True)
    ahead_ms = int(NOW_S * 1000) + 9
    burial = Burial(key_hash=hash_key("Setting.X", b"s"), wall_ms=ahead_ms, count=4, node="car")
    page = replace(PAGE, changes=(), buried=(burial,), salt=b"s", next=2, last=2)
    assert home.apply(party("car"), page, HOME, answer=True).changed == 1
    assert home.set("Setting.X", b"2", roster=ROSTER).hlc == Hlc(ahead_ms, 5, "home")
    assert len(home.digest()) == 16  # as every version has it


def test_every_field_arrives(home: Replica) -> None:
    whole = replace(GOOD, ttl_s=9.0, age_s=2.0, time_s=5.0, lat=60.0, lon=24.0)
    home.apply(party("car"), replace(PAGE, changes=(whole,)), HOME, answer=True)
    held = home.store.get_register("Setting.X")
    assert held is not None
    assert (held.ttl_s, held.time_s, held.lat, held.lon) == (9.0, 5.0, 60.0, 24.0)
    assert (held.written_s, held.person_id) == (NOW_S - 2.0, "")
