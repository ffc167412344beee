"""What each setting of the dial would have meant is what a phone with it would have said on those days, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hearthway.app import dial as dialled
from hearthway.app.calendar import import_calendar
from hearthway.app.config import AssistTable, Config, MapTable, NodeTable
from hearthway.app.dial import DialDays, replay_dials
from hearthway.assist.settings import Dial, GateSettings
from hearthway.atlas.store import Atlas
from hearthway.context.life import Life
from hearthway.learn.came_true import Words
from hearthway.learn.dials import judged
from hearthway.learn.outcome import learn_said
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.records.deeds import PARKED, Deed
from hearthway.records.household import Role
from hearthway.records.life import Person
from hearthway.records.signals import Fix
from hearthway.records.suggestion import Answer, AnswerKind, Suggestion
from hearthway.synthetic.settings import Settings

from .conftest import Evening, household_of, live_through
from .days import DAY_S, HOUR_S, Diary, event
from .test_deeds import word

CONFIG = Config(node=NodeTable(id="phone", role=Role.PHONE), map=MapTable(atlas="bundled"))
HOME, WORK = (60.17, 24.94), (60.20, 24.96)
WORKDAYS = 5


class Told:
    """One measuring: what it found, and the words that each setting would have said."""

    def __init__(self, found: DialDays, words: dict[str, Words]) -> None:
        self.found, self.words = found, words

    def share(self, dial: str) -> Any:
        return next(one for one in self.found.dials if one.dial == dial).rightly


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, atlas: Atlas) -> Any:
    words: dict[str, Words] = {}

    def seen(dial: str, said: Words, days: int, answered: Any) -> Any:
        words[dial] = said
        return judged(dial, said, days, answered)

    monkeypatch.setattr(dialled, "judged", seen)

    def call(store: Store, config: Config = CONFIG, rules: Rules | None = None) -> Told:
        (person,) = store.persons()
        found = replay_dials(store, person, config, atlas, rules or Rules(()))
        return Told(found, dict(words))

    return call


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evening]:
    """Six weeks and the evening after them, as a phone at normal took them in."""
    folder = tmp_path_factory.mktemp("dial")
    household = household_of(Settings(weeks=6, driver="a"))
    atlas = Atlas.bundled()
    try:
        return folder / "node.db", live_through(
            folder, household, household.driver_id, atlas, GateSettings()
        )
    finally:
        atlas.close()


def said_near(words: Words, moment: Suggestion) -> list[Suggestion]:
    return [
        one
        for one in words.said
        if one.need == moment.need and abs(one.time_s - moment.time_s) < 300.0
    ]


def test_the_setting_in_force_says_again_what_was_said_and_an_answer_counts_as_one(
    evening: tuple[Path, Evening], measure: Any
) -> None:
    path, lived = evening
    moment = lived.moment
    with Store.open(path, node_id="phone") as store:
        plain = measure(store)
        assert len(said_near(plain.words["normal"], moment)) == 1
        by_deed = plain.share("normal")
        eager, normal = (len(plain.words[dial].said) for dial in ("eager", "normal"))
        quiet = len(plain.words["quiet"].said)
        assert quiet <= normal <= eager
        days = plain.found.days
        assert [one.spoken_a_day for one in plain.found.dials] == [
            round(count / days, 4) for count in (quiet, normal, eager)
        ]
        # The recording ends on the drive: nobody can have been there yet.
        assert (
            plain.words["normal"].right[said_near(plain.words["normal"], moment)[0].suggestion_id]
            is False
        )
        store.add_answer(
            Answer(
                suggestion_id=moment.suggestion_id,
                person=moment.person,
                kind=AnswerKind.ACCEPT,
                time_s=moment.time_s + 20.0,
                need=moment.need,
            )
        )
        accepted = measure(store).share("normal")
    assert accepted.n == by_deed.n
    assert accepted.mean * accepted.n == pytest.approx(by_deed.mean * by_deed.n + 1.0)


def test_a_budget_of_none_says_nothing_and_no_map_needs_none(
    evening: tuple[Path, Evening], measure: Any
) -> None:
    with Store.open(evening[0], node_id="phone") as store:
        mute = replace(CONFIG, assist=AssistTable(daily_budget=0))
        assert [one.spoken for one in measure(store, mute).found.dials] == [0, 0, 0]
        (person,) = store.persons()
        without = replay_dials(store, person, CONFIG, None, Rules(()))
    assert without.places_on_map is None
    assert without.days > 30
    assert [one.spoken for one in without.dials] == [0, 0, 0]


def test_what_comes_later_changes_no_earlier_word(
    evening: tuple[Path, Evening], measure: Any, tmp_path: Path
) -> None:
    with Store.open(evening[0], node_id="phone") as store:
        (person,) = store.persons()
        whole = measure(store).words["eager"].said
        fixes, signals = list(store.fixes(person.person_id)), list(store.signals(person.person_id))
    until_s = fixes[len(fixes) * 2 // 3].time_s
    with Store.open(tmp_path / "part.db", node_id="phone") as store:
        again = store.add_person(person.name, person.person_id)
        store.add_fixes(again.person_id, [f for f in fixes if f.time_s < until_s], "test")
        store.add_signals(again.person_id, [s for s in signals if s.time_s < until_s])
        part = measure(store).words["eager"].said
    assert part == [one for one in whole if one.time_s < until_s]
    assert len(part) < len(whole)


@pytest.mark.parametrize(
    ("deeds", "answer", "expected"),
    [
        ((), None, None),
        ((Deed(600.0, 1800.0, PARKED, *HOME),), None, 1.0),
        ((Deed(600.0, 1800.0, PARKED, *WORK),), None, 0.0),
        ((Deed(600.0, 1800.0, PARKED, *WORK),), True, 1.0),
        ((), False, 0.0),
    ],
)
def test_a_word_is_judged_by_its_answer_then_by_facts_and_else_by_nothing(
    deeds: tuple[Deed, ...], answer: bool | None, expected: float | None
) -> None:
    """A stay beside a car park tells nothing of the car."""
    setting = dialled._Setting(Dial.NORMAL, Person(person_id="ada", name="Ada"), CONFIG, None, None)
    said = word("parking", 0.0, HOME, "parking")
    setting.words.add(said)
    for time_s in (60.0, 2000.0):
        setting.words.watch(Fix(time_s=time_s, lat=HOME[0], lon=HOME[1]))
    setting.memory = learn_said(setting.memory, said)
    setting.did(deeds)
    setting.did(())  # months later a life does not remember them any more
    if answer is not None:
        setting._answered[said.suggestion_id] = answer
    found = setting.judged(1)
    assert found.spoken == 1
    assert (None if found.rightly is None else found.rightly.mean) == expected


def test_a_phone_at_rest_is_asked_when_an_entry_of_its_calendar_comes_near(
    tmp_path: Path, measure: Any, atlas: Atlas
) -> None:
    diary = Diary(HOME)
    for day in range(2 * WORKDAYS):
        diary.rest(diary.local(day, 8.0))
        diary.go(WORK)
        diary.rest(diary.local(day, 16.0))
        diary.go(HOME)
    concert_s = diary.local(2 * WORKDAYS, 19.0)
    diary.rest(concert_s + HOUR_S)
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        person: Person = store.add_person("Somebody")
        store.add_fixes(person.person_id, [i for i in diary.items if isinstance(i, Fix)], "test")
        assert [len(words.said) for words in measure(store).words.values()] == [0, 0, 0]
        file = tmp_path / "c.ics"
        file.write_text(event(concert_s, WORK))
        life = Life(person.person_id)
        for fix in store.fixes(person.person_id):
            life.observe(fix)
        import_calendar(store, file, life, atlas, Rules(()), concert_s - DAY_S)
        told = measure(store)
    (word,) = told.words["normal"].said
    assert word.need == "leave"
    assert concert_s - 2 * HOUR_S < word.time_s < concert_s
