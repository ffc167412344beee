"""Who is in the car counts for a meal: laws of what their taste weighs, and what is taken for a taste at all."""

from __future__ import annotations

from math import fsum, inf, nan
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.assist.student_of_others import ranker

from hearthway.assist.company import (
    CALLED_MAX,
    MEALS_MAX,
    NEVER_MAX,
    SHARES_MAX,
    at_most,
    called_by_ranker,
    checked,
    told_of,
    weight_of_each,
)
from hearthway.assist.explain import why
from hearthway.assist.memory import Answered
from hearthway.assist.needs import of_topic
from hearthway.assist.needs.meal.rank import (
    CUISINE_MIN,
    KIND_MIN,
    best_option_min,
    option_of,
)
from hearthway.assist.options import utility_of
from hearthway.assist.ranker import moments
from hearthway.assist.shape import Enquiry
from hearthway.assist.taste import PRIOR_MEALS, taste_of
from hearthway.records.codec import digest, pack
from hearthway.records.company import Companion, TasteTold
from hearthway.records.errors import InputError
from hearthway.records.situation import Aboard
from hearthway.records.suggestion import AnswerKind, Suggestion
from hearthway.records.venue import Wait

some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CUISINES = ("finnish", "italian", "thai", "burger", "sushi")
KINDS = ("restaurant", "fast_food", "cafe")
shares = st.floats(0.0, 1.0)
tastes = st.builds(
    TasteTold,
    called=st.sampled_from(("", "Sam", "Kim")),
    meals=st.floats(0.0, MEALS_MAX),
    kinds=st.dictionaries(st.sampled_from(KINDS), shares).map(lambda d: tuple(sorted(d.items()))),
    cuisines=st.dictionaries(st.sampled_from(CUISINES), shares).map(
        lambda d: tuple(sorted(d.items()))
    ),
)
companies = st.lists(tastes, max_size=8).map(
    lambda found: [Companion(person=f"p{n}", taste=one) for n, one in enumerate(found)]
)


def likes(person: str, cuisine: str, **more: Any) -> Companion:
    taste = TasteTold(called="Sam", meals=20.0, cuisines=((cuisine, 1.0),), **more)
    return Companion(person=person, taste=taste)


def candidate(world: Any, osm_id: str) -> Any:
    """As the need finds it in the small town."""
    assistant = world.assistant()
    found = assistant.propose(world.drive(), world.dining({"node/1": 20}))
    [(_, offer)] = found.offers
    return next(c for c in offer.candidates if c.poi.osm_id == osm_id)


def worth(world: Any, company: list[Companion], osm_id: str = "node/2") -> float:
    memory = world.dining({"node/1": 20})
    taste = taste_of(memory, world.drive().time_s)
    wait = Wait(osm_id=osm_id, minutes=0.0)
    return float(option_of(candidate(world, osm_id), wait, taste, company).utility)


def said(world: Any, company: list[Companion], **more: Any) -> Any:
    assistant = world.assistant()
    assistant.company = tuple(company)
    waits = {n: Wait(osm_id=n, minutes=m) for n, m in (("node/1", 10.0), ("node/3", 6.0))}
    memory = world.dining({"node/1": 16, "node/3": 14})
    return assistant.consider(world.drive(**more), memory, waits)


# what it weighs ---------------------------------------------------------------------------------------------------


@some
@given(company=companies, seed=st.randoms(use_true_random=False))
def test_the_order_of_passengers_does_not_count_and_each_reason_is_its_weight(
    world: Any, company: list[Companion], seed: Any
) -> None:
    shuffled = list(company)
    seed.shuffle(shuffled)
    taste = taste_of(world.dining({"node/1": 20}), world.drive().time_s)
    for osm_id in ("node/2", "node/4"):
        wait = Wait(osm_id=osm_id, minutes=3.0)
        option = option_of(candidate(world, osm_id), wait, taste, company)
        again = option_of(candidate(world, osm_id), wait, taste, shuffled)
        assert option.utility == again.utility
        assert set(option.reasons) == set(again.reasons)
        features = [r.feature for r in option.reasons]
        assert len(features) == len(set(features))
        for gone in option.reasons:
            rest = utility_of([r for r in option.reasons if r != gone])
            assert abs(rest - (option.utility - gone.weight)) < 1e-9
        alone = option_of(candidate(world, osm_id), wait, taste)
        added = fsum(r.weight for r in option.reasons if r not in alone.reasons)
        assert option.utility == pytest.approx(alone.utility + added)
        assert 0.0 <= added <= at_most(len(company), CUISINE_MIN + KIND_MIN) + 1e-9
        assert added <= CUISINE_MIN + KIND_MIN + 1e-9, "all together at most as much as the driver"


