"""The tasks that a node computes, for itself and for others: how each is written down, checked and compared.

What a helper sends back is only believed in its form here; whether it is true, comparing tells.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct
from msgspec.structs import replace

from hearthway.mesh.offload.function import Function
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import HearthwayError, InputError, WireError
from hearthway.records.offload import OUTPUT_MAX_BYTES, Job
from hearthway.records.poi import Detour
from hearthway.records.understanding import Understanding

from .config import MapTable

DETOURS, STUDENT, FUNCTION = "detours", "student", "function"
TEXTS_MAX, TEXT_MAX = 256, 4_000  # of one task; characters
SCORE_ALIKE = 0.001  # a probability that is shown; what decides is compared exactly
VIAS_MAX = 10_000
ALIKE = 1e-6  # two machines' sines may differ in the last digits
FACTORY = "hearthway.app.offload_jobs:jobs"
Point = tuple[float, float]


class DetoursAsked(Struct, frozen=True, array_like=True):
    """From a to b with a stop at each of `vias`, in degrees."""

    a: Point
    b: Point
    vias: Annotated[list[Point], Meta(max_length=VIAS_MAX)]


_Texts = Annotated[list[Annotated[str, Meta(max_length=TEXT_MAX)]], Meta(max_length=TEXTS_MAX)]


class JobKind(NamedTuple):
    """How results of a kind are looked at. `check` raises WireError for what cannot be an answer to that input."""

    check: Callable[[bytes, bytes], None]
    same: Callable[[bytes, bytes], bool]


def detours_asked(a: Point, b: Point, vias: Sequence[Point]) -> bytes:
    """The input of a "detours" task; InputError where there are too many."""
    if len(vias) > VIAS_MAX:
        raise InputError(f"{len(vias):,} stops are too many at once.", f"Ask for {VIAS_MAX:,}.")
    return pack(DetoursAsked(a, b, list(vias)))


def detours_of(asked: bytes, output: bytes) -> list[Detour | None]:
    """Its output; WireError where it cannot be one."""
    found: list[Detour | None] = unpack(output, list[Detour | None])
    if len(found) != len(unpack(asked, DetoursAsked).vias):
        raise WireError("The detours of other stops came back.", "They were not used.")
    for detour in found:
        if detour is not None and not _possible(detour):
            raise WireError("A detour came back that cannot be.", "It was not used.")
    return found


def _possible(detour: Detour) -> bool:
    figures = (detour.extra_s, detour.extra_m, detour.reach_s)
    return all(math.isfinite(figure) and figure >= 0.0 for figure in figures)


def _check_detours(asked: bytes, output: bytes) -> None:
    detours_of(asked, output)


def _same_detours(a: bytes, b: bytes) -> bool:
    mine, theirs = unpack(a, list[Detour | None]), unpack(b, list[Detour | None])
    return len(mine) == len(theirs) and all(map(_alike, mine, theirs))


def _alike(a: Detour | None, b: Detour | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.on_road == b.on_road and all(
        math.isclose(x, y, rel_tol=ALIKE, abs_tol=ALIKE)
        for x, y in ((a.extra_s, b.extra_s), (a.extra_m, b.extra_m), (a.reach_s, b.reach_s))
    )


def texts_asked(texts: Sequence[str]) -> bytes:
    """The input of a "student" task; InputError where it is too much."""
    if len(texts) > TEXTS_MAX or any(len(text) > TEXT_MAX for text in texts):
        raise InputError(
            "That is too much text at once.", f"At most {TEXTS_MAX} of {TEXT_MAX:,} characters."
        )
    return pack(list(texts))


def understood_of(asked: bytes, output: bytes) -> list[Understanding]:
    """Its output; WireError where it cannot be one."""
    found: list[Understanding] = unpack(output, list[Understanding])
    texts = unpack(asked, list[str])
    if len(found) != len(texts):
        raise WireError("Other texts were understood than were asked about.", "It was not used.")
    for text, one in zip(texts, found, strict=True):
        shares = [one.score] + ([] if one.second is None else [one.second[1]])
        if not all(0.0 <= share <= 1.0 for share in shares) or not all(
            text[slot.start : slot.end] == slot.text for slot in one.slots
        ):
            raise WireError("A text was understood as what is not in it.", "It was not used.")
    return found


def _check_understood(asked: bytes, output: bytes) -> None:
    understood_of(asked, output)


def _same_understood(a: bytes, b: bytes) -> bool:
    mine, theirs = unpack(a, list[Understanding]), unpack(b, list[Understanding])
    return len(mine) == len(theirs) and all(map(_alike_understood, mine, theirs))


def _alike_understood(a: Understanding, b: Understanding) -> bool:
    mine, theirs = (replace(one, score=0.0, second=None) for one in (a, b))
    scores = [(a.score, b.score)]
    if a.second is not None and b.second is not None and a.second[0] == b.second[0]:
        scores.append((a.second[1], b.second[1]))
    elif a.second != b.second:
        return False
    return mine == theirs and all(abs(x - y) <= SCORE_ALIKE for x, y in scores)


def _check_made(_: bytes, output: bytes) -> None:
    if len(output) > OUTPUT_MAX_BYTES:
        raise WireError("More came back than a function may give.", "It was not used.")


KINDS: dict[str, JobKind] = {
    DETOURS: JobKind(_check_detours, _same_detours),
    STUDENT: JobKind(_check_understood, _same_understood),
    FUNCTION: JobKind(_check_made, operator.eq),
}


# -- in the worker ---------------------------------------------------------------------------------


def spec_of(table: MapTable) -> str:
    """What the worker is to be made with: this node's map."""
    return json.dumps({"atlas": table.atlas})


def jobs(spec: str) -> dict[Job, Callable[[bytes], bytes]]:
    """What can be computed with that; called in the worker."""
    from .maps import open_atlas

    found: dict[Job, Callable[[bytes], bytes]] = {}
    try:
        atlas = open_atlas(MapTable(atlas=json.loads(spec)["atlas"]))
    except HearthwayError:  # the node itself says so where it needs the map
        atlas = None
    if atlas is not None:
        roads = atlas.roads

        def detours(data: bytes) -> bytes:
            asked = unpack(data, DetoursAsked)
            return pack(roads.detours(asked.a, asked.b, asked.vias))

        found[Job(DETOURS, atlas.roads_hash())] = detours
    return found


def made(job: Job, content: bytes) -> Callable[[bytes], bytes]:
    """A student or a function, as a job, from its file; called in the worker. InputError where it is another file."""
    if job.kind not in (STUDENT, FUNCTION):
        raise InputError("No file makes a task of that kind.", "Are both nodes on one version?")
    if hashlib.sha256(content).hexdigest() != job.identity:
        raise InputError(f"That is not the {job.kind} it should be.", "Fetch it again.")
    if job.kind == FUNCTION:
        return Function(content)
    from hearthway.student.answer import Answerer
    from hearthway.student.cpu import Runtime
    from hearthway.student.format import read

    student = read(content)
    answerer = Answerer(student, Runtime(student))

    def understand(data: bytes) -> bytes:
        return pack([answerer.understand(text) for text in unpack(data, _Texts)])

    return understand
