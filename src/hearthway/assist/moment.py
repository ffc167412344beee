"""The moment as lines of plain text: every figure comes from a field, and what is not known reads "unknown"."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

from msgspec import UNSET

from hearthway.records.count import count_of
from hearthway.records.life import Place
from hearthway.records.localtime import DAY_S, clock
from hearthway.records.poi import OpenState, Poi
from hearthway.records.situation import Battery, Destination, Situation
from hearthway.records.suggestion import Option, Suggestion
from hearthway.records.venue import Wait

from .settings import AREA_M, WALK_MPS
from .shape import NameOf, around

INDENT = " " * 10
ANSWERS = "why · not now · never here"
ANSWERS_TO_NO_PLACE = "why · not now"
SYNTHETIC = "synthetic household: this is nobody's real life"
ON_THE_WAY_S = 60.0
STALE_S = 600.0  # a position older than this is told beside what is said of it
MAX_NAME = 40


def plain(text: str) -> str:
    """`text` as one printable line of at most `MAX_NAME` signs: names on maps are anybody's words."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_NAME else line[: MAX_NAME - 1] + "…"


def called(poi: Poi) -> str:
    """The name of a POI on one line; of many chargers and car parks the map knows none."""
    kind = "car park" if poi.kind == "parking" else poi.kind.replace("_", " ")
    return plain(poi.name) or f"{kind} without a name"


def metres(distance_m: float) -> str:
    """ "850 m" or "1.4 km"."""
    if distance_m < 995.0:
        return f"{round(distance_m, -1):.0f} m"
    return f"{distance_m / 1000:.1f} km"


def ago(age_s: float) -> str:
    """ "just now", "2 min ago", "3 h ago"."""
    if age_s < 60:
        return "just now"
    if age_s < 5400:
        return f"{age_s / 60:.0f} min ago"
    if age_s < 2 * DAY_S:
        return f"{age_s / 3600:.0f} h ago"
    return f"{age_s / DAY_S:.0f} days ago"


def position_age_s(situation: Situation) -> float | None:
    """How old the position is that a situation goes by; None where it has none."""
    ages = [used.age_s for used in situation.evidence if used.key.endswith(".Latitude")]
    return max(ages, default=None)


def heading_to(name_of: NameOf | None, area: Sequence[Place], place: Place) -> str:
    """The owner's name of `place`, its name on the map, or "near" the nearest probable one of `area` with one; else ""."""
    if place.name:
        return plain(place.name)
    if name_of is None:
        return ""
    here = plain(name_of(place.lat, place.lon) or "")
    if here or place.called:
        return here
    names = (plain(name_of(p.lat, p.lon) or "") for p in area)
    return next((f"near {name}" for name in names if name), "")


def destination_called(
    name_of: NameOf | None, destinations: Sequence[Destination], place: Place
) -> str:
    """What suggestions, answers and the page call `place`, by its name or that of a probable one near it; "" for none."""
    area = [one.place for one in around(destinations, place)]
    return heading_to(name_of, area, place) or plain(place.called)


def headline(
    situation: Situation,
    place: Place,
    heading: str,
    p: float,
    distance_m: float,
    *,
    shared: bool = False,
) -> str:
    """How far before which destination; `p` is of every destination within `AREA_M` where `shared`."""
    within = f" within {metres(AREA_M)}," if shared else ""
    of = f"(p {p:.2f}{within} of {count_of(situation.places_known, 'place')})"
    label = heading or plain(place.called)
    if not label:
        return f"heading to your regular place {metres(distance_m)} ahead {of}"
    if label == "home":
        label = "heading home"
    else:
        label = f"heading {'' if label.startswith('near ') else 'to '}{label}"
    return f"{metres(distance_m)} before arrival · {label} {of}"


def reach(option: Option) -> str:
    """How one gets there."""
    if option.walk_m > 0.0:
        return f"{max(1.0, option.walk_m / WALK_MPS / 60):.0f} min on foot"
    if option.detour_s <= ON_THE_WAY_S:
        return "on your way"
    return f"{option.detour_s / 60:.0f} min detour"


def wait_words(wait: Wait) -> str:
    """ "wait 15 min (told by the place, 2 min ago)", "wait about 15 min (8-25) when you arrive (...)", or "wait unknown"."""
    if wait.minutes is None:
        return "wait unknown"
    facts = [wait.source] if wait.source else []
    facts.append("age unknown" if wait.age_s is None else ago(wait.age_s))
    return f"wait {wait_minutes(wait, wait.minutes)} ({', '.join(facts)})"


def wait_minutes(wait: Wait, minutes: float) -> str:
    """ "15 min" where it was told of now, "about 15 min (8-25) when you arrive" where the place forecasts."""
    if wait.likely is UNSET:
        return f"{minutes:.0f} min"
    between = f"{wait.likely.low_min:.0f}-{wait.likely.high_min:.0f}"
    return f"about {minutes:.0f} min ({between}) when you arrive"


def option_lines(options: Sequence[Option]) -> list[str]:
    """One line an option, in columns, each with its OSM id."""
    return columns(options, [wait_words(o.wait) for o in options])


def columns(options: Sequence[Option], facts: Sequence[str]) -> list[str]:
    """Name, way, what is to be said of each, whether its hours are unknown, and its OSM id."""
    names = [called(o.poi) for o in options]
    ways = [reach(o) for o in options]
    wide, far = max(map(len, names), default=0), max(map(len, ways), default=0)
    lines = []
    for option, name, way, fact in zip(options, names, ways, facts, strict=True):
        hours = hours_unknown(option)
        hours = f" · {hours}" if hours else ""
        lines.append(f"{name:<{wide}}  {way:<{far}} · {fact}{hours} ({option.poi.osm_id})")
    return lines


def hours_unknown(option: Option) -> str:
    """That its hours are unknown, and where own meals stand for them how many; empty where they are known."""
    if option.opening.state is not OpenState.UNKNOWN:
        return ""
    if option.eaten_then is UNSET:
        return "hours unknown"
    return f"hours unknown, you ate here {count_of(option.eaten_then, 'time')} at this hour"


BATTERY_FRESH_S = 900.0  # as the catalogue has it for the state of charge


def battery_line(battery: Battery | None) -> str:
    """The charge now and on reaching home, with its 90 % interval."""
    if battery is None:
        return "battery unknown"
    if battery.age_s > BATTERY_FRESH_S:
        return f"battery unknown (last told {battery.age_s / 3600:.0f} h ago)"
    home = home_words(battery)
    return f"battery {battery.soc_pct:.0f} % -> home {home or 'unknown'}"


def home_words(battery: Battery) -> str:
    """ "with 12 %", "with 12 % (9-15)" where the interval is known, or nothing."""
    if battery.at_home_pct is None:
        return ""
    words = f"with {battery.at_home_pct:.0f} %"
    if battery.at_home_low_pct is None or battery.at_home_high_pct is None:
        return words
    low, high = floor(battery.at_home_low_pct), ceil(battery.at_home_high_pct)
    return f"{words} ({low}-{high})"


def render(suggestion: Suggestion) -> list[str]:
    """The moment as it is shown: local time and headline, then the lines beneath it."""
    at = clock(suggestion.time_s, suggestion.utc_offset_s, seconds=True)
    return [f"{at}  {suggestion.headline}", *(INDENT + line for line in suggestion.lines)]
