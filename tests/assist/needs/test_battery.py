"""Charge where you are going to stand anyway: its day, and the days that differ from it in one fact."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from hearthway.assist.explain import why
from hearthway.assist.memory import Answered, Memory
from hearthway.assist.moment import render
from hearthway.assist.needs import found
from hearthway.assist.needs.battery.need import NEED
from hearthway.assist.needs.battery.settings import RESERVE_PCT
from hearthway.assist.needs.battery.short import (
    home_short_p,
    news_p,
    short_p,
    stranded_p,
    tomorrow_p,
    tomorrow_short_p,
    use_error,
)
from hearthway.atlas.store import Atlas
from hearthway.learn.outcome import learn_said
from hearthway.records.company import TASTE
from hearthway.records.geo import offset
from hearthway.records.poi import OpenState, Poi
from hearthway.records.situation import Aboard, Battery, Destination, Evidence, Stand, Tomorrow
from hearthway.records.suggestion import AnswerKind, Silence, Suggestion
from hearthway.sense.catalogue import WITH_CAR

LOW = Battery(
    soc_pct=22.0, age_s=2.0, at_arrival_pct=19.0, at_home_pct=2.0, pct_per_km=0.2, trips=38
)
FORUM = (60.1690, 24.9380)
quick = settings(max_examples=100, deadline=None)


def charger(number: int, north_m: float) -> Poi:
    lat, lon = offset(*FORUM, north_m, 0)
    return Poi(osm_id=f"node/{number}", kind="charger", name="", lat=lat, lon=lon)


CHARGERS = (charger(91, 150.0), charger(92, -300.0), charger(93, 5_000.0))


def consider(world: Any, memory: Memory | None = None, **changes: Any) -> Any:
    hours = changes.pop("hours", {})
    pois = changes.pop("pois", world.town(CHARGERS, hours))
    lat, lon = offset(*FORUM, 700.0, 0)  # until there, waiting would cost nothing
    facts = {"battery": LOW, "routines": (), "lat": lat, "lon": lon, **changes}
    assistant = world.assistant(pois=pois)
    return assistant.consider(world.drive(**facts), memory or Memory(person="anna"))


def code_of(result: Any) -> str:
    assert isinstance(result, Silence), "it spoke"
    return result.code


def test_a_word_that_goes_by_nobody_else_keeps_nothing_of_who_rides_along(world: Any) -> None:
    sam = Aboard(
        person="sam", kind="adult", called="Sam", source="car", age_s=3.0, rule="r", consent="c"
    )
    plain = world.drive().evidence
    used = tuple(
        Evidence(key=key, source="car", age_s=3.0, person="sam") for key in (WITH_CAR, TASTE)
    )
    said = consider(world, aboard=(sam,), evidence=(*plain, *used))
    assert isinstance(said, Suggestion), said
    assert said.situation.aboard is UNSET
    assert said.situation.evidence == plain
    assert [need.name for need in found() if need.by_company] == ["meal"]


def test_the_words(world: Any) -> None:
    result = consider(world)
    assert isinstance(result, Suggestion), result
    assert result.need == "charge"
    unknown = "power, free or taken unknown · hours unknown"
    assert render(result) == [
        "18:12:00  700 m before arrival · heading to Forum (p 0.81 of 214 places)",
        "          charge there: below 5 % at home with p 0.77 (38 trips of this car):",
        f"          charger without a name  2 min on foot · {unknown} (node/91)",
        f"          charger without a name  5 min on foot · {unknown} (node/92)",
        "          how long you stay there is not known yet",
        "          battery 22 % -> home with 2 %",
        "          why · not now · never here",
    ]
    said = "\n".join(why(result))
    assert "no stop to charge on the way is worth 30 min" in said
    assert "what 38 trips used, give or take 20%" in said
    assert "would not get home, or to tomorrow's first trip, without charging (p " in said
    assert "hours of charger without a name: unknown (node/91, the map)" in said
    for option in result.options:
        assert sum(r.weight for r in option.reasons) == pytest.approx(option.utility)


def test_its_day_speaks_once_at_a_calm_moment_before_it_is_too_late(world: Any) -> None:
    """A drive of 9 km to the mall at 10 m/s, looked at every five seconds; fast at first."""
    memory, told, codes = Memory(person="anna"), [], set()
    for look in range(185):
        left_m = 9_000.0 - 50.0 * look
        if left_m <= 0:
            break
        lat, lon = offset(*FORUM, left_m, 0)
        result = consider(
            world,
            memory,
            time_s=world.at(18.0) + 5.0 * look,
            trip_start_s=world.at(17.5),
            lat=lat,
            lon=lon,
            speed_mps=36.0 if left_m > 2_000.0 else 9.0,
        )
        if isinstance(result, Suggestion):
            memory = learn_said(memory, result)
            assert result.situation.speed_mps == 9.0
            told.append((left_m, result.need))
        else:
            codes.add(result.code)
    assert [need for _, need in told] == ["charge"]
    assert 400.0 < told[0][0] <= 2_000.0
    assert {"high-driving-load", "said-already"} <= codes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"at_home_pct": 30.0, "soc_pct": 50.0}, "battery-enough", id="enough"),
        pytest.param({"at_arrival_pct": 0.0, "at_home_pct": 0.0}, "not-even-there", id="too low"),
        pytest.param({"age_s": 3600.0}, "battery-unknown", id="old"),
        pytest.param({"at_home_pct": None, "pct_per_km": None}, "consumption-unknown", id="new"),
        pytest.param({"at_home_pct": None}, "home-unknown", id="no home"),
    ],
)
def test_one_fact_of_the_battery_makes_it_silent(
    world: Any, changes: dict[str, Any], code: str
) -> None:
    battery = msgspec.structs.replace(LOW, **changes)
    needs = world.assistant(among=(NEED,), pois=world.town(CHARGERS, {}))
    result = needs.consider(world.drive(battery=battery), Memory(person="anna"))
    assert code_of(result) == code


def test_no_battery_no_map_no_destination(world: Any) -> None:
    def alone(**changes: Any) -> str:
        pois = changes.pop("pois", world.town(CHARGERS, {}))
        assistant = world.assistant(among=(NEED,), pois=pois)
        situation = world.drive(**{"battery": LOW, **changes})
        return code_of(assistant.consider(situation, Memory(person="anna")))

    assert alone(battery=None) == "battery-unknown"
    assert alone(pois=None) == "needs-a-map"
    assert alone(pois=world.town(CHARGERS, {}, on_map=False)) == "off-map"
    assert alone(destinations=(), p_new=1.0) == "unknown-destination"
    assert alone(mode="staying") == "not-driving"
    assert alone(mode="riding") == "not-driving"
    assert alone(mode="moving") == "mode-unclear"
    assert alone(pois=world.town(CHARGERS[2:], {})) == "no-charger-near"
    vague = (Destination(place=world.mall, p=0.4), Destination(place=world.home, p=0.3))
    assert alone(destinations=vague, p_new=0.3) == "not-worth-interrupting"


def test_heading_home_it_has_nothing_to_offer(world: Any) -> None:
    """Whoever does not get home cannot charge there: both ends are the same."""
    goals = (Destination(place=world.home, p=0.9),)
    battery = msgspec.structs.replace(LOW, at_arrival_pct=2.0)
    result = consider(world, destinations=goals, battery=battery)
    assert code_of(result) == "not-even-there"


def test_a_closed_or_unwanted_charger_is_not_shown(world: Any) -> None:
    sure = {"destinations": (Destination(place=world.mall, p=0.97),), "p_new": 0.03}

    def shown(memory: Memory | None = None, **hours: OpenState) -> list[str]:
        states = {f"node/{number[1:]}": state for number, state in hours.items()}
        result = consider(world, memory, hours=states, **sure)
        return [o.poi.osm_id for o in getattr(result, "options", ())]

    assert shown() == ["node/91", "node/92"]
    assert shown(n91=OpenState.CLOSED) == ["node/92"]
    assert shown(n91=OpenState.CLOSED, n92=OpenState.CLOSED) == []
    never = Memory(person="anna").heard(
        Answered(
            time_s=world.at(10.0, 60),
            suggestion_id="x",
            kind=AnswerKind.NEVER_HERE,
            need="charge",
            osm_id="node/91",
        )
    )
    assert shown(never) == ["node/92"]


def test_on_the_bundled_map_every_charger_shown_is_one_of_the_map(world: Any) -> None:
    with closing(Atlas.bundled()) as atlas:
        result = consider(world, pois=atlas)
        assert isinstance(result, Suggestion), result
        assert result.options
        for option in result.options:
            poi = atlas.get(option.poi.osm_id)
            assert poi == option.poi
            assert poi.kind == "charger"


def test_dinner_goes_first_where_it_is_worth_more(world: Any) -> None:
    """Both would speak; the greater is said and the other does not follow at once."""
    town = world.town((*world.pois, *CHARGERS), world.hours)
    memory = world.dining({"node/1": 20, "node/2": 4})
    assistant = world.assistant(pois=town)
    lat, lon = offset(*FORUM, 700.0, 0)
    there = world.drive(battery=LOW, lat=lat, lon=lon)
    alone = world.assistant(pois=town, among=(NEED,)).consider(there, memory)
    first = assistant.consider(there, memory)
    assert (alone.need, first.need) == ("charge", "dinner")
    assert first.utility > alone.utility
    after = msgspec.structs.replace(there, time_s=there.time_s + 5.0)
    alone = world.assistant(pois=town, among=(NEED,)).consider(after, learn_said(memory, first))
    assert code_of(alone) == "one-at-a-time"


percent = st.floats(0, 100)


@quick
@given(soc=percent, there=percent, home=percent)
def test_being_stranded_is_a_probability(soc: float, there: float, home: float) -> None:
    left = sorted((home, there, soc))
    battery = Battery(soc_pct=left[2], age_s=0, at_arrival_pct=left[1], at_home_pct=left[0])
    assert 0.0 <= stranded_p(battery) <= 1.0
    assert short_p(left[2], left[0]) >= short_p(left[2], left[1]) - 1e-9


@quick
@given(soc=st.floats(20, 100), low=percent, more=st.floats(0.1, 50))
def test_more_left_is_never_less_sure(soc: float, low: float, more: float) -> None:
    high = min(soc, low + more)
    low = min(low, high)
    if low >= RESERVE_PCT:  # below it, a shorter way makes the shortage surer
        assert short_p(soc, high) <= short_p(soc, low) + 1e-9


def test_the_reserve_itself_is_even_odds() -> None:
    assert short_p(50.0, RESERVE_PCT) == pytest.approx(0.5)
    assert short_p(50.0, None) == 0.0
    assert short_p(4.0, 4.0) == 1.0
    assert short_p(4.0, 0.0) == 1.0  # below the reserve already: driving gives nothing back
    assert short_p(50.0, 50.0) == 0.0


def test_the_doubt_is_the_learned_interval_where_there_is_one() -> None:
    known = Battery(soc_pct=30, age_s=0, at_arrival_pct=20, at_home_pct=10)
    assert use_error(known) == 0.2
    narrow, wide = (
        msgspec.structs.replace(known, at_home_low_pct=10 - by, at_home_high_pct=10 + by)
        for by in (1.0, 9.0)
    )
    assert use_error(narrow) == pytest.approx(1.0 / 1.645 / 20)
    assert stranded_p(narrow) < stranded_p(known) < stranded_p(wide)
    assert stranded_p(narrow) < 0.001
    below = msgspec.structs.replace(narrow, at_home_pct=2.0, at_home_high_pct=3.0)
    assert stranded_p(below) > 0.999


def test_an_interval_that_ends_at_an_empty_battery_makes_no_arrival_sure() -> None:
    """Home lies far beyond the reach: what is left there and its upper end are both shown as 0 %."""
    far = Battery(
        soc_pct=20.0,
        age_s=2.0,
        at_arrival_pct=6.0,
        at_home_pct=0.0,
        at_home_low_pct=0.0,
        at_home_high_pct=0.0,
        trips=38,
    )
    assert use_error(far) == 0.2  # not 0: how far off one may be cannot be seen
    assert home_short_p(far) >= 0.95
    there = short_p(20.0, 6.0)
    assert 0.3 < there < 0.4
    assert stranded_p(far) == pytest.approx(home_short_p(far) - there)
    unsure = msgspec.structs.replace(far, soc_pct=60.0, at_arrival_pct=40.0, at_home_high_pct=12.0)
    assert home_short_p(unsure) == short_p(60.0, 0.0) < 0.7  # a lower bound, and no more


def test_the_line_says_how_probably_home_is_short_also_where_arriving_is_not_sure(
    world: Any,
) -> None:
    unsure = msgspec.structs.replace(LOW, at_arrival_pct=10.0)
    result = consider(world, battery=unsure)
    assert isinstance(result, Suggestion), result
    home, there = short_p(22.0, 2.0), short_p(22.0, 10.0)
    assert there > 0.01
    assert f"below 5 % at home with p {home:.2f} (" in result.lines[0]
    assert f"not home from there {home - there:.2f}: " in "\n".join(why(result))


# -- tomorrow's first trip ---------------------------------------------------------------------------------------------

NEVER_AT_HOME = Stand(stays=20, usual_s=12 * 3600.0, stood=24, charged=0, charges=False)
MONDAYS = Tomorrow(
    source="own trips",
    kind="Mondays",
    days=12,
    p_drives=11 / 12,
    ways_m=(24_000.0, 25_200.0, 31_400.0),
    left_pct=(2.0, 1.0, -1.0),
    high_pct=(3.5, 2.5, 0.5),
)
EVENING = Battery(
    soc_pct=16.0,
    age_s=2.0,
    at_arrival_pct=14.0,
    at_home_pct=11.0,
    at_home_low_pct=10.0,
    at_home_high_pct=12.0,
    pct_per_km=0.2,
    trips=38,
    there=Stand(stays=9, usual_s=2.5 * 3600.0, stood=4, charged=0),
    home=NEVER_AT_HOME,
    tomorrow=MONDAYS,
)


def evening(**changes: Any) -> Battery:
    return msgspec.structs.replace(EVENING, **changes)


def test_the_words_for_tomorrow(world: Any) -> None:
    result = consider(world, battery=EVENING)
    assert isinstance(result, Suggestion), result
    km = "24-31 km, driven on 11 of 12 Mondays"
    assert render(result)[1:6] == [
        f"          charge there: below 5 % after tomorrow's first trip with p 0.92 ({km}):",
        "          charger without a name  2 min on foot · power, free or taken unknown · hours unknown (node/91)",
        "          charger without a name  5 min on foot · power, free or taken unknown · hours unknown (node/92)",
        "          you usually stay 2.5 h (9 stays) · at home the car was charged 0 of 24 times",
        "          battery 16 % -> home with 11 % (10-12)",
    ]
    assert "not on tomorrow's first trip 0.92: what 38 trips used" in "\n".join(why(result))


def test_the_calendars_first_entry_is_said_as_that(world: Any) -> None:
    planned = Tomorrow(
        source="calendar",
        kind="",
        days=0,
        p_drives=0.9,
        ways_m=(62_000.0,),
        left_pct=(-3.0,),
        high_pct=(0.0,),
    )
    result = consider(world, battery=evening(tomorrow=planned))
    assert isinstance(result, Suggestion), result
    assert (
        "with p 0.90 (62 km for what your calendar has first, driven with p 0.90 (assumed)):"
        in result.lines[0]
    )
    assert result.phone_only is True  # a calendar goes to no other device
    own = consider(world, battery=evening())
    assert isinstance(own, Suggestion)
    assert own.phone_only is msgspec.UNSET


@pytest.mark.parametrize(("p", "phone_only"), [(0.3, True), (0.02, msgspec.UNSET)])
def test_near_a_place_that_the_calendar_alone_knows_it_stays_on_the_phone(
    world: Any, p: float, phone_only: Any
) -> None:
    """Such a place is called by the entry's words: they are for no car's screen."""
    entry = msgspec.structs.replace(world.mall, place_id="", name="Dr. Muster", visits=0)
    goals = (Destination(place=world.mall, p=0.97 - p), Destination(place=entry, p=p))
    result = consider(world, battery=evening(), destinations=goals)
    assert isinstance(result, Suggestion), result
    assert result.phone_only is phone_only


ENOUGH = msgspec.structs.replace(MONDAYS, left_pct=(9.0, 8.5, 8.0), high_pct=(10.0, 9.5, 9.0))
SELDOM = msgspec.structs.replace(MONDAYS, p_drives=1 / 12)
AT_HOME = Stand(stays=20, usual_s=12 * 3600.0, stood=24, charged=9, charges=True)
UNSEEN = Stand(stays=3, usual_s=12 * 3600.0, stood=4, charged=0)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        pytest.param({"tomorrow": ENOUGH}, "battery-enough", "first trip as well", id="enough"),
        pytest.param({"tomorrow": SELDOM}, "battery-enough", "first trip as well", id="seldom"),
        pytest.param(
            {"tomorrow": msgspec.UNSET, "home": AT_HOME},
            "battery-enough",
            "The car charges there.",
            id="charges at home",
        ),
        pytest.param(
            {"tomorrow": msgspec.UNSET, "home": UNSEEN},
            "battery-enough",
            "not known yet",
            id="unknown where it charges",
        ),
        pytest.param(
            {"tomorrow": msgspec.UNSET}, "battery-enough", "first trip is not known", id="no trips"
        ),
        pytest.param(
            {"there": Stand(stays=9, usual_s=9_000.0, stood=20, charged=19, charges=True)},
            "charges-there",
            "",
            id="charged there anyway",
        ),
        pytest.param({"at_arrival_pct": 2.0}, "not-even-there", "", id="too low"),
    ],
)
def test_one_fact_of_tomorrow_makes_it_silent(
    world: Any, changes: dict[str, Any], code: str, words: str
) -> None:
    assistant = world.assistant(among=(NEED,), pois=world.town(CHARGERS, {}))
    situation = world.drive(battery=evening(**changes))
    result = assistant.consider(situation, Memory(person="anna"))
    assert code_of(result) == code
    assert words in result.words


def test_heading_home_to_a_charger_near_home_is_where_one_stands_all_night(world: Any) -> None:
    near = Poi(osm_id="node/94", kind="charger", name="", lat=world.home.lat, lon=world.home.lon)
    lat, lon = offset(world.home.lat, world.home.lon, 700.0, 0)
    facts: dict[str, Any] = {
        "destinations": (Destination(place=world.home, p=0.9),),
        "battery": evening(there=NEVER_AT_HOME, at_arrival_pct=11.0),
        "lat": lat,
        "lon": lon,
        "p_new": 0.1,
    }
    result = consider(world, pois=world.town((near,), {}), **facts)
    assert isinstance(result, Suggestion), result
    assert [o.poi.osm_id for o in result.options] == ["node/94"]
    assert "you usually stay 12.0 h (20 stays)" in result.lines[2]


def test_a_long_stay_is_worth_more_than_a_short_one(world: Any) -> None:
    def worth(minutes: float | None) -> float | None:
        there = Stand(stays=9, usual_s=None if minutes is None else 60.0 * minutes)
        sure: dict[str, Any] = {
            "destinations": (Destination(place=world.mall, p=0.97),),
            "p_new": 0.03,
        }
        result = consider(world, battery=evening(there=there), **sure)
        if isinstance(result, Silence):
            return None
        first = result.options[0]
        assert sum(r.weight for r in first.reasons) == pytest.approx(first.utility)
        return float(first.utility)

    assert worth(240.0) == worth(30.0) == worth(None)
    assert worth(240.0) - worth(25.0) == pytest.approx(5.0)  # type: ignore[operator]  # both are said
    assert worth(10.0) is None


def test_of_both_shortages_the_nearer_one_is_said(world: Any) -> None:
    both = consider(world, battery=evening(at_home_pct=2.0, at_home_high_pct=3.0))
    assert "at home with p" in both.lines[0]
    assert "at home the car was charged" not in "\n".join(both.lines)


def test_tomorrows_probability_is_of_the_days_and_their_ways() -> None:
    assert tomorrow_short_p(EVENING) == pytest.approx(11 / 12, abs=0.002)
    half = evening(
        tomorrow=msgspec.structs.replace(MONDAYS, left_pct=(1.0, 9.0), high_pct=(1.5, 9.5))
    )
    assert tomorrow_short_p(half) == pytest.approx(11 / 24, abs=0.002)
    assert tomorrow_p(half) < tomorrow_p(EVENING) <= tomorrow_short_p(EVENING)
    assert tomorrow_short_p(evening(tomorrow=msgspec.UNSET)) == 0.0
    exact = evening(
        tomorrow=msgspec.structs.replace(MONDAYS, left_pct=(4.0, 6.0), high_pct=(4.0, 6.0))
    )
    assert tomorrow_short_p(exact) == pytest.approx(11 / 24)


def test_what_is_charged_anyway_is_no_news() -> None:
    assert news_p(evening(there=msgspec.UNSET)) == 1.0
    assert news_p(EVENING) == 1.0
    often = evening(there=Stand(stays=9, stood=8, charged=8, charges=True))
    assert news_p(often) == pytest.approx(0.2)


# -- power -------------------------------------------------------------------------------------------------------------


def shown(world: Any, power_kw: Any, **changes: Any) -> Any:
    sure: dict[str, Any] = {
        "destinations": (Destination(place=world.mall, p=0.97),),
        "p_new": 0.03,
    }
    poi = msgspec.structs.replace(charger(91, 150.0), power_kw=power_kw)
    return consider(world, pois=world.town((poi,), {}), battery=evening(**changes), **sure)


@pytest.mark.parametrize(
    ("power_kw", "changes", "words"),
    [
        (msgspec.UNSET, {"capacity_kwh": 60.0}, "power, free or taken unknown"),
        (11.0, {}, "up to 11 kW · free or taken unknown"),
        (11.0, {"capacity_kwh": 60.0, "there": msgspec.UNSET}, "up to 11 kW · free or taken"),
        (11.0, {"capacity_kwh": 60.0}, "up to 11 kW, at most 28 kWh while you stay · free or"),
        (150.0, {"capacity_kwh": 60.0}, "up to 150 kW, at most 52 kWh while you stay · free"),
    ],
)
def test_kilowatt_hours_are_of_the_power_the_stay_and_what_is_missing(
    world: Any, power_kw: Any, changes: dict[str, Any], words: str
) -> None:
    result = shown(world, power_kw, **changes)
    assert isinstance(result, Suggestion), result
    assert f" · {words}" in result.lines[1]


def test_a_plug_that_gives_less_than_is_missing_is_worth_less(world: Any) -> None:
    """Missing for tomorrow are 2.6 kWh of 60; a stay of 30 min gives half of them at 2.6 kW, all at 11."""
    there = Stand(stays=9, usual_s=1800.0)
    tomorrow = msgspec.structs.replace(
        MONDAYS, left_pct=(5.0 - 100.0 * 2.6 / 60.0,), high_pct=(1.5,), ways_m=(24_000.0,)
    )
    facts = {"there": there, "capacity_kwh": 60.0, "tomorrow": tomorrow}
    enough, weak = shown(world, 11.0, **facts), shown(world, 3.9, **facts)
    first, second = enough.options[0], weak.options[0]
    assert first.utility - second.utility == pytest.approx(30.0 * (1.0 - 1.95 / 2.6))
    assert "gives at most 1.9 of the 2.6 kWh that are missing" in second.reasons[-1].words
    assert isinstance(shown(world, 1.0, **facts), Silence)


@pytest.mark.parametrize(("home_km", "code"), [(300.0, ""), (700.0, "home-too-far")])
def test_on_a_journey_home_is_no_question(world: Any, home_km: float, code: str) -> None:
    """Farther than a full battery carries: every drive there would be told of it."""
    lat, lon = offset(*FORUM, home_km * 1000.0, 0)
    home = msgspec.structs.replace(world.home, lat=lat, lon=lon)
    goals = (Destination(place=world.mall, p=0.9),)
    lat, lon = offset(*FORUM, 700.0, 0)
    situation = world.drive(battery=LOW, home=home, destinations=goals, lat=lat, lon=lon)
    assistant = world.assistant(pois=world.town(CHARGERS, {}), among=(NEED,))
    result = assistant.consider(situation, Memory(person="anna"))
    if code:
        assert code_of(result) == code
    else:
        assert isinstance(result, Suggestion)  # the control
