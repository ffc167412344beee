"""The utility of an option, in minutes of the person's time: a sum of reasons and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from msgspec import UNSET

from hearthway.assist.company import at_most, likes, names, weight_of_each
from hearthway.assist.moment import plain, wait_minutes
from hearthway.assist.options import utility_of
from hearthway.assist.ranker import MOST, OTHERS
from hearthway.assist.settings import DECIDING_MIN, WALK_MPS
from hearthway.assist.taste import Taste
from hearthway.records.company import Companion
from hearthway.records.count import count_of
from hearthway.records.poi import OpenState, Poi
from hearthway.records.suggestion import Option, Reason
from hearthway.records.venue import Wait

from .candidates import Candidate
from .settings import (
    CLOSED_DOOR_MIN,
    EATEN_OFTEN,
    LAST_ORDERS_MIN,
    LAST_ORDERS_S,
    UNKNOWN_WAIT_MIN,
)

FAMILIAR_MIN, FAMILIAR_MAX_MIN = 3.0, 12.0  # each doubling of own visits is worth this walk
CUISINE_MIN, KIND_MIN = 10.0, 4.0  # a cuisine that is all one eats; the same for the kind of house
VERDICT_MIN, VERDICT_MAX_MIN = 3.0, 9.0
# One log-odds more of a yes is, at even odds, a quarter more yeses to what deciding early wins.
OTHERS_MIN = 0.25 * DECIDING_MIN
# No option is worth more than this beyond a nameless one without a walk or a wait.
BEST_OPTION_MIN = FAMILIAR_MAX_MIN + CUISINE_MIN + KIND_MIN + VERDICT_MAX_MIN
BEST_BY_OTHERS_MIN = BEST_OPTION_MIN - KIND_MIN + OTHERS_MIN * MOST  # the same with a ranker


def best_option_min(*, ranked: bool, company: int) -> float:
    """No option is worth more with so many passengers whose taste is known, with a ranker or without."""
    return (BEST_BY_OTHERS_MIN if ranked else BEST_OPTION_MIN) + at_most(
        company, CUISINE_MIN + KIND_MIN
    )


def reasons_of(
    candidate: Candidate, wait: Wait, taste: Taste, company: Sequence[Companion] = ()
) -> tuple[Reason, ...]:
    """Every contribution to this option's utility, the constant ones left out. `company`: who is in the car with a taste that is known."""
    poi = candidate.poi
    found: list[Reason] = []

    def add(feature: str, weight: float, words: str) -> None:
        if weight != 0.0:
            found.append(Reason(feature=feature, weight=weight, words=words))

    walk_min, detour_min = candidate.walk_m / WALK_MPS / 60, candidate.detour_s / 60
    add("walk", -walk_min, f"{walk_min:.0f} min on foot")
    add("detour", -detour_min, f"{detour_min:.0f} min of detour")
    minutes = wait.minutes
    if minutes is None:
        add("wait", -UNKNOWN_WAIT_MIN, f"wait unknown, charged as {UNKNOWN_WAIT_MIN:.0f} min")
    else:
        add(
            "wait",
            -max(0.0, minutes),
            f"wait {wait_minutes(wait, minutes)} ({wait.source or 'told'})",
        )
    if candidate.opening.state is OpenState.UNKNOWN:
        how = (
            f"your {count_of(candidate.visits_then, 'meal')} there at this hour"
            if candidate.visits_then
            else "the map's other places then"
        )
        add(
            "open",
            -(1.0 - candidate.p_open) * CLOSED_DOOR_MIN,
            f"hours unknown, open with p {candidate.p_open:.2f} by {how}",
        )
    elif candidate.opening.until_s is not None:
        left_s = max(0.0, candidate.opening.until_s - candidate.arrive_s)
        late = max(0.0, 1.0 - left_s / LAST_ORDERS_S)
        add("closes-soon", -late * LAST_ORDERS_MIN, f"closes {left_s / 60:.0f} min after you come")
    visits = taste.pois.get(poi.osm_id, 0.0)
    count = taste.counts.get(poi.osm_id, 0)
    add(
        "familiar",
        min(FAMILIAR_MAX_MIN, FAMILIAR_MIN * log2(1.0 + visits)),
        f"you have eaten here {count_of(count, 'time')}" if count else "you may have eaten here",
    )
    cuisine, share = taste.favourite(poi)
    add("cuisine", CUISINE_MIN * share, f"{cuisine} is {share:.0%} of what you eat out")
    called = poi.kind.replace("_", " ")
    rather = taste.others.get(poi.kind)
    if rather is not None:  # it has own visits to such tables in it already
        which = "rather than" if rather > 0 else "less than"
        words = (
            f"{called}: others with such habits take it {which} what else is here, at such a moment"
        )
        add(OTHERS, OTHERS_MIN * rather, words)
    else:
        kind = taste.share(f"kind:{poi.kind}")
        add("kind", KIND_MIN * kind, f"{called}: {kind:.0%} of your meals out")
    verdict = max(
        -VERDICT_MAX_MIN, min(VERDICT_MAX_MIN, VERDICT_MIN * taste.verdicts.get(poi.osm_id, 0.0))
    )
    add("answers", verdict, "you took it before" if verdict > 0 else "you turned it down before")
    for one, name in zip(company, names(company), strict=True):
        for reason in _liked_by(one, name, poi, weight_of_each(len(company))):
            add(reason.feature, reason.weight, reason.words)
    return tuple(found)


def _liked_by(one: Companion, name: str, poi: Poi, weight: float) -> tuple[Reason, Reason]:
    """What this POI is worth by the taste of somebody in the car, of which `weight` counts."""
    (cuisine, share), of_kind = likes(one, poi)
    who, kind = f"{plain(name)}, who is with you,", poi.kind.replace("_", " ")
    most = max((s for _, s in one.taste.cuisines), default=0.0)
    much = "most" if dict(one.taste.cuisines).get(cuisine, 0.0) >= most else "as well"
    often = "most" if dict(one.taste.kinds).get(poi.kind, 0.0) > 0.5 else "some"
    return (
        Reason(
            feature=f"cuisine for {one.person}",
            weight=weight * CUISINE_MIN * share,
            words=f"{who} eats {cuisine} {much}",
        ),
        Reason(
            feature=f"kind for {one.person}",
            weight=weight * KIND_MIN * of_kind,
            words=f"{kind}: where {who} has {often} meals out",
        ),
    )


def option_of(
    candidate: Candidate, wait: Wait, taste: Taste, company: Sequence[Companion] = ()
) -> Option:
    """The candidate with its wait, its reasons and its utility in minutes."""
    reasons = reasons_of(candidate, wait, taste, company)
    return Option(
        poi=candidate.poi,
        utility=utility_of(reasons),
        opening=candidate.opening,
        arrive_s=candidate.arrive_s,
        detour_s=candidate.detour_s,
        walk_m=candidate.walk_m,
        wait=wait,
        reasons=reasons,
        eaten_then=candidate.visits_then if _as_good_as_open(candidate) else UNSET,
    )


def _as_good_as_open(candidate: Candidate) -> bool:
    """Hours unknown, and own meals there at this hour stand for them."""
    return candidate.opening.state is OpenState.UNKNOWN and candidate.visits_then >= EATEN_OFTEN
