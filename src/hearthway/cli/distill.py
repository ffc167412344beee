"""`hearthway distill TASK`: a student from a recipe, with its figures and its signature."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hearthway.app.clock import SystemClock
from hearthway.app.paths import NodePaths, data_root, private_dir
from hearthway.records.errors import ConfigError

from .common import data_option, json_option, node, write_json

if TYPE_CHECKING:
    from hearthway.distill.result import Result
    from hearthway.distill.sign import Signer
    from hearthway.distill.stages import Made, Stage
    from hearthway.mesh.policy.rules import Rules

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@click.command("distill")
@click.argument("task", metavar="TASK")
@click.option("--recipe", type=click.Path(path_type=Path), help="A recipe of your own (TOML).")
@click.option("--show-recipe", is_flag=True, help="Print the recipe that comes with the task.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything goes. Default: distilled/TASK.",
)
@click.option(
    "--sets",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the public sets (clinc150, hwu64, slurp, snips) that ask and home are taught from.",
)
@click.option("--seed", type=int, help="Of every draw. Default: the recipe's.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The publisher's key, made on first use. With a home's --data the household signs.",
)
@data_option
@json_option
def command(
    task: str,
    recipe: Path | None,
    show_recipe: bool,
    out: Path | None,
    sets: Path | None,
    seed: int | None,
    key: Path | None,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """Distil the student of TASK: corpus, teacher, student, int8, figures, signature.

    A run that was interrupted goes on where it was. The same recipe and seed give the same file.
    """
    for name in THREADS:  # how sums are split decides their last bit
        os.environ[name] = "1"
    from hearthway.distill.recipe import shipped_recipe
    from hearthway.distill.tasks import task_of

    chosen = task_of(task)
    file = recipe if recipe is not None else shipped_recipe(chosen.name)
    if show_recipe:
        click.echo(file.read_text(encoding="utf-8"), nl=False)
        return
    place = out or Path("distilled") / task
    result = _distil(chosen.name, file, place, seed, sets, key, data)
    if json_to is not None:
        write_json(result, json_to)
    if json_to is None or str(json_to) != "-":
        _tell(result, place)


def _distil(
    task: str,
    file: Path,
    out: Path,
    seed: int | None,
    sets: Path | None,
    key: Path | None,
    data: Path | None,
) -> Result:
    from hearthway.distill.finish import finish
    from hearthway.distill.run import run
    from hearthway.distill.sources import Given
    from hearthway.distill.tasks import built

    paths = None if data is None else node(data)
    given = Given(folder=file.parent, sets=sets, rules=None if paths is None else _rules(paths))
    recipe, made = built(task, file, seed, given)
    signer = _signer(paths, key)
    ran = run(made.stages, out, recipe.seed, _Lines())
    return finish(recipe, made, ran, out, signer, serial=int(SystemClock().now_s()))


def _rules(paths: NodePaths) -> Rules:
    from hearthway.app.collecting import rules_of

    return rules_of(paths)


def _signer(paths: NodePaths | None, key: Path | None) -> Signer:
    """The household's root where --data is a home, unless a publisher's key is named."""
    from hearthway.distill.sign import Signer
    from hearthway.mesh.trust.root import HouseholdRoot

    if key is None and paths is not None and (paths.keys / "root.key").exists():
        return Signer(HouseholdRoot.load(paths.keys, SystemClock().now_s()), Path())
    if key is not None and not key.parent.is_dir():
        raise ConfigError(f"There is no directory {key.parent} for a key.", "Make it first.")
    return Signer(None, key if key is not None else private_dir(data_root()) / "publisher.key")


class _Lines:
    """Progress for people, on standard error: one line a stage, rewritten on a terminal."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def begins(self, stage: Stage, number: int, count: int) -> None:
        click.echo(f"[{number}/{count}] {stage.name}: {stage.words}", err=True)

    def tells(self, stage: Stage, words: str) -> None:
        if self._live:
            click.echo(f"\r\033[K      {words}", nl=False, err=True)

    def stands(self, stage: Stage, made: Made, *, again: bool) -> None:
        clear = "\r\033[K" if self._live else ""
        words = f"{stage.name} stands from before" if again else f"{made.cpu_s:.1f} s of CPU"
        click.echo(f"{clear}      {words}", err=True)


def _tell(result: Result, out: Path) -> None:
    click.echo(f"{result.name}: {out / result.file}, {result.size_bytes:,} bytes")
    click.echo(f"  SHA-256 {result.identity}, signed by {result.signed_by}")
    click.echo(f"  {'part':8}{'model':28}{'rows':>8}{'right':>9}{'agrees':>9}")
    for one in result.figures:
        agrees = "" if one.agreement is None else f"{one.agreement:.4f}"
        click.echo(f"  {one.part:8}{one.model:28}{one.rows:>8}{one.accuracy:>9.4f}{agrees:>9}")
    for speed in result.measured.speed:
        click.echo(
            f"  {speed.runtime}: {speed.p50_ms:g} ms (p50), {speed.cpu_ms / 1e3:.6f} CPU-seconds an answer"
        )
    click.echo(f"  report {out / 'report.html'}, card {out / 'card.md'}")
