"""Answers from facts: another state gives another answer, every figure has its source, and what nobody told is unknown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hearthway.assist.ask.answers import ANSWERS, answer
from hearthway.assist.ask.facts import CarAt, Charging, Facts, Food, Leaving, Planned
from hearthway.assist.ask.intents import TABLE, WHERE
from hearthway.assist.ask.rates import charging_rate
from hearthway.assist.memory import Memory
from hearthway.assist.moment import hours_unknown
from hearthway.assist.needs import of_topic
from hearthway.assist.settings import GateSettings
from hearthway.assist.shape import Enquiry, Known, Scene
from hearthway.context.reach import Reach
from hearthway.records.ask import LANGUAGES, Meaning, Outcome, Reply
from hearthway.records.calendar import CalendarEntry
from hearthway.records.life import Place
from hearthway.records.poi import Opening, OpenState, Poi
from hearthway.records.receipts import Crossing, Disclosure, Receipt
from hearthway.records.signals import Signal, Value
from hearthway.records.situation import Battery, Destination, Evidence, Situation
from hearthway.records.suggestion import Option
from hearthway.records.venue import Wait
from hearthway.sense.catalogue import (
    CHARGING,
    HEATING,
    PRESENCE,
    ROOM,
    SETPOINT,
    SOC,
    kind_of,
    light_key,
)

NOW_S = 1_763_138_400.0  # 2025-11-14 16:40 UTC
HOME = Place(place_id="p0", lat=60.2, lon=24.9, visits=90, label="home")
MALL = Place(place_id="p3", lat=60.17, lon=24.94, visits=9, name="Forum")


def told(key: str, value: Value, age_s: float = 5.0) -> Signal:
    return Signal(key=key, value=value, time_s=NOW_S - age_s, source="sensor")


def driving(**battery: Any) -> Situation:
    found = {
        "soc_pct": 41.0,
        "age_s": 5.0,
        "at_home_pct": 22.0,
        "at_home_low_pct": 17.0,
        "at_home_high_pct": 27.0,
        "trips": 40,
    } | battery
    return Situation(
        time_s=NOW_S,
        utc_offset_s=7200,
        person="anna",
        mode="driving",
        lat=60.18,
        lon=24.92,
        destinations=(Destination(place=MALL, p=0.81),),
        home=HOME,
        battery=Battery(**found),
    )


def entry(**more: Any) -> CalendarEntry:
    found: dict[str, Any] = {
        "uid": "u",
        "occurs_s": NOW_S + 5400,
        "start_s": NOW_S + 5400,
        "end_s": NOW_S + 9000,
        "title": "Choir",
        "location": "Hall 3",
        "calendar": "home",
        "read_s": NOW_S - 7200,
    } | more
    return CalendarEntry(**found)


def receipt(suggestion_id: str, days: float = 1.0, **more: Any) -> Receipt:
    found: dict[str, Any] = {
        "node": "phone",
        "role": "phone",
        "person": "anna",
        "time_s": NOW_S - days * 86_400,
        "fields": (Evidence(key="Vehicle.CurrentLocation.Latitude", source="car", age_s=0.0),),
        "crossings": (),
        "computations": (),
    } | more
    return Receipt(suggestion_id=suggestion_id, **found)


def crossed(count: int) -> tuple[Crossing, ...]:
    return tuple(
        Crossing(
            key=f"Vehicle.CurrentLocation.{axis}",
            sender="car",
            receiver_role="phone",
            purpose="anticipate",
            rule="car-signals",
            count=count,
        )
        for axis in ("Latitude", "Longitude")
    )


def table(name: str, **more: Any) -> Option:
    poi = Poi(
        osm_id="node/1", kind="restaurant", name=name, lat=60.17, lon=24.94, cuisines=("thai",)
    )
    found: dict[str, Any] = {
        "utility": 1.0,
        "opening": Opening(state=OpenState.OPEN, until_s=NOW_S + 7200),
        "arrive_s": NOW_S + 300,
        "detour_s": 0.0,
        "walk_m": 240.0,
        "wait": Wait(osm_id="node/1", minutes=15.0, age_s=300.0, source="told by the place"),
    } | more
    return Option(poi=poi, **found)


CAR = CarAt(lat=60.17, lon=24.94, time_s=NOW_S - 1900, source="car", called="Forum", away_m=420.0)
WAIT = Wait(osm_id="node/1", minutes=15.0, age_s=300.0, source="told by the place")
FULL = Facts(
    now_s=NOW_S,
    zone="Europe/Helsinki",
    person="anna",
    permits=dict.fromkeys((SOC, ROOM, SETPOINT, HEATING, "Person.Calendar"), "some-rule"),
    situation=driving(),
    soc=told(SOC, 41.0),
    plugged=told(CHARGING, True),
    charging=Charging(pct_an_hour=12.5, readings=9),
    short_p=0.01,
    reach=Reach(metres=181_000.0, low_m=160_000.0, high_m=205_000.0, trips=40),
    car=CAR,
    house={
        ROOM: told(ROOM, 20.8),
        SETPOINT: told(SETPOINT, 21.0),
        HEATING: told(HEATING, False),
        PRESENCE: told(PRESENCE, True),
    },
    lights={"kitchen": told(light_key("kitchen"), True), "hall": told(light_key("hall"), False)},
    receipts=(receipt("s1", crossings=crossed(120)), receipt("ask-1", days=0.5)),
    off_calendars=("Finland",),
    days_off=(entry(title="Fair day", all_day=True, off=(20407, 20407)),),
    planned=(entry(),),
    leaving=Leaving(entry=entry(), leave_by_s=NOW_S + 3600, way_words="25 min (7 own trips)"),
    food=Food(around="Forum", options=(table("Ravintola A"),), left_out=2),
    venue="Ravintola A",
    wait=WAIT,
)
SLOTS = {"light": "kitchen", "venue": "Ravintola A", "near": "Forum", "without": "pizza"}


def ask(facts: Facts, intent: str, **slots: str) -> Reply:
    return answer(facts, Meaning(intent=intent, slots=slots or SLOTS, by="sentences", of="x"))


def figures(text: str) -> list[str]:
    return re.findall(r"\d+(?:[.:,]\d+)*", text)


def traced(reply: Reply) -> None:
    """Every figure of the words stands in a source, or is a source's age."""
    shown = " ".join(f"{one.shown} {one.ago}" for one in reply.sources)
    known = set(figures(shown))
    for text in (reply.line, *reply.more):
        assert not [one for one in figures(text) if one not in known], (text, shown)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", sorted(ANSWERS))
