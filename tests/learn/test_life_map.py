"""The map on the page: true to scale, legible at any size, in words as well, and harmless whatever a history holds."""

from __future__ import annotations

import json
import random
import re
from html import escape
from math import atan2, pi
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.learn.foreseen import Foreseen
from hearthway.learn.life_map import LARGEST, MOST_PLACES, life_map
from hearthway.learn.map_words import NO_MAP, UNCOVERED, map_figures
from hearthway.learn.mapped import EndMapped, LifeMap, PlaceMapped, Point
from hearthway.learn.picture import WIDTH, Picture
from hearthway.learn.regions import Region, regions_of
from hearthway.learn.report import DEFINITIONS, BacktestReport, Measured, PersonReport
from hearthway.learn.report_page import report_page
from hearthway.records.geo import offset
from hearthway.records.page import MapShapes, RoadShape

HOME = (60.2, 24.9)
HOSTILE = '"/><script src="https://elsewhere.example/x.js"></script><b>\x1b[2J\u202e'
NONE = Foreseen(trips=0, visited_before=None, fractions=())


def place(north_m: float, east_m: float, stays: int = 5, **more: Any) -> PlaceMapped:
    lat, lon = offset(*HOME, north_m, east_m)
    return PlaceMapped(lat=lat, lon=lon, stays=stays, **more)


def life(*places: PlaceMapped, **more: Any) -> LifeMap:
    weighed = [(one.lat, one.lon, float(one.stays)) for one in places]
    facts: dict[str, Any] = {"places": places, "ends": (), "ways": ()}
    return LifeMap(**{**facts, "regions": regions_of(weighed), **more})


def page(*lives: LifeMap | None, streets: dict[Region, MapShapes] | None = None) -> str:
    people = tuple(
        PersonReport(
            person=f"p{number}",
            fixes=9,
            days=40,
            stays=80,
            places=4,
            trips=0,
            trips_unrecorded=0,
            trips_with_hole=0,
            unseen=0,
            legs=NONE,
            whole=NONE,
            spoken=0,
            spoken_a_day=0.0,
            rightly=None,
            map=one,
        )
        for number, one in enumerate(lives)
    )
    report = BacktestReport(
        people=people,
        seed=0,
        read="",
        source="",
        definitions=DEFINITIONS,
        measured=Measured(cpu_s=0.1),
    )
    return report_page(report, streets)


def svg(drawn: LifeMap, streets: MapShapes | None = None) -> ET.Element:
    return ET.fromstring(life_map(drawn, drawn.regions[0], streets, drawn.ways))


def circles(root: ET.Element, css: str) -> list[tuple[float, float, float]]:
    return [
        (float(one.attrib["cx"]), float(one.attrib["cy"]), float(one.attrib["r"]))
        for one in root.iter("circle")
        if one.attrib["class"] == css
    ]


TOWN = (
    place(0, 0, 40, called="home", led=30, named=24),
    place(800, 6_000, 30, called="work", led=10, named=10),
    place(3_000, 2_000, 4, led=3, named=0),
    place(-1_500, 3_000, 2),
)
ROADS = MapShapes(
    roads=tuple(
        RoadShape(level=level, points=(HOME, offset(*HOME, 900.0 * level - 500.0, 4_000.0)))
        for level in range(3)
    ),
    attribution="© OpenStreetMap contributors, ODbL",
)


# true -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lat", [-54.8, 0.0, 60.2, 78.2])
def test_north_is_up_and_a_metre_is_as_long_east_as_north(lat: float) -> None:
    east, north = offset(lat, 179.99, 0.0, 3_000.0), offset(lat, 179.99, 3_000.0, 0.0)
    (region,) = regions_of([(lat, 179.99, 3.0), (*east, 2.0), (*north, 1.0)])
    picture = Picture(region)
    here, to_east, to_north = (picture.at(*one) for one in ((lat, 179.99), east, north))
    assert to_east[0] - here[0] == pytest.approx(here[1] - to_north[1], rel=0.01)
    assert (to_east[1], to_north[0]) == pytest.approx((here[1], here[0]), abs=1)


@pytest.mark.parametrize("apart_m", [40.0, 900.0, 12_000.0, 300_000.0])
def test_the_bar_is_as_long_as_it_says(apart_m: float) -> None:
    far = offset(*HOME, 0.0, apart_m)
    picture = Picture(regions_of([(*HOME, 1.0), (*far, 1.0)])[0])
    long, words = picture.bar()
    number, unit = words.split()
    told_m = float(number.replace(",", "")) * (1_000.0 if unit == "km" else 1.0)
    assert number.strip("0") in ("1", "2", "5")
    assert 0.08 * WIDTH < long <= 0.22 * WIDTH + 1
    assert long * picture.region.wide_m / WIDTH == pytest.approx(told_m, rel=0.02)


