"""A car that drives from one network and load into the next: the placement follows within a few tasks.

The world is a model with the shape that bench/offload.py measures: time is a line over size, twice as steep and more on a busy
phone, plus a round trip and bytes over a rate, all with noise. The protocol is the bench's.
"""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import dataclass, field

import pytest

from hearthway.mesh.offload.placement import HERE, Helper, Placement, Weights, Wish
from hearthway.records.offload import Job, Terms

JOB = Job("detours", "a" * 32)
SIZES, WARM = (10, 40, 120, 360, 720), (40, 360, 120, 720)
STATES = [(d, r, b) for d in (0.002, 0.02, 0.08) for r in (1e6, 6e6, 25e6) for b in (False, True)]


@dataclass
class Took:
    """Of one task, had it been computed there: seconds."""

    here_s: float
    compute_s: float
    rtt_s: float
    way_s: float
    back_bytes: int

    @property
    def phone_s(self) -> float:
        return self.compute_s + self.rtt_s + self.way_s


@dataclass
class Drive:
    """A placement, its clock, and the world it is in: seconds each way, bytes a second, is the phone busy."""

    rng: random.Random
    placement: Placement = field(init=False)
    now_s: float = 100.0
    state: tuple[float, float, bool] = STATES[0]

    def __post_init__(self) -> None:
        self.placement = Placement(Weights(), self.rng)

    def took(self, size: int) -> Took:
        delay_s, rate, busy = self.state
        noise = [math.exp(self.rng.gauss(0.0, s)) for s in (0.08, 0.12 if busy else 0.08, 0.2)]
        back_bytes = 10 + 31 * size
        return Took(
            here_s=(0.017 + 0.0033 * size) * noise[0],
            compute_s=(0.004 + (0.0023 if busy else 0.0006) * size) * noise[1],
            rtt_s=2 * delay_s + 0.001,
            way_s=0.003 * noise[2] + (60 + 19 * size + back_bytes) / rate,
            back_bytes=back_bytes,
        )

    def placed_s(self, size: int) -> float:
        """A task where the placement puts it, and what is learned of it."""
        took, wish = self.took(size), Wish(JOB, float(size), 60 + 19 * size, 60.0)
        if not self.placement.knows_terms("phone", self.now_s):
            self.placement.told("phone", Terms(jobs=(JOB,)), self.now_s)
        choice = self.placement.place(wish, {"phone": Helper(took.rtt_s)}, self.now_s)
        own_s = took.here_s + (choice.here_after_s if choice.where != HERE else 0.0)
        both = choice.beside is not None
        if choice.where == HERE or both or own_s < took.phone_s:
            self.placement.learn_here(wish, took.here_s)
        if both or (choice.where != HERE and (choice.learns or took.phone_s <= own_s)):
            self.placement.learn(
                wish,
                "phone",
                compute_s=took.compute_s,
                waited_s=0.0,
                total_s=took.phone_s,
                rtt_s=took.rtt_s,
                back_bytes=took.back_bytes,
                now_s=self.now_s + took.phone_s,
                chosen=choice.where != HERE,
            )
        if both:
            self.placement.compared(JOB, "phone", same=True)
        counts = choice.helper is not None and choice.counts
        spent_s = min(own_s, took.phone_s) if counts else own_s
        self.now_s += spent_s
        return spent_s

    def regret(self, size: int) -> float:
        """Of three tasks, beside the better of all three here and all three at the phone."""
        pinned = [self.took(size) for _ in range(3)]
        placed_s = math.fsum(self.placed_s(size) for _ in range(3))
        here_s = math.fsum(one.here_s for one in pinned)
        phone_s = math.fsum(one.phone_s for one in pinned)
        self.now_s += here_s + phone_s
        return max(0.0, placed_s / min(here_s, phone_s) - 1.0)


def regret(seed: int) -> float:
    """Mean of all states and sizes, in an order of its own."""
    drive = Drive(random.Random(seed))
    for size in WARM * 2:
        drive.placed_s(size)
    regrets = []
    for state in drive.rng.sample(STATES, len(STATES)):
        drive.state = state
        for size in WARM:
            drive.placed_s(size)
        regrets += [drive.regret(size) for size in SIZES]
    return statistics.fmean(regrets)


def test_after_a_change_of_network_or_load_it_is_soon_right_again() -> None:
    """Noise alone costs 2 to 3 %; a tail that kept the misses of each change cost 15 % and more."""
    regrets = [regret(seed) for seed in range(8)]
    assert statistics.fmean(regrets) < 0.07
    assert max(regrets) < 0.1


@pytest.mark.parametrize("state", [STATES[0], STATES[9], STATES[13]])
def test_where_nothing_changes_95_of_100_answers_are_within_its_p95(
    state: tuple[float, float, bool],
) -> None:
    drive, within = Drive(random.Random(3), state=state), []
    for number in range(1200):
        size, now_s = SIZES[number % len(SIZES)], drive.now_s
        took, wish = drive.took(size), Wish(JOB, float(size), 60 + 19 * size, 60.0)
        if number >= 200:
            p95_s = drive.placement.place(wish, {"phone": Helper(took.rtt_s)}, now_s).p95_s
            within.append(took.phone_s <= p95_s["phone"])
        drive.placed_s(size)
    assert 0.92 <= statistics.fmean(within) <= 0.98
