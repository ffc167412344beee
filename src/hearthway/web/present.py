"""Records -> what the page shows. All wording and rounding is done here, so that the script in the browser only draws."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from hearthway.assist.moment import (
    ANSWERS,
    ANSWERS_TO_NO_PLACE,
    STALE_S,
    SYNTHETIC,
    ago,
    called,
    home_words,
    hours_unknown,
    plain,
    position_age_s,
    reach,
    wait_minutes,
)
from hearthway.records.household import Peer
from hearthway.records.localtime import clock
from hearthway.records.page import MapShapes, PageState, Point, Why
from hearthway.records.poi import OpenState
from hearthway.records.receipts import Measured, Receipt
from hearthway.records.situation import Battery, Situation, Via
from hearthway.records.suggestion import Option, Suggestion

View = dict[str, Any]

MAX_TRACK = 400
# "1.4 km before arrival · heading to Forum (p 0.81 of 214 places)": each part has its own place on the card.
_BUTTONS = (ANSWERS, ANSWERS_TO_NO_PLACE)
_HEADLINE = re.compile(
    r"(?:(?P<before>[^·]*) · )?(?P<title>.*?)(?: \((?P<odds>p [^()]*)\))?", re.DOTALL
)


def state_view(state: PageState) -> View:
    """The whole page as JSON-ready values."""
    suggestion = state.suggestion
    situation = state.situation or (suggestion.situation if suggestion else None)
    return {
        "node": state.node,
        "role": state.role,
        "person": state.person,
        "synthetic": state.synthetic or bool(suggestion and suggestion.synthetic),
        "clock": clock(state.time_s, state.utc_offset_s) if state.time_s else "",
        "peers": [_peer(peer) for peer in state.peers],
        "doing": _doing(situation, state.heading),
        # In a moving car one line is all there is to read; everything else waits on the phone.
        "glance": state.role == "car" and situation is not None and situation.mode == "driving",
        "moment": None if suggestion is None else moment_view(suggestion, state),
        "silence": None
        if state.silence is None
        else {
            "code": state.silence.code,
            "words": state.silence.words,
            "clock": clock(state.silence.time_s, state.utc_offset_s)
            if state.silence.time_s
            else "",
        },
        "onward": state.onward,
        "rough": state.rough,
        "map": _map(state, situation),
    }


def moment_view(suggestion: Suggestion, state: PageState) -> View:
    """A suggestion as a card. Lines that the options, the battery and the buttons repeat are left to those."""
    ids = [f"({option.poi.osm_id})" for option in suggestion.options]
    lines = [line.strip() for line in suggestion.lines]
    parts = _HEADLINE.fullmatch(suggestion.headline)
    title = (parts and parts["title"]) or suggestion.headline
    return {
        "id": suggestion.suggestion_id,
        "need": suggestion.need,
        "clock": clock(suggestion.time_s, suggestion.utc_offset_s),
        "before": (parts and parts["before"]) or "",
        "title": _sentence(title),
        "odds": (parts and parts["odds"]) or "",
        "lines": [
            _sentence(line.removesuffix(":"))
            for line in lines
            if line not in (*_BUTTONS, SYNTHETIC, suggestion.headline)
            and not line.startswith("battery ")
            and not line.endswith(tuple(ids))
        ],
        "spoken": ". ".join((suggestion.headline, *(x for x in lines if x not in _BUTTONS))),
        "options": [
            _option(option, number, suggestion.utc_offset_s)
            for number, option in enumerate(suggestion.options, 1)
        ],
        "battery": _battery(suggestion.situation.battery),
        "answered": state.answered.value if state.answered else "",
    }


def why_view(why: Why) -> View:
    """The receipt panel: what weighed, what was used, what crossed, what ran where, how many bytes."""
    suggestion = why.suggestion
    return {
        "id": suggestion.suggestion_id,
        "headline": suggestion.headline,
        "clock": clock(suggestion.time_s, suggestion.utc_offset_s, seconds=True),
        "reasons": [
            {"words": reason.words, "weight": round(reason.weight, 1)}
            for reason in sorted(suggestion.reasons, key=lambda r: (-abs(r.weight), r.feature))
        ],
        "options": [
            {
                "n": number,
                "name": called(option.poi),
                "osm_id": option.poi.osm_id,
                "reasons": [
                    {"words": reason.words, "weight": round(reason.weight, 1)}
                    for reason in option.reasons
                ],
            }
            for number, option in enumerate(suggestion.options, 1)
        ],
        "gate": {
            "p_useful": round(suggestion.p_useful, 2),
            "utility": round(suggestion.utility, 1),  # minutes
            "threshold": round(suggestion.threshold, 1),
        },
        "fields": _merged(why.receipts, _fields),
        "crossings": _merged(why.receipts, _crossings),
        "computations": _merged(why.receipts, _computations),
        "disclosures": _merged(why.receipts, _disclosures),
        "traffic": [
            {"node": receipt.node, "role": receipt.role, **_measured(receipt.measured)}
            for receipt in why.receipts
        ],
        "verified": why.verified,
        "sound": why.sound,
    }


def shapes_view(shapes: MapShapes) -> View:
    """Roads and POIs for the canvas; coordinates to 5 decimals, about a metre."""
    return {
        "roads": [[road.level, [_point(point) for point in road.points]] for road in shapes.roads],
        "pois": [[poi.name, poi.kind, *_point((poi.lat, poi.lon))] for poi in shapes.pois],
        "attribution": shapes.attribution,
    }


def age_words(age_s: float) -> str:
    """ "4 s", "12 min", "3 h", "5 days": one unit, rounded."""
    if age_s < 90:
        return f"{max(0.0, age_s):.0f} s"
    if age_s < 90 * 60:
        return f"{age_s / 60:.0f} min"
    if age_s < 48 * 3600:
        return f"{age_s / 3600:.0f} h"
    return f"{age_s / 86_400:.0f} days"


def bytes_words(count: int) -> str:
    """Bytes as people read them."""
    if count < 10_000:
        return f"{count:,} bytes".replace(",", "\u2009")
    if count < 10_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1_000_000:.1f} MB"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _peer(peer: Peer) -> View:
    return {
        "id": peer.device_id,
        "role": peer.role,
        "alive": peer.alive,
        "detail": peer.detail,
    }


def _doing(situation: Situation | None, heading: str) -> str:
    if situation is None:
        return ""
    words = {
        "driving": "Driving",
        "riding": "On a bus or train",
        "cycling": "Cycling",
        "walking": "Walking",
        "moving": "On the way",
        "staying": "Staying",
    }
    doing = words.get(situation.mode, "")
    age_s = position_age_s(situation)
    if doing and age_s is not None and age_s > STALE_S:
        doing += f", by a position of {ago(age_s)}"
    if situation.mode == "driving" and situation.speed_mps is not None:
        speed_kmh = situation.speed_mps * 3.6
        doing = "On the way, standing" if speed_kmh < 1 else f"{doing} at {speed_kmh:.0f} km/h"
    if doing and situation.mode != "staying" and situation.destinations:
        likely = situation.destinations[0]
        name = heading or plain(likely.place.called) or "a place of yours"
        by_way = "by way of a usual stop " if isinstance(likely.via, Via) else ""
        doing += f", {by_way}likely to {name} ({likely.p:.0%})"
    return doing


def _option(option: Option, number: int, offset_s: int) -> View:
    poi = option.poi
    facts = [_opening(option, offset_s), _wait(option)]
    return {
        "n": number,
        "osm_id": poi.osm_id,
        "name": called(poi),
        "kind": ", ".join(cuisine.replace("_", " ") for cuisine in poi.cuisines[:3])
        or poi.kind.replace("_", " "),
        "reach": reach(option),
        "arrive": clock(option.arrive_s, offset_s),
        "facts": facts,
        "lat": poi.lat,
        "lon": poi.lon,
    }


def _opening(option: Option, offset_s: int) -> View:
    state, until_s = option.opening.state, option.opening.until_s
    if state is OpenState.UNKNOWN:
        return {"kind": "unknown", "words": hours_unknown(option)}
    if state is OpenState.CLOSED:
        return {"kind": "closed", "words": "closed when you arrive"}
    if until_s is None:
        return {"kind": "open", "words": "open when you arrive"}
    return {"kind": "open", "words": f"open until {clock(until_s, offset_s)}"}


def _wait(option: Option) -> View:
    wait = option.wait
    if wait.minutes is None:
        return {"kind": "unknown", "words": "wait unknown", "title": wait.why}
    told = "told by the place" if wait.age_s is None else f"told {age_words(wait.age_s)} ago"
    words = f"wait {wait_minutes(wait, wait.minutes)}, {told}"
    return {"kind": "wait", "words": words, "title": wait.source}


def _battery(battery: Battery | None) -> View | None:
    if battery is None:
        return None
    words = f"Battery {battery.soc_pct:.0f} %"
    home = home_words(battery)
    words += f", home {home}" if home else ", at home: unknown"
    return {
        "words": words,
        "soc_pct": round(battery.soc_pct, 1),
        "home_pct": None if battery.at_home_pct is None else round(battery.at_home_pct, 1),
        "age": age_words(battery.age_s),
    }


def _map(state: PageState, situation: Situation | None) -> View:
    destination: View | None = None
    if situation is not None and situation.destinations and situation.mode != "staying":
        likely = situation.destinations[0]
        destination = {
            "at": _point((likely.place.lat, likely.place.lon)),
            "label": state.heading or plain(likely.place.called),
            "p": round(likely.p, 2),
        }
    return {
        "position": None if situation is None else _point((situation.lat, situation.lon)),
        "track": [_point(point) for point in _thinned(state.track)],
        "ahead": [_point(point) for point in _thinned(state.ahead)],
        "destination": destination,
    }


def _thinned(points: tuple[Point, ...]) -> list[Point]:
    if len(points) <= MAX_TRACK:
        return list(points)
    step = -(-len(points) // MAX_TRACK)
    return [*points[:-1:step], points[-1]]


def _point(point: Point) -> list[float]:
    return [round(point[0], 5), round(point[1], 5)]


def _merged(receipts: Sequence[Receipt], rows: Callable[[Receipt], list[View]]) -> list[View]:
    """Equal rows of several nodes' receipts once, each with the nodes that wrote it down."""
    merged: list[View] = []
    for receipt in receipts:
        for row in rows(receipt):
            for known in merged:
                if {**known, "nodes": None} == {**row, "nodes": None}:
                    known["nodes"].append(receipt.node)
                    break
            else:
                merged.append({**row, "nodes": [receipt.node]})
    return merged


