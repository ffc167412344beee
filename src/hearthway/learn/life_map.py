"""The map of a life as SVG text: where one stays, the ways between, and which trips were foreseen half way.

No script, no font and no colour of its own: its classes are in `STYLE`, for light and for dark. Every place carries its figures
as words. On a narrow page all letters are larger, and their room is reckoned with that size.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import cos, pi, sin, sqrt

from hearthway.assist.moment import plain
from hearthway.records.count import count_of
from hearthway.records.page import MapShapes

from .mapped import EndMapped, LifeMap, PlaceMapped
from .picture import WIDTH, Picture, Point
from .regions import Region

MOST_PLACES, MOST_ENDS = 300, 600  # drawn, the most visited: more hide one another
SMALLEST, LARGEST = 11.0, 44.0  # radius in units
END = 7.0
HALO = 4.0  # parts a disc from what it lies on
TOLD = 8  # places whose figures are read out
LABELS = 12
LETTER = 46.0  # height of a label on a narrow page, in units; a letter is about 0.56 of it wide
LONGEST = 28  # letters of a label
EDGE = 26.0
FOOT, NORTH = 90.0, 120.0  # what the scale bar's strip and the arrow's corner take
GAP = 8.0  # between a disc and its name
Box = tuple[float, float, float, float]  # left, top, right, bottom

STYLE = """
:root { --ground: #f5f6f4; --street: #e3e6e6; --road: #d3d8da; --trunk: #bcc4c9; --way: #2a66b0; --missed: #b8326b; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #1a1f26; --street: #262d36; --road: #333c47; --trunk: #465260; --way: #74b0ee; --missed: #ff8fb8; }
}
figure.map { display: block; width: min(100%, 45rem); }
.map figcaption { margin: .6rem 0 1.6rem; }
.map p { margin: .4rem 0; }
.keys { display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; margin: 0; padding: 0; list-style: none; }
.map svg { display: block; border-radius: 10px; }
.map path { fill: none; vector-effect: non-scaling-stroke; stroke-linecap: round; stroke-linejoin: round; }
.ground { fill: var(--ground); }
.map .street { stroke: var(--street); stroke-width: .8; }
.map .road { stroke: var(--road); stroke-width: 1.1; }
.map .trunk { stroke: var(--trunk); stroke-width: 1.7; }
.ways path { stroke: var(--way); stroke-width: 1.4; }
.map circle, .map .named { stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.map .halo { fill: var(--ground); stroke: none; }
.map .open { fill: var(--ground); stroke: var(--missed); }
.map .named { fill: var(--ours); stroke: var(--ours); }
.map .unasked { fill: var(--soft); fill-opacity: .55; stroke: var(--ground); }
.map text { font-size: 26px; paint-order: stroke; stroke: var(--ground); stroke-width: 6px; stroke-linejoin: round; }
.map .licence { font-size: 20px; fill: var(--soft); }
.bar { stroke: var(--ink); stroke-width: 1.5; }
.key-missed { color: var(--missed); } .key-way { color: var(--way); }
@media (max-width: 36rem) { .map text { font-size: 46px; stroke-width: 10px; } .map .licence { font-size: 38px; } }
"""


def life_map(
    drawn: LifeMap, region: Region, streets: MapShapes | None, ways: Sequence[Sequence[Point]]
) -> str:
    """One region of a life as SVG, with these of its ways; `streets` lie beneath it."""
    picture = Picture(region)
    places = [place for place in drawn.places if region.holds(place.lat, place.lon)]
    ends = [end for end in drawn.ends if region.holds(end.lat, end.lon)]
    shown = places[:MOST_PLACES]
    words = "; ".join(["Map, north up", *(told(place) for place in shown[:TOLD])])
    size = f'width="{WIDTH}" height="{picture.height}"'
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {picture.height}" role="img" aria-label="{escape(words)}">',
        f'<rect class="ground" {size}/>',
        *_streets(picture, streets),
        *_ways(picture, ways),
        *(_end(picture, end) for end in reversed(ends[:MOST_ENDS])),
        *(_place(picture, place, shown[0].stays) for place in shown),
        *_labels(picture, shown),
        *_frame(picture, streets),
        "</svg>",
    ]
    return "\n".join(parts)


def told(place: PlaceMapped) -> str:
    """A place's figures as words."""
    stays = count_of(place.stays, "stay")
    trips = (
        f", {place.named} of {count_of(place.led, 'trip')} there named half way"
        if place.led
        else ""
    )
    return f"{name_of(place) or 'a place'}: {stays}{trips}"


def name_of(place: PlaceMapped) -> str:
    """What it is called, short and without signs that no letter is."""
    name = plain(place.called)
    return name if len(name) <= LONGEST else name[: LONGEST - 1].rstrip() + "…"


def _streets(picture: Picture, streets: MapShapes | None) -> list[str]:
    if streets is None:
        return []
    out = []
    for level, css in ((2, "street"), (1, "road"), (0, "trunk")):
        lines = (road.points for road in streets.roads if min(2, road.level) == level)
        data = "".join(picture.paths(lines))
        if data:
            out.append(f'<path class="{css}" d="{data}"/>')
    return out


def _ways(picture: Picture, ways: Sequence[Sequence[Point]]) -> list[str]:
    drawn = [f'<path d="{data}"/>' for data in picture.paths(ways)]
    if not drawn:
        return []
    # Many ways are light each, so that the usual ones stand out; few have to be seen.
    strength = max(0.07, min(0.6, 2.4 / sqrt(len(drawn) + 12)))
    return [f'<g class="ways" stroke-opacity="{strength:.2f}">', *drawn, "</g>"]


def _end(picture: Picture, end: EndMapped) -> str:
    x, y = picture.at(end.lat, end.lon)
    css = "named" if 2 * end.named >= end.ended else "open"
    return f'<circle class="{css}" cx="{x}" cy="{y}" r="{END:.0f}"/>'


def _place(picture: Picture, place: PlaceMapped, most: int) -> str:
    x, y = picture.at(place.lat, place.lon)
    r = _radius(place, most)
    share = place.named / place.led if place.led else 0.0
    whole = "unasked" if not place.led else "named" if share == 1.0 else "open"
    part = ""
    if 0.0 < share < 1.0:
        to_x, to_y = x + r * sin(2 * pi * share), y - r * cos(2 * pi * share)
        part = (
            f'<path class="named" d="M{x} {y}V{y - r:.1f}A{r:.1f} {r:.1f} 0 {int(share > 0.5)} 1 '
            f'{to_x:.1f} {to_y:.1f}Z"/>'
        )
    halo = f'<circle class="halo" cx="{x}" cy="{y}" r="{r + HALO:.0f}"/>' if place.led else ""
    disc = f'<circle class="{whole}" cx="{x}" cy="{y}" r="{r:.1f}"/>'
    return f"<g><title>{escape(told(place))}</title>{halo}{disc}{part}</g>"


def _radius(place: PlaceMapped, most: int) -> float:
    """Its area grows with the stays."""
    return max(SMALLEST, LARGEST * sqrt(place.stays / max(1, most)))


def _labels(picture: Picture, places: Sequence[PlaceMapped]) -> list[str]:
    """Names beside their places: where there is room, and of these where the fewest other discs are written over."""
    discs = {place: _disc(picture, place, places[0].stays) for place in places}
    named = [place for place in places if name_of(place)][:LABELS]
    taken = [discs[place] for place in named]
    taken.append((0.0, picture.height - FOOT, WIDTH, picture.height))  # scale bar and licence
    taken.append((WIDTH - NORTH, 0.0, WIDTH, NORTH))
    out = []
    for place in named:
        words = name_of(place)
        free = [
            (sum(_meet(box, disc) for disc in discs.values()), order, spot, box)
            for order, (spot, box) in enumerate(_beside(discs[place], len(words)))
            if _inside(box, picture) and not any(_meet(box, other) for other in taken)
        ]
        if free:
            _, _, (x, y, anchor), box = min(free)
            taken.append(box)
            out.append(
                f'<text x="{x:.0f}" y="{y:.0f}" dy=".35em" text-anchor="{anchor}">{escape(words)}</text>'
            )
    return out


def _disc(picture: Picture, place: PlaceMapped, most: int) -> Box:
    x, y = picture.at(place.lat, place.lon)
    r = _radius(place, most)
    return x - r, y - r, x + r, y + r


def _beside(disc: Box, letters: int) -> list[tuple[tuple[float, float, str], Box]]:
    """Right, left, below and above of a disc: where a label is anchored, and its box."""
    left, top, right, bottom = disc
    x, y, half = (left + right) / 2, (top + bottom) / 2, LETTER / 2
    wide = 0.56 * LETTER * letters
    spots = (
        ((right + GAP, y, "start"), right + GAP),
        ((left - GAP, y, "end"), left - GAP - wide),
        ((x, bottom + GAP + half, "middle"), x - wide / 2),
        ((x, top - GAP - half, "middle"), x - wide / 2),
    )
    return [(spot, (start, spot[1] - half, start + wide, spot[1] + half)) for spot, start in spots]


def _inside(box: Box, picture: Picture) -> bool:
    left, top, right, bottom = box
    return left >= 0 and top >= 0 and right <= WIDTH and bottom <= picture.height


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _frame(picture: Picture, streets: MapShapes | None) -> list[str]:
    """Scale bar, north, and the licence's line where streets are drawn."""
    long, words = picture.bar()
    low, right = picture.height - EDGE, WIDTH - EDGE
    out = [
        f'<path class="bar" d="M{EDGE:.0f} {low - 12:.0f}v12h{long}v-12"/>',
        f'<text x="{EDGE + long / 2:.0f}" y="{low - 16:.0f}" text-anchor="middle">{words}</text>',
        f'<path class="bar" d="M{right - 24:.0f} {EDGE + 24:.0f}l12-24 12 24"/>',
        f'<text x="{right - 12:.0f}" y="{EDGE + 34:.0f}" dy=".8em" text-anchor="middle">N</text>',
    ]
    if streets is not None and streets.roads and streets.attribution:
        out.append(
            f'<text class="licence" x="{right:.0f}" y="{low:.0f}" text-anchor="end">'
            f"{escape(plain(streets.attribution))}</text>"
        )
    return out
