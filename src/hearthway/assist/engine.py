"""Situation -> Suggestion | Silence. `propose` needs no wait; `decide` ranks with the waits and holds the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from hearthway.records import codec
from hearthway.records.life import Place
from hearthway.records.poi import OpenState, PoiIndex, RoadGraph
from hearthway.records.situation import Situation
from hearthway.records.suggestion import AnswerKind, Silence, Suggestion
from hearthway.records.venue import Wait

from . import gate, moment
from .candidates import Candidate, Found, eta_s, find
from .memory import Memory
from .need import Need, living, usable, words_of
from .rank import BEST_OPTION_MIN, best, option_of
from .settings import GateSettings
from .silences import silence
from .target import Target, find_target
from .taste import taste_of

NameOf = Callable[[float, float], "str | None"]


class Proposal(Struct, frozen=True, kw_only=True):
    """A moment that may be worth a word: what the app fetches waits for, and what `decide` needs."""

    situation: Situation
    need: Need
    place: Place
    heading: str  # "Forum", "near Forum", or empty
    shared: bool  # other probable destinations lie in the same area
    p_destination: float  # of the place itself
    p_area: float  # of every destination that shares its options
    p_useful: float  # destination in the area and need there, before the person's offset
    eta_s: float
    distance_m: float
    candidates: tuple[Candidate, ...]
    known_open: int
    closed: int

    @property
    def arrivals(self) -> dict[str, float]:
        """The POIs whose waits are worth fetching, and when one would be there (Unix seconds)."""
        return {c.poi.osm_id: c.arrive_s for c in self.candidates}


class Assistant:
    """Decides for one person whether to speak, and what to say. Holds no state between calls."""

    def __init__(
        self,
        person: str,
        *,
        pois: PoiIndex | None,
        roads: RoadGraph | None,
        name_of: NameOf | None = None,
        settings: GateSettings | None = None,
        synthetic: bool = False,
    ) -> None:
        """`pois` and `roads` are None without a map; `name_of` names a destination from the map."""
        self.person = person
        self.settings = settings or GateSettings()
        self._pois = pois
        self._roads = roads
        self._name_of = name_of
        self._synthetic = synthetic

    def consider(
        self, situation: Situation, memory: Memory, waits: Mapping[str, Wait] | None = None
    ) -> Suggestion | Silence:
        """`propose`, then `decide` with the waits known."""
        proposal = self.propose(situation, memory)
        if isinstance(proposal, Silence):
            return proposal
        return self.decide(proposal, waits or {}, memory)

    def propose(self, situation: Situation, memory: Memory) -> Proposal | Silence:
        """Is there anything to say at all? The cheap questions first, the map last."""
        settings = self.settings
        if situation.mode != "driving":
            return silence(situation, "not-driving")
        if not usable(situation, settings):
            return silence(situation, "no-routine-yet")
        if not situation.destinations or situation.p_new > 1.0 - settings.min_destination_p:
            return silence(situation, "unknown-destination")
        if self._pois is None:
            return silence(situation, "needs-a-map")
        quiet = self._asked_for_quiet(situation, memory)
        if quiet is not None:
            return quiet
        target = find_target(situation, memory, settings)
        if isinstance(target, Silence):
            return target
        if not self._pois.covers(target.place.lat, target.place.lon):
            return silence(situation, "off-map")
        repeated = self._repeated(situation, memory, target.need.name)
        if repeated is not None:
            return repeated
        seconds, route = eta_s(situation, target.place, self._roads)
        bound = self._weigh(situation, memory, target.p_useful, seconds, BEST_OPTION_MIN)
        hopeless = self._not_now(situation, bound, seconds)
        if hopeless is not None:
            return hopeless
        taste = taste_of(memory, situation.time_s, living(situation))
        found = find(
            situation,
            target.place,
            route,
            pois=self._pois,
            roads=self._roads,
            taste=taste,
            unwanted=memory.unwanted(),
            settings=settings,
        )
        if not found.candidates:
            return silence(situation, "nothing-open" if found.closed else "no-places-near")
        at_best = max(
            option_of(c, Wait(osm_id=c.poi.osm_id, minutes=0.0), taste).utility
            for c in found.candidates
        )
        bound = self._weigh(situation, memory, target.p_useful, seconds, at_best)
        hopeless = self._not_now(situation, bound, seconds)
        if hopeless is not None:  # whatever the waits are: nobody need be asked for one
            return hopeless
        return self._proposal(situation, target, found, seconds, route.distance_m)

    def decide(
        self, proposal: Proposal, waits: Mapping[str, Wait], memory: Memory
    ) -> Suggestion | Silence:
        """Rank with the waits, then speak only where it is expected to win."""
        situation, settings = proposal.situation, self.settings
        quiet = self._asked_for_quiet(situation, memory)
        if quiet is not None:
            return quiet
        repeated = self._repeated(situation, memory, proposal.need.name)
        if repeated is not None:
            return repeated
        taste, unwanted = taste_of(memory, situation.time_s, living(situation)), memory.unwanted()
        options = best(
            [
                option_of(c, waits.get(c.poi.osm_id) or Wait(osm_id=c.poi.osm_id), taste)
                for c in proposal.candidates
                if c.poi.osm_id not in unwanted
            ],
            settings.max_options,
        )
        if not options:
            return silence(situation, "no-places-near")
        first = max(options, key=lambda o: o.utility)
        need = proposal.need
        verdict = self._weigh(
            situation,
            memory,
            proposal.p_useful,
            proposal.eta_s,
            first.utility,
            p_words=f" (heading there {proposal.p_area:.2f}, {need.name} then {need.p:.2f}:"
            f" {words_of(need)})",
            option_words=f"{moment.plain(first.poi.name)}: {first.utility:+.1f} min",
        )
        unfit = self._not_now(situation, verdict, proposal.eta_s)
        if unfit is not None:
            return unfit
        unknown = sum(o.opening.state is OpenState.UNKNOWN for o in options)
        lines = [
            moment.routine_line(need, proposal.known_open, len(options) - unknown, unknown),
            *moment.option_lines(options),
            moment.battery_line(situation.battery),
            *([moment.SYNTHETIC] if self._synthetic else []),
            moment.ANSWERS,
        ]
        suggestion = Suggestion(
            suggestion_id="",
            need=need.name,
            person=situation.person,
            time_s=situation.time_s,
            utc_offset_s=situation.utc_offset_s,
            headline=moment.headline(
                situation,
                proposal.place,
                proposal.heading,
                proposal.p_area,
                proposal.distance_m,
                shared=proposal.shared,
            ),
            lines=tuple(lines),
            options=options,
            reasons=verdict.reasons,
            p_useful=verdict.p,
            utility=verdict.utility,
            threshold=verdict.threshold,
            propensity=1.0,  # the gate is a rule: in this situation it always speaks
            situation=situation,
            synthetic=self._synthetic,
        )
        return msgspec.structs.replace(suggestion, suggestion_id=codec.digest(suggestion))

    def _asked_for_quiet(self, situation: Situation, memory: Memory) -> Silence | None:
        quieting = {AnswerKind.NOT_NOW: "not-now", AnswerKind.DISMISS: "dismissed"}
        for note in reversed(memory.answers):
            recent = 0 <= situation.time_s - note.time_s < self.settings.not_now_s
            if recent and note.kind in quieting:
                return silence(situation, quieting[note.kind])
        if gate.said_today(situation, memory) >= self.settings.daily_budget:
            return silence(situation, "budget")
        return None

    def _repeated(self, situation: Situation, memory: Memory, need: str) -> Silence | None:
        start_s = situation.trip_start_s
        for note in memory.said:
            recent = 0 <= situation.time_s - note.time_s < self.settings.repeat_s
            this_trip = start_s is not None and start_s <= note.time_s <= situation.time_s
            if note.need == need and (recent or this_trip):
                return silence(situation, "said-already")
        return None

    def _weigh(
        self,
        situation: Situation,
        memory: Memory,
        p: float,
        lead_s: float,
        option_utility: float,
        *,
        p_words: str = "",
        option_words: str = "",
    ) -> gate.Verdict:
        return gate.weigh(
            situation,
            memory,
            self.settings,
            p=gate.shift(p, memory.offset(situation.time_s)),
            lead_s=lead_s,
            option_utility=option_utility,
            p_words=p_words,
            option_words=option_words,
        )

    def _not_now(
        self, situation: Situation, verdict: gate.Verdict, lead_s: float
    ) -> Silence | None:
        """Why not to speak at this instant, if the best that can be said is worth `verdict`."""
        if not verdict.speaks:
            return self._not_worth(situation, verdict)
        code = None
        if lead_s > self.settings.max_lead_s:
            code = "too-far"
        elif lead_s < self.settings.min_lead_s:
            code = "too-late"
        elif gate.driving_load(situation) > self.settings.max_load:
            code = "high-driving-load"
        elif verdict.wait_gain_min > 0:
            code = "too-early"
        if code is None:
            return None
        return silence(situation, code, utility=verdict.utility, threshold=verdict.threshold)

    def _not_worth(self, situation: Situation, verdict: gate.Verdict) -> Silence:
        return silence(
            situation,
            "not-worth-interrupting",
            detail=f"Useful with p {verdict.p:.2f}; {min(1.0, verdict.p_needed):.2f} is needed.",
            utility=verdict.utility,
            threshold=verdict.threshold,
        )

    def _heading(self, target: Target) -> str:
        """The name of the destination on the map, or of the nearest probable one that has a name."""
        if self._name_of is None:
            return ""
        here = moment.plain(self._name_of(target.place.lat, target.place.lon) or "")
        if here or target.place.label:
            return here
        names = (moment.plain(self._name_of(p.lat, p.lon) or "") for p in target.area)
        return next((f"near {name}" for name in names if name), "")

    def _proposal(
        self, situation: Situation, target: Target, found: Found, eta: float, distance: float
    ) -> Proposal:
        return Proposal(
            situation=situation,
            need=target.need,
            place=target.place,
            heading=self._heading(target),
            shared=len(target.area) > 1,
            p_destination=target.p,
            p_area=target.p_area,
            p_useful=min(1.0, target.p_useful),
            eta_s=eta,
            distance_m=distance,
            candidates=found.candidates,
            known_open=found.known_open,
            closed=found.closed,
        )
