"""What a finished distillation leaves in its folder: the student, its signature, the report, the card."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from hearthway.student import header
from hearthway.student.format import read

from .card import card
from .recipe import Recipe
from .report import page
from .result import Measured, Result, StageTold, Told
from .run import Ran
from .sign import Signer
from .speed import measured
from .stages import Stage, write_whole
from .tabular.figures import Scored

Runtimes = Callable[
    [Ran, bytes], Sequence[tuple[str, Callable[[int], object]]]
]  # each answers the n-th question


def finish(
    recipe: Recipe,
    stages: Sequence[Stage],
    ran: Ran,
    out: Path,
    signer: Signer,
    *,
    serial: int,
    rules: tuple[str, ...],
    runtimes: Runtimes,
) -> Result:
    """Write everything and tell it. `serial`: Unix seconds, which of two signatures is the newer."""
    data = ran.read("export", f"{recipe.task}.student")
    file = out / f"{recipe.task}.student"
    write_whole(file, data)
    signer.sign(file, task=recipe.task, name=recipe.name, serial=serial)
    student = read(data)
    result = Result(
        task=recipe.task,
        name=recipe.name,
        seed=recipe.seed,
        identity=student.identity,
        file=file.name,
        size_bytes=len(data),
        parameters=sum(int(tensor.size) for tensor in student.tensors.values()),
        labels=_labels(student.header),
        licence=student.header.about.licence,
        sources=tuple(
            Told(name=s.name, licence=s.licence, origin=str(s.origin), attribution=s.attribution)
            for s in recipe.source
        ),
        rules=rules,
        recipe=dict(student.header.about.recipe),
        made_with={k: v for made in ran.made.values() for k, v in made.made_with.items()},
        figures=tuple(msgspec.json.decode(ran.read("evaluate", "figures.json"), type=list[Scored])),
        signed_by=signer.words,
        measured=Measured(
            machine=platform.machine(),
            python=platform.python_version(),
            speed=measured(runtimes(ran, data)),
            stages=tuple(
                StageTold(
                    name=stage.name,
                    words=stage.words,
                    key=ran.made[stage.name].key,
                    cpu_s=ran.made[stage.name].cpu_s,
                    made_now=stage.name in ran.new,
                )
                for stage in stages
            ),
        ),
    )
    write_whole(out / "report.json", msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    write_whole(out / "report.html", page(result).encode())
    write_whole(out / "card.md", card(result).encode())
    return result


def _labels(told: header.Header) -> tuple[str, ...]:
    return next((one.labels for one in told.heads if isinstance(one, header.ClassHead)), ())
