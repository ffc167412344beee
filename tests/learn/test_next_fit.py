"""Fitting on other people: it finds a planted rule, repeats itself to the bit, and calibrates."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from hearthway.context.next_blend import ALIKE, ALONE
from hearthway.context.next_place import FEATURES, FIRST, NEW, Visit
from hearthway.learn.bootstrap import pooled_interval
from hearthway.learn.next_fit import (
    Asked,
    Packed,
    calibrate,
    calibrate_blend,
    fit,
    fit_blend,
    pack,
    weighed,
)
from hearthway.learn.next_report import cold_rows, main_rows
from hearthway.learn.next_walk import TARGET, TRAIN, VALID, Outcome, Person, Walk, outcomes, rank
from hearthway.records.errors import InputError

DAY_S = 86_400.0


def person(seed: int, days: int = 40) -> Person:
    """1 to 2 to 3 and home, with one day in four at random."""
    rng = np.random.default_rng(seed)
    visits = []
    for day in range(days):
        odd = rng.random() < 0.25
        for at, place in enumerate((1, 2, 3)):
            start_s = day * DAY_S + (7 + 5 * at) * 3_600.0
            where = int(rng.integers(4, 9)) if odd and at else place
            visits.append(Visit(place=where, start_s=start_s, depart_s=start_s + 7_200.0))
    parts = [min(TARGET, 3 * at // len(visits)) for at in range(len(visits))]
    return Person(visits, parts)


@pytest.fixture(scope="module")
def walks() -> list[Walk]:
    return [Walk(who, person(who)) for who in range(6)]


def packed(some: list[Walk]) -> Packed:
    return pack([one for walk in some for one in walk.train()], seed=1)


def test_weights_fitted_on_others_beat_the_mix_and_the_most_frequent(walks: list[Walk]) -> None:
    others, mine = walks[:5], walks[5:]
    scorer = fit(packed(others), seed=1, passes=20, columns=FIRST)
    mix = fit(pack([one for walk in others for one in walk.train_mix()], seed=1), seed=1, hidden=1)
    scorer, told = calibrate(scorer, [walk.validation() for walk in others])
    assert len(told) == sum(walk.parts.count(VALID) for walk in others)
    assert np.mean([p for _, p, _ in told]) == pytest.approx(
        np.mean([r for *_, r in told]), abs=0.1
    )
    assert told[0][0] == others[0].parts.index(VALID) + 2  # which visit it was, from 1
    found, spent_s = outcomes(mine, scorer, mix, part=TARGET)
    targets = [one for one in found if one.target]
    assert [one.in_part for one in found] == [part == TARGET for part in mine[0].parts]
    early, _ = outcomes(mine, scorer, mix, part=VALID)
    assert [one.in_part for one in early] == [part == VALID for part in mine[0].parts]
    assert [one.ours for one in early] == [one.ours for one in found]
    right = np.mean([one.ours == 1 for one in targets])
    assert right > np.mean([one.peers["most frequent"] == 1 for one in targets])
    assert right > 0.6
    assert spent_s >= 0.0


def test_the_same_seed_gives_the_same_bits_and_another_does_not(walks: list[Walk]) -> None:
    asked = packed(walks[:1])
    one, two, other = (fit(asked, seed=seed, passes=2) for seed in (1, 1, 2))
    assert np.array_equal(one.linear, two.linear)
    assert np.array_equal(one.inner, two.inner)
    assert not np.array_equal(one.inner, other.inner)


def test_an_overconfident_scorer_is_cooled(walks: list[Walk]) -> None:
    scorer = fit(packed(walks[:5]), seed=1, passes=8)
    hot = msgspec.structs.replace(scorer, linear=scorer.linear * 4.0, outer=scorer.outer * 4.0)
    part = [walk.validation() for walk in walks[:5]]
    assert calibrate(hot, part)[0].temperature > calibrate(scorer, part)[0].temperature


def test_a_blend_begins_as_its_first_network_and_is_right_as_often_once_all_speak(
    walks: list[Walk],
) -> None:
    others, mine = walks[:5], walks[5]
    asked = [one for walk in others for one in walk.train()]
    parts = [walk.validation() for walk in others]
    blend, _ = calibrate_blend(fit_blend(asked, seed=1), parts)
    alone, _ = calibrate(fit(packed(others), seed=1, columns=FIRST), parts)
    assert (len(blend.first.centre), len(blend.further.centre)) == (FIRST, FEATURES)
    told, plain = (weighed(model, mine.asked) for model in (blend, alone))
    same = [np.array_equal(one, other) for one, other in zip(told, plain, strict=True)]
    assert same.index(False) == ALONE - 1  # the first question is before visit 2
    assert not any(same[ALONE - 1 :])
    assert blend.temperature_at(ALONE - 1) == alone.temperature
    assert blend.temperature_at(ALIKE) == blend.temperature
    truth = [one.truth for one in mine.asked]
    late = range(ALIKE, len(truth))
    right = [np.mean([said[at].argmax() == truth[at] for at in late]) for said in (told, plain)]
    assert right[0] >= right[1] - 0.05
    assert right[0] > 0.6


def test_nothing_to_fit_or_calibrate_on_is_an_error(walks: list[Walk]) -> None:
    with pytest.raises(InputError, match="Too few visits"):
        pack([Asked(walks[0].asked[5].question, -1)] * 9, seed=1)
    with pytest.raises(InputError, match="No visit to calibrate on"):
        calibrate(fit(packed(walks[:1]), seed=1, passes=1), [])


def test_a_walk_counts_a_first_visit_as_new_and_its_parts_as_given(walks: list[Walk]) -> None:
    life = person(0)
    walk = Walk(0, life)
    assert walk.places[:2] == [
        NEW if at not in (1,) else at for at in [v.place for v in life.visits[1:3]]
    ]
    asked, begin = walk.validation()
    assert set(walk.parts[begin : len(asked)]) == {VALID}
    assert len(walk.train()) == walk.parts.count(TRAIN)
    first = walk.parts.index(TARGET)
    assert walk.target[first : first + 5] == [False, False, False, True, True]


def test_ranks_begin_at_one_and_none_is_zero() -> None:
    assert (rank([4, 7], 4), rank([4, 7], 7), rank([4, 7], 9)) == (1, 2, 0)


def test_whole_people_are_drawn() -> None:
    even = pooled_interval([5.0] * 20, [10.0] * 20, seed=1)
    torn = pooled_interval([0.0, 10.0] * 10, [10.0] * 20, seed=1)
    assert even is not None
    assert torn is not None
    assert (even.mean, even.low, even.high, even.n) == (0.5, 0.5, 0.5, 200)
    assert (torn.mean, torn.n) == (0.5, 200)
    assert torn.low < 0.4
    assert torn.high > 0.6
    assert pooled_interval([0.0], [0.0], seed=1) is None


def outcome(who: int, visit: int, ours: int, confidence: float) -> Outcome:
    peers = {"13-feature mix": 2, "most frequent": 0, "Markov-1": 1}
    return Outcome(
        who=who,
        visit=visit,
        target=visit > 1,
        in_part=True,
        ours=ours,
        confidence=confidence,
        shortlist=min(1.0, confidence + 0.2),
        peers=peers,
        mix_confidence=0.5,
    )


def test_the_report_says_what_was_counted() -> None:
    found = [
        outcome(who, visit, 1 if visit % 4 else 2, 0.75) for who in (1, 2) for visit in range(1, 81)
    ]
    lines: list[str] = []
    with pytest.raises(InputError, match="no visit to predict"):
        main_rows("x", [outcome(1, 1, 1, 0.5)], lines)
    rows = {(row["metric"], row["peer"]): row for row in main_rows("x", found, lines)}
    assert rows["Acc@1", "13-feature mix"]["ours"] == pytest.approx(118 / 158, abs=1e-5)
    assert rows["Acc@1", "13-feature mix"]["theirs"] == 0.0
    assert rows["MRR, every visit", "Markov-1"]["ours"] == 0.875
    assert rows["calibration error (ECE, 10 bins)", "13-feature mix"]["theirs"] == 0.5
    cold = {row["metric"]: row["ours"] for row in cold_rows("x", found, lines)}
    assert cold["first 25 stays, first place, sure by 0.70: precision"] == pytest.approx(0.76)
    assert cold["first 25 stays, first three, sure by 0.80: precision"] == 1.0
    assert cold["after stay 50, first place, sure by 0.70: coverage"] == 1.0
    assert not any("after stay" in str(row["metric"]) for row in cold_rows("x", found[:30], lines))
    assert any("paired gain" in line for line in lines)
