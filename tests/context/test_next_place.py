"""Next place: what the features are made of, the posterior, and what a person teaches it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.context import next_place
from hearthway.context.next_marks import LAST
from hearthway.context.next_near import NEAR, NEAR_HERE
from hearthway.context.next_place import (
    CANDIDATES,
    DAYS,
    FEATURES,
    FIRST,
    LATELY_DAYS,
    LEVELS,
    MARKS,
    MIXED,
    NEW,
    RANKED,
    TRACKED,
    Habits,
    Question,
    Visit,
)
from hearthway.context.next_score import Answer, Predictor, Scorer
from hearthway.records.errors import InputError

HOUR_S = 3_600.0
DAY_S = 86_400.0


def visit(place: int, day: int, hour: float, hours: float = 1.0) -> Visit:
    start_s = day * DAY_S + hour * HOUR_S
    return Visit(place=place, start_s=start_s, depart_s=start_s + hours * HOUR_S)


def habits(*visits: Visit) -> Habits:
    person = Habits()
    for one in visits:
        person.learn(one)
    return person


def scorer(**weights: float) -> Scorer:
    """A scorer that adds up the levels named, and nothing else."""
    linear = np.zeros(FEATURES)
    for at, (name, _) in enumerate(LEVELS):
        linear[at] = weights.get(name, 0.0)
    return Scorer(
        centre=np.zeros(FEATURES),
        spread=np.ones(FEATURES),
        linear=linear,
        inner=np.zeros((FEATURES, 1)),
        bias=np.zeros(1),
        outer=np.zeros(1),
    )


class Asked:
    """A predictor together with the scores that it is asked with."""

    def __init__(self, model: Scorer) -> None:
        self.model, self.predictor = model, Predictor(model)

    def answer(self, question: Question) -> Answer:
        return self.predictor.answer(question, self.model.weigh([question])[0])

    def saw(self, question: Question, place: int) -> None:
        self.predictor.saw(question, self.model.weigh([question])[0], place)


def level(person: Habits, name: str) -> dict[int, float]:
    question = person.ask()
    at = [known for known, _ in LEVELS].index(name)
    return dict(zip(question.places.tolist(), question.rows[:, at].tolist(), strict=True))


def test_what_followed_this_place_counts_for_it_and_not_what_followed_another() -> None:
    weeks = [
        visit(place, day, 8 + 3 * at) for day in range(9) for at, place in enumerate((1, 2, 3))
    ]
    said = level(habits(*weeks, visit(1, 9, 8)), "origin")
    assert said[2] > 0.5 > 0.0 > said[3]
    said = level(habits(*weeks, visit(1, 9, 8), visit(2, 9, 11)), "origin")
    assert said[3] > 0.5 > 0.0 > said[2]


def test_the_hour_of_departure_tells_two_ways_from_one_place_apart() -> None:
    days = []
    for day in range(12):
        days += [visit(1, day, 7), visit(2, day, 9), visit(1, day, 17), visit(3, day, 19)]
    morning = level(habits(*days, visit(1, 12, 7)), "hour and day")
    assert morning[2] > 0.2 > morning[3]
    evening = level(habits(*days, visit(1, 12, 17)), "hour and day")
    assert evening[3] > 0.2 > evening[2]


def test_the_kernel_goes_round_midnight() -> None:
    days = [
        visit(place, day, 23.5 - 12 * (place == 2), 0.1) for day in range(9) for place in (2, 1)
    ]
    late = habits(*days, visit(1, 9, 24.2, 0.1))
    noon = habits(*days, visit(1, 9, 36.0, 0.1))
    assert level(late, "hour and day")[2] > level(noon, "hour and day")[2]


def test_what_is_long_ago_fades() -> None:
    old = [visit(place, day, 8 + 4 * at) for day in range(6) for at, place in enumerate((1, 2))]
    new = [visit(p, day, 8 + 4 * at) for day in range(200, 206) for at, p in enumerate((1, 3))]
    said = level(habits(*old, *new, visit(1, 206, 8)), "45 days")
    assert said[3] > 0.0 > said[2]


def test_nothing_after_the_departure_is_used() -> None:
    days = [visit(1 + day % 4, day, 9) for day in range(40)]
    person = habits(*days[:20])
    before = person.ask()
    for one in days[20:]:
        person.learn(one)
    again = habits(*days[:20]).ask()
    assert np.array_equal(before.rows, again.rows)
    assert not np.array_equal(before.rows, person.ask().rows)


def test_asking_teaches_nothing() -> None:
    days = [visit(1 + day % 4 + (day % 7 == 0), day, 9 + day % 3) for day in range(60)]
    asked = Habits()
    for one in days:
        asked.learn(one)
        asked.ask()
    assert np.array_equal(asked.ask().rows, habits(*days).ask().rows)


def test_where_one_was_today_and_on_how_many_days_is_told() -> None:
    """Place 1 twice on each of eight days, place 2 once on every other; on the ninth 1 once so far."""
    past = []
    for day in range(8):
        past += [visit(1, day, 8), visit(1, day, 12)] + [visit(2, day, 18)] * (day % 2)
    at = FIRST + LAST + len(RANKED) + MIXED
    question = habits(*past, visit(1, 8, 8)).ask()
    assert question.visits == 21
    today, share, a_day = question.rows[:2, at : at + DAYS].T.tolist()
    assert today == [1.0, 0.0]
    assert share == pytest.approx(np.log([9.5 / 10.0, 4.5 / 10.0]).tolist())
    assert a_day == pytest.approx(np.log([17.0 / 9.0, 1.0]).tolist())
    late = habits(*past, visit(1, 8, 8, hours=20.0)).ask()
    assert late.rows[:2, at].tolist() == [0.0, 0.0]  # it is left on the next day


def test_how_much_happened_lately_is_told() -> None:
    """One visit a day for 40 days, left at nine: one since nine yesterday, and seven and thirty."""
    question = habits(*[visit(1 + day % 2, day, 8) for day in range(40)]).ask()
    at = FIRST + MARKS + len(TRACKED) + 1
    lately = question.rows[0, at : at + len(LATELY_DAYS)].tolist()
    assert lately == pytest.approx(np.log1p([1.0, 7.0, 30.0]).tolist())


def test_who_lives_by_the_clock_is_told_from_who_follows_where_he_is() -> None:
    """The running success of a level: of "hour and day" where the hour tells, of "origin" where only the place before does."""
    chance = np.random.default_rng(3)
    clock, chain = [], []
    for day in range(40):
        clock += [visit(at, day, 8 + 4 * at) for at in (1, 2, 3)]
        start = int(chance.integers(0, 3))
        hours = sorted(chance.uniform(6.0, 22.0, 3))
        chain += [visit(1 + (start + at) % 3, day, hour, 0.1) for at, hour in enumerate(hours)]

    def track(past: list[Visit]) -> tuple[float, float]:
        hour, origin = habits(*past).ask().rows[0, FIRST + MARKS + 1 : FIRST + MARKS + 3]
        return float(hour), float(origin)

    assert track(clock)[0] > track(chain)[0]
    assert track(chain)[1] > track(chain)[0]


def test_what_lies_near_is_told_where_positions_are_known() -> None:
    """Without positions those columns are 0; with them, they say which place is home and how far it is."""
    days = [visit(1 + day % 3 % 2, day, 8) for day in range(12)]
    plain = habits(*days).ask().rows
    near = slice(FIRST + MARKS - NEAR, FIRST + MARKS)
    assert not plain[:, near].any()
    assert not plain[:, -NEAR_HERE:].any()
    at = {1: (0.0, 0.0), 2: (0.0, 2.0)}
    placed = [
        Visit(place=one.place, start_s=one.start_s, depart_s=one.depart_s, at=at[one.place])
        for one in days
    ]
    rows = habits(*placed).ask().rows
    assert rows[:2, near][:, -2].tolist() == pytest.approx([0.0, np.log1p(2.0)])
    assert rows[:2, near][:, -1].tolist() == [1.0, 0.0]
    without = [*range(11 + len(LEVELS)), *range(14 + len(LEVELS), FIRST + MARKS - NEAR)]
    assert np.array_equal(rows[:, without], plain[:, without])


def test_only_candidates_are_bounded_and_the_plainly_likely_stay() -> None:
    many = [visit(100 + day, day, 9) for day in range(CANDIDATES + 40)]
    usual = [visit(7, day, 12) for day in range(CANDIDATES + 40)]
    both = [one for pair in zip(many, usual, strict=True) for one in pair]
    question = habits(*both).ask()
    assert len(question.places) == CANDIDATES + 1
    assert 7 in question.places
    assert question.places[-1] == NEW


def test_only_the_latest_visits_vote_and_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [visit(3 if day < 60 else 2, day, 12) for day in range(300)]
    pairs = [one for day in days for one in (visit(1, int(day.start_s // DAY_S), 8), day)]
    origin = [name for name, _ in LEVELS].index("origin")
    said = habits(*pairs, visit(1, 300, 8)).ask().rows[:, origin]
    monkeypatch.setattr(next_place, "MAX_VISITS", 50)
    short = habits(*pairs, visit(1, 300, 8))
    assert len(short._moves) <= 128
    assert short.ask().rows[2, origin] > said[2]  # of its 25 mornings all led to 2
    assert short.visits == 601


def test_a_visit_out_of_order_is_refused_and_one_in_order_learned() -> None:
    person = habits(visit(1, 3, 9))
    with pytest.raises(InputError, match="Sort the visits"):
        person.learn(visit(2, 2, 9))
    with pytest.raises(InputError, match="Sort the visits"):
        person.learn(Visit(place=2, start_s=9 * DAY_S, depart_s=8 * DAY_S))
    person.learn(visit(2, 4, 9))
    assert person.visits == 2


def test_asking_about_nobody_is_an_error() -> None:
    with pytest.raises(InputError, match="Learn a visit first"):
        Habits().ask()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40), st.integers(0, 20))
def test_the_posterior_is_a_distribution(places: list[int], gap_h: int) -> None:
    person = Habits()
    predictor = Asked(scorer(all=1.0, origin=0.7))
    for at, place in enumerate(places):
        known = at > 0 and place in places[:at]
        if at:
            predictor.saw(person.ask(), place if known else NEW)
        person.learn(visit(place, at, float(gap_h)))
    question = person.ask()
    assert np.isfinite(question.rows).all()
    answer = predictor.answer(question)
    assert answer.p.sum() + answer.new == pytest.approx(1.0)
    assert set(answer.places.tolist()) == set(places)
    assert (np.diff(answer.p) <= 0.0).all()


def test_what_he_did_moves_the_answer_and_a_place_that_was_not_asked_about_does_not() -> None:
    question = habits(*[visit(1 + day % 3, day, 9) for day in range(30)]).ask()
    predictor = Asked(scorer(all=1.0))
    before = dict(
        zip(
            *(
                part.tolist()
                for part in (predictor.answer(question).places, predictor.answer(question).p)
            ),
            strict=True,
        )
    )
    predictor.saw(question, 99)
    assert predictor.answer(question).p.tolist() == list(before.values())
    for _ in range(5):
        predictor.saw(question, 2)
    after = predictor.answer(question)
    assert after.places[0] == 2
    assert after.p[0] > before[2]
    unsure = predictor.answer(question).new
    for _ in range(20):
        predictor.saw(question, NEW)
    assert predictor.answer(question).new > unsure