def test_every_figure_has_a_source(intent: str, language: str) -> None:
    reply = ask(replace(FULL, language=language), intent)
    traced(reply)
    if intent not in ("why", "help"):
        assert reply.outcome is Outcome.ANSWERED, reply
        assert reply.sources
    assert len(reply.line.splitlines()) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", sorted(set(ANSWERS) - {"help"}))
def test_what_nobody_told_is_unknown(intent: str, language: str) -> None:
    """No figure at all but counts of nothing; the control is the test above."""
    reply = ask(Facts(now_s=NOW_S, language=language), intent)
    if intent == "location_use":  # that no receipt tells of any is known
        assert reply.outcome is Outcome.ANSWERED
    elif intent == "find_food":
        assert (
            ask(Facts(now_s=NOW_S, food=Food(why_not="needs-a-map")), intent).outcome
            is Outcome.UNKNOWN
        )
    else:
        assert reply.outcome is Outcome.UNKNOWN
        assert not figures(reply.line)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "where you are is not on the map here (Helsinki)"),
        ({"heading": True}, "where you are heading is not on the map here (Helsinki)"),
        ({"around": "gym"}, "gym is not on the map here (Helsinki)"),
    ],
)
def test_off_the_map_it_is_said_which_map_that_is_and_what_helps(
    changes: dict[str, Any], words: str
) -> None:
    food = Food(why_not="off-map", map_name="Helsinki", **changes)
    reply = ask(Facts(now_s=NOW_S, food=food), "find_food")
    assert (reply.outcome, reply.line) == (Outcome.UNKNOWN, f"I cannot say: {words}.")
    assert "`hearthway map build EXTRACT`" in reply.more[0]
    assert "near" in reply.more[1]
    german = ask(Facts(now_s=NOW_S, food=food, language="de"), "find_food")
    assert "nicht auf der Karte hier (Helsinki)" in german.line
    assert len(german.more) == 2
    none = ask(Facts(now_s=NOW_S, food=Food(why_not="needs-a-map")), "find_food")
    assert none.line == "I cannot say: there is no map here."
    assert "`hearthway map build EXTRACT`" in none.more[0]


