"""Days and moments are those of the clock where the person was: in `why --silent`, and in what `forget` erases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.hindsight import moment_of
from hearthway.app.offline import forget_everywhere, scope_of
from hearthway.app.paths import NodePaths, private_dir
from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError
from hearthway.records.forgetting import RangeScope
from hearthway.records.household import Role
from hearthway.records.life import Person
from hearthway.records.signals import Fix

ANNA = Person(person_id="anna", name="Anna")
HELSINKI, NEW_YORK, AUCKLAND = (60.17, 24.94), (40.75, -73.99), (-36.85, 174.76)


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def hourly(at: tuple[float, float], since: str, hours: int) -> list[Fix]:
    return [Fix(time_s=utc(since) + n * 3600.0, lat=at[0], lon=at[1]) for n in range(hours)]


@pytest.fixture
def phone(tmp_path: Path) -> NodePaths:
    return phone_with(tmp_path, "phone", ANNA, [])


def phone_with(tmp_path: Path, name: str, person: Person, fixes: list[Fix]) -> NodePaths:
    paths = NodePaths(private_dir(tmp_path / name))
    config = Config(
        version=1,
        node=NodeTable(id=name, role=Role.PHONE),
        mesh=MeshTable(listen="127.0.0.1:0"),
        map=MapTable(atlas="none"),
    )
    save_config(paths, config)
    with Store.open(paths.database, node_id=name) as store:
        store.add_person(person.name, person.person_id)
        store.add_fixes(person.person_id, fixes, "test")
    return paths


def lived(phone: NodePaths, *fixes: list[Fix]) -> None:
    with Store.open(phone.database, node_id="phone") as store:
        for some in fixes:
            store.add_fixes(ANNA.person_id, some, "test")


def span(found: list[NodePaths], what: str, of: str | None = None) -> tuple[float, float]:
    scope, _ = scope_of(found, what, of, 200.0)
    assert isinstance(scope, RangeScope)
    return scope.since_s, scope.until_s


@pytest.mark.parametrize(
    ("at", "first", "end"),
    [
        (NEW_YORK, "2026-06-03T04:00", "2026-06-04T04:00"),
        (HELSINKI, "2026-06-02T21:00", "2026-06-03T21:00"),
        (AUCKLAND, "2026-06-02T12:00", "2026-06-03T12:00"),
    ],
)
def test_a_day_is_forgotten_from_its_midnight_to_its_midnight(
    phone: NodePaths, at: tuple[float, float], first: str, end: str
) -> None:
    lived(phone, hourly(at, "2026-06-01", 96))
    assert span([phone], "2026-06-03..2026-06-03") == (utc(first), utc(end))
    assert span([phone], "20260603..20260603") == (utc(first), utc(end))
    forget_everywhere([phone], scope_of([phone], "2026-06-03..2026-06-03", None, 200.0)[0])
    with Store.open(phone.database, node_id="phone") as store:
        kept = [f.time_s for f in store.fixes(ANNA.person_id)]
    assert not [t for t in kept if utc(first) <= t < utc(end)]
    assert kept == [
        f.time_s for f in hourly(at, "2026-06-01", 96) if not utc(first) <= f.time_s < utc(end)
    ]


def test_an_instant_with_a_zone_is_that_instant_and_one_without_is_local(phone: NodePaths) -> None:
    lived(phone, hourly(HELSINKI, "2026-06-01", 96))
    both = utc("2026-06-03T15:00"), utc("2026-06-03T16:00")
    assert span([phone], "2026-06-03T15:00Z..2026-06-03T18:00+02:00") == both
    assert span([phone], "2026-06-03T18:00..2026-06-03 19:00") == both
    words = scope_of([phone], "2026-06-03..2026-06-04", None, 200.0)[1]
    assert words == "everything from 2026-06-03 to 2026-06-04, by the clock of Europe/Helsinki"


def test_a_day_in_which_the_clock_changes_is_whole(phone: NodePaths) -> None:
    lived(phone, hourly(HELSINKI, "2026-03-27", 96), hourly(HELSINKI, "2026-10-23", 96))
    spring, autumn = (
        ("2026-03-28T22:00", "2026-03-29T21:00"),
        ("2026-10-24T21:00", "2026-10-25T22:00"),
    )
    for day, (first, end) in (("2026-03-29", spring), ("2026-10-25", autumn)):
        assert span([phone], f"{day}..{day}") == (utc(first), utc(end))
    # 03:00 to 03:30 is there twice in that night: both are meant.
    twice = span([phone], "2026-10-25T03:00..2026-10-25T03:30")
    assert twice == (utc("2026-10-25T00:00"), utc("2026-10-25T01:30"))


def test_who_travelled_means_the_days_of_where_they_were(phone: NodePaths) -> None:
    lived(phone, hourly(HELSINKI, "2026-06-01", 72), hourly(NEW_YORK, "2026-06-05", 72))
    assert span([phone], "2026-06-02..2026-06-06") == (
        utc("2026-06-01T21:00"),
        utc("2026-06-07T04:00"),
    )
    # Of days without a position near, the last one known tells.
    assert span([phone], "2027-01-01..2027-01-01") == (
        utc("2027-01-01T05:00"),
        utc("2027-01-02T05:00"),
    )


def test_of_two_people_far_apart_each_ones_day_is_in_it(tmp_path: Path, phone: NodePaths) -> None:
    lived(phone, hourly(HELSINKI, "2026-06-01", 96))
    bo = Person(person_id="bo", name="Bo")
    other = phone_with(tmp_path, "bos", bo, hourly(NEW_YORK, "2026-06-01", 96))
    assert span([phone, other], "2026-06-03..2026-06-03") == (
        utc("2026-06-02T21:00"),
        utc("2026-06-04T04:00"),
    )
    assert span([phone, other], "2026-06-03..2026-06-03", "Bo")[0] == utc("2026-06-03T04:00")


def test_where_nobody_was_anywhere_it_is_this_machines_clock(
    phone: NodePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert span([phone], "2026-06-03..2026-06-03") == (
        utc("2026-06-02T15:00"),
        utc("2026-06-03T15:00"),
    )


@pytest.mark.parametrize(
    "what",
    ["2026-06-31..2026-07-01", "..2026-06-01", "2026-06-01..", "2026-06-01..9999-12-31", ".."],
)
def test_what_is_no_time_is_refused(phone: NodePaths, what: str) -> None:
    with pytest.raises(InputError, match="is no time"):
        scope_of([phone], what, None, 200.0)
    assert span([phone], "0001-01-01..9998-12-30")[0] == utc("0001-01-01")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-10-25 01:00", "2026-10-24T22:00"),  # summer time, though UTC has no longer
        ("2026-10-25 03:30", "2026-10-25T00:30"),  # the first of the two
        ("2026-10-25 05:00", "2026-10-25T03:00"),
        ("2026-10-26 01:00", "2026-10-25T23:00"),
    ],
)
def test_a_moment_asked_about_in_the_night_of_the_change(
    phone: NodePaths, said: str, meant: str
) -> None:
    lived(phone, hourly(HELSINKI, "2026-10-23", 96))
    with Store.open(phone.database, node_id="phone") as store:
        assert moment_of(said, store, ANNA) == utc(meant)
        with pytest.raises(InputError, match="held from 2026-10-23 to 2026-10-27"):
            moment_of("2026-01-01 10:00", store, ANNA)