@some
@given(company=companies, at=st.integers(0, 7), more=st.floats(0.0, 1.0), meals=st.floats(0, 20))
def test_who_likes_it_more_never_makes_it_worth_less(
    world: Any, company: list[Companion], at: int, more: float, meals: float
) -> None:
    if not company:
        return
    at %= len(company)
    one = company[at].taste
    share = dict(one.cuisines).get("italian", 0.0)
    raised = tuple(sorted({**dict(one.cuisines), "italian": max(share, more)}.items()))
    keener = list(company)
    keener[at] = Companion(
        person=company[at].person,
        taste=replace(one, cuisines=raised, meals=max(one.meals, meals)),
    )
    assert worth(world, keener) >= worth(world, company) - 1e-9


@some
@given(company=companies, asked=st.booleans())
def test_no_option_is_worth_more_than_the_gate_was_told(
    world: Any, company: list[Companion], asked: bool
) -> None:
    assistant = world.assistant(ranker=ranker() if asked else None)
    assistant.company = tuple(company)
    found = assistant.propose(world.drive(), world.dining({"node/1": 20, "node/4": 9}))
    bound = best_option_min(ranked=asked, company=len(company))
    for _, offer in found.offers:
        assert offer.at_best_min <= bound


def test_of_the_bound_as_of_the_taste_alone_is_as_without_anybody() -> None:
    assert best_option_min(ranked=False, company=0) == 35.0
    assert best_option_min(ranked=False, company=1) == 42.0
    assert [best_option_min(ranked=False, company=n) for n in (2, 3, 8)] == [49.0] * 3
    assert [weight_of_each(n) for n in (0, 1, 2, 4)] == [0.0, 0.5, 0.5, 0.25]


def test_a_taste_of_few_meals_is_believed_less(world: Any) -> None:
    alone = worth(world, [])
    few, many = (
        worth(
            world, [Companion(person="s", taste=TasteTold(meals=m, cuisines=(("italian", 1.0),)))]
        )
        for m in (1.0, 20.0)
    )
    assert few - alone == pytest.approx(0.5 * CUISINE_MIN * 1.0 / (1.0 + PRIOR_MEALS))
    assert many - alone == pytest.approx(0.5 * CUISINE_MIN * 20.0 / (20.0 + PRIOR_MEALS))


# what is said -----------------------------------------------------------------------------------------------------


def test_the_drivers_word_is_another_because_of_who_is_aboard_and_says_so(world: Any) -> None:
    alone, together = said(world, []), said(world, [likes("s4m", "thai")])
    assert alone.options[0].poi.osm_id == "node/1"
    assert together.options[0].poi.osm_id == "node/3"
    first = together.options[0]
    [reason] = [r for r in first.reasons if r.feature == "cuisine for s4m"]
    assert reason.words == "Sam, who is with you, eats thai most"
    lines = "\n".join(why(together))
    assert "Sam, who is with you, eats thai most" in lines
    assert "Were both alike in “Sam, who is with you, eats thai most”" in lines
    assert not any("Sam" in line for line in together.lines), "the car's screen names nobody"
    without = replace(first, reasons=tuple(r for r in first.reasons if r != reason))
    assert utility_of(without.reasons) < together.options[1].utility, "it is true: alone it decides"


def test_words_of_a_lesser_liking_say_so(world: Any) -> None:
    taste = TasteTold(
        meals=20.0,
        cuisines=(("italian", 0.3), ("thai", 0.6)),
        kinds=(("fast_food", 0.8), ("restaurant", 0.2)),
    )
    option = said(world, [Companion(person="0123456789abcdef", taste=taste)]).options
    words = {r.words for o in option for r in o.reasons if " for 01234" in r.feature}
    assert "01234567, who is with you, eats italian as well" in words
    assert "restaurant: where 01234567, who is with you, has some meals out" in words


def test_what_somebody_in_the_car_never_wants_is_not_shown(world: Any) -> None:
    assert "node/3" in {o.poi.osm_id for o in said(world, []).options}
    shown = said(world, [likes("sam", "thai", never=("node/3",))])
    assert "node/3" not in {o.poi.osm_id for o in shown.options}


def test_a_question_is_answered_by_the_drivers_own_taste(world: Any) -> None:
    """A passenger agreed to what is suggested, not to what is answered."""
    found = []
    for company in ((), (likes("sam", "thai", never=("node/1",)),)):
        assistant = world.assistant()
        assistant.company = company
        scene = assistant.scene(world.drive(), world.dining({"node/1": 6}))
        need = of_topic("dinner")
        assert need is not None
        assert need.enquire is not None
        known: Any = need.enquire(scene, Enquiry(place=world.mall))
        found.append(known.options({}))
    assert found[0] == found[1] != ()


# who it is --------------------------------------------------------------------------------------------------------


