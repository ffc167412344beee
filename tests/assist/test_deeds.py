"""What needs conclude from deeds: from facts that were known, whatever order they came in, and from none of the future."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hearthway.assist import needs
from hearthway.assist.deeds import AT_M, FOLLOWED, NOT_FOLLOWED, WITHIN_S, Happened, became
from hearthway.assist.memory import Meal, Memory, Said
from hearthway.assist.needs.home_ready.became import SAME_S
from hearthway.records.deeds import CAME_IN, CHARGED, HEATS, LEFT, PARKED, UNCHARGED, Deed
from hearthway.records.geo import METRES_PER_DEGREE

DAY_S = 86_400.0
LAT, LON = 60.0, 24.0
LATER_S = {PARKED: 1200.0, CHARGED: 9000.0, UNCHARGED: 9000.0}
NEEDS = {
    "parking": "parking",
    "charge": "charger",
    "leave": "",
    "home-ready": "",
    "dinner": "restaurant",
}


def deed(what: str, time_s: float, away_m: float | None = 0.0) -> Deed:
    lat = None if away_m is None else LAT + away_m / METRES_PER_DEGREE
    return Deed(time_s, time_s + LATER_S.get(what, 0.0), what, lat, None if away_m is None else LON)


def said(need: str, time_s: float = DAY_S) -> Said:
    return Said(
        time_s=time_s,
        suggestion_id=f"{need}{time_s}",
        day=1,
        need=need,
        p_useful=0.7,
        p_before=0.7,
        osm_ids=("node/1",),
        kind=NEEDS[need],
        points=((LAT, LON),) if NEEDS[need] else (),
        until_s=time_s + 1800.0 if need == "leave" else None,
    )


def placed(need: str, time_s: float) -> Said:
    """As `said`, with where it is also of what has no POI."""
    return replace(said(need, time_s), points=((LAT, LON),))


def told(need: str, *deeds: Deed) -> list[tuple[bool, float]]:
    pieces = became(said(need), Happened(deeds=tuple(sorted(deeds))))
    return [(piece.yes, piece.time_s - DAY_S) for piece in pieces]


def test_only_the_first_thing_done_within_the_time_tells() -> None:
    near, far = AT_M - 1.0, AT_M + 1.0
    assert told("parking") == []
    assert told("parking", deed(PARKED, DAY_S - 1.0)) == [], "before the word"
    assert told("parking", deed(PARKED, DAY_S + WITHIN_S + 1.0)) == []
    assert told("parking", deed(PARKED, DAY_S + 600.0, near)) == [(True, 1800.0)]
    assert told("parking", deed(PARKED, DAY_S + 600.0, far)) == [(False, 1800.0)]
    after = deed(PARKED, DAY_S + 3000.0, near)
    assert told("parking", deed(PARKED, DAY_S + 600.0, far), after) == [(False, 1800.0)]
    assert told("parking", deed(CHARGED, DAY_S + 600.0)) == [], "another matter"


def test_charging_elsewhere_and_not_at_all_are_both_against() -> None:
    assert told("charge", deed(CHARGED, DAY_S + 600.0)) == [(True, 9600.0)]
    assert told("charge", deed(CHARGED, DAY_S + 600.0, 900.0)) == [(False, 9600.0)]
    assert told("charge", deed(UNCHARGED, DAY_S + 600.0)) == [(False, 9600.0)]
    assert told("charge", deed(PARKED, DAY_S + 600.0)) == [], "nobody told the charge"


def test_leaving_is_in_time_until_the_word_is_over() -> None:
    assert told("leave", deed(LEFT, DAY_S + 1800.0)) == [(True, 1800.0)]
    assert told("leave", deed(LEFT, DAY_S + 1801.0)) == [(False, 1801.0)]
    assert told("leave", deed(LEFT, DAY_S + 13 * 3600.0)) == [], "for something else"
    assert told("home-ready", deed(LEFT, DAY_S + 60.0)) == []


def test_leaving_in_time_counts_once_one_has_been_where_the_entry_is() -> None:
    """Left in time for something else, a word is judged by nothing; the control: of an entry whose place was not kept, as ever."""
    about = replace(said("leave"), points=((LAT, LON),))

    def told_of(*deeds: Deed) -> list[tuple[bool, float]]:
        pieces = became(about, Happened(deeds=tuple(sorted(deeds))))
        return [(piece.yes, piece.time_s - DAY_S) for piece in pieces]

    left = deed(LEFT, DAY_S + 600.0, 5000.0)
    assert told("leave", left) == [(True, 600.0)]
    assert told_of(left) == [], "not known yet"
    assert told_of(left, deed(LEFT, DAY_S + 9000.0, 301.0)) == [], "from elsewhere"
    assert told_of(left, deed(LEFT, DAY_S + 9000.0, 299.0)) == [(True, 9000.0)]
    assert told_of(left, deed(PARKED, DAY_S + 3000.0, 299.0)) == [(True, 4200.0)]
    school = deed(LEFT, DAY_S + 2400.0, 2000.0)
    assert told_of(left, school, deed(LEFT, DAY_S + 9000.0)) == [(True, 9000.0)]
    assert told_of(left, deed(LEFT, DAY_S + 14 * 3600.0)) == [], "for something else"
    assert told_of(deed(LEFT, DAY_S + 1801.0, 5000.0)) == [(False, 1801.0)]


def test_heating_just_after_who_came_just_before_the_time_is_up_tells_nothing() -> None:
    came_s = DAY_S + WITHIN_S - 120.0
    came = deed(CAME_IN, came_s, None)
    assert told("home-ready", came) == [(False, WITHIN_S - 120.0 + SAME_S)]
    assert told("home-ready", came, deed(HEATS, came_s + SAME_S, None)) == []
    assert told("home-ready", came, deed(HEATS, came_s + SAME_S + 1.0, None)) == [
        (False, WITHIN_S - 120.0 + SAME_S)
    ]
    assert told("home-ready", deed(HEATS, DAY_S + WITHIN_S, None)) == [(True, WITHIN_S)]
    assert told("home-ready", deed(HEATS, DAY_S + WITHIN_S + 1.0, None)) == []


@pytest.mark.parametrize("topic", sorted(NEEDS))
def test_a_word_whose_facts_are_not_known_is_judged_by_nothing(topic: str) -> None:
    assert became(said(topic), Happened()) in ((), [])
    bare = Said(time_s=DAY_S, suggestion_id="s", day=1, need="gone", p_useful=0.7)
    assert became(bare, Happened(deeds=(deed(PARKED, DAY_S + 1.0),))) == ()


def test_a_deed_weighs_as_a_meal_does() -> None:
    memory = Memory(person="ada").spoke(said("parking"))
    for away_m, weight in ((0.0, FOLLOWED), (900.0, NOT_FOLLOWED)):
        one = memory.did((deed(PARKED, DAY_S + 60.0, away_m),))
        (piece,) = one._evidence()
        assert (piece.yes, piece.weight, piece.p) == (weight == FOLLOWED, weight, 0.7)
        assert piece.topics == ("need:parking", "kind:parking")


words = st.builds(
    lambda make, need, time_s: make(need, time_s),
    st.sampled_from([said, placed]),
    st.sampled_from(sorted(NEEDS)),
    st.integers(0, 60).map(lambda n: n * 1800.0),
)
deeds = st.builds(
    deed,
    st.sampled_from([PARKED, CHARGED, UNCHARGED, LEFT, HEATS, CAME_IN]),
    st.integers(0, 400).map(lambda n: n * 333.0),
    st.sampled_from([0.0, 100.0, 400.0]),
)
meals = st.builds(
    lambda time_s, osm_id: Meal(
        time_s=time_s,
        end_s=time_s + 3000.0,
        quarter=0,
        day=0,
        lat=LAT,
        lon=LON,
        pois=((osm_id, 1.0),),
    ),
    st.integers(0, 400).map(lambda n: n * 333.0),
    st.sampled_from(["node/1", "node/2"]),
)


def learned(notes: Sequence[Said | Meal], done: Sequence[Deed], at: int) -> Memory:
    """The notes in this order; what was done is heard of after so many of them."""
    memory = Memory(person="ada")
    for number, note in enumerate(notes):
        if number == at:
            memory = memory.did(tuple(sorted(set(done))))
        memory = memory.spoke(note) if isinstance(note, Said) else memory.meal(note)
    return memory.did(tuple(sorted(set(done))))


@settings(max_examples=60, deadline=None)
@given(
    notes=st.lists(words | meals, max_size=10),
    done=st.lists(deeds, max_size=12),
    seed=st.integers(0, 2**32),
)
def test_order_and_repetition_change_not_a_bit(
    notes: list[Said | Meal], done: list[Deed], seed: int
) -> None:
    draw = random.Random(seed)
    again, other = [*notes, *draw.sample(notes, len(notes) // 2)], done[:]
    draw.shuffle(again)
    draw.shuffle(other)
    one = learned(notes, done, 0)
    two = learned(again, other, draw.randint(0, len(again)))
    assert one.dump() == two.dump()
    for topic, kind in NEEDS.items():
        for now_s in (0.0, DAY_S / 2, 2 * DAY_S):
            assert one.offset(now_s, topic, kind) == two.offset(now_s, topic, kind)


@settings(max_examples=60, deadline=None)
@given(
    notes=st.lists(words, max_size=8),
    done=st.lists(deeds, max_size=12),
    now_s=st.integers(0, 400).map(lambda n: n * 350.0),
)
def test_what_is_not_known_yet_moves_nothing(
    notes: list[Said], done: list[Deed], now_s: float
) -> None:
    """At any moment it is as with what was known then alone."""
    then = [one for one in done if one.known_s <= now_s]
    whole, part = learned(notes, done, 0), learned(notes, then, 0)
    for topic, kind in NEEDS.items():
        assert whole.offset(now_s, topic, kind) == part.offset(now_s, topic, kind)


def test_every_need_that_names_a_thing_to_do_says_what_became_of_it() -> None:
    judged = {need.name for need in needs.found() if need.became is not None}
    assert {"battery", "home_ready", "leave_now", "meal", "parking"} <= judged