def _fields(receipt: Receipt) -> list[View]:
    return [
        {"key": field.key, "source": field.source, "age": age_words(field.age_s)}
        for field in receipt.fields
    ]


def _crossings(receipt: Receipt) -> list[View]:
    return [
        {
            "key": crossing.key,
            "from": crossing.sender,
            "to": crossing.receiver_role,
            "purpose": crossing.purpose,
            "rule": crossing.rule,
            "count": crossing.count,
        }
        for crossing in receipt.crossings
    ]


def _computations(receipt: Receipt) -> list[View]:
    return [
        {
            "stage": run.stage,
            "node": run.node,
            "code": run.code,
            "model": run.model,
            "used": run.used,
        }
        for run in receipt.computations
    ]


def _disclosures(receipt: Receipt) -> list[View]:
    return [
        {"peer": disclosure.peer, "learned": list(disclosure.learned)}
        for disclosure in receipt.disclosures
    ]


def _measured(measured: Measured) -> View:
    unknown = "not measurable here"
    return {
        "latency": unknown if measured.latency_ms is None else f"{measured.latency_ms:.0f} ms",
        "bytes_to": [
            {"node": node, "words": bytes_words(count)}
            for node, count in sorted(measured.bytes_to.items())
        ],
        "internet": unknown
        if measured.internet_bytes is None
        else bytes_words(measured.internet_bytes),
        "refused": unknown if measured.internet_refused is None else str(measured.internet_refused),
        "how": measured.how,
    }
