"""One task on its way: who is asked when, whose answer counts, and what is called off. Events in, steps out.

This node begins at the latest when its own p95 still fits before the deadline, so a helper that vanishes, lies still or
is slow costs its head start and nothing else. The caller hears once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from .placement import HERE, Choice

CHECK_S = (
    10.0  # how long after its end the other answer is waited for, to be compared or learned of
)


class Side(Enum):
    """How far one of the two is."""

    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"
    OVER = "over"  # failed, or called off


@dataclass(frozen=True)
class Ask:
    """Send it to that device."""

    device: str


@dataclass(frozen=True)
class Compute:
    """Begin here."""


@dataclass(frozen=True)
class CallOff:
    """Its answer is not needed any more: a device, or HERE."""

    where: str


@dataclass(frozen=True)
class Answer:
    """The task is done."""

    output: bytes
    by: str


@dataclass(frozen=True)
class GiveUp:
    """Nobody did it in time."""

    why: str


@dataclass(frozen=True)
class Compared:
    """Both answered."""

    device: str
    same: bool


Step = Ask | Compute | CallOff | Answer | GiveUp | Compared


class Course:
    """From its beginning to its end; times are of one clock that is never set."""

    def __init__(
        self,
        choice: Choice,
        within_s: float,
        now_s: float,
        same: Callable[[bytes, bytes], bool],
    ) -> None:
        self._helper = choice.helper
        self._counts = choice.counts
        self._compares = choice.beside is not None
        self._learns = choice.learns
        self._same = same
        self._here_at_s = now_s + (choice.here_after_s if choice.where != HERE else 0.0)
        self._end_s = now_s + within_s
        self._until_s = self._end_s + (CHECK_S if self._compares or self._learns else 0.0)
        self._here, self._there = Side.IDLE, Side.IDLE
        self._own = self._theirs = b""
        self._why = ""
        self._told = False

    @property
    def over(self) -> bool:
        """Has the caller heard, and does nothing run any more?"""
        return self._told and Side.RUNNING not in (self._here, self._there)

    @property
    def next_s(self) -> float | None:
        """When `at` is to be called, if nothing is heard before."""
        if self.over:
            return None
        if self._told:
            return self._until_s
        return self._here_at_s if self._here is Side.IDLE else self._end_s

    def begin(self, now_s: float) -> list[Step]:
        """The first steps."""
        steps: list[Step] = []
        if self._helper is None:
            self._there = Side.OVER
        else:
            self._there = Side.RUNNING
            steps.append(Ask(self._helper))
        return steps + self.at(now_s)

    def at(self, now_s: float) -> list[Step]:
        """Time went on."""
        steps: list[Step] = []
        if not self._told and self._here is Side.IDLE and now_s >= self._here_at_s:
            self._here = Side.RUNNING
            steps.append(Compute())
        if not self._told and now_s >= self._end_s:
            steps += self._tell(GiveUp(self._why or "it took longer than it was of use"))
            steps += self._call_off()
        elif self._told and now_s >= self._until_s:
            steps += self._call_off()
        return steps

    def computed(self, output: bytes | None, why: str, now_s: float) -> list[Step]:
        """This node's own end; None with the reason where it failed."""
        if self._here is not Side.RUNNING:
            return []
        self._here = Side.OVER if output is None else Side.DONE
        self._own, self._why = output or b"", why or self._why
        return self._settle(now_s)

    def heard(self, output: bytes | None, why: str, now_s: float) -> list[Step]:
        """The helper's end; None with the reason where it refused, failed or is gone: this node begins at once."""
        if self._there is not Side.RUNNING:
            return []
        self._there = Side.OVER if output is None else Side.DONE
        self._theirs, self._why = output or b"", self._why or why
        steps: list[Step] = []
        if output is None and not self._told and self._here is Side.IDLE:
            self._here = Side.RUNNING
            steps.append(Compute())
        return steps + self._settle(now_s)

    def _settle(self, now_s: float) -> list[Step]:
        steps: list[Step] = []
        if not self._told:
            if self._here is Side.DONE:
                steps += self._tell(Answer(self._own, HERE))
            elif self._there is Side.DONE and self._counts:
                steps += self._tell(Answer(self._theirs, self._helper or HERE))
            elif self._here is Side.OVER and self._there is not Side.RUNNING:
                steps += self._tell(GiveUp(self._why or "no answer could be used"))
        if self._here is Side.DONE and self._there is Side.DONE and self._helper is not None:
            steps.append(Compared(self._helper, self._same(self._own, self._theirs)))
        waits = self._compares or (self._learns and self._here is Side.DONE)
        if self._told and not (waits and now_s < self._until_s):
            steps += self._call_off()
        if self._told and (self._here is Side.OVER or self._there is Side.OVER):
            steps += self._call_off()  # there is nothing to compare
        return steps

    def _tell(self, step: Step) -> list[Step]:
        self._told = True
        return [step]

    def _call_off(self) -> list[Step]:
        steps: list[Step] = []
        if self._here is Side.RUNNING:
            steps.append(CallOff(HERE))
        if self._there is Side.RUNNING and self._helper is not None:
            steps.append(CallOff(self._helper))
        if self._here in (Side.RUNNING, Side.IDLE):
            self._here = Side.OVER
        if self._there is Side.RUNNING:
            self._there = Side.OVER
        return steps
