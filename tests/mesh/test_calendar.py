"""A calendar in the store: newer replaces older, what is gone goes, and forgetting, export and keeping reach it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from hearthway.mesh.policy.retention import sweep
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.calendar import Change, Kept, days_off, entries, keep
from hearthway.mesh.state.export import export
from hearthway.mesh.state.forget import forget
from hearthway.mesh.state.receipts import ReceiptChain
from hearthway.mesh.state.store import Store
from hearthway.records.calendar import CalendarEntry
from hearthway.records.forgetting import PersonScope, PlaceScope, RangeScope, Scope
from hearthway.records.life import Place
from hearthway.records.signals import Fix
from hearthway.records.situation import (
    Agenda,
    Destination,
    NextPlaces,
    OwnTrip,
    Planned,
    Situation,
)
from hearthway.records.suggestion import Suggestion

ANNA, BO = "a" * 16, "b" * 16
HALL = (60.1738123, 24.9354456)
NOW_S = 1_000_000.0


def entry(uid: str = "u1", start_s: float = NOW_S + 3600.0, **changes: object) -> CalendarEntry:
    facts = {"title": f"Secret-{uid}", "occurs_s": start_s, "end_s": start_s + 3600.0}
    return CalendarEntry(uid=uid, start_s=start_s, **{**facts, **changes})  # type: ignore[arg-type]  # as the test names them


def whole(*found: CalendarEntry, version: tuple[int, float] = (0, 0.0)) -> Change:
    return Change(uid=found[0].uid, whole=True, entries=found, version=version)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "node.db", node_id="phone") as opened:
        opened.add_person("Anna", ANNA)
        opened.add_person("Bo", BO)
        yield opened


@pytest.fixture
def chain(store: Store) -> ReceiptChain:
    return ReceiptChain(store, Ed25519PrivateKey.from_private_bytes(b"n" * 32))


def titles(store: Store, person: str = ANNA) -> list[str]:
    return [one.title for one in entries(store, person)]


def test_what_was_kept_is_there_by_start_and_only_for_its_person(store: Store) -> None:
    late, early = entry("late", NOW_S + 9000.0), entry("early")
    assert keep(store, ANNA, [whole(late), whole(early)]) == Kept(entries=2, older=0, gone=0)
    assert entries(store, ANNA) == [early, late]
    assert entries(store, BO) == []
    assert entries(store, ANNA, early.end_s, late.start_s) == []
    assert entries(store, ANNA, early.end_s - 1.0, late.start_s + 1.0) == [early, late]


@pytest.mark.parametrize(
    ("version", "title"),
    [((2, 5.0), "new"), ((2, 6.0), "new"), ((3, 0.0), "new"), ((2, 4.0), "old"), ((1, 9.0), "old")],
)
def test_an_older_version_changes_nothing(
    store: Store, version: tuple[int, float], title: str
) -> None:
    keep(store, ANNA, [whole(entry(title="old"), version=(2, 5.0))])
    moved = entry(start_s=NOW_S + 7200.0, title="new")
    kept = keep(store, ANNA, [whole(moved, version=version)])
    assert titles(store) == [title]
    assert kept.older == (title == "old")


def test_called_off_stays_called_off_when_an_old_file_comes_again(store: Store) -> None:
    keep(store, ANNA, [whole(entry(cancelled=True), version=(3, 0.0))])
    keep(store, ANNA, [whole(entry(), version=(2, 0.0))])
    assert [one.cancelled for one in entries(store, ANNA)] == [True]


def test_one_occurrence_is_changed_and_the_others_stay(store: Store) -> None:
    first, second = entry(), entry(start_s=NOW_S + 90_000.0)
    keep(store, ANNA, [whole(first, second)])
    moved = entry(start_s=NOW_S + 99_000.0, occurs_s=second.occurs_s, title="moved", sequence=1)
    single = Change(uid="u1", whole=False, entries=(moved,), version=(1, 0.0))
    assert keep(store, ANNA, [single]).entries == 1
    assert entries(store, ANNA) == [first, moved]
    old = entry(start_s=second.start_s, title="older again")
    assert keep(store, ANNA, [Change(uid="u1", whole=False, entries=(old,), version=(0, 0.0))]) == (
        Kept(entries=0, older=1, gone=0)
    )
    assert entries(store, ANNA) == [first, moved]


def test_a_whole_calendar_takes_along_what_it_no_longer_has(store: Store) -> None:
    mine: dict[str, Any] = {"calendar": "Anna"}
    over = entry("over", NOW_S - 9000.0, **mine)
    keep(store, ANNA, [whole(over), whole(entry("gone", **mine)), whole(entry("stays", **mine))])
    keep(store, ANNA, [whole(entry("other", calendar="Work"))])
    kept = keep(store, ANNA, [whole(entry("stays", **mine))], mirrors="Anna", now_s=NOW_S)
    assert kept.gone == 1
    unread = keep(store, ANNA, [], mirrors="Anna", unread=["stays"], now_s=NOW_S)
    assert unread.gone == 0  # it is in the file still, and only not understood
    assert titles(store) == ["Secret-over", "Secret-other", "Secret-stays"]


def test_a_file_that_fails_half_way_changes_nothing(store: Store) -> None:
    keep(store, ANNA, [whole(entry(title="before"))])

    def failing() -> Iterator[Change]:
        yield whole(entry(title="after"), version=(9, 0.0))
        raise RuntimeError("pulled out")

    with pytest.raises(RuntimeError):
        keep(store, ANNA, failing())
    assert titles(store) == ["before"]


PLACED: dict[str, Any] = {"lat": HALL[0], "lon": HALL[1]}


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (PersonScope(person_id=ANNA), []),
        (PlaceScope(lat=HALL[0], lon=HALL[1], radius_m=100.0), ["Secret-far", "Secret-nowhere"]),
        (PlaceScope(lat=HALL[0], lon=HALL[1], radius_m=100.0, person_id=BO), None),
        (RangeScope(since_s=NOW_S + 7000.0, until_s=NOW_S + 8000.0), ["Secret-nowhere"]),
        (RangeScope(since_s=NOW_S + 7200.0, until_s=NOW_S + 8000.0, person_id=ANNA), None),
        (RangeScope(since_s=0.0, until_s=NOW_S), None),
    ],
)
def test_forgetting_reaches_it(
    store: Store, chain: ReceiptChain, scope: Scope, left: list[str] | None
) -> None:
    near, far = entry("near", **PLACED), entry("far", lat=61.0, lon=25.0)
    nowhere = entry("nowhere", NOW_S + 90_000.0)
    keep(store, ANNA, [whole(near), whole(far), whole(nowhere)])
    keep(store, BO, [whole(entry("bo", NOW_S + 90_000.0))])
    before = titles(store)
    report = forget(store, chain, scope, NOW_S)
    after = before if left is None else left
    assert titles(store) == after
    assert report.counts.get("calendar", 0) == 3 - len(after)
    assert titles(store, BO) == ["Secret-bo"]
    for title in set(before) - set(after):
        assert title.encode() not in store.path.read_bytes()


def test_a_forgotten_visit_takes_along_what_was_planned_then_and_is_nowhere(
    store: Store, chain: ReceiptChain
) -> None:
    store.add_fixes(
        ANNA,
        [Fix(time_s=NOW_S + s, lat=HALL[0], lon=HALL[1]) for s in (0.0, 600.0)]
        + [Fix(time_s=NOW_S + 9000.0, lat=61.0, lon=25.0)],
        "a",
    )
    during = entry("during", NOW_S + 300.0)
    day = entry("day", NOW_S - 9000.0, end_s=NOW_S + 70_000.0, all_day=True)
    placed = entry("placed", NOW_S + 300.0, lat=61.0, lon=25.0)
    keep(store, ANNA, [whole(during), whole(day), whole(placed)])
    forget(store, chain, PlaceScope(lat=HALL[0], lon=HALL[1], radius_m=100.0), NOW_S)
    assert titles(store) == ["Secret-day", "Secret-placed"]


def said(planned: Planned) -> Suggestion:
    return Suggestion(
        suggestion_id="1" * 32,
        need="leave",
        person=ANNA,
        time_s=NOW_S,
        utc_offset_s=0,
        headline="Leave by 12:00 to be at Secret-Hall at 12:45",
        lines=(),
        options=(),
        reasons=(),
        p_useful=0.9,
        utility=1.0,
        threshold=0.5,
        propensity=1.0,
        situation=Situation(
            time_s=NOW_S,
            utc_offset_s=0,
            person=ANNA,
            mode="staying",
            lat=61.0,
            lon=25.0,
            agenda=Agenda(planned=(planned,), farthest_m=1.0),
        ),
    )


@pytest.mark.parametrize(
    ("scope", "stays"),
    [
        (PlaceScope(lat=HALL[0], lon=HALL[1], radius_m=100.0), False),
        (RangeScope(since_s=NOW_S + 3700.0, until_s=NOW_S + 3800.0), False),
        (PlaceScope(lat=HALL[0], lon=HALL[1] + 1.0, radius_m=100.0), True),
        (RangeScope(since_s=NOW_S + 9000.0, until_s=NOW_S + 9100.0), True),
    ],
)
def test_what_was_said_of_it_is_forgotten_with_it(
    store: Store, chain: ReceiptChain, scope: Scope, stays: bool
) -> None:
    hall = Place(place_id="", lat=HALL[0], lon=HALL[1], visits=0)
    planned = Planned(title="x", start_s=NOW_S + 3600.0, end_s=NOW_S + 7200.0, place=hall)
    store.add_suggestion(said(planned))
    forget(store, chain, scope, NOW_S + 100.0)
    assert bool(store.suggestions(ANNA)) is stays


@pytest.mark.parametrize(
    ("trip", "stays"),
    [
        ((HALL, (61.0, 25.0)), False),
        (((61.0, 25.0), HALL), False),
        (((61.0, 25.0), (61.5, 25.5)), True),
    ],
)
def test_what_names_an_own_trip_there_is_forgotten_with_the_place(
    store: Store,
    chain: ReceiptChain,
    trip: tuple[tuple[float, float], tuple[float, float]],
    stays: bool,
) -> None:
    far = Place(place_id="", lat=60.0, lon=20.0, visits=0)
    planned = Planned(title="x", start_s=NOW_S + 3600.0, end_s=NOW_S + 7200.0, place=far)
    ways = (OwnTrip(*trip[0], *trip[1], 600.0),)
    one, agenda = said(planned), Agenda(planned=(planned,), farthest_m=1.0, own_trips=ways)
    situation = msgspec.structs.replace(one.situation, agenda=agenda)
    store.add_suggestion(msgspec.structs.replace(one, situation=situation))
    forget(store, chain, PlaceScope(lat=HALL[0], lon=HALL[1], radius_m=100.0), NOW_S + 100.0)
    assert bool(store.suggestions(ANNA)) is stays


@pytest.mark.parametrize(("there", "stays"), [(HALL, False), ((61.0, 25.0), True)])
def test_what_names_a_place_one_might_go_to_next_is_forgotten_with_it(
    store: Store, chain: ReceiptChain, there: tuple[float, float], stays: bool
) -> None:
    """A word to leave is said while staying: where one likely goes next stands in it."""
    far = Place(place_id="", lat=60.0, lon=20.0, visits=0)
    one = said(Planned(title="x", start_s=NOW_S + 3600.0, end_s=NOW_S + 7200.0, place=far))
    place = Place(place_id="p7", lat=there[0], lon=there[1], visits=3, name="Secret-clinic")
    likely = NextPlaces(places=(Destination(place=place, p=0.4),), p_new=0.6, leave_s=NOW_S)
    situation = msgspec.structs.replace(one.situation, next_places=likely)
    store.add_suggestion(msgspec.structs.replace(one, situation=situation))
    forget(store, chain, PlaceScope(lat=HALL[0], lon=HALL[1], radius_m=100.0), NOW_S + 100.0)
    assert bool(store.suggestions(ANNA)) is stays
    assert (b"Secret-clinic" in store.path.read_bytes()) is stays


def test_an_export_holds_it(store: Store, chain: ReceiptChain) -> None:
    keep(store, ANNA, [whole(entry(**PLACED))])
    (one,) = export(store, chain, ANNA)["calendar"]
    assert (one["title"], one["lat"]) == ("Secret-u1", HALL[0])
    assert export(store, chain, BO)["calendar"] == []


def test_a_keep_rule_deletes_what_is_long_over(store: Store, chain: ReceiptChain) -> None:
    keep(
        store, ANNA, [whole(entry("old", NOW_S - 9 * 86_400.0)), whole(entry("new", NOW_S - 60.0))]
    )
    text = 'version = 2\n[[keep]]\nid = "week"\nkinds = ["calendar"]\ndays = 7\n'
    assert sweep(store, chain, Rules.parse(text, "r"), NOW_S) == {"calendar": 1}
    assert titles(store) == ["Secret-new"]
    assert entries(store, ANNA, -math.inf, NOW_S - 86_400.0) == []


def holiday(uid: str, first: int, last: int, **changes: object) -> CalendarEntry:
    facts = {"all_day": True, "off": (first, last), "calendar": "Finland"}
    return entry(uid, first * 86_400.0, end_s=(last + 1) * 86_400.0, **{**facts, **changes})


def test_days_off_are_no_entries_and_are_told_by_calendar(store: Store) -> None:
    keep(
        store, ANNA, [whole(holiday("one", 20, 20)), whole(holiday("two", 20, 24)), whole(entry())]
    )
    school = whole(holiday("s", 30, 31, calendar="School"), holiday("s", 40, 40, calendar="School"))
    assert keep(store, ANNA, [school]).other_days
    assert days_off(store, ANNA) == {"Finland": [20, 21, 22, 23, 24], "School": [30, 31, 40]}
    assert days_off(store, BO) == {}
    assert titles(store) == ["Secret-u1"]
    assert len(entries(store, ANNA, off=True)) == 4
    assert len(entries(store, ANNA, off=None)) == 5
    assert not keep(store, ANNA, [school]).other_days
    called_off = whole(holiday("one", 20, 20, off=None, cancelled=True), version=(1, 0.0))
    assert not keep(store, ANNA, [called_off]).other_days  # another has that day
    gone = keep(store, ANNA, [whole(holiday("s", 30, 31))], mirrors="School", now_s=0.0)
    assert gone.other_days


def test_with_other_days_off_nothing_that_was_learned_is_kept(store: Store) -> None:
    for person in (ANNA, BO):
        store.put_model(person, "life", 1.0, b"learned")
    before = store.history()
    keep(store, ANNA, [whole(entry())])
    assert store.model(ANNA, "life") is not None
    keep(store, ANNA, [whole(holiday("one", 20, 20))])
    assert store.model(ANNA, "life") is None
    assert store.model(BO, "life") is not None
    store.put_model(ANNA, "life", 1.0, b"by those of before", before)  # by another process
    assert store.model(ANNA, "life") is None


def test_imported_as_an_ordinary_calendar_they_are_off_no_more(store: Store) -> None:
    keep(store, ANNA, [whole(holiday("one", 20, 20))])
    assert keep(store, ANNA, [whole(holiday("one", 20, 20, off=None))]).other_days
    assert days_off(store, ANNA) == {}


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (RangeScope(since_s=20 * 86_400.0, until_s=21 * 86_400.0, person_id=ANNA), [40]),
        (RangeScope(since_s=10 * 86_400.0, until_s=11 * 86_400.0, person_id=ANNA), [20, 40]),
        (PlaceScope(lat=HALL[0], lon=HALL[1], radius_m=200.0, person_id=ANNA), [20, 40]),
        (PersonScope(person_id=ANNA), []),
    ],
)
def test_forgetting_reaches_days_off(
    store: Store, chain: ReceiptChain, scope: Scope, left: list[int]
) -> None:
    keep(store, ANNA, [whole(holiday("one", 20, 20)), whole(holiday("two", 40, 40))])
    store.put_model(ANNA, "life", 1.0, b"learned")
    forget(store, chain, scope, NOW_S)
    assert days_off(store, ANNA).get("Finland", []) == left
    assert store.model(ANNA, "life") is None
    assert len(entries(store, ANNA, off=None)) == len(left)


def test_export_and_keeping_reach_days_off(store: Store, chain: ReceiptChain) -> None:
    keep(store, ANNA, [whole(holiday("one", 2, 2))])
    (one,) = export(store, chain, ANNA)["calendar"]
    assert (one["off"], one["calendar"]) == ([2, 2], "Finland")
    text = 'version = 2\n[[keep]]\nid = "week"\nkinds = ["calendar"]\ndays = 7\n'
    assert sweep(store, chain, Rules.parse(text, "r"), NOW_S) == {"calendar": 1}
    assert days_off(store, ANNA) == {}


def of(calendar: str, *found: CalendarEntry, version: tuple[int, float] = (0, 0.0)) -> Change:
    """Of the calendar of that name, in which all of it is so called."""
    named = tuple(replace(one, calendar=calendar) for one in found)
    return replace(whole(*named, version=version), calendar=calendar)


def test_an_event_that_two_calendars_share_counts_once(store: Store) -> None:
    """The newer version stands, whichever calendar tells it, also where its copy is called otherwise or was moved."""
    at_s = NOW_S + 3600.0
    keep(store, ANNA, [of("Work", entry(title="Review"))])
    keep(store, ANNA, [of("Family", entry(title="Busy"))])
    assert titles(store) == ["Busy"]
    keep(store, ANNA, [of("Work", entry(title="Review", start_s=at_s), version=(1, 0.0))])
    keep(store, ANNA, [of("Family", entry(title="Review", start_s=at_s + 60.0))])  # an old copy
    assert [(one.title, one.start_s) for one in entries(store, ANNA)] == [("Review", at_s)]
    moved = of("Family", entry(title="review", start_s=at_s + 7200.0), version=(2, 0.0))
    keep(store, ANNA, [moved])
    assert [one.start_s for one in entries(store, ANNA)] == [at_s + 7200.0]


def test_an_event_that_was_moved_and_renamed_is_one_again_once_both_calendars_say_so(
    store: Store,
) -> None:
    """Of one calendar first, so that it looks like another event; and again wherever either is imported."""
    before = entry(title="Dinner", start_s=NOW_S + 3600.0)
    after = entry(title="Dinner at Joe's", start_s=NOW_S + 90_000.0)
    for name in ("Anna", "Ben"):
        keep(store, ANNA, [of(name, before)], mirrors=name)
    for name in ("Anna", "Ben", "Anna", "Ben"):
        keep(store, ANNA, [of(name, after, version=(1, 0.0))], mirrors=name, now_s=NOW_S)
    assert titles(store) == ["Dinner at Joe's"]
    assert [one.uid for one in entries(store, ANNA)] == [after.uid]


def test_two_events_of_one_uid_both_stand(store: Store) -> None:
    """As programs write them that count from 1: each calendar's is replaced, mirrored and called off by its own file alone."""
    club = entry("1", NOW_S + 3600.0, title="Training")
    school = entry("1", NOW_S + 90_000.0, title="Parents' evening")
    assert keep(store, ANNA, [of("Club", club)], mirrors="Club").entries == 1
    assert keep(store, ANNA, [of("School", school)], mirrors="School").entries == 1
    assert titles(store) == ["Training", "Parents' evening"]
    later = replace(school, start_s=NOW_S + 99_000.0, end_s=NOW_S + 99_900.0)
    again = keep(store, ANNA, [of("School", later)], mirrors="School", now_s=NOW_S)
    assert (again.entries, again.gone) == (1, 0)
    assert [one.start_s for one in entries(store, ANNA)] == [club.start_s, later.start_s]
    assert keep(store, ANNA, [of("Club", club)], mirrors="Club", now_s=NOW_S).gone == 0
    assert keep(store, ANNA, [], mirrors="School", unread=["1"], now_s=NOW_S).gone == 0
    assert keep(store, ANNA, [], mirrors="School", now_s=NOW_S).gone == 1
    assert titles(store) == ["Training"]


def test_a_word_without_a_calendars_name_is_about_the_event_that_is_held(store: Store) -> None:
    """As a mail's: an event that is moved and renamed by it is one event."""
    keep(store, ANNA, [of("Work", entry(title="Review"))])
    keep(store, ANNA, [whole(entry(title="Moved", start_s=NOW_S + 9000.0), version=(1, 0.0))])
    assert titles(store) == ["Moved"]