def test_a_disc_grows_with_its_stays() -> None:
    root = svg(life(*TOWN))
    (whole,) = circles(root, "named")
    open_ones, unasked = circles(root, "open"), circles(root, "unasked")
    assert [len(circles(root, css)) for css in ("halo", "open", "unasked")] == [3, 2, 1]
    assert open_ones[0][2] == LARGEST
    assert (whole[2] / LARGEST) ** 2 == pytest.approx(30 / 40, abs=0.01)
    assert unasked[0][2] < open_ones[1][2] < whole[2]


@pytest.mark.parametrize(("named", "long_way"), [(1, 0), (4, 0), (6, 1), (9, 1)])
def test_the_filled_part_of_a_disc_is_what_was_named(named: int, long_way: int) -> None:
    """Clockwise from the top."""
    root = svg(life(place(0, 0, 9, led=10, named=named)))
    ((x, y, r),) = circles(root, "open")
    (sector,) = [one.attrib["d"] for one in root.iter("path") if one.get("class") == "named"]
    shape = re.fullmatch(r"M(\S+) (\S+)V(\S+)A(\S+) \S+ 0 (\d) 1 (\S+) (\S+)Z", sector)
    assert shape is not None
    assert [float(shape[n]) for n in (1, 2, 3, 4, 5)] == [x, y, y - r, r, long_way]
    turned = atan2(float(shape[6]) - x, y - float(shape[7])) / (2 * pi) % 1.0
    assert turned == pytest.approx(named / 10, abs=0.005)


def test_ends_at_no_place_are_marks_of_their_own() -> None:
    ends = tuple(
        EndMapped(lat=one.lat, lon=one.lon, ended=one.stays, named=named)
        for one, named in ((place(500, 500, 3), 2), (place(500, 900, 1), 0), (place(9e5, 0, 1), 1))
    )
    root = svg(life(*TOWN, ends=ends))
    small = [one for css in ("named", "open") for one in circles(root, css) if one[2] < 10.0]
    assert len(small) == 2, "the third lies outside"


def test_only_what_may_be_seen_is_drawn() -> None:
    ways = (
        (HOME, offset(*HOME, 800, 6_000)),
        (offset(*HOME, 9e5, 0), offset(*HOME, 9e5, 900)),
        (HOME, HOME),
        ((*HOME[:1], HOME[1] - 90.0), (HOME[0], HOME[1] - 179.0), (HOME[0], HOME[1] + 179.0)),
    )
    root = svg(life(*TOWN, ways=ways))
    (group,) = [one for one in root.iter("g") if one.get("class") == "ways"]
    (line,) = [one.attrib["d"] for one in group]
    ((x, y, _),) = [c for c in circles(root, "open") if c[2] == LARGEST]
    assert line.startswith(f"M{x:.0f} {y:.0f}l")


def test_short_path_data_is_read_as_the_same_line() -> None:
    pick = random.Random(3)
    line: list[Point] = [
        offset(*HOME, pick.uniform(-900, 900), pick.uniform(-900, 900)) for _ in range(60)
    ]
    for north_m, east_m in ((300, 0), (-20, 0), (0, 400), (0, -400), (7, 0), (50, 50)):
        line.append(offset(*line[-1], north_m, east_m))
    picture = Picture(regions_of([(*one, 1.0) for one in line])[0])
    (data,) = picture.paths([line])
    start, steps = data[1:].split("l")
    numbers = [int(one) for one in re.findall(r"-?\d+", steps)]
    x, y = map(int, start.split())
    read = [(x, y)]
    for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
        x, y = x + dx, y + dy
        read.append((x, y))
    assert read == [picture.at(*one) for one in line]


# legible --------------------------------------------------------------------------------------------------------


def test_names_stand_beside_their_places_and_over_nothing() -> None:
    crowd = [place(30.0 * n, 20.0 * n, 9 - n, called=f"name {n}") for n in range(9)]
    root = svg(life(place(0, 0, 40, called="home"), place(4_000, 4_000, 30, called="work"), *crowd))
    texts = [one for one in root.iter("text") if one.get("class") is None]
    said = [one.text for one in texts]
    assert {"home", "work"} <= set(said)
    assert said.count("home") == 1
    spots = [(float(one.attrib["x"]), float(one.attrib["y"])) for one in texts]
    names = [spot for spot, text in zip(spots, said, strict=True) if text and "name" in text]
    assert len(names) < 9, "there is no room for all"
    assert all(
        abs(a[1] - b[1]) > 20 or abs(a[0] - b[0]) > 100 for a in names for b in names if a != b
    )
    for x, _ in spots:
        assert 0 <= x <= WIDTH