def _facts(**changes: Any) -> Facts:
    return replace(FULL, **changes)


CHANGES: dict[str, Facts] = {
    "get_home": _facts(
        situation=driving(at_home_pct=2.0, at_home_low_pct=0.0, at_home_high_pct=6.0), short_p=0.9
    ),
    "range": _facts(reach=Reach(metres=90_000.0, low_m=80_000.0, high_m=99_000.0, trips=41)),
    "battery": _facts(soc=told(SOC, 12.0)),
    "charged_when": _facts(charging=Charging(pct_an_hour=40.0, readings=4)),
    "parked": _facts(car=replace(CAR, called="home")),
    "house_warm": _facts(house=dict(FULL.house) | {ROOM: told(ROOM, 16.0)}),
    "anybody_home": _facts(house=dict(FULL.house) | {PRESENCE: told(PRESENCE, False)}),
    "light_state": _facts(lights={"kitchen": told(light_key("kitchen"), False)}),
    "location_use": _facts(receipts=(*FULL.receipts, receipt("s2", days=0.2))),
    "day_off": _facts(days_off=()),
    "calendar_next": _facts(planned=(entry(start_s=NOW_S + 600, title="Dentist"),)),
    "leave_when": _facts(leaving=replace(FULL.leaving, leave_by_s=NOW_S + 60)),
    "find_food": _facts(food=replace(FULL.food, options=(table("Ravintola B"),))),
    "wait_at": _facts(wait=replace(WAIT, minutes=40.0)),
    "heading": _facts(situation=replace(driving(), destinations=(Destination(place=HOME, p=0.9),))),
}


@pytest.mark.parametrize("intent", sorted(set(ANSWERS) - {"help", "why"}))
def test_another_state_is_another_answer(intent: str) -> None:
    before, after = ask(FULL, intent), ask(CHANGES[intent], intent)
    assert before.line != after.line
    traced(after)
    assert ask(FULL, intent) == before, "and the same state the same answer"


@pytest.mark.parametrize(
    ("left", "head"),
    [
        ((22.0, 17.0, 27.0), "Yes"),
        ((9.0, 2.0, 16.0), "Perhaps"),
        ((1.0, 0.0, 5.0), "Probably not"),
    ],
)
def test_getting_home_is_as_sure_as_the_interval(left: tuple[float, ...], head: str) -> None:
    at, low, high = left
    now = driving(at_home_pct=at, at_home_low_pct=low, at_home_high_pct=high)
    need = of_topic("charge")
    assert need is not None
    assert need.enquire is not None
    known = need.enquire(Scene(now, Memory(person="anna"), GateSettings()), Enquiry())
    assert isinstance(known, Known)
    assert ask(_facts(situation=now, short_p=known.p), "get_home").line.startswith(head)


def staying_home(age_s: float | None) -> Situation:
    seen = () if age_s is None else (Evidence(key=WHERE, source="own", age_s=age_s, person="anna"),)
    return replace(driving(), mode="staying", origin=HOME, evidence=seen)


