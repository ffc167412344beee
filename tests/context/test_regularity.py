"""How regular a life is tells itself: whose few Sundays are alike is foretold by them, and whose are not is not."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import pytest

from hearthway.context.destination import DestinationModel
from hearthway.context.places import KnownPlace
from hearthway.context.prior import Departure, PastTrip, Prior, prior_of, priors_of
from hearthway.context.regularity import FIRST_ODDS, MAX_FORETOLD, Regularity
from hearthway.records.geo import offset
from hearthway.records.localtime import DAY_S

HOME = (60.20, 24.90)
MONDAY_S = 1_709_510_400.0
HOME_I, WORK, SHOP, SPORT = range(4)
THURSDAY, SUNDAY = 3, 6


def _places() -> list[KnownPlace]:
    spots = [HOME, offset(*HOME, 5_000, 0), offset(*HOME, 0, 4_000), offset(*HOME, -3_000, 0)]
    return [
        KnownPlace(index=i, lat=lat, lon=lon, visits=5, last_s=MONDAY_S)
        for i, (lat, lon) in enumerate(spots)
    ]


def _leaving(day: int, hour: float, origin: int) -> Departure:
    return Departure(origin, MONDAY_S + day * DAY_S + hour * 3600.0, hour * 3600.0, day % 7)


def _trip(leaving: Departure, goal: int, *, new: bool = False) -> PastTrip:
    assert leaving.origin is not None
    return PastTrip(
        origin=leaving.origin,
        destination=goal,
        depart_s=leaving.time_s,
        local_s=leaving.local_s,
        weekday=leaving.weekday,
        new=new,
        length_m=5_000.0,
        duration_s=600.0,
    )


def _lived(legs: Sequence[tuple[int, float, int, int]]) -> DestinationModel:
    """A model that foretold and learned these (day, hour, from, to)."""
    model, places = DestinationModel([]), _places()
    for day, hour, origin, goal in legs:
        leaving = _leaving(day, hour, origin)
        model.foretell(leaving, places)
        model.learn(_trip(leaving, goal))
    return model


def _regular(days: int) -> list[tuple[int, float, int, int]]:
    """Work on weekdays, sport on Sundays at the hour at which one leaves for work."""
    legs = []
    for day in range(days):
        goal = {5: SHOP, SUNDAY: SPORT}.get(day % 7, WORK)
        legs += [(day, 8.0, HOME_I, goal), (day, 17.0, goal, HOME_I)]
    return legs


def _irregular(days: int) -> list[tuple[int, float, int, int]]:
    rng = random.Random(3)
    legs = []
    for day in range(days):
        goal = rng.choice((WORK, SHOP, SPORT))
        legs += [(day, rng.uniform(6.0, 16.0), HOME_I, goal), (day, 20.0, goal, HOME_I)]
    return legs


def test_at_first_the_habits_that_suit_most_people_are_trusted() -> None:
    first, *others = Regularity().trust(MONDAY_S)
    assert sum((first, *others)) == pytest.approx(1.0)
    assert all(first == pytest.approx(FIRST_ODDS * other) for other in others)


def test_who_keeps_his_hours_is_foretold_by_few_days_and_who_does_not_is_not() -> None:
    regular, irregular = _lived(_regular(56)), _lived(_irregular(56))
    end_s = MONDAY_S + 56 * DAY_S
    assert regular.regular.trust(end_s)[0] < 0.1
    assert irregular.regular.trust(end_s)[0] > 0.8
    sunday = _leaving(62, 8.0, HOME_I)
    told = dict(regular.posterior(sunday, _places()).places)
    plain = prior_of(sunday, _places(), regular.trips).places
    assert told[SPORT] > plain[SPORT] + 0.1
    assert told[WORK] < 0.5 * plain[WORK]


def _weekly(days: int) -> list[tuple[int, float, int, int]]:
    """About eleven to work or to the shop, to either on any day; but to sport each Thursday."""
    rng = random.Random(5)
    legs = []
    for day in range(days):
        goal = SPORT if day % 7 == THURSDAY else rng.choice((WORK, SHOP))
        legs += [(day, 11.0 + rng.uniform(-1.0, 1.0), HOME_I, goal), (day, 17.0, goal, HOME_I)]
    return legs


def _punctual(days: int) -> list[tuple[int, float, int, int]]:
    """At nine to work and at ten to sport, to either on any day."""
    rng = random.Random(7)
    legs = []
    for day in range(days):
        hour, goal = rng.choice(((9.0, WORK), (10.0, SPORT)))
        legs += [(day, hour, HOME_I, goal), (day, 17.0, goal, HOME_I)]
    return legs


def test_who_has_a_thursday_of_his_own_is_foretold_by_the_weekday(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight Thursdays of one sort say where the ninth leads, whatever the other weekdays at that hour did."""
    weekly = _lived(_weekly(56))
    thursday = _leaving(59, 11.0, HOME_I)
    friday = _leaving(60, 11.0, HOME_I)
    ranked = weekly.posterior(thursday, _places()).places
    told = dict(ranked)
    assert ranked[0][0] == SPORT
    assert dict(weekly.posterior(friday, _places()).places)[SPORT] < 0.15
    without = _without(weekly, (0, 1), monkeypatch)
    assert dict(without.posterior(thursday, _places()).places)[SPORT] < told[SPORT] - 0.1


