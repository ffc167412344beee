"""A calendar file on the phone's real path: parsed, stored, looked at every minute of an evening, spoken of once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.brain import Brain
from hearthway.app.calendar import import_calendar
from hearthway.app.config import Config, NodeTable
from hearthway.app.hindsight import hindsight_lines, look_back
from hearthway.assist.engine import Proposal
from hearthway.assist.explain import why
from hearthway.assist.moment import render
from hearthway.assist.settings import GateSettings
from hearthway.atlas.store import Atlas
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.records.household import Role
from hearthway.records.suggestion import Silence, Suggestion
from hearthway.sense.catalogue import normalise

AHEAD_S = 7200.0


class Home:
    """The phone of a synthetic person who sits where the history ends."""

    def __init__(self, folder: Path, household: Any, atlas: Atlas, store: Store) -> None:
        member = household.person(household.driver_id)
        self.person = store.add_person(member.name, member.person_id)
        store.add_fixes(self.person.person_id, member.fixes, "recording")
        store.add_signals(self.person.person_id, [normalise(s) for s in member.car_signals])
        self.folder, self.atlas, self.store = folder, atlas, store
        self.brain = Brain(
            store,
            self.person,
            pois=atlas,
            roads=atlas,
            name_of=atlas.place_name,
            settings=GateSettings(),
            synthetic=True,
        )
        last = self.brain.life.state.last
        assert last is not None
        self.now_s = last.time_s + 600.0
        self.start_s = (self.now_s + AHEAD_S) // 300 * 300

    def planned(self, *lines: str, start_s: float | None = None, all_day: bool = False) -> None:
        begin = datetime.fromtimestamp(start_s or self.start_s, UTC)
        begins = f";VALUE=DATE:{begin:%Y%m%d}" if all_day else f":{begin:%Y%m%dT%H%M%SZ}"
        event = ("BEGIN:VEVENT", "UID:u1", f"DTSTART{begins}", "SUMMARY:Concert", *lines)
        file = self.folder / "a.ics"
        text = ("BEGIN:VCALENDAR", "VERSION:2.0", *event, "END:VEVENT", "END:VCALENDAR", "")
        file.write_text("\r\n".join(text))
        import_calendar(self.store, file, self.brain.life, self.atlas, Rules(()), self.now_s)

    def kept_late(self, minutes: float, count: int) -> None:
        """The calendar had something at the end of each of the last trips, and one came so late for it."""
        trips = [t for t in self.brain.life.trips if t.origin >= 0 and t.destination >= 0][-count:]
        text = ["BEGIN:VCALENDAR", "VERSION:2.0"]
        for number, trip in enumerate(trips):
            place = self.brain.life.place(trip.destination)
            start_s = trip.depart_s + trip.duration_s - 60.0 * minutes
            begin = datetime.fromtimestamp(start_s, UTC)
            text += ["BEGIN:VEVENT", f"UID:past{number}", f"DTSTART:{begin:%Y%m%dT%H%M%SZ}"]
            text += ["SUMMARY:Past", f"GEO:{place.lat:.6f};{place.lon:.6f}", "END:VEVENT"]
        file = self.folder / "past.ics"
        file.write_text("\r\n".join([*text, "END:VCALENDAR", ""]))
        import_calendar(self.store, file, self.brain.life, self.atlas, Rules(()), self.now_s)

    def evening(self, step_s: float = 60.0) -> tuple[list[Suggestion], list[Silence]]:
        """Every minute until long after the beginning, as a phone at rest looks."""
        said: list[Suggestion] = []
        silent: list[Silence] = []
        now_s = self.now_s
        while now_s < self.start_s + 3600.0:
            outcome: Proposal | Suggestion | Silence = self.brain.propose(self.brain.look(now_s))
            if isinstance(outcome, Proposal):
                outcome = self.brain.decide(outcome, {})
            (said if isinstance(outcome, Suggestion) else silent).append(outcome)  # type: ignore[arg-type]  # by its class
            now_s += step_s
        return said, silent


@pytest.fixture
def home(tmp_path: Path, household: Callable[..., Any], atlas: Atlas) -> Iterator[Home]:
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        yield Home(tmp_path, household(drive_at="08:00"), atlas, store)


def elsewhere(home: Home) -> str:
    """GEO of home: the history ends at work."""
    situation = home.brain.situation(home.now_s)
    assert situation.origin is not None
    assert situation.origin.label == "work"
    assert situation.home is not None
    return f"GEO:{situation.home.lat:.6f};{situation.home.lon:.6f}"


def test_its_day_speaks_once_before_it_is_too_late(home: Home) -> None:
    home.planned(elsewhere(home), "LOCATION:Musiikkitalo\\, big hall")
    said, _ = home.evening()
    assert [one.need for one in said] == ["leave"]
    (one,) = said
    lines = render(one)
    assert "Leave by " in lines[0]
    assert "to be at Musiikkitalo at " in lines[0]
    assert "Concert · your calendar has the place" in lines[1]
    assert "10 min to get ready (assumed)" in lines[2]
    agenda = one.situation.agenda
    assert agenda.planned[0].title == "Concert"  # type: ignore[union-attr]  # it was said of it
    trips = agenda.planned[0].trips_s  # type: ignore[union-attr]  # the same
    assert len(trips) == 20
    allowed_s = (
        sorted(trips)[15] + 15 * 60.0
    )  # 16 of 20 took no longer; the door, and getting ready
    assert 0.0 <= home.start_s - allowed_s - one.time_s <= 5 * 60.0
    assert f"20 own trips from here took {min(trips) / 60:.0f}-{max(trips) / 60:.0f}" in lines[2]
    said_why = "\n".join(why(one))
    assert "not coming late is worth 20 min" in said_why
    assert "Person.Calendar from calendar file" in said_why
    assert "you were going there and had not left yet" in said_why


def test_who_came_late_without_a_word_has_it_earlier(home: Home) -> None:
    home.planned(elsewhere(home))
    (assumed,), _ = home.evening()
    home.kept_late(8.0, 6)
    home.start_s += 300.0  # moved: another one
    home.planned(elsewhere(home))
    (one,), _ = home.evening()
    taken = 10.0 + 5.0 + 8.0
    there = len(one.situation.agenda.planned[0].kept)  # type: ignore[union-attr]  # it was said of it
    assert 0 < there < 6
    minutes = (4 * (4 * 10.0 + 6 * taken) / 10 + there * taken) / (4 + there)
    assert (
        f"{minutes:.0f} min to get ready (10 assumed, as 4 times; without a word you were there "
        f"8 min late, 6 times; for this place {taken:.0f} min, {there} times)" in one.lines[1]
    )
    earlier_s = assumed.time_s + 300.0 - one.time_s
    assert earlier_s == pytest.approx((minutes - 10.0) * 60.0, abs=120.0)


def test_two_entries_within_an_hour_have_their_word_each(home: Home) -> None:
    """One sits at work and goes to neither: the second is told of once it is too late for the first."""
    geo = elsewhere(home).removeprefix("GEO:")
    text = ["BEGIN:VCALENDAR", "VERSION:2.0"]
    for uid, after_s in (("u1", 0.0), ("u2", 1800.0)):
        begin = datetime.fromtimestamp(home.start_s + after_s, UTC)
        text += ["BEGIN:VEVENT", f"UID:{uid}", f"DTSTART:{begin:%Y%m%dT%H%M%SZ}", f"GEO:{geo}"]
        text += ["DURATION:PT20M", f"SUMMARY:{uid}", "END:VEVENT"]
    file = home.folder / "two.ics"
    file.write_text("\r\n".join([*text, "END:VCALENDAR", ""]))
    import_calendar(home.store, file, home.brain.life, home.atlas, Rules(()), home.now_s)
    said, _ = home.evening()
    assert [one.lines[0].split(" · ")[0] for one in said] == ["u1", "u2"]
    assert said[1].time_s - said[0].time_s < 3600.0
    assert len({one.about for one in said}) == 2


@pytest.mark.parametrize(
    ("lines", "all_day", "code"),
    [
        ((), False, "place-unknown"),
        (("LOCATION:Somewhere nobody knows",), False, "place-unknown"),
        (("GEO:{geo}", "STATUS:CANCELLED"), False, "nothing-planned"),
        (("GEO:{geo}",), True, "nothing-planned"),
        (("GEO:61.4978;23.7610",), False, "farther-than-ever"),  # one reaches it by train
        (("GEO:{here}",), False, "there-already"),
    ],
)
def test_days_without_a_word(home: Home, lines: tuple[str, ...], all_day: bool, code: str) -> None:
    here = home.brain.situation(home.now_s)
    geo = elsewhere(home).removeprefix("GEO:")
    filled = [line.format(geo=geo, here=f"{here.lat};{here.lon}") for line in lines]
    home.planned(*filled, all_day=all_day)
    said, _ = home.evening()
    assert said == []
    situation = home.brain.situation(home.start_s - 1800.0)
    needs = home.brain._assistant.silences(situation, home.brain.memory)
    assert needs["leave_now"].code == code


def test_what_is_over_is_spoken_of_no_more(home: Home) -> None:
    home.planned(elsewhere(home), start_s=home.now_s - 3600.0)
    said, _ = home.evening()
    assert said == []


def test_why_silent_tells_it(home: Home) -> None:
    home.planned("LOCATION:Somewhere nobody knows")
    config = Config(node=NodeTable(id="phone", role=Role.PHONE))
    seen = look_back(home.store, home.person, config, home.atlas, Rules(()), home.now_s)
    said = " ".join(
        " ".join(hindsight_lines(seen)).split()
    )  # columns are as wide as the longest name
    assert "leave_now place-unknown: Your calendar does not tell where that is" in said
    assert "The calendar is as this phone holds it now." in said
    assert "staying; next, around " in said
