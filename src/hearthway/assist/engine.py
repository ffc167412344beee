"""Situation -> Suggestion | Silence, for every need alike. `propose` needs no wait; `decide` has the waits and holds the gate.

Each look asks every need afresh. So what is held back under high driving load is said at the next calm moment if it
still stands then, and drops by itself when it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from hearthway.records import codec
from hearthway.records.company import TASTE, Companion
from hearthway.records.life import Place
from hearthway.records.poi import PoiIndex, RoadGraph
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Option, Reason, Silence, Suggestion
from hearthway.records.venue import Wait
from hearthway.sense.catalogue import WITH_CAR

from . import moment, needs
from .look import Look, Refusal, Weighed, furthest
from .memory import Memory
from .ranker import OTHERS, Ranker
from .settings import GateSettings
from .shape import AnyNeed, NameOf, Offer, Scene


class Proposal(Struct, frozen=True, kw_only=True):
    """A moment that may be worth a word: what the app fetches waits for, and what `decide` needs."""

    situation: Situation
    offers: tuple[tuple[AnyNeed, Offer], ...]

    @property
    def arrivals(self) -> dict[str, float]:
        """The POIs whose waits are worth fetching, and when one would be there (Unix seconds)."""
        return {osm_id: at_s for _, offer in self.offers for osm_id, at_s in offer.arrivals.items()}


Because = Callable[[Situation, Sequence[Place]], tuple[Reason, ...]]
PROBABLE_P = 0.05  # no word names a place that is less probable: `LEAST_P` asks for far more


def _without_company(situation: Situation) -> Situation:
    """The same without who rides along: a word that does not go by them keeps nothing of them."""
    used = tuple(one for one in situation.evidence if one.key not in (WITH_CAR, TASTE))
    return msgspec.structs.replace(situation, aboard=msgspec.UNSET, evidence=used)


def _by_calendar(situation: Situation) -> bool:
    """May it name a place that the calendar alone knows? That is called by the entry's words."""
    return any(not d.place.place_id and d.p >= PROBABLE_P for d in situation.destinations)


class Assistant:
    """Decides for one person whether to speak, and what to say. Holds no state between calls; another `ranker` may be set, and other `company`."""

    def __init__(
        self,
        person: str,
        *,
        pois: PoiIndex | None,
        roads: RoadGraph | None,
        name_of: NameOf | None = None,
        settings: GateSettings | None = None,
        synthetic: bool = False,
        among: Sequence[AnyNeed] | None = None,
        because: Because | None = None,
        ranker: Ranker | None = None,
    ) -> None:
        """`pois` and `roads` are None without a map; `name_of` names a destination from the map.

        `among`: the needs to ask (None: all that are installed). `because`: why the situation has one heading to these places.
        `ranker`: what others say yes to at such moments (None: nobody's answers tell, and a person's own counts alone rank).
        """
        self.person = person
        self.settings = settings or GateSettings()
        self._pois = pois
        self._roads = roads
        self._name_of = name_of
        self._synthetic = synthetic
        self._because = because
        self.ranker = ranker
        self.company: tuple[Companion, ...] = ()
        self._needs = tuple(needs.found() if among is None else among)
        if not self._needs:
            raise ValueError("An assistant asks at least one need: `among` is empty.")

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
        look = self._look(situation, memory)
        early = [(need, look.not_ready(need)) for need in self._needs]
        refused = [refusal for _, refusal in early if refusal is not None]
        ready = [need for need, refusal in early if refusal is None]
        quiet = look.asked_for_quiet() if ready else None
        if quiet is not None:
            return quiet
        offers = []
        for need in ready:
            offer = look.offer(need)
            if isinstance(offer, Refusal):
                refused.append(offer)
            else:
                offers.append((need, offer))
        if not offers:
            return furthest(refused)
        return Proposal(situation=situation, offers=tuple(offers))

    def decide(
        self, proposal: Proposal, waits: Mapping[str, Wait], memory: Memory
    ) -> Suggestion | Silence:
        """Of all that is worth a word at this moment, the one that is expected to win most."""
        look = self._look(proposal.situation, memory)
        quiet = look.asked_for_quiet()
        if quiet is not None:
            return quiet
        refused: list[Refusal] = []
        fit: list[Weighed] = []
        for need, offer in proposal.offers:
            one = look.weighed(need, offer, waits)
            if isinstance(one, Refusal):
                refused.append(one)
            else:
                fit.append(one)
        if not fit:
            return furthest(refused)
        best = max(fit, key=lambda one: (one.verdict.utility, -one.need.order))
        return self._suggestion(proposal.situation, best)

    def silences(self, situation: Situation, memory: Memory) -> dict[str, Silence]:
        """Each need's own reason for saying nothing at this moment, no wait known; a need that would speak has none."""
        look = self._look(situation, memory)
        quiet = look.asked_for_quiet()
        found: dict[str, Silence] = {}
        for need in self._needs:
            refusal = look.not_ready(need)
            if refusal is None and quiet is not None:
                found[need.name] = quiet
                continue
            if refusal is None:
                offer = look.offer(need)
                answer = offer if isinstance(offer, Refusal) else look.weighed(need, offer, {})
                refusal = answer if isinstance(answer, Refusal) else None
            if refusal is not None:
                found[need.name] = refusal.silence
        return found

    def scene(self, situation: Situation, memory: Memory) -> Scene:
        """What the needs may look at in this situation."""
        return Scene(
            situation,
            memory,
            self.settings,
            pois=self._pois,
            roads=self._roads,
            name_of=self._name_of,
            ranker=self.ranker,
            company=self.company,
        )

    def _look(self, situation: Situation, memory: Memory) -> Look:
        return Look(self.scene(situation, memory))

    def _suggestion(self, situation: Situation, best: Weighed) -> Suggestion:
        saying, verdict = best.saying, best.verdict
        if not best.need.by_company:
            situation = _without_company(situation)
        heading: tuple[Reason, ...] = ()
        if self._because is not None and saying.heading:
            heading = self._because(situation, saying.heading)
        suggestion = Suggestion(
            suggestion_id="",
            need=best.offer.topic,
            person=situation.person,
            time_s=situation.time_s,
            utc_offset_s=situation.utc_offset_s,
            headline=saying.headline,
            lines=(
                *saying.lines,
                *([moment.SYNTHETIC] if self._synthetic else []),
                moment.ANSWERS if saying.options else moment.ANSWERS_TO_NO_PLACE,
            ),
            options=saying.options,
            reasons=verdict.reasons,
            p_useful=verdict.p,
            p_before=best.offer.p_useful,
            utility=verdict.utility,
            threshold=verdict.threshold,
            propensity=1.0,  # the gate is a rule: in this situation it always speaks
            situation=situation,
            synthetic=self._synthetic,
            about=best.offer.about or msgspec.UNSET,
            until_s=saying.until_s,
            phone_only=saying.phone_only or _by_calendar(situation) or msgspec.UNSET,
            heading=heading or msgspec.UNSET,
            others=self._ranked_by(saying.options),
        )
        return msgspec.structs.replace(suggestion, suggestion_id=codec.digest(suggestion))

    def _ranked_by(self, options: Sequence[Option]) -> str | msgspec.UnsetType:
        """The student of others' answers that had a part in the order of these; unset where none had."""
        had = any(reason.feature == OTHERS for option in options for reason in option.reasons)
        return self.ranker.identity if self.ranker is not None and had else msgspec.UNSET