def test_who_keeps_his_hours_is_foretold_by_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    punctual = _lived(_punctual(56))
    nine = _leaving(56, 9.0, HOME_I)
    told = dict(punctual.posterior(nine, _places()).places)[WORK]
    without = _without(punctual, (0,), monkeypatch)
    assert told > dict(without.posterior(nine, _places()).places)[WORK] + 0.1


def _without(
    model: DestinationModel, kept: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> DestinationModel:
    """The same life, foretold by these of the habits alone."""
    whole = Regularity.trust

    def trust(regular: Regularity, now_s: float) -> tuple[float, ...]:
        shares = [s if n in kept else 0.0 for n, s in enumerate(whole(regular, now_s))]
        return tuple(share / sum(shares) for share in shares)

    monkeypatch.setattr(Regularity, "trust", trust)
    return DestinationModel(model.trips, model.regular)


def test_what_came_true_long_ago_tells_little() -> None:
    regularity, end_s = _lived(_regular(56)).regular, MONDAY_S + 56 * DAY_S
    first = Regularity().trust(end_s)[0]
    now = regularity.trust(end_s)[0]
    later = regularity.trust(end_s + 400 * DAY_S)[0]
    assert now < later == pytest.approx(first, abs=0.05)


def test_somewhere_new_tells_of_the_rate_of_new_and_what_nobody_could_foretell_tells_nothing() -> (
    None
):
    leaving = _leaving(0, 8.0, HOME_I)
    regularity = Regularity()
    said = [Prior({SPORT: 0.8}, new, []) for new in (0.1, 0.2, 0.1)]
    regularity.learn(said, _trip(leaving, SPORT, new=True))
    assert regularity.trust(leaving.time_s)[1] > Regularity().trust(leaving.time_s)[1]
    regularity.learn(said, _trip(leaving, WORK))
    assert len(regularity.legs) == 1


def test_no_more_legs_are_kept_than_tell_anything() -> None:
    regularity = _lived(_regular(140)).regular
    assert len(regularity.legs) == MAX_FORETOLD
    assert regularity.legs[-1].depart_s == MONDAY_S + 139 * DAY_S + 17.0 * 3600.0


def test_a_leg_that_was_not_foretold_teaches_no_regularity() -> None:
    model = DestinationModel([])
    model.foretell(_leaving(0, 8.0, HOME_I), _places())
    model.learn(_trip(_leaving(0, 9.0, HOME_I), WORK))
    model.learn(_trip(_leaving(0, 8.0, HOME_I), WORK))
    assert model.regular == Regularity()


def test_what_is_trusted_is_mixed_and_sums_to_one() -> None:
    legs = _lived(_regular(14)).trips
    leaving, places = _leaving(14, 8.0, HOME_I), _places()
    each = priors_of(leaving, places, legs)
    trust = (0.6, 0.3, 0.1)
    mixed = prior_of(leaving, places, legs, trust=trust)
    assert sum(mixed.places.values()) + mixed.new == pytest.approx(1.0)
    expected = sum(share * one.places[WORK] for share, one in zip(trust, each, strict=True))
    assert mixed.places[WORK] == pytest.approx(expected)
    assert prior_of(leaving, places, legs) == each[0]


def test_it_is_kept_with_the_life() -> None:
    regularity = _lived(_regular(14)).regular
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(regularity), type=Regularity)
    assert again == regularity
