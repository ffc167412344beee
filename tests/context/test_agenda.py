"""What a situation knows of the calendar: the own place it is at, own trips there from here, and the longest trip."""

from __future__ import annotations

import pytest

from hearthway.context.agenda import MAX_PLANNED, MAX_TRIPS
from hearthway.context.kept import MAX_KEPT
from hearthway.context.life import Life
from hearthway.records.calendar import CalendarEntry
from hearthway.records.geo import distance_m, offset
from hearthway.records.signals import Fix
from hearthway.records.situation import Kept, about

HOME = (60.17, 24.94)
AWAY = offset(*HOME, 8000.0, 0.0)
DAY_S = 86_400.0
BEGIN_S = 1_759_276_800.0
WAY_MIN = 20


def lived(days: int) -> Life:
    """At home, ten hours later 20 min to another place, six hours later back; ends at home."""
    life = Life("anna")
    for day in range(days):
        for minute in range(1440):
            share = min(1.0, max(0.0, (minute - 600) / WAY_MIN))
            share -= min(1.0, max(0.0, (minute - 960) / WAY_MIN))
            lat = HOME[0] + (AWAY[0] - HOME[0]) * share
            life.observe(Fix(time_s=BEGIN_S + day * DAY_S + minute * 60.0, lat=lat, lon=HOME[1]))
    return life


@pytest.fixture(scope="module")
def life() -> Life:
    return lived(4)


def entry(start_s: float = 0.0, **changes: object) -> CalendarEntry:
    return CalendarEntry(uid="u", occurs_s=start_s, start_s=start_s, end_s=start_s, **changes)  # type: ignore[arg-type]  # as the test names them


def test_at_an_own_place_with_the_own_trips_from_here(life: Life) -> None:
    near = offset(*AWAY, 100.0, 0.0)
    agenda = life.agenda([entry(lat=near[0], lon=near[1], location="Hall", place_from="calendar")])
    assert agenda is not None
    (planned,) = agenda.planned
    assert planned.place is not None
    assert planned.place.visits == 4
    assert distance_m(planned.place.lat, planned.place.lon, *AWAY) < 100.0
    assert (planned.location, planned.place_from) == ("Hall", "calendar")
    assert len(planned.trips_s) == 4
    assert all(abs(one - WAY_MIN * 60.0) <= 300.0 for one in planned.trips_s)


def test_home_itself_has_no_trips_from_home(life: Life) -> None:
    agenda = life.agenda([entry(lat=HOME[0], lon=HOME[1])])
    assert agenda is not None
    assert agenda.planned[0].trips_s == ()


def test_a_place_never_seen_and_one_that_is_unknown(life: Life) -> None:
    agenda = life.agenda([entry(lat=60.5, lon=25.5), entry()])
    assert agenda is not None
    seen, unknown = agenda.planned
    assert seen.place is not None
    assert (seen.place.place_id, seen.place.visits, seen.trips_s) == ("", 0, ())
    assert (unknown.place, unknown.trips_s) == (None, ())


def test_the_longest_trip_and_each_way_once(life: Life) -> None:
    agenda = life.agenda([entry()])
    assert agenda is not None
    assert agenda.farthest_m == pytest.approx(8000.0, abs=200.0)
    ways = [(round(t.lat, 2), round(t.to_lat, 2)) for t in agenda.own_trips]
    assert sorted(ways) == [(60.17, round(AWAY[0], 2)), (round(AWAY[0], 2), 60.17)]


def test_what_was_called_off_is_no_agenda(life: Life) -> None:
    assert life.agenda([]) is None
    assert life.agenda([entry(cancelled=True)]) is None


def test_bounds(life: Life) -> None:
    agenda = life.agenda([entry(float(n)) for n in range(100)])
    assert agenda is not None
    assert len(agenda.planned) == MAX_PLANNED
    many = lived(MAX_TRIPS + 2).agenda([entry(lat=AWAY[0], lon=AWAY[1])])
    assert many is not None
    assert len(many.planned[0].trips_s) == MAX_TRIPS


def test_a_life_of_nothing() -> None:
    agenda = Life("anna").agenda([entry(lat=HOME[0], lon=HOME[1])])
    assert agenda is not None
    assert (agenda.farthest_m, agenda.own_trips) == (0.0, ())


# -- how past entries were kept: one leaves home at 600 min of the day, is there at about 620, and is back at 980 --------


def gone_to(day: int, minute: float, **changes: object) -> CalendarEntry:
    return entry(
        BEGIN_S + day * DAY_S + minute * 60.0, **{"lat": AWAY[0], "lon": AWAY[1], **changes}
    )


def kept(life: Life, *past: CalendarEntry, words: dict[str, float] | None = None) -> list[Kept]:
    agenda = life.agenda([entry(lat=AWAY[0], lon=AWAY[1])], past, words)
    assert agenda is not None
    assert agenda.planned[0].kept == agenda.kept  # all at that place
    return list(agenda.kept)


def test_how_an_entry_was_kept_is_from_the_word_to_leaving_and_when_one_was_there(
    life: Life,
) -> None:
    late, early = gone_to(0, 610.0), gone_to(1, 625.0)
    word_s = BEGIN_S + DAY_S + 590.0 * 60.0
    unasked, asked = kept(life, late, early, words={about(early.start_s): word_s})
    assert unasked.left_s is None
    assert unasked.arrived_s == pytest.approx(600.0, abs=120.0)
    assert asked.left_s == pytest.approx(600.0, abs=120.0)
    assert asked.arrived_s == pytest.approx(-300.0, abs=120.0)


@pytest.mark.parametrize(
    "past",
    [
        gone_to(0, 720.0),  # long there
        gone_to(0, 585.0),  # much too late for it
        gone_to(7, 610.0),  # nobody went
        gone_to(0, 610.0, cancelled=True),
        gone_to(0, 610.0, all_day=True),
        gone_to(0, 610.0, lat=None, lon=None),
        gone_to(0, 610.0, lat=60.5, lon=25.5),  # never seen
    ],
)
def test_what_was_not_gone_to_tells_nothing(life: Life, past: CalendarEntry) -> None:
    assert kept(life, gone_to(0, 610.0), past) == kept(life, gone_to(0, 610.0))


def test_a_word_said_once_one_was_under_way_was_none_about_leaving(life: Life) -> None:
    past = gone_to(0, 610.0)
    words = {about(past.start_s): BEGIN_S + 615.0 * 60.0}
    assert kept(life, past, words=words) == []


def test_an_entry_elsewhere_counts_for_all_and_not_for_this_place(life: Life) -> None:
    back = entry(BEGIN_S + 985.0 * 60.0, lat=HOME[0], lon=HOME[1])
    agenda = life.agenda([entry(lat=AWAY[0], lon=AWAY[1])], [back])
    assert agenda is not None
    assert (len(agenda.kept), agenda.planned[0].kept) == (1, ())


def test_own_trips_from_the_place_of_the_entry_before(life: Life) -> None:
    first = entry(1.0, lat=AWAY[0], lon=AWAY[1])
    agenda = life.agenda([first, entry(2.0), entry(3.0, lat=HOME[0], lon=HOME[1])])
    assert agenda is not None
    begins, unknown, ends = agenda.planned
    assert (begins.from_before_s, unknown.from_before_s) == ((), ())
    assert len(ends.from_before_s) == 4  # the way home, though one is at home
    assert ends.trips_s == ()


def test_so_many_are_kept() -> None:
    life, past = lived(MAX_KEPT + 4), [gone_to(day, 610.0) for day in range(MAX_KEPT + 4)]
    assert len(kept(life, *past)) == MAX_KEPT
