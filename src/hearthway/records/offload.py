"""A task that another node of the household may compute: what is asked, what is offered, what comes back.

A task is a pure function of its input: it acts on nothing, so a repeat costs time and does no harm.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

RUN, RESULT = "Offload.Run", "Offload.Result"
ASK_TERMS, TERMS = "Offload.AskTerms", "Offload.Terms"
STOP = "Offload.Stop"
PURPOSE = "offload"
INPUT_MAX_BYTES = OUTPUT_MAX_BYTES = 2 * 1024 * 1024  # half of what one message may hold
KEYS_MAX = 32  # signals that one task may see
WITHIN_MAX_S = 30.0  # the longest deadline
TASK_ID_CHARS = 24
JOBS_MAX = 64


class Job(Struct, frozen=True, order=True):
    """What is computed, and by exactly which content: of a map's ways the hash of its roads, of a student its own."""

    kind: str
    identity: str


class Terms(Struct, frozen=True, kw_only=True):
    """What a node would compute for others now. None reads "unknown"; `why_not` is a sentence, or "" where it lends."""

    why_not: str = ""
    jobs: Annotated[tuple[Job, ...], Meta(max_length=JOBS_MAX)] = ()
    waiting_s: float = 0.0  # work that was taken on before
    battery_pct: float | None = None
    on_battery: bool | None = None
    heat_c: float | None = None
    watts: float | None = None  # while it computes, as its owner says


class OffloadTask(Struct, frozen=True, kw_only=True):
    """`keys` are all signals that `input` was made of; `within_s` is how long the answer is of use."""

    task_id: str
    job: Job
    input: bytes
    within_s: float
    keys: tuple[str, ...] = ()


class OffloadResult(Struct, frozen=True, kw_only=True):
    """What came out, or in `why_not` why nothing did; and what it took: seconds of waiting, computing and CPU."""

    output: bytes = b""
    why_not: str = ""
    waited_s: float = 0.0
    took_s: float = 0.0
    cpu_s: float = 0.0
    terms: Terms = Terms()


class StopTask(Struct, frozen=True, kw_only=True):
    """The answer is not needed any more."""

    task_id: str
