"""What a finished distillation leaves in its folder: the student, its signature, the report, the card."""

from __future__ import annotations

import platform
from pathlib import Path

import msgspec

from hearthway.student import header
from hearthway.student.format import read

from .card import card
from .recipe import Recipe
from .report import page
from .result import Measured, Result, StageTold
from .run import Ran
from .sign import Signer
from .speed import measured
from .stages import write_whole
from .tabular.figures import Scored
from .tasks import Built


def finish(
    recipe: Recipe, built: Built, ran: Ran, out: Path, signer: Signer, *, serial: int
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
        sources=built.sources.told,
        rules=built.sources.rules,
        recipe=dict(student.header.about.recipe),
        made_with={k: v for made in ran.made.values() for k, v in made.made_with.items()},
        figures=tuple(msgspec.json.decode(ran.read("evaluate", "figures.json"), type=list[Scored])),
        signed_by=signer.words,
        measured=Measured(
            machine=platform.machine(),
            python=platform.python_version(),
            speed=measured(built.runtimes(ran, data)),
            stages=tuple(
                StageTold(
                    name=stage.name,
                    words=stage.words,
                    key=ran.made[stage.name].key,
                    cpu_s=ran.made[stage.name].cpu_s,
                    made_now=stage.name in ran.new,
                )
                for stage in built.stages
            ),
        ),
    )
    write_whole(out / "report.json", msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    write_whole(out / "report.html", page(result).encode())
    write_whole(out / "card.md", card(result).encode())
    return result


def _labels(told: header.Header) -> tuple[str, ...]:
    return next((one.labels for one in told.heads if isinstance(one, header.ClassHead)), ())
