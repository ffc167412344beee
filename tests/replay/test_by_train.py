"""A four-hour drive to a place one only reaches by train: one more day of docs/explanation/incumbents.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hearthway.atlas.store import Atlas
from hearthway.records.geo import distance_m
from hearthway.records.poi import Route

from .days import HOUR_S, Diary, Point, between, event, live
from .test_incumbents import HOME, WORK, commute

TOWN: Point = (60.1500, 22.4000)  # 144 km from home, 141 km from work


class Highways:
    """Roads that lead straight everywhere, at 90 km/h; `by_m` is how near the nearest is to any point."""

    def __init__(self, by_m: float) -> None:
        self.by_m = by_m

    def route(self, a: Point, b: Point) -> Route:
        metres = distance_m(*a, *b)
        return Route(distance_m=metres, duration_s=metres / 25.0, points=(a, b))

    def detours(self, a: Point, b: Point, vias: Sequence[Point]) -> list[None]:
        return [None for _ in vias]

    def covers(self, lat: float, lon: float) -> bool:
        return True

    def road_m(self, lat: float, lon: float) -> float | None:
        return self.by_m

    def ways_m(self, start: Point, ends: Sequence[Point]) -> list[float | None]:
        return [None for _ in ends]


def ride(diary: Diary, to: Point) -> None:
    """Straight, at 140 km/h, with a stop of two minutes each quarter of an hour."""
    stations = max(1, round(distance_m(*diary.at, *to) / 35_000.0))
    points = [between(diary.at, to, i / stations) for i in range(1, stations + 1)]
    diary.go(*points, mps=39.0, stop_s=120.0)


def drive(diary: Diary, to: Point) -> None:
    """On a motorway."""
    diary.go(to, mps=25.0)


@pytest.mark.parametrize("by_train", [True, False])
def test_a_place_reached_by_train_alone_is_no_drive(
    tmp_path: Path, atlas: Atlas, by_train: bool
) -> None:
    """Four weekends away, from home. Today something is there in the evening, and one is at work; no own trip tells the way."""
    diary = Diary(HOME)
    for week in range(4):
        for day in range(7 * week, 7 * week + 5):
            commute(diary, day)
        diary.rest(diary.local(7 * week + 5, 9.0))
        for to in (TOWN, HOME):
            (ride if by_train else drive)(diary, to)
            diary.rest(diary.now_s + 20 * HOUR_S)
    diary.rest(diary.local(28, 8.25))
    diary.go(WORK)
    from_s = diary.local(28, 14.0)
    diary.rest(from_s + 4 * HOUR_S)
    left_s = diary.now_s
    (ride if by_train else drive)(diary, TOWN)
    diary.rest(diary.now_s + HOUR_S)
    calendar = event(from_s + 5 * HOUR_S, TOWN)
    before = [item for item in diary.items if item.time_s < from_s]
    roads = Highways(290.0 if by_train else 4.0)
    heard = live(tmp_path / "a.db", atlas, before, diary.since(from_s), calendar, roads)
    driving = [look for look in heard.looks if look.mode == "driving"]
    if by_train:
        assert heard.said == []
        assert "never-driven" in {silence.code for silence in heard.silent}
        assert all(look.time_s < left_s + 300.0 for look in driving)  # what it is shows by then
    else:
        assert [word.need for word in heard.said] == ["leave"]
        assert "by car" in heard.said[0].lines[1]
        assert len(driving) > 100
