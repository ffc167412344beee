"""What happens next at home: learned from the days before, explained as it is counted, bounded, and never guessed from bad input."""

from __future__ import annotations

import random
from itertools import pairwise
from math import inf, log, nan

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.context import next_event, next_views
from hearthway.context.happenings import Happening, HomeState
from hearthway.context.next_event import NextEvent
from hearthway.context.next_views import BASES, pause_class
from hearthway.records.errors import InputError

DAY_S = 86_400.0
MORNING = ("bed", "hall light", "kettle", "toaster", "front door")
EVENING = ("front door", "hall light", "stove", "television", "bed")


def at(time_s: float, what: str, who: str = "", source: str = "hub") -> Happening:
    return Happening(time_s, time_s % DAY_S, what, who, source)


def days(count: int, seed: int = 1, first: int = 0) -> list[Happening]:
    """A routine with one stray event a day: what follows the hall light depends on the hour."""
    rng = random.Random(seed)
    out = []
    for day in range(first, first + count):
        for hour, things in ((7, MORNING), (18, EVENING)):
            begin_s = day * DAY_S + hour * 3600 + rng.uniform(0, 1200)
            out += [at(begin_s + 90 * i, what) for i, what in enumerate(things)]
        out.append(at(day * DAY_S + 12 * 3600 + rng.uniform(0, 3600), rng.choice("xyz")))
    return sorted(out, key=lambda event: event.time_s)


def learned(events: list[Happening]) -> NextEvent:
    model = NextEvent()
    for event in events:
        model.observe(event)
    return model


def test_nothing_is_known_at_first() -> None:
    assert NextEvent().shares() == {"": 1.0}
    (only,) = NextEvent().ranked()
    assert (only.what, only.last_s) == ("", None)


@pytest.mark.parametrize(("hour", "follows"), [(7, "kettle"), (18, "stove")])
def test_the_hour_decides_where_the_event_before_does_not(hour: int, follows: str) -> None:
    model = learned(days(20))
    begin_s = 20 * DAY_S + hour * 3600
    model.observe(at(begin_s, "lamp"))  # unheard of: no context but the hour and the light
    model.observe(at(begin_s + 90, "hall light"))
    assert model.ranked(1)[0].what == follows
    assert model.ranked(1)[0].probability > 0.5


def test_who_acted_decides_where_it_is_known() -> None:
    rng = random.Random(3)
    model = NextEvent()
    for step in range(120):
        who = rng.choice(("ada", "ben"))
        model.observe(at(step * 7200.0, "door", who))
        model.observe(at(step * 7200.0 + 60, "lamp" if who == "ada" else "radio", who))
    for who, follows in (("ada", "lamp"), ("ben", "radio")):
        asked = NextEvent(msgspec.convert(msgspec.to_builtins(model.state), HomeState))
        asked.observe(at(120 * 7200.0, "door", who))
        assert asked.ranked(1)[0].what == follows
    model.observe(at(120 * 7200.0, "door"))
    assert "person" not in {reason.view for reason in model.ranked(1)[0].reasons}


def test_a_candidate_names_its_source_and_what_it_rests_on() -> None:
    events = days(10)
    model = learned(events)
    model.observe(at(10 * DAY_S + 7 * 3600, "bed", source="hub"))
    model.observe(at(10 * DAY_S + 7 * 3600 + 90, "hall light", source="zigbee"))
    best = model.ranked(1)[0]
    assert (best.what, best.source) == ("kettle", "hub")
    assert best.last_s == max(event.time_s for event in events if event.what == "kettle")
    after = next(reason for reason in best.reasons if reason.view == "after-two")
    assert 5.0 < after.seen <= after.of < 10.0  # ten mornings, faded
    assert [each.gain for each in best.reasons] == sorted(
        (each.gain for each in best.reasons), reverse=True
    )


@pytest.mark.parametrize("view", [name for name in BASES if name != "person"])
def test_without_a_view_the_odds_change_by_what_it_was_said_to_give(view: str) -> None:
    model = learned(days(6))
    first, second = model.ranked(2)
    stated = sum(
        sign * reason.gain
        for sign, candidate in ((1, first), (-1, second))
        for reason in candidate.reasons
        if reason.view == view
    )
    before = log(first.probability / second.probability)
    model.state.weights[view] = [0.0] * len(model.state.weights[view])
    shares = NextEvent(model.state).shares()
    assert before - log(shares[first.what] / shares[second.what]) == pytest.approx(stated)


