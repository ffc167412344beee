"""Days of a person as a phone writes them down, and the phone's real path over them: store, context, assist, learn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import cos, radians
from pathlib import Path
from typing import Any

from hearthway.app.brain import Brain
from hearthway.app.calendar import import_calendar
from hearthway.app.config import Config, NodeTable
from hearthway.app.equipment import equipment
from hearthway.app.looking import CALENDAR_LOOK_S
from hearthway.assist.engine import Proposal
from hearthway.assist.onward import onward_of
from hearthway.atlas.store import Atlas
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.records.geo import METRES_PER_DEGREE, distance_m
from hearthway.records.household import Role
from hearthway.records.localtime import utc_offset_s
from hearthway.records.page import PageState
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Silence, Suggestion
from hearthway.sense.catalogue import PHONE_BATTERY
from hearthway.web.present import View, state_view

CONFIG = Config(node=NodeTable(id="phone", role=Role.PHONE))
DAY_S, HOUR_S = 86_400.0, 3600.0
MONDAY = 20_465  # of 2026, 12 January, in days since 1970
MPS = 12.0
ROAD, BLOCK_M = 1.3, 2_000.0  # of a way, over the bee-line
Point = tuple[float, float]


def between(a: Point, b: Point, share: float) -> Point:
    """On the straight line."""
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def _zigzag(begin: Point, end: Point, share: float) -> Point:
    """On streets that cross the straight line every `BLOCK_M`, and leave it by as much as makes the way `ROAD` times as long."""
    lat, lon = between(begin, end, share)
    whole_m = distance_m(*begin, *end)
    if whole_m < BLOCK_M:
        return lat, lon
    blocks = round(whole_m / BLOCK_M)
    phase = share * blocks % 1.0
    aside_m = (ROAD**2 - 1.0) ** 0.5 * BLOCK_M * (0.5 - abs(0.5 - phase))
    north = (end[0] - begin[0]) * METRES_PER_DEGREE / whole_m
    east = (end[1] - begin[1]) * METRES_PER_DEGREE * cos(radians(lat)) / whole_m
    scale = METRES_PER_DEGREE * cos(radians(lat))
    return lat + aside_m * east / METRES_PER_DEGREE, lon - aside_m * north / scale


@dataclass
class Diary:
    """What a phone wrote down: a fix in ten seconds on the way, one in a quarter of an hour at rest."""

    at: Point
    now_s: float = MONDAY * DAY_S
    items: list[Fix | Signal] = field(default_factory=list)
    phone_pct: float | None = None  # what is left in the phone's own battery, told with each fix

    def local(self, day: int, hour: float) -> float:
        """Unix time of a local hour, where one is."""
        noon_s = (MONDAY + day) * DAY_S + 12 * HOUR_S
        return (MONDAY + day) * DAY_S + hour * HOUR_S - utc_offset_s(*self.at, noon_s)

    def rest(self, until_s: float) -> None:
        """Where one is."""
        while self.now_s < until_s:
            self._fix(0.0)
            self.now_s += 900.0
        self.now_s = max(until_s, self.items[-1].time_s + 1.0)

    def go(self, *points: Point, mps: float = MPS, stop_s: float = 0.0) -> float:
        """Through these points, in a zigzag as long as roads are; `stop_s` at each but the last. Returns when one is there."""
        for number, point in enumerate(points):
            begin, whole_m = self.at, distance_m(*self.at, *point) * ROAD
            begin_s, steps = self.now_s, max(1, round(whole_m / mps / 10.0))
            for step in range(1, steps + 1):
                share = step / steps
                self.now_s = begin_s + share * whole_m / mps
                self.at = _zigzag(begin, point, share)
                self._fix(mps)
            arrived_s = self.now_s
            if number + 1 < len(points):
                while self.now_s + 10.0 < arrived_s + stop_s:
                    self.now_s += 10.0
                    self._fix(0.0)
                self.now_s = arrived_s + stop_s
        self.now_s += 1.0
        return arrived_s

    def tell(self, key: str, value: float, unit: str = "percent") -> None:
        """A signal, now."""
        self.items.append(Signal(key=key, value=value, time_s=self.now_s, unit=unit, source="t"))

    def since(self, time_s: float) -> list[Fix | Signal]:
        return [item for item in self.items if item.time_s >= time_s]

    def _fix(self, mps: float) -> None:
        lat, lon = self.at
        if self.phone_pct is not None:
            self.tell(PHONE_BATTERY, self.phone_pct)
        self.items.append(Fix(time_s=self.now_s, lat=lat, lon=lon, accuracy_m=8.0, speed_mps=mps))


@dataclass
class Heard:
    """A day as the phone took it: what it thought at each look, and what it said."""

    brain: Brain
    looks: list[Situation] = field(default_factory=list)
    said: list[Suggestion] = field(default_factory=list)
    silent: list[Silence] = field(default_factory=list)

    def at(self, time_s: float) -> Situation:
        """The last look until then."""
        return [look for look in self.looks if look.time_s <= time_s][-1]

    def doing(self, time_s: float) -> str:
        """What the page then shows beside the map."""
        return str(page_of(self.at(time_s))["doing"])


def page_of(situation: Situation, suggestion: Suggestion | None = None) -> View:
    """The page, as it draws this moment."""
    onward = onward_of(situation)
    state = PageState(
        node="phone",
        role="phone",
        situation=situation,
        onward="" if onward is None else onward.words,
        suggestion=suggestion,
    )
    return state_view(state)


def event(start_s: float, at: Point, title: str = "Concert") -> str:
    """A calendar file with one entry."""
    begin = datetime.fromtimestamp(start_s, UTC)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "BEGIN:VEVENT",
        "UID:u1",
        f"DTSTART:{begin:%Y%m%dT%H%M%SZ}",
        "DURATION:PT2H",
        f"SUMMARY:{title}",
        f"GEO:{at[0]:.6f};{at[1]:.6f}",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
    return "\r\n".join(lines)


def live(
    path: Path,
    atlas: Atlas,
    learned: Iterable[Fix | Signal],
    lived: Sequence[Fix | Signal],
    calendar: str = "",
    roads: Any = None,
) -> Heard:
    """A phone that kept `learned` takes `lived` as it comes, and looks as a live phone does. `roads`: instead of the map's."""
    with Store.open(path, node_id="phone") as store:
        person = store.add_person("Somebody")
        kept = list(learned)
        store.add_fixes(person.person_id, [i for i in kept if isinstance(i, Fix)], "recording")
        store.add_signals(person.person_id, [i for i in kept if isinstance(i, Signal)])
        given = equipment(CONFIG, atlas)
        if roads is not None:
            given["roads"] = roads
        heard = Heard(Brain(store, person, **given))
        brain, looked_s = heard.brain, lived[0].time_s
        if calendar:
            file = path.with_suffix(".ics")
            file.write_text(calendar)
            import_calendar(store, file, brain.life, atlas, Rules(()), looked_s)

        def consider(time_s: float) -> None:
            if not brain.due(time_s):
                return
            situation = brain.look(time_s)
            heard.looks.append(situation)
            found = brain.propose(situation)
            outcome = brain.decide(found, {}) if isinstance(found, Proposal) else found
            if isinstance(outcome, Suggestion):
                heard.said.append(outcome)
            else:
                heard.silent.append(outcome)

        for item in lived:
            pause_s = CALENDAR_LOOK_S * brain.rarer(looked_s)
            while looked_s + pause_s < item.time_s:
                looked_s += pause_s
                driving = bool(heard.looks) and heard.looks[-1].mode == "driving"
                if brain.expects(looked_s) and not driving:
                    consider(looked_s)
            if isinstance(item, Fix):
                brain.observe([item], [], "phone")
                consider(item.time_s)
            else:
                brain.observe([], [item], item.source)
            looked_s = max(looked_s, item.time_s)
    return heard