def test_where_one_stayed_days_ago_one_is_not_said_to_be() -> None:
    old = ask(_facts(situation=staying_home(5 * 86_400.0)), "get_home")
    assert old.line == "You were at home (last position 5 days ago: it may be different now)."
    assert [source.age_s for source in old.sources] == [5 * 86_400.0]
    unknown = ask(_facts(situation=staying_home(None)), "get_home")
    assert unknown.line.startswith("You were at home (last position nobody knows when")
    gone = ask(_facts(situation=staying_home(86_400.0), leaving=Leaving()), "leave_when")
    assert [s.age_s for s in gone.sources if s.key == WHERE] == [86_400.0]


CHANGE_S = (
    1_761_440_400.0  # 2025-10-26T01:00Z: in Helsinki it is 04:00 summer time, and becomes 03:00
)


@pytest.mark.parametrize(
    ("now_s", "start_s", "says"),
    [
        (CHANGE_S - 86_400.0, CHANGE_S + 30 * 3600.0, "Choir, Monday at 09:00, Hall 3."),
        (CHANGE_S - 2 * 3600.0, CHANGE_S + 6 * 3600.0, "Choir, at 09:00, Hall 3."),
        (CHANGE_S - 86_400.0, CHANGE_S - 80_000.0, "Choir, at 05:46, Hall 3."),
        (CHANGE_S + 60.0, CHANGE_S + 20.5 * 3600.0, "Choir, at 23:30, Hall 3."),
    ],
)
def test_an_entry_beyond_a_change_of_the_clock_is_at_its_own_time(
    now_s: float, start_s: float, says: str
) -> None:
    facts = _facts(now_s=now_s, planned=(entry(start_s=start_s, read_s=now_s),))
    assert ask(facts, "calendar_next").line == says


def test_an_entry_of_whole_days_has_no_time() -> None:
    day = entry(start_s=NOW_S + 26_400.0, all_day=True, title="Fair")
    facts = _facts(planned=(day,))
    assert ask(facts, "calendar_next").line == "Fair, Saturday, all day, Hall 3."
    german = ask(replace(facts, language="de"), "calendar_next").line
    assert german == "Fair, Samstag, ganztägig, Hall 3."
    assert "at 02:00" in ask(_facts(planned=(replace(day, all_day=False),)), "calendar_next").line


def test_yesterday_ends_where_today_begins_though_the_clock_changed() -> None:
    """Around midnight after the longer day: UTC+3 before the change, +2 after it."""
    noon_s = CHANGE_S + 35 * 3600.0
    facts = _facts(now_s=noon_s, receipts=())
    first_s, last_s = CHANGE_S - 4 * 3600.0, CHANGE_S + 21 * 3600.0  # 26 October there: 25 hours
    for at_s, counted in ((first_s - 1, 0), (first_s, 1), (last_s - 1, 1), (last_s, 0)):
        one = replace(receipt("s9"), time_s=at_s)
        said = ask(replace(facts, receipts=(one,)), "location_use", period="yesterday")
        assert said.line.startswith(f"This phone, yesterday: suggestions x{counted}") == bool(
            counted
        )


