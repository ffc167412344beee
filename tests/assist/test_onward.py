"""What is shown of where one goes next: a question first, a claim only once enough is known, else nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from hearthway.app.hindsight import Hindsight, hindsight_lines
from hearthway.assist.onward import ASK_STAYS, CLAIM_STAYS, OnwardKind, onward_of
from hearthway.records.geo import offset
from hearthway.records.life import Place
from hearthway.records.situation import Destination, NextPlaces, Situation

HERE = (60.1690, 24.9380)
LEAVE_S = 1_749_627_000.0  # 10:30 in Helsinki


def staying(stays: int, *p: float, labels: tuple[str, ...] = ("home", "work", "")) -> Situation:
    ranked = []
    for at, share in enumerate(p):
        lat, lon = offset(*HERE, 1_200.0 * (at + 1), 0.0)
        label = labels[at] if at < len(labels) else ""
        place = Place(place_id=f"p{at}", lat=lat, lon=lon, visits=3, label=label)
        ranked.append(Destination(place=place, p=share))
    return Situation(
        time_s=LEAVE_S - 3600.0,
        utc_offset_s=3 * 3600,
        person="anna",
        mode="staying",
        lat=HERE[0],
        lon=HERE[1],
        stays_known=stays,
        next_places=NextPlaces(places=tuple(ranked), p_new=1.0 - sum(p), leave_s=LEAVE_S),
    )


def test_a_place_that_a_calendar_named_stays_on_one_line() -> None:
    """A title is anybody's words, and a terminal shows it."""
    seen = staying(CLAIM_STAYS, 0.9)
    assert isinstance(seen.next_places, NextPlaces)
    (one,) = seen.next_places.places
    place = msgspec.structs.replace(one.place, name="a\nb\x1b[31m" + "x" * 90)
    ahead = msgspec.structs.replace(
        seen.next_places, places=(msgspec.structs.replace(one, place=place),)
    )
    situation = msgspec.structs.replace(seen, next_places=ahead)
    told = onward_of(situation)
    assert told is not None
    looked = Hindsight(
        situation=situation, position_age_s=0.0, said=None, would=None, silence=None, needs={}
    )
    for line in (told.words, *hindsight_lines(looked)):
        assert line.isprintable()
        assert len(line) < 120


def test_a_person_hardly_known_is_asked_and_never_told() -> None:
    sure = (0.90, 0.04, 0.03)
    asked = onward_of(staying(CLAIM_STAYS - 1, *sure))
    assert asked is not None
    assert asked.kind is OnwardKind.QUESTION
    assert asked.words == (
        "Next, around 10:30: home, work or a place 3.6 km away? (p 0.97 together)"
    )
    assert asked.p == pytest.approx(0.97)
    told = onward_of(staying(CLAIM_STAYS, *sure))
    assert told is not None
    assert told.kind is OnwardKind.CLAIM
    assert told.words == "Next, around 10:30: probably home (p 0.90)"


@pytest.mark.parametrize(
    ("stays", "p", "kind"),
    [
        (ASK_STAYS - 1, (0.90, 0.05, 0.04), None),
        (ASK_STAYS, (0.40, 0.25, 0.16), OnwardKind.QUESTION),
        (ASK_STAYS, (0.40, 0.25, 0.14), None),
        (CLAIM_STAYS, (0.74, 0.05, 0.02), OnwardKind.QUESTION),
        (CLAIM_STAYS, (0.76, 0.01, 0.01), OnwardKind.CLAIM),
        (CLAIM_STAYS, (0.50, 0.20, 0.05, 0.04), None),  # only three are added up
        (CLAIM_STAYS, (), None),
    ],
)
def test_it_is_silent_below_its_bounds(stays: int, p: Any, kind: OnwardKind | None) -> None:
    said = onward_of(staying(stays, *p))
    assert (said.kind if said else None) is kind


def test_a_departure_that_is_not_today_names_its_day() -> None:
    said = onward_of(msgspec.structs.replace(staying(60, 0.9), time_s=LEAVE_S - 2 * 86_400.0))
    assert said is not None
    assert said.words == "Next, Wednesday around 10:30: probably home (p 0.90)"


def test_two_places_are_asked_as_two_and_nothing_is_said_on_the_way(world: Any) -> None:
    two = onward_of(staying(20, 0.60, 0.30))
    assert two is not None
    assert "home or work?" in two.words
    one = onward_of(staying(20, 0.85))
    assert one is not None
    assert one.words.startswith("Next, around 10:30: home? (p 0.85")
    drive = world.drive()
    assert drive.next_places is UNSET
    assert onward_of(drive) is None