def test_it_beats_the_last_event_alone_on_days_it_has_not_seen() -> None:
    model = learned(days(20))
    follows: dict[str, dict[str, int]] = {}
    history = days(20)
    for one, two in pairwise(history):
        row = follows.setdefault(one.what, {})
        row[two.what] = row.get(two.what, 0) + 1
    ours = markov = 0
    last = history[-1].what
    for event in days(5, seed=9, first=20):
        ours += model.ranked(1)[0].what == event.what
        markov += max(follows[last], key=follows[last].__getitem__) == event.what
        model.observe(event)
        last = event.what
    assert ours > markov + 5
    assert ours >= 45  # of 55; five are drawn at random


def test_the_view_that_foretells_gains_weight_and_the_others_lose() -> None:
    rng = random.Random(7)
    model = NextEvent()
    for step in range(600):
        time_s = step * 7200.0  # twelve events a day, each at its hour; one in two is drawn
        usual = f"thing {step % 12}"
        model.observe(at(time_s, usual if rng.random() < 0.5 else f"thing {rng.randrange(12)}"))
    weights = {view: max(each) for view, each in model.state.weights.items()}
    assert weights["hour"] > weights["before-last"] + 0.3
    assert model.state.new_bias < 0.0  # nothing new came for long


def test_a_changed_habit_is_taken_up_within_ten_days() -> None:
    model = learned(days(30))
    for event in days(10, seed=4, first=30):
        model.observe(msgspec.structs.replace(event, what=event.what.replace("kettle", "mocha")))
    begin_s = 40 * DAY_S + 7 * 3600
    model.observe(at(begin_s, "bed"))
    model.observe(at(begin_s + 90, "hall light"))
    assert model.ranked(1)[0].what == "mocha"


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 90_000)), max_size=40), st.data()
)
@settings(max_examples=30, deadline=None)
def test_stopped_and_taken_up_it_goes_on_the_same(
    steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    stop = data.draw(st.integers(0, len(steps)))
    whole, parted, now_s = NextEvent(), NextEvent(), 0.0
    for i, (what, wait_s) in enumerate(steps):
        if i == stop:
            kept = msgspec.json.encode(parted.state)
            parted = NextEvent(msgspec.json.decode(kept, type=HomeState))
        now_s += wait_s
        whole.observe(at(now_s, what))
        parted.observe(at(now_s, what))
    assert parted.shares() == whole.shares()
    assert sum(whole.shares().values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "event",
    [
        Happening(2e6, 0.0, ""),
        Happening(2e6, 0.0, "x" * 201),
        Happening(2e6, 0.0, "x", who="y" * 201),
        Happening(nan, 0.0, "x"),
        Happening(inf, 0.0, "x"),
        Happening(2e6, nan, "x"),
        Happening(2e6, 86_400.0, "x"),
        Happening(2e6, -1.0, "x"),
        Happening(0.0, 0.0, "x"),  # older than those before
    ],
)
def test_what_is_not_usable_is_refused_and_changes_nothing(event: Happening) -> None:
    model = learned(days(2))
    before = msgspec.json.encode(model.state)
    with pytest.raises(InputError, match=r"\.$"):
        model.observe(event)
    assert msgspec.json.encode(model.state) == before
    model.observe(Happening(2e6, 0.0, "x"))  # the same, usable
    assert model.state.events == 23


def test_things_and_rows_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_event, "MAX_THINGS", 8)
    monkeypatch.setattr(next_event, "MAX_ROWS", 200)
    rng = random.Random(5)
    model = NextEvent()
    for step in range(600):
        model.observe(at(step * 600.0, f"thing {rng.randrange(12)}"))
        assert len(model.state.things) <= 8
        assert len(model.state.rows) <= 200
        assert len(model.shares()) == len(model.state.things) + 1
    assert len(model.state.recent) <= next_views.RECENT
    newest = {heard.what for heard in model.state.things}
    assert model.ranked(1)[0].what in newest | {""}


def test_a_forgotten_thing_leaves_nothing_to_the_one_in_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(next_event, "MAX_THINGS", 3)
    model = NextEvent()
    for step in range(40):
        model.observe(at(step * 60.0, "ab"[step % 2]))
    for step, what in enumerate("cdcd"):  # "d" takes the place of "a"
        model.observe(at(2400.0 + step * 60.0, what))
    assert set(model.shares()) == {"", "b", "c", "d"}
    symbol = 1 + [heard.what for heard in model.state.things].index("d")
    assert model.state.rows["o"].counts.get(symbol, 0.0) == pytest.approx(1.0, abs=0.01)
    assert f"b {symbol} 2" not in model.state.rows  # what followed "b, a"


def test_pauses_fall_in_seven_classes() -> None:
    told = [pause_class(pause_s) for pause_s in (0, 2.9, 3, 14.9, 15, 63, 255, 1023, 4095, 1e9)]
    assert told == [0, 0, 1, 1, 2, 3, 4, 5, 6, 6]