def aboard(*kinds: str) -> tuple[Aboard, ...]:
    return tuple(
        Aboard(person=f"p{n}", kind=kind, source="car", age_s=3.0, rule="r", consent="c")
        for n, kind in enumerate(kinds)
    )


@pytest.mark.parametrize(
    ("kinds", "company"),
    [
        (("adult",), "partner"),
        (("child",), "children"),
        (("adult", "child"), "children"),
        (("adult", "adult"), None),
        (("guest",), None),
        (("adult", "guest"), None),
        (("",), None),
    ],
)
def test_what_the_ranker_is_told(world: Any, kinds: tuple[str, ...], company: str | None) -> None:
    situation = world.drive(aboard=aboard(*kinds))
    assert called_by_ranker(situation) == company
    found = moments(situation, [], ("cafe",), label="")
    assert found["cafe"].company == company


def test_unknown_is_never_alone_and_nobody_aboard_leaves_the_bytes_as_they_were(world: Any) -> None:
    situation = world.drive()
    assert called_by_ranker(situation) is None
    assert b"aboard" not in pack(situation)
    one: Suggestion = said(world, [])
    other: Suggestion = said(world, [], aboard=aboard("adult"))
    assert b"aboard" not in pack(one)
    assert digest(one) != digest(other)
    assert [o.poi for o in one.options] == [o.poi for o in other.options]
    told = "p0 is with you: told by car by rule r and consent c"
    assert told in "\n".join(why(other))
    assert "is with you" not in "\n".join(why(one))


# what is told -----------------------------------------------------------------------------------------------------


def test_a_taste_is_told_in_shares_and_nothing_else(world: Any) -> None:
    memory = world.dining({"node/1": 30, "node/4": 10})
    for n, kind in (("node/2", AnswerKind.NEVER_HERE), ("node/3", AnswerKind.DISMISS)):
        memory = memory.heard(
            Answered(time_s=world.at(19.0, 60), suggestion_id=n, kind=kind, need="lunch", osm_id=n)
        )
    told = told_of(memory, world.drive(), "Sam")
    assert told == checked(told)
    assert told.never == ("node/2",)
    assert told.meals == MEALS_MAX, "and not how often"
    assert dict(told.cuisines).keys() == {"finnish", "burger"}
    assert dict(told.kinds).keys() == {"restaurant", "fast_food"}
    assert all(abs(s * 20 - round(s * 20)) < 1e-9 for _, s in (*told.kinds, *told.cuisines))
    raw = pack(told)
    for secret in (b"node/1", b"node/4", b"node/3", b"2025"):
        assert secret not in raw
    assert told_of(memory, world.drive(), "x" * 99 + "\n").called == "x" * CALLED_MAX


def test_a_taste_of_nobody_yet_is_empty(world: Any) -> None:
    assert told_of(world.dining({}), world.drive(), "") == TasteTold()


def test_what_is_never_wanted_is_told_within_its_bound_the_newest(world: Any) -> None:
    memory = world.dining({})
    for n in range(NEVER_MAX + 20):
        memory = memory.heard(
            Answered(
                time_s=1000.0 + n,
                suggestion_id=f"s{n}",
                kind=AnswerKind.NEVER_HERE,
                need="dinner",
                osm_id=f"node/{n}",
            )
        )
    told = told_of(memory, world.drive(), "")
    assert len(told.never) == NEVER_MAX
    assert "node/0" not in told.never
    assert f"node/{NEVER_MAX + 19}" in told.never
    assert checked(told)


@pytest.mark.parametrize(
    "wrong",
    [
        {"called": "x" * (CALLED_MAX + 1)},
        {"called": "Sam\nrm"},
        {"meals": nan},
        {"meals": inf},
        {"meals": -1.0},
        {"meals": MEALS_MAX + 1},
        {"kinds": (("restaurant", 1.1),)},
        {"kinds": (("restaurant", nan),)},
        {"kinds": (("restaurant", -0.1),)},
        {"kinds": (("restaurant", 0.1), ("restaurant", 0.2))},
        {"cuisines": tuple((f"c{n}", 0.1) for n in range(SHARES_MAX + 1))},
        {"cuisines": (("", 0.1),)},
        {"cuisines": (("x" * 61, 0.1),)},
        {"cuisines": (("a\x1bb", 0.1),)},
        {"never": tuple(f"node/{n}" for n in range(NEVER_MAX + 1))},
        {"never": ("node/",)},
        {"never": ("house/1",)},
        {"never": ("node/\u0661",)},
        {"never": ("node/" + "1" * 40,)},
    ],
)
def test_what_is_no_taste_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="nobody's taste"):
        checked(TasteTold(**wrong))


@some
@given(told=tastes)
def test_whatever_a_phone_may_tell_is_taken(told: TasteTold) -> None:
    assert checked(told) is told
