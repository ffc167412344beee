"""What a distillation found, for programs: figures that are the same each time, and apart from them what this machine measured."""

from __future__ import annotations

from msgspec import Struct

from .tabular.figures import Scored


class StageTold(Struct, frozen=True, kw_only=True):
    """One stage: the hash of its inputs, and the seconds of CPU it took when it was made."""

    name: str
    words: str
    key: str
    cpu_s: float
    made_now: bool


class Speed(Struct, frozen=True, kw_only=True):
    """Of one runtime, one thread, one answer: milliseconds of wall time (median, 95th of 100) and of CPU (mean)."""

    runtime: str
    p50_ms: float
    p95_ms: float
    cpu_ms: float


class Told(Struct, frozen=True, kw_only=True):
    """A source that was read. `sha256` of what a path named, as `sources.content` takes it; "" for what comes with the task."""

    name: str
    licence: str
    origin: str
    attribution: str
    sha256: str = ""


class Measured(Struct, frozen=True, kw_only=True):
    """Differs from run to run and from machine to machine."""

    machine: str
    python: str
    speed: tuple[Speed, ...]
    stages: tuple[StageTold, ...]


class Result(Struct, frozen=True, kw_only=True):
    """All but `measured` is the same for the same inputs and seed."""

    task: str
    name: str
    seed: int
    identity: str
    file: str
    size_bytes: int
    parameters: int
    labels: tuple[str, ...]
    licence: str
    sources: tuple[Told, ...]
    rules: tuple[str, ...]  # of the owner, that let personal sources be learned from
    recipe: dict[str, str]
    made_with: dict[str, str]
    figures: tuple[Scored, ...]
    signed_by: str
    measured: Measured