def test_a_long_name_at_the_edge_is_written_inwards() -> None:
    name = "a name of twenty-six signs"
    for east_m, anchor in ((9_000, "end"), (-9_000, "start")):
        root = svg(life(place(0, 0, 40), place(0, east_m, 9, called=name)))
        (text,) = [one for one in root.iter("text") if one.text == name]
        assert text.attrib["text-anchor"] == anchor


def test_the_map_is_told_in_words() -> None:
    root = svg(life(*TOWN))
    assert root.attrib["role"] == "img"
    assert "home: 40 stays, 24 of 30 trips there named half way" in root.attrib["aria-label"]
    titles = [one.text for one in root.iter("title")]
    assert "a place: 2 stays" in titles
    assert len(titles) == len(TOWN)


def test_the_licence_stands_where_streets_are_drawn_and_nowhere_else() -> None:
    drawn = life(*TOWN)
    with_streets = svg(drawn, ROADS)
    levels = [one.get("class") for one in with_streets.iter("path")]
    assert levels[:3] == ["street", "road", "trunk"], "beneath all else, the smallest lowest"
    said = [one.text for one in with_streets.iter("text") if one.get("class") == "licence"]
    assert said == ["© OpenStreetMap contributors, ODbL"]
    for nothing in (None, MapShapes(attribution="© OpenStreetMap contributors")):
        assert not [one for one in svg(drawn, nothing).iter("text") if one.get("class")]


def test_what_the_map_does_not_cover_is_said() -> None:
    bare = life(*TOWN)
    assert NO_MAP in map_figures(bare, None, 100)[0]
    region = bare.regions[0]
    assert UNCOVERED in map_figures(bare, {region: MapShapes()}, 100)[0]
    on_map = [True, True, False, True]
    part = life(
        *(
            place(*one, on_map=on)
            for one, on in zip(((0, 0), (0, 900), (900, 0), (5, 5)), on_map, strict=True)
        )
    )
    (figure,) = map_figures(part, {part.regions[0]: ROADS}, 100)
    assert "The map covers 3 of these 4 places" in figure
    whole = life(place(0, 0, on_map=True))
    (figure,) = map_figures(whole, {whole.regions[0]: ROADS}, 100)
    assert "The map covers" not in figure
    assert UNCOVERED not in figure


def test_what_lies_outside_is_counted_with_how_far_it_is() -> None:
    away = (place(4e5, 0, 2), place(-9e4, 0, 1))
    (figure,) = map_figures(life(*TOWN, *away), None, 100)
    assert "4 places with 76 of 79 stays." in figure
    assert "2 places with 3 stays lie farther off, up to 400 km from the largest disc." in figure
    assert "farther off" not in map_figures(life(*TOWN), None, 100)[0]
    other = tuple(place(4e5 + n * 2_000, n * 3_000, 20) for n in range(3))
    figures = map_figures(life(*TOWN, *other), None, 100)
    assert len(figures) == 2
    assert "3 places with 60 of 136 stays." in figures[1]
    assert 'class="keys"' in figures[0]
    assert 'class="keys"' not in figures[1], "once is enough"


def test_which_ways_are_drawn_is_said() -> None:
    ways = tuple((HOME, offset(*HOME, 100.0 * n, 3_000)) for n in range(43))
    drawn, long = life(*TOWN, ways=ways), life(*TOWN, ways=ways, ways_older=900)
    assert "recorded ways</li>" in map_figures(drawn, None, 1_000)[0]
    assert "recorded ways of the latest 10 trips</li>" in map_figures(drawn, None, 21)[0]
    assert "recorded ways of the latest 43 trips</li>" in map_figures(long, None, 1_000)[0]
    assert "recorded ways" not in map_figures(life(*TOWN), None, 1_000)[0]


# bad input ------------------------------------------------------------------------------------------------------


def test_one_place_and_no_trip() -> None:
    shown = page(life(place(0, 0, 1)))
    assert "1 place with 1 stay." in shown
    assert shown.count("<svg") == 1


def test_trips_that_ended_nowhere_and_no_stay() -> None:
    end = EndMapped(lat=HOME[0], lon=HOME[1], ended=2, named=1)
    drawn = LifeMap(places=(), ends=(end,), ways=(), regions=regions_of([(*HOME, 1.0)]))
    shown = page(drawn)
    assert "No stay was seen: the marks are where trips ended." in shown
    assert "A disc is" not in shown
    assert page(None).count("<svg") == 0


