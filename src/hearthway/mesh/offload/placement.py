"""Which device computes a task: the one whose p95 of waiting, computing and carrying, plus its energy, is least, or one that is usually sooner.

No socket and no clock: times are arguments, so it can be replayed. What a device may not do is a constraint and no
price: it is left out, with the reason. Who was chosen stays until another is better by `Weights.stick`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hearthway.records.offload import INPUT_MAX_BYTES, Job, Terms

from .estimate import Line, Tail

HERE = ""  # this node, where a device is named
PROVEN = 3  # answers that were the same as our own before one of that device counts
PROBE_S, PROBE_MAX_S = 5.0, 60.0  # how long nothing is learned of a helper that is not chosen
OTHER_RTT, OTHER_RTT_S = (
    1.5,
    0.003,
)  # so much longer or shorter, the network is another one: look again
DOUBT_S, DOUBT_MAX_S = 1.0, 60.0  # how long one that did not answer is left alone
TERMS_OLD_S = 60.0


@dataclass(frozen=True)
class Weights:
    """What the owner chooses."""

    quantile: float = 0.95
    s_per_joule: float = 0.0  # lambda: seconds that a joule out of a battery is worth
    battery_floor_pct: float = 30.0
    heat_max_c: float = 75.0
    stick: float = 0.1  # another device must be so much better (its share) to be chosen instead
    patience: float = 0.04  # of the own forecast: how long a helper has before this node begins too
    check: float = 1 / 16  # of a proven helper's tasks are computed here as well, and compared


@dataclass(frozen=True)
class Wish:
    """A task, as far as its place depends on it. `size` is in units of its job's own."""

    job: Job
    size: float
    sent_bytes: int
    within_s: float


@dataclass(frozen=True)
class Helper:
    """A device that is reached now; `why_not` is why the owner's rules keep this task from it, or ""."""

    rtt_s: float = 0.0
    why_not: str = ""


@dataclass(frozen=True)
class Choice:
    """`where` computes. `beside` does so too, to be learned of, compared, or both; HERE begins after `here_after_s`.

    `learns`: the other device is heard out though this node was first, since nothing was learned of it lately.
    """

    where: str
    beside: str | None = None
    here_after_s: float = 0.0
    learns: bool = False
    counts: bool = True  # may the answer of another device be used before it was compared?
    p95_s: Mapping[str, float] = field(default_factory=dict)
    joules: Mapping[str, float] = field(default_factory=dict)
    why_not: Mapping[str, str] = field(default_factory=dict)

    @property
    def helper(self) -> str | None:
        """The other device that is asked, if one is."""
        return self.where if self.where != HERE else self.beside


@dataclass
class _Known:
    """What was learned of one device and job."""

    compute: Line = field(default_factory=Line)
    back_bytes: Line = field(default_factory=Line)
    tail: Tail = field(default_factory=Tail)
    same: int = 0
    learned_s: float = -math.inf
    probe_s: float = PROBE_S
    rtt_s: float = 0.0


@dataclass
class _Device:
    way: Line = field(default_factory=Line)  # seconds over bytes both ways, beside the round trip
    terms: Terms | None = None
    terms_s: float = -math.inf
    lied: str = ""
    doubts: int = 0
    doubted_until_s: float = -math.inf
    jobs: dict[Job, _Known] = field(default_factory=dict)

    def known(self, job: Job) -> _Known:
        return self.jobs.setdefault(job, _Known())


