"""One look at one situation: what the engine asks of each need, and what the gate says to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from msgspec import Struct

from hearthway.records.suggestion import AnswerKind, Silence
from hearthway.records.venue import Wait

from . import gate
from .memory import first_kind, since
from .settings import ONE_AT_A_TIME_S
from .shape import Aim, AnyNeed, Offer, Saying, Scene, Unfit
from .silences import silence


class Step(IntEnum):
    """How far a need came before it fell silent."""

    COULD_MATTER, KNOWS, AIMS, WEIGHED = range(4)


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a need says nothing."""

    need: AnyNeed
    step: Step
    silence: Silence


class Weighed(Struct, frozen=True, kw_only=True):
    """What a need may say now, and what the gate expects of it."""

    need: AnyNeed
    offer: Offer
    saying: Saying
    verdict: gate.Verdict


def furthest(refused: Sequence[Refusal]) -> Silence:
    """The reason of the need that came nearest to speaking."""
    return max(refused, key=lambda r: (r.step, -r.need.order)).silence


class Look:
    """Asks needs about one scene. Holds nothing beyond it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.settings = scene.settings

    def asked_for_quiet(self) -> Silence | None:
        """Why nothing at all may be said, whatever the need."""
        situation = self.scene.situation
        quieting = {AnswerKind.NOT_NOW: "not-now", AnswerKind.DISMISS: "dismissed"}
        lately = since(self.scene.memory.answers, situation.time_s - self.settings.not_now_s)
        for note in reversed(lately):
            recent = 0 <= situation.time_s - note.time_s < self.settings.not_now_s
            if recent and note.kind in quieting:
                return silence(situation, quieting[note.kind])
        if gate.said_today(situation, self.scene.memory) >= self.settings.daily_budget:
            return silence(situation, "budget")
        return None

    def not_ready(self, need: AnyNeed) -> Refusal | None:
        """The cheap questions: could it matter, and does it know what it must?"""
        idle = need.could_matter(self.scene)
        if idle is not None:
            return self._refusal(need, Step.COULD_MATTER, idle)
        missing = next((fact for fact in need.must_know if not fact.known(self.scene)), None)
        if missing is None:
            return None
        return self._refusal(need, Step.KNOWS, Unfit(code=missing.code))

    def offer(self, need: AnyNeed) -> Offer | Refusal:
        """What the need would say at best, unless the gate refuses even that."""
        aim = need.aim(self.scene)
        if isinstance(aim, Unfit):
            return self._refusal(need, Step.AIMS, aim)
        repeated = self._repeated(need, aim)
        if repeated is not None:
            return repeated
        lead_s = need.lead_s(self.scene, aim)
        bound = self._weigh(need, aim, lead_s, aim.at_most_min)
        hopeless = self._not_now(need, bound, lead_s)
        if hopeless is not None:
            return hopeless
        offer: Offer | Unfit = need.propose(self.scene, aim)
        if isinstance(offer, Unfit):
            return self._refusal(need, Step.AIMS, offer)
        bound = self._weigh(need, offer, offer.lead_s, offer.at_best_min)
        # Where this is hopeless it is so whatever the waits are: nobody need be asked for one.
        return self._not_now(need, bound, offer.lead_s) or offer

    def weighed(self, need: AnyNeed, offer: Offer, waits: Mapping[str, Wait]) -> Weighed | Refusal:
        """What the need says with the waits known, if the gate lets it speak now."""
        repeated = self._repeated(need, offer)
        if repeated is not None:
            return repeated
        saying: Saying | Unfit = need.decide(self.scene, offer, waits)
        if isinstance(saying, Unfit):
            return self._refusal(need, Step.AIMS, saying)
        verdict = self._weigh(
            need,
            offer,
            offer.lead_s,
            saying.worth_min,
            kind=first_kind(saying.options),
            p_words=saying.p_words,
            option_words=saying.worth_words,
        )
        unfit = self._not_now(need, verdict, offer.lead_s)
        return unfit or Weighed(need=need, offer=offer, saying=saying, verdict=verdict)

    def _repeated(self, need: AnyNeed, word: Aim | Offer) -> Refusal | None:
        situation = self.scene.situation
        start_s = situation.trip_start_s
        repeat_s = self.settings.repeat_s if need.repeat_s is None else need.repeat_s
        first_s = situation.time_s - max(repeat_s, ONE_AT_A_TIME_S)
        first_s = first_s if start_s is None else min(first_s, start_s)
        for note in since(self.scene.memory.said, first_s):
            age_s = situation.time_s - note.time_s
            this_trip = start_s is not None and start_s <= note.time_s <= situation.time_s
            same = note.need == word.topic and note.about == word.about
            if same and (0 <= age_s < repeat_s or this_trip):
                return self._refusal(need, Step.WEIGHED, Unfit(code="said-already"))
            if note.need not in need.topics and 0 <= age_s < ONE_AT_A_TIME_S:
                return self._refusal(need, Step.WEIGHED, Unfit(code="one-at-a-time"))
        return None

    def _weigh(
        self,
        need: AnyNeed,
        word: Aim | Offer,
        lead_s: float,
        worth_min: float,
        *,
        kind: str | None = None,
        p_words: str = "",
        option_words: str = "",
    ) -> gate.Verdict:
        """`kind` is that of the POI put first; as long as that is open (None), the one this person likes best is assumed."""
        situation, memory = self.scene.situation, self.scene.memory
        return gate.weigh(
            situation,
            memory,
            self.settings,
            p=gate.shift(word.p_useful, memory.offset(situation.time_s, word.topic, kind)),
            lead_s=lead_s,
            option_utility=worth_min,
            p_words=p_words,
            option_words=option_words,
            early_min=need.early_min,
            early_words=need.early_words,
            p_way=word.p_way,
        )

    def _not_now(self, need: AnyNeed, verdict: gate.Verdict, lead_s: float) -> Refusal | None:
        """Why not to speak at this instant, if the best that can be said is worth `verdict`."""
        code, detail = None, ""
        if not verdict.speaks:
            code = "not-worth-interrupting"
            needed = min(1.0, verdict.p_needed)
            detail = f"Useful with p {verdict.p:.2f}; {needed:.2f} is needed."
        elif lead_s > self.settings.max_lead_s:
            code = "too-far"
        elif lead_s < self.settings.min_lead_s:
            code = "too-late"
        elif gate.driving_load(self.scene.situation) > self.settings.max_load:
            code = "high-driving-load"
        elif verdict.wait_gain_min > 0:
            code = "too-early"
        elif (turn_s := self._turn_s()) is not None:
            code, detail = "high-driving-load", f"The way turns in {turn_s:.0f} s."
        if code is None:
            return None
        return self._refusal(need, Step.WEIGHED, Unfit(code=code, detail=detail), verdict)

    def _turn_s(self) -> float | None:
        """Seconds to a turn of the way ahead that is too near for a word."""
        seconds = self.scene.turn_s(gate.TURN_FAR_S)
        if seconds is None or gate.load_before_turn(seconds) <= self.settings.max_load:
            return None
        return seconds

    def _refusal(
        self, need: AnyNeed, step: Step, unfit: Unfit, verdict: gate.Verdict | None = None
    ) -> Refusal:
        return Refusal(
            need=need,
            step=step,
            silence=silence(
                self.scene.situation,
                unfit.code,
                words=need.silences,
                detail=unfit.detail,
                utility=None if verdict is None else verdict.utility,
                threshold=None if verdict is None else verdict.threshold,
            ),
        )
