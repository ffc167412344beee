"""A reliability diagram as SVG: how often what was said with a confidence was right, one series a part of the trip."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hearthway.learn.foreseen import AtFraction

SIZE, EDGE = 420, 48
COLOURS = ("#4477aa", "#66ccee", "#228833", "#ee6677")


def reliability_svg(title: str, fractions: Sequence[AtFraction]) -> str:
    """One picture; the area of a dot is the number of predictions, on the diagonal confidence is right."""
    side = SIZE - 2 * EDGE

    def x(p: float) -> float:
        return round(EDGE + p * side, 1)

    def y(p: float) -> float:
        return round(SIZE - EDGE - p * side, 1)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE + 60}" width="{SIZE}">',
        f'<rect width="{SIZE}" height="{SIZE + 60}" fill="#ffffff"/>',
        '<g font-family="sans-serif" font-size="12">',
        f'<text x="{EDGE}" y="24" font-size="14">{escape(title)}</text>',
        f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="#999999" stroke-dasharray="4"/>',
        f'<path d="M{x(0)} {y(1)}V{y(0)}H{x(1)}" fill="none" stroke="#333333"/>',
        f'<text x="{SIZE / 2}" y="{SIZE - 12}" text-anchor="middle">confidence</text>',
        f'<text transform="translate(14 {SIZE / 2}) rotate(-90)" text-anchor="middle">share that was right</text>',
    ]
    out += [
        f'<text x="{x(tick)}" y="{y(0) + 16}" text-anchor="middle">{tick:g}</text>'
        f'<text x="{x(0) - 6}" y="{y(tick) + 4}" text-anchor="end">{tick:g}</text>'
        for tick in (0.0, 0.5, 1.0)
    ]
    for row, (at, colour) in enumerate(zip(fractions, COLOURS, strict=True)):
        dots = [(x(b.confidence), y(b.hit_rate), b) for b in at.calibration]
        way = " ".join(f"{px},{py}" for px, py, _ in dots)
        out.append(f'<polyline points="{way}" fill="none" stroke="{colour}"/>')
        out += [
            f'<circle cx="{px}" cy="{py}" r="{1.5 * b.n**0.5:.1f}" fill="{colour}" fill-opacity="0.6">'
            f"<title>{at.percent} %: {b.n} said with {b.confidence:.2f}, {b.hit_rate:.2f} right</title></circle>"
            for px, py, b in dots
        ]
        out.append(
            f'<text x="{EDGE + 190 * (row % 2)}" y="{SIZE + 18 + 20 * (row // 2)}" fill="{colour}">'
            f"{at.percent} % of the trip, error {at.ece:.3f}</text>"
        )
    return "\n".join([*out, "</g></svg>"])