def test_a_hostile_name_is_words() -> None:
    bad = MapShapes(roads=ROADS.roads, attribution=HOSTILE)
    drawn = life(place(0, 0, 9, called=HOSTILE), place(0, 3_000, 8, called="<i>" * 80))
    shown = page(drawn, streets={drawn.regions[0]: bad})
    for raw in ("<script", "<b>", "<i>", "\x1b", "\u202e"):
        assert raw not in shown
    assert escape('"/><script src="https:') in shown
    for loads in ("<link", "@import", "url(", " href=", "<image", "<use", " onload"):
        assert loads not in shown
    assert "default-src 'none'; style-src 'unsafe-inline'" in shown
    ET.fromstring(shown[shown.index("<svg") : shown.index("</svg>") + 6])


ANYWHERE = st.tuples(st.floats(-90, 90), st.floats(-180, 180), st.integers(1, 99))


@given(st.lists(ANYWHERE, min_size=1, max_size=12), st.lists(ANYWHERE, max_size=8))
def test_whatever_was_visited_the_discs_lie_in_the_picture(
    places: list[tuple[float, float, int]], way: list[tuple[float, float, int]]
) -> None:
    stayed = sorted(
        (PlaceMapped(lat=a, lon=o, stays=n, led=n, named=n // 2) for a, o, n in places),
        key=lambda one: -one.stays,
    )
    drawn = life(*stayed, ways=(tuple((a, o) for a, o, _ in way),))
    for region in drawn.regions:
        root = ET.fromstring(life_map(drawn, region, None, drawn.ways))
        _, _, wide, high = map(int, root.attrib["viewBox"].split())
        assert 0.2 * wide < high < 2.0 * wide
        for x, y, r in (*circles(root, "open"), *circles(root, "named"), *circles(root, "unasked")):
            assert -1 <= x <= wide + 1
            assert -1 <= y <= high + 1
            assert r <= LARGEST
        assert "nan" not in ET.tostring(root, "unicode")


def test_a_page_of_a_long_life_stays_below_a_megabyte() -> None:
    pick = random.Random(7)

    def somewhere() -> Point:
        return offset(*HOME, pick.uniform(-2e4, 2e4), pick.uniform(-2e4, 2e4))

    places = sorted(
        (
            PlaceMapped(lat=a, lon=o, stays=pick.randint(1, 400), led=9, named=4, called="x" * 40)
            for a, o in (somewhere() for _ in range(5_000))
        ),
        key=lambda one: -one.stays,
    )
    ends = tuple(EndMapped(lat=a, lon=o, ended=1) for a, o in (somewhere() for _ in range(9_000)))
    ways = tuple(tuple(somewhere() for _ in range(12)) for _ in range(1_000))
    drawn = life(*places, ends=ends, ways=ways)
    roads = tuple(
        RoadShape(level=n % 3, points=tuple(somewhere() for _ in range(3))) for n in range(10_000)
    )
    streets = {region: MapShapes(roads=roads, attribution="©") for region in drawn.regions}
    shown = page(drawn, streets=streets)
    assert len(shown.encode()) < 1_000_000
    assert f"Drawn are the {MOST_PLACES} with most." in shown
    many = page(*[drawn] * 8, streets=None)
    assert many.count("<svg") == 8
    assert len(many.encode()) < 2_500_000


# in a browser ---------------------------------------------------------------------------------------------------


@pytest.mark.peer
def test_a_browser_shows_it_on_a_phone_and_asks_nobody(chromium: Any, tmp_path: Path) -> None:
    drawn = life(*TOWN, ways=((HOME, offset(*HOME, 800, 6_000)),))
    file = tmp_path / "report.html"
    file.write_text(page(drawn, streets={drawn.regions[0]: ROADS}), encoding="utf-8")
    chromium.get_log("browser")
    chromium.get_log("performance")
    chromium.get(file.as_uri())
    wide, inner = chromium.execute_script(
        "return [document.documentElement.scrollWidth, innerWidth]"
    )
    assert wide <= inner
    shown = chromium.execute_script(
        "const box = document.querySelector('.map svg').getBoundingClientRect();"
        "const text = [...document.querySelectorAll('.map svg text')].map((t) => t.getBoundingClientRect());"
        "return [box.width, box.height, ...text.map((t) => Math.min(t.left - box.left, box.right - t.right)),"
        " Math.min(...text.map((t) => t.height))]"
    )
    assert shown[0] > 0.6 * inner
    assert all(inside >= -1 for inside in shown[2:-1]), "every word lies within the picture"
    assert shown[-1] >= 9, "and can be read on a phone"
    assert not chromium.get_log("browser")
    asked = [
        one["params"]["request"]["url"]
        for one in (
            json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")
        )
        if one["method"] == "Network.requestWillBeSent"
        and one["params"]["documentURL"] == file.as_uri()
    ]
    assert asked == [file.as_uri()]
