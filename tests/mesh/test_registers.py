"""The registers of one file: what wins, what stays buried, and the numbers that peers count by."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from hearthway.mesh.state.hlc import COUNT_MAX, HORIZON_MS, Hlc
from hearthway.mesh.state.registers import (
    Cursor,
    Reading,
    Register,
    Tombstone,
    hash_key,
    merge,
    read,
)
from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError

KEY = "Setting.Home.Temperature"
AT = Hlc(1000, 3, "car")
WRITE = Register(key=KEY, value=b"21", hlc=AT, written_s=1.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "node.db", node_id="phone") as opened:
        yield opened


def test_the_later_write_wins_and_the_same_one_changes_nothing(store: Store) -> None:
    assert store.merge_register(WRITE) is True
    assert store.merge_register(WRITE) is False
    assert store.last_seq() == 1
    assert store.merge_register(replace(WRITE, hlc=Hlc(1000, 2, "car"), value=b"99")) is False
    assert store.merge_register(replace(WRITE, hlc=Hlc(1000, 3, "bus"), value=b"99")) is False
    later = replace(WRITE, hlc=Hlc(1000, 4, "car"), value=b"20")
    assert store.merge_register(later) is True
    assert store.get_register(KEY) == replace(later, seq=2)
    assert store.count_registers() == 1


def test_every_field_is_kept(store: Store) -> None:
    whole = replace(
        WRITE, key="Person.a1.Place", person_id="a1", time_s=2.0, lat=60.0, lon=24.0, ttl_s=5.0
    )
    assert store.merge_register(whole)
    assert store.get_register(whole.key) == replace(whole, seq=1)
    assert store.put_register(
        KEY, b"1", AT, person_id="b2", time_s=3.0, lat=61.0, lon=25.0, ttl_s=6.0
    )
    assert store.get_register(KEY) == Register(
        key=KEY,
        value=b"1",
        hlc=AT,
        person_id="b2",
        time_s=3.0,
        lat=61.0,
        lon=25.0,
        ttl_s=6.0,
        written_s=1.0,  # the moment itself
        seq=2,
    )
    assert store.put_register(KEY, b"2", Hlc(2000, 0, "car"), written_s=7.5)
    assert store.get_register(KEY) == Register(
        key=KEY, value=b"2", hlc=Hlc(2000, 0, "car"), written_s=7.5, seq=3
    )


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["time_s", "lat", "lon", "ttl_s", "written_s"])
def test_what_is_no_number_is_refused(store: Store, field: str, wrong: float) -> None:
    with pytest.raises(InputError, match="number that is none"):
        store.merge_register(replace(WRITE, **{field: wrong}))
    assert store.get_register(KEY) is None


def test_a_time_to_live_is_never_negative(store: Store) -> None:
    with pytest.raises(InputError):
        store.merge_register(replace(WRITE, ttl_s=-0.5))
    assert store.merge_register(replace(WRITE, ttl_s=0.5))
    assert store.merge_register(replace(WRITE, key="Setting.Y", time_s=-5.0, lat=-1.0, lon=-1.0))


def test_a_buried_write_never_comes_back_and_a_later_one_does(store: Store) -> None:
    store.merge_register(WRITE)
    store.bury_register(KEY, AT)
    assert store.get_register(KEY) is None
    for old in (AT, Hlc(1000, 2, "car"), Hlc(1000, 3, "bus"), Hlc(0, 0, "car")):
        assert store.is_buried(replace(WRITE, hlc=old)) is True
        assert store.merge_register(replace(WRITE, hlc=old)) is False
        assert store.put_register(KEY, b"back", old) is False
    assert store.get_register(KEY) is None
    for new in (Hlc(1000, 3, "dog"), Hlc(1000, 4, "car"), Hlc(1001, 0, "a")):
        assert store.is_buried(replace(WRITE, hlc=new)) is False
    assert store.is_buried(replace(WRITE, key="Setting.Y")) is False
    assert store.merge_register(replace(WRITE, hlc=Hlc(1001, 0, "a"))) is True


def test_a_burial_takes_what_is_up_to_it_and_leaves_what_is_later(store: Store) -> None:
    store.merge_register(replace(WRITE, hlc=Hlc(1001, 0, "car")))
    store.merge_register(replace(WRITE, key="Setting.Y"))
    store.bury_register(KEY, AT)
    assert [one.key for one in store.registers()] == [KEY, "Setting.Y"]
    store.bury_register(KEY, Hlc(1001, 0, "car"))
    assert [one.key for one in store.registers()] == ["Setting.Y"]
    store.bury_register(KEY, AT)  # an older one changes nothing
    assert store.is_buried(replace(WRITE, hlc=Hlc(1001, 0, "car")))
    assert store.last_hlc() == Hlc(1001, 0, "car")


def test_burials_are_told_by_number_with_a_hash_for_a_key(store: Store) -> None:
    store.bury_register(KEY, AT)
    store.bury_register("Person.a1.X", AT)
    store.bury_register("Household.X", AT, told=False)
    name = store.key_hash(KEY)
    assert name == hash_key(KEY, store.salt())
    first = Tombstone(key_hash=name, hlc=AT, seq=1, shared=True)
    second = Tombstone(key_hash=store.key_hash("Person.a1.X"), hlc=AT, seq=2, shared=False)
    assert store.tombstones_after(0, 9) == [first, second]
    assert store.tombstones_after(0, 1) == [first]
    assert store.tombstones_after(1, 9) == [second]
    untold = Tombstone(key_hash=store.key_hash("Household.X"), hlc=AT, seq=0, shared=True)
    assert store.tombstones_after(-1, 9) == [untold, first, second]
    store.bury_register(KEY, Hlc(2000, 0, "home"))
    assert store.tombstones_after(2, 9) == [replace(first, hlc=Hlc(2000, 0, "home"), seq=3)]


def test_a_hash_is_the_same_on_every_node_and_in_every_version() -> None:
    assert hash_key(KEY, b"salt").hex() == "512650f428e7b44a0edd4c6761b7dbeb"
    assert hash_key(KEY, b"").hex() == "979e88757aa1465a07d821692d987483"
    assert len({hash_key(KEY, b"salt"), hash_key(KEY, b"pepper"), hash_key("A", b"salt")}) == 3


def test_each_file_has_its_own_salt_and_id(store: Store, tmp_path: Path) -> None:
    with Store.open(tmp_path / "other.db", node_id="phone") as other:
        assert other.salt() != store.salt() != b""
        assert other.database_id() != store.database_id()
    made = store.database_id()
    assert len(made) == 16
    assert store.database_id() == made
    assert store.renew_database_id() != made
    assert store.database_id() != made


def test_changes_are_numbered_and_told_in_order(store: Store) -> None:
    for n, key in enumerate(("Setting.C", "Setting.A", "Other.B")):
        assert store.last_seq() == n
        store.merge_register(replace(WRITE, key=key, hlc=Hlc(1000 + n, 0, "car")))
    assert [one.key for one in store.registers()] == ["Other.B", "Setting.A", "Setting.C"]
    assert [one.key for one in store.registers("Setting.")] == ["Setting.A", "Setting.C"]
    assert [one.key for one in store.registers("", Hlc(1000, 0, "car"))] == [
        "Other.B",
        "Setting.A",
    ]
    assert [one.seq for one in store.registers_after(0, 9)] == [1, 2, 3]
    assert [one.seq for one in store.registers_after(1, 1)] == [2]
    assert store.registers_after(3, 9) == []
    assert store.count_registers() == 3
    store.bury_register("Setting.C", AT)
    assert store.last_seq() == 4  # a burial is a change


def test_the_highest_moment_counts_burials_too(store: Store) -> None:
    assert store.last_hlc() is None
    assert store.count_registers() == store.last_seq() == 0
    store.merge_register(WRITE)
    assert store.last_hlc() == AT
    store.bury_register("Setting.Y", Hlc(5000, 0, "home"))
    assert store.last_hlc() == Hlc(5000, 0, "home")
    store.merge_register(replace(WRITE, hlc=Hlc(6000, 0, "car")))
    assert store.last_hlc() == Hlc(6000, 0, "car")


def test_what_is_dated_past_the_year_2500_is_nobodys_last_moment(store: Store) -> None:
    latest = Hlc(HORIZON_MS, COUNT_MAX, "z")
    store.merge_register(replace(WRITE, hlc=latest))
    assert store.last_hlc() == latest
    for number, beyond in enumerate((Hlc(HORIZON_MS + 1, 0, "a"), Hlc(HORIZON_MS + 1, 1, "a"))):
        store.merge_register(replace(WRITE, key=f"Setting.K{number}", hlc=beyond))
        store.bury_register(f"Setting.Gone{number}", beyond)
    assert store.last_hlc() == latest


def test_the_last_moment_of_a_key_is_of_what_it_holds_or_held(store: Store) -> None:
    assert store.last_of(KEY) is None
    store.merge_register(WRITE)
    assert store.last_of(KEY) == AT
    assert store.last_of("Setting.Y") is None
    store.bury_register(KEY, Hlc(2000, 0, "home"))
    assert store.last_of(KEY) == Hlc(2000, 0, "home")
    store.merge_register(replace(WRITE, hlc=Hlc(3000, 0, "car")))
    assert store.last_of(KEY) == Hlc(3000, 0, "car")


def test_keys_are_found_by_their_hash_under_anybodys_salt(store: Store) -> None:
    store.merge_register(WRITE)
    store.merge_register(replace(WRITE, key="Setting.Y"))
    assert store.keys_by_hash(b"s") == {
        hash_key(KEY, b"s"): KEY,
        hash_key("Setting.Y", b"s"): "Setting.Y",
    }


@pytest.mark.parametrize("field", ["time_s", "lat", "lon"])
def test_of_one_moment_the_greater_number_wins_and_any_over_none(field: str) -> None:
    """Which one does not matter; that every node chooses the same does."""
    ascending = [replace(WRITE, **{field: x}) for x in (None, -0.5, 0.0, 0.5, 1.0)]
    for low, high in pairwise(ascending):
        assert merge(low, high) is merge(high, low) is high


def test_what_a_device_wrote_is_counted_with_its_keys_and_values(store: Store) -> None:
    assert store.written_by("car") == (0, 0)
    store.merge_register(Register(key="Setting.Ab", value=b"123", hlc=AT, written_s=1.0))
    store.merge_register(Register(key="Setting.C", value=b"4", hlc=AT, written_s=1.0))
    store.merge_register(WRITE)
    store.merge_register(replace(WRITE, hlc=Hlc(1000, 4, "car-2"), value=b"99999"))
    assert store.written_by("car") == (2, 13 + 10)
    assert store.written_by("car-2") == (1, len(KEY) + 5)  # the last one who wrote it
    assert store.written_by("ar") == store.written_by("") == (0, 0)


def test_what_stands_under_a_beginning_is_counted_by_its_values(store: Store) -> None:
    assert store.size_of("Setting.") == (0, 0)
    for key, value in (("Setting.Ab", b"123"), ("Setting.C", b"4"), ("Device.car.Setting.X", b"5")):
        store.merge_register(Register(key=key, value=value, hlc=AT, written_s=1.0))
    assert store.size_of("Setting.") == (2, 4)
    assert store.size_of("Setting.A") == (1, 3)
    assert store.size_of("") == (3, 5)
    assert store.size_of("setting.") == store.size_of("Setting.%") == (0, 0)


def test_what_is_dropped_leaves_no_trace_and_may_be_written_anew(store: Store) -> None:
    store.merge_register(WRITE)
    store.merge_register(replace(WRITE, key="Setting.C"))
    store.drop_register(KEY)
    store.drop_register("Setting.Never")
    assert store.get_register(KEY) is None
    assert store.get_register("Setting.C") is not None
    assert store.tombstones_after(0, 10) == []
    assert store.merge_register(WRITE) is True


def test_a_cursor_is_kept_for_each_peer(store: Store) -> None:
    assert store.cursor("car") == Cursor()
    assert Cursor() == Cursor(database=b"", seq=0)
    store.set_cursor("car", Cursor(database=b"d", seq=7))
    store.set_cursor("home", Cursor(database=b"e", seq=8))
    assert store.cursor("car") == Cursor(database=b"d", seq=7)
    store.set_cursor("car", Cursor(database=b"f", seq=1))
    assert store.cursor("car") == Cursor(database=b"f", seq=1)
    store.drop_cursors()
    assert store.cursor("car") == store.cursor("home") == Cursor()


def test_a_restored_file_asks_each_peer_once_for_what_it_lost(store: Store) -> None:
    assert store.lost_after("home") is None
    made = store.database_id()
    store.set_cursor("home", Cursor(database=b"d", seq=7))
    store.merge_register(WRITE)
    store.restored()
    assert store.database_id() != made
    assert store.cursor("home") == Cursor()
    assert store.lost_after("home") == store.lost_after("car") == AT
    store.has_back("home")
    assert store.lost_after("home") is None
    assert store.lost_after("car") == AT
    store.merge_register(replace(WRITE, hlc=Hlc(9000, 0, "car")))
    store.restored()
    assert store.lost_after("home") == Hlc(9000, 0, "car")


def test_an_empty_file_that_was_restored_lost_everything(store: Store) -> None:
    store.restored()
    lost = store.lost_after("home")
    assert lost is not None
    assert (lost.wall_ms, lost.count) == (0, 0)
    assert lost < Hlc(0, 1, "a")


@pytest.mark.parametrize(
    ("now_s", "ttl_s", "age_s", "stale"),
    [
        (10.0, 0.0, 0.0, False),
        (70.0, 60.0, 60.0, False),
        (70.5, 60.0, 60.5, True),
        (8.0, 60.0, 0.0, False),
        (7.9, 60.0, None, True),
        (7.9, 0.0, None, False),
        (math.nan, 60.0, None, True),
        (math.inf, 0.0, None, False),
        (10.5, 0.25, 0.5, True),
    ],
)
def test_an_age_that_cannot_be_told_is_stale(
    now_s: float, ttl_s: float, age_s: float | None, stale: bool
) -> None:
    register = replace(WRITE, written_s=10.0, ttl_s=ttl_s)
    assert read(register, now_s) == Reading(
        key=KEY, value=b"21", age_s=age_s, stale=stale, source="car", ttl_s=ttl_s
    )


def test_only_what_is_not_stale_is_current(store: Store) -> None:
    assert store.register(KEY, 1.0) is store.current(KEY, 1.0) is None
    store.merge_register(replace(WRITE, ttl_s=60.0))
    for now_s, there in ((1.0, True), (61.0, True), (61.5, False)):
        reading = store.register(KEY, now_s)
        assert reading is not None
        assert reading.age_s == now_s - 1.0
        assert store.current(KEY, now_s) == (reading if there else None)


def test_what_is_left_out_means_nothing() -> None:
    plain = Register(key=KEY, value=b"", hlc=AT)
    assert (plain.person_id, plain.ttl_s, plain.written_s, plain.seq) == ("", 0.0, 0.0, 0)
    assert plain.time_s is plain.lat is plain.lon is None
    assert Reading(key=KEY, value=b"", age_s=0.0, stale=False, source="car").ttl_s == 0.0
    buried = Tombstone(key_hash=b"", hlc=AT)
    assert (buried.seq, buried.shared) == (0, False)