def test_who_is_at_home_gets_home() -> None:
    reply = ask(_facts(situation=staying_home(age_s=40.0)), "get_home")
    assert reply.line == "You are at home."
    assert [source.age_s for source in reply.sources] == [40.0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_old_news_is_called_old(language: str) -> None:
    """Nobody calls a room warm that was so six hours ago."""
    old_s = kind_of(ROOM).freshness_s + 6 * 3600
    house = dict(FULL.house) | {ROOM: told(ROOM, 20.8, old_s)}
    old, new = (
        ask(replace(FULL, house=h, language=language), "house_warm").line
        for h in (house, FULL.house)
    )
    assert new.startswith("Warm: ")
    assert not old.startswith(("Warm", "Colder", "Kälter"))
    assert {"en": "it may be different now", "de": "es kann jetzt anders sein"}[language] in old


OLD: dict[str, tuple[str, Facts]] = {
    "get_home": ("Yes|Ja", _facts(soc=told(SOC, 41.0, 9 * 3600))),
    "anybody_home": ("is|ist", _facts(house={PRESENCE: told(PRESENCE, False, 9 * 3600)})),
    "light_state": (
        "is|kitchen: an",
        _facts(lights={"kitchen": told(light_key("kitchen"), True, 3 * 86_400)}),
    ),
    "charged_when": ("Full|Voll", _facts(soc=told(SOC, 41.0, 9 * 3600))),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", sorted(OLD))
def test_of_old_news_nothing_is_said_as_if_it_were_so_now(intent: str, language: str) -> None:
    words, facts = OLD[intent]
    word = re.compile(rf"\b({words})\b")
    old, new = (ask(replace(f, language=language), intent) for f in (facts, FULL))
    traced(old)
    assert {"en": "it may be different now", "de": "es kann jetzt anders sein"}[
        language
    ] in old.line
    assert not word.search(old.line.partition("(")[0].replace("is unknown", ""))
    assert word.search(new.line), "the control"


PLAN = Planned(
    begin_s=NOW_S + 4 * 3600,
    ready_s=NOW_S + 6 * 3600,
    target_pct=80.0,
    final_pct=80.0,
    departure_s=NOW_S + 14 * 3600,
    made_s=NOW_S - 600,
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (PLAN, "80 %"),
        (replace(PLAN, begin_s=None), {"en": "nothing to charge", "de": "nichts zu laden"}),
        (replace(PLAN, ready_s=None, final_pct=69.9), {"en": "only 69 %", "de": "nur 69 %"}),
    ],
)
def test_when_it_is_full_the_plan_says_beside_the_readings(
    language: str, plan: Planned, says: Any
) -> None:
    reply = ask(_facts(charge_plan=plan, language=language), "charged_when")
    traced(reply)
    assert reply.outcome is Outcome.ANSWERED
    assert reply.line == ask(_facts(language=language), "charged_when").line
    words = says if isinstance(says, str) else says[language]
    assert words in reply.more[-1]


def test_where_no_reading_tells_the_plan_alone_answers() -> None:
    reply = ask(_facts(plugged=None, charge_plan=PLAN), "charged_when")
    traced(reply)
    assert reply.outcome is Outcome.ANSWERED
    assert reply.line.startswith("Planned: 80 % by ")
    assert "Whether the car charges, nobody has told" in reply.more[0]
    nobody = ask(_facts(soc=None, charge_plan=PLAN), "charged_when")
    assert nobody.outcome is Outcome.UNKNOWN, (
        "who may not know the charge learns nothing by its plan"
    )
    assert not figures(nobody.line)


def test_an_old_plug_charges_nothing_now() -> None:
    for value in (True, False):
        reply = ask(_facts(plugged=told(CHARGING, value, 9 * 3600)), "charged_when")
        assert (reply.outcome, reply.line) == (
            Outcome.UNKNOWN,
            "How it charges now, is unknown; the battery has 41 %.",
        )


def test_a_use_is_counted_once_though_receipts_count_on() -> None:
    """A receipt has what crossed since its node began: 120, 150, and 30 after a start."""
    kept = tuple(
        receipt(f"s{n}", days=3 - n, crossings=crossed(count))
        for n, count in enumerate((120, 150, 30))
    )
    reply = ask(_facts(receipts=kept), "location_use", period="week")
    assert any("car -> phone x180, by rule car-signals" in line for line in reply.more)
    assert "suggestions x3" in reply.line


def test_a_week_ends_and_a_name_is_told() -> None:
    told_ben = receipt(
        "ask-9", days=0.1, disclosures=(Disclosure(peer="Ben (adult)", learned=("x",)),)
    )
    old = receipt("s0", days=40.0)
    reply = ask(_facts(receipts=(old, told_ben)), "location_use", period="week")
    assert "suggestions x0, questions x1" in reply.line
    assert any(line == "Ben (adult) asked for it x1" for line in reply.more)
    assert "suggestions x1" not in ask(_facts(receipts=(old,)), "location_use", period="today").line


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_no_table_is_of_the_kind_that_is_said_and_nothing_of_another(language: str) -> None:
    none = _facts(food=Food(around="Forum", closed=3), language=language)
    reply = ask(none, "find_food", cuisine="sushi")
    assert reply.outcome is Outcome.UNKNOWN
    assert "sushi" in reply.line
    assert "3" not in reply.line, "those that are closed are of any kind"
    assert "3" in ask(none, "find_food").line, "the control"


def test_when_to_leave_for_something_else_than_what_is_next_is_not_known() -> None:
    leaving = Leaving(entry=entry(), leave_by_s=NOW_S + 3600.0)
    facts = _facts(leaving=leaving)
    plain = ask(facts, "leave_when").line
    other = ask(facts, "leave_when", entry="dentist").line
    assert other == f"I know it for what is next alone, not for “dentist”. {plain}"
    for named in ("choir", "hall 3", "next appointment"):
        assert ask(facts, "leave_when", entry=named).line == plain


def test_a_light_nobody_knows_is_none() -> None:
    reply = ask(FULL, "light_state", light="attic")
    assert reply.outcome is Outcome.UNKNOWN
    assert "only hall or kitchen" in reply.line


@pytest.mark.parametrize(
    ("readings", "rate"),
    [
        ([], None),
        ([(0.0, 40.0)], None),
        ([(0.0, 40.0), (300.0, 42.0)], None),  # five minutes tell nothing
        ([(0.0, 40.0), (3600.0, 50.0)], 10.0),
        (
            [(0.0, 60.0), (600.0, 40.0), (4200.0, 50.0)],
            10.0,
        ),  # what came before the fall does not count
        ([(0.0, 40.0), (1800.0, 40.0), (5400.0, 50.0)], 10.0),  # it stood at first
        ([(0.0, 50.0), (3600.0, 40.0)], None),
    ],
)
def test_the_rate_is_of_the_last_rise(
    readings: list[tuple[float, float]], rate: float | None
) -> None:
    assert charging_rate(readings).pct_an_hour == rate


@given(
    st.sampled_from(sorted(ANSWERS)),
    st.floats(0, 100),
    st.floats(0, 1e7),
    st.sampled_from(LANGUAGES),
)
def test_figures_are_traced_whatever_they_are(
    intent: str, value: float, age_s: float, language: str
) -> None:
    facts = replace(
        FULL,
        language=language,
        soc=told(SOC, value, age_s),
        house={ROOM: told(ROOM, value / 3, age_s)},
        car=replace(CAR, time_s=NOW_S - age_s, away_m=value * 500),
    )
    traced(ask(facts, intent))


def test_every_intent_is_answered_or_done() -> None:
    ordered: Callable[[str], bool] = lambda name: bool(TABLE[name].command)  # noqa: E731
    assert set(TABLE) == set(ANSWERS) | {name for name in TABLE if ordered(name)}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "hours unknown, you ate here 7 times at this hour"),
        ("de", "Öffnungszeiten unbekannt, du hast hier 7-mal um diese Zeit gegessen"),
    ],
)
def test_where_own_meals_stand_for_the_hours_they_are_told_as_on_the_page(
    language: str, words: str
) -> None:
    unknown = Opening(state=OpenState.UNKNOWN)
    often, never = table("Eaten", opening=unknown, eaten_then=7), table("New", opening=unknown)
    reply = ask(
        _facts(food=Food(around="Forum", options=(often, never)), language=language), "find_food"
    )
    assert f" · {words} · " in reply.line
    assert f" · {words.partition(',')[0]} · " in reply.more[0]
    if language == "en":
        assert hours_unknown(often) == words
    own = [one for one in reply.sources if one.source == "own meals"]
    assert [(one.shown, one.value, one.person) for one in own] == [("7", 7.0, "anna")]