class Placement:
    """One node's knowledge of who computes what how fast."""

    def __init__(self, weights: Weights, rng: random.Random) -> None:
        self.weights = weights
        self._rng = rng
        self._devices: dict[str, _Device] = {HERE: _Device()}
        self._chosen: dict[tuple[Job, int], str] = {}

    # -- choosing ------------------------------------------------------------------------------

    def place(self, wish: Wish, helpers: Mapping[str, Helper], now_s: float) -> Choice:
        """Who computes it. This node always can, so there is always an answer."""
        why_not = {
            name: self._why_not(wish, name, helper, now_s) for name, helper in helpers.items()
        }
        open_to = {name: helpers[name] for name in sorted(helpers) if not why_not[name]}
        usual_s, p95_s, joules = {}, {}, {}
        for name in (HERE, *open_to):
            rtt_s = helpers[name].rtt_s if name != HERE else 0.0
            forecast_s = self.forecast_s(wish, name, rtt_s, now_s)
            if forecast_s is not None:
                tail = self._devices[name].known(wish.job).tail
                p95_s[name] = forecast_s * tail.quantile(self.weights.quantile)
                joules[name] = self._joules(wish, name)
                usual_s[name] = forecast_s
        where = self._least(wish, p95_s, joules)
        sure = where != HERE
        choice = Choice(
            where=where if sure else self._usually(wish, usual_s, joules),
            p95_s=p95_s,
            joules=joules,
            why_not={name: why for name, why in why_not.items() if why},
        )
        return self._beside(choice, wish, open_to, now_s, sure=sure)

    def forecast_s(self, wish: Wish, name: str, rtt_s: float, now_s: float) -> float | None:
        """Seconds until its answer, as its line says; None where that is not known."""
        device = self._devices[name]
        known = device.known(wish.job)
        compute_s = known.compute.at(wish.size)
        if compute_s is None:
            return None
        waiting_s = self._waiting_s(device, now_s)
        if name == HERE:
            return waiting_s + compute_s
        back = known.back_bytes.at(wish.size)
        way_s = None if back is None else device.way.at(wish.sent_bytes + back)
        return None if way_s is None else waiting_s + compute_s + rtt_s + way_s

    def _waiting_s(self, device: _Device, now_s: float) -> float:
        if device.terms is None:
            return 0.0
        return max(0.0, device.terms.waiting_s - max(0.0, now_s - device.terms_s))

    def _why_not(self, wish: Wish, name: str, helper: Helper, now_s: float) -> str:
        """Which constraint keeps it from that device; "" where none does."""
        device = self._devices.setdefault(name, _Device())
        if helper.why_not:
            return helper.why_not
        if device.lied:
            return device.lied
        if now_s < device.doubted_until_s:
            return "it did not answer lately"
        if wish.sent_bytes > INPUT_MAX_BYTES:
            return "the task is too large to send"
        terms = device.terms
        if terms is None or now_s - device.terms_s > TERMS_OLD_S:
            return "it has not said lately what it computes for others"
        return (
            terms.why_not
            or self.refusal(terms)
            or ("" if wish.job in terms.jobs else f"it has not the same {wish.job.kind}")
        )

    def refusal(self, terms: Terms) -> str:
        """Why a device in that state is left alone, by this node's own limits; "" where it is not."""
        battery, heat = terms.battery_pct, terms.heat_c
        floor = self.weights.battery_floor_pct
        if terms.on_battery is not False and battery is not None and battery < floor:
            return f"its battery has {battery:.0f} %, and {floor:.0f} % are kept"
        if heat is not None and heat > self.weights.heat_max_c:
            return f"it has {heat:.0f} degrees, and {self.weights.heat_max_c:.0f} are allowed"
        return ""

    def _joules(self, wish: Wish, name: str) -> float:
        """Out of a battery; 0 where it hangs on the mains, and where its power is unknown."""
        device = self._devices[name]
        compute_s = device.known(wish.job).compute.at(wish.size)
        terms = device.terms
        if terms is None or terms.watts is None or terms.on_battery is False or compute_s is None:
            return 0.0
        return terms.watts * compute_s

    def _least(
        self,
        wish: Wish,
        p95_s: Mapping[str, float],
        joules: Mapping[str, float],
    ) -> str:
        """The least cost among this node and proven helpers; whoever was chosen last is given up for a better one only."""
        cost = self._costs(wish, p95_s, joules)
        if not cost:
            return HERE
        best = min(cost, key=lambda name: (cost[name], name))
        at = (wish.job, int(math.log2(max(wish.size, 1.0))))
        last = self._chosen.get(at, best)
        if last in cost and cost[best] > (1.0 - self.weights.stick) * cost[last]:
            best = last
        self._chosen[at] = best
        return best

    def _usually(
        self, wish: Wish, usual_s: Mapping[str, float], joules: Mapping[str, float]
    ) -> str:
        """A helper that by its forecast alone is sooner and better, though its p95 is not the least; HERE where none is."""
        cost = self._costs(wish, usual_s, joules)
        best = min(cost, key=lambda name: (cost[name], name), default=HERE)
        if best == HERE or usual_s[best] >= usual_s[HERE]:  # what only spares energy spares none so
            return HERE
        return best if cost[best] < (1.0 - self.weights.stick) * cost[HERE] else HERE

    def _costs(
        self, wish: Wish, seconds: Mapping[str, float], joules: Mapping[str, float]
    ) -> dict[str, float]:
        """Of this node and of proven helpers, in seconds; nothing before this node's own are known."""
        if HERE not in seconds:
            return {}
        return {
            name: seconds[name] + self.weights.s_per_joule * joules[name]
            for name in seconds
            if name == HERE or self._devices[name].known(wish.job).same >= PROVEN
        }

    def _beside(
        self,
        choice: Choice,
        wish: Wish,
        open_to: Mapping[str, Helper],
        now_s: float,
        *,
        sure: bool,
    ) -> Choice:
        """Who else computes it: this node for a helper's deadline, at once unless that is `sure`; a helper that there is something to learn of."""
        if choice.where != HERE:
            own_s = self._devices[HERE].known(wish.job).compute.at(wish.size) or 0.0
            slack_s = wish.within_s - choice.p95_s[HERE]
            head_start_s = max(0.0, min(self.weights.patience * own_s, slack_s))
            checked = self._rng.random() < self.weights.check
            return replace(
                choice,
                beside=HERE if checked else None,
                here_after_s=head_start_s if sure and not checked else 0.0,
                learns=self._due(wish, choice.where, open_to[choice.where], now_s),
            )
        for name, helper in open_to.items():
            proven = self._devices[name].known(wish.job).same >= PROVEN
            if not proven or self._due(wish, name, helper, now_s):
                return replace(choice, beside=name, counts=proven)
        return choice

    def _due(self, wish: Wish, name: str, helper: Helper, now_s: float) -> bool:
        """Was nothing learned of that helper lately, or is it reached by another network since?"""
        known = self._devices[name].known(wish.job)
        return now_s - known.learned_s >= known.probe_s or _other(helper.rtt_s, known.rtt_s)

    # -- learning ------------------------------------------------------------------------------

    def told(self, name: str, terms: Terms, now_s: float) -> None:
        """What a device says of itself; of this node (HERE) only its power counts."""
        device = self._devices.setdefault(name, _Device())
        figures = (terms.waiting_s, terms.battery_pct, terms.heat_c, terms.watts)
        known = all(figure is None or math.isfinite(figure) for figure in figures)
        if not known or (terms.watts or 0.0) < 0.0:  # whose work saved energy would get it all
            terms = Terms(why_not="what it says of itself cannot be")
        device.terms, device.terms_s = terms, now_s

    def knows_terms(self, name: str, now_s: float) -> bool:
        """Were they said lately?"""
        device = self._devices.get(name)
        return device is not None and now_s - device.terms_s <= TERMS_OLD_S / 2

    def learn_here(self, wish: Wish, compute_s: float) -> None:
        """This node computed it in so many seconds, without waiting."""
        known = self._devices[HERE].known(wish.job)
        expected_s = known.compute.at(wish.size)
        if expected_s is not None and known.tail.learn(compute_s / expected_s):
            known.compute.forget()
        known.compute.learn(wish.size, compute_s)

    def learn(
        self,
        wish: Wish,
        name: str,
        *,
        compute_s: float,
        waited_s: float,
        total_s: float,
        rtt_s: float,
        back_bytes: int,
        now_s: float,
        chosen: bool,
    ) -> None:
        """That device answered after `total_s`. `chosen`: it was asked for its answer, not to be learned of."""
        device = self._devices.setdefault(name, _Device())
        known = device.known(wish.job)
        compute_s = min(max(compute_s, 0.0), total_s)
        waited_s = min(max(waited_s, 0.0), total_s - compute_s)
        expected_s = self.forecast_s(wish, name, rtt_s, now_s - total_s)
        if expected_s is not None and known.tail.learn(total_s / expected_s):
            known.compute.forget()
            device.way.forget()
        known.compute.learn(wish.size, compute_s)
        known.back_bytes.learn(wish.size, float(back_bytes))
        way_s = total_s - compute_s - waited_s - rtt_s
        device.way.learn(wish.sent_bytes + back_bytes, max(way_s, 1e-4))
        known.learned_s, known.rtt_s = now_s, rtt_s
        again = chosen or known.same < PROVEN
        known.probe_s = PROBE_S if again else min(2.0 * known.probe_s, PROBE_MAX_S)
        device.doubts, device.doubted_until_s = 0, -math.inf

    def missed(self, name: str, now_s: float) -> None:
        """It did not answer: it is left alone, each time longer."""
        device = self._devices.setdefault(name, _Device())
        device.doubted_until_s = now_s + min(DOUBT_S * 2.0**device.doubts, DOUBT_MAX_S)
        device.doubts = min(device.doubts + 1, 10)

    def compared(self, job: Job, name: str, *, same: bool) -> None:
        """Its answer and this node's own: one that differs is the last that it is asked for, until a restart."""
        device = self._devices.setdefault(name, _Device())
        if same:
            device.known(job).same += 1
        else:
            self.distrust(name, "its answer was another than this node's own")

    def distrust(self, name: str, why: str) -> None:
        """It is asked for nothing more, until a restart."""
        self._devices.setdefault(name, _Device()).lied = why

    def came(self, name: str) -> None:
        """It is reached again: what it was doubted for is over, what it lied is not."""
        if name in self._devices:
            device = self._devices[name]
            device.doubts, device.doubted_until_s, device.terms_s = 0, -math.inf, -math.inf


def _other(rtt_s: float, before_s: float) -> bool:
    """Is that the round trip of another network?"""
    low_s, high_s = sorted((rtt_s, before_s))
    return high_s - low_s > OTHER_RTT_S and high_s > OTHER_RTT * low_s
