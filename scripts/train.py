"""Distils the students of language that ship, *ask* and *home*. See scripts/train.

    python scripts/train.py --data DIR [--out DIR] [--all] [--only ask|ask-small|home|ranker] [--seeds N] [--key FILE]

--all makes those in bench/students as well, which nothing needs that ships: two more seeds of *ask*, its small form, and the
ranker (of coupon/, beside the others).

DIR holds clinc150/, hwu64/, slurp/ and snips/ (or a folder language/ with them). Each is made as `hearthway distill`
makes it: what is done stands in OUT/TASK/stages and is not done again, so that a training that was cut goes on. What a
run leaves, the student with its signature, report and card, stands in OUT/NAME-SEED.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from hearthway.distill.finish import finish
from hearthway.distill.recipe import shipped_recipe
from hearthway.distill.run import run
from hearthway.distill.sign import Signer
from hearthway.distill.sources import Given
from hearthway.distill.stages import Made, Stage
from hearthway.distill.tasks import built
from hearthway.records.errors import HearthwayError

SEEDS = {"ask": 1, "home": 1}
ALL = {"ask": 3, "ask-small": 1, "home": 1, "ranker": 1}


class Lines:
    """Progress, a line each."""

    def begins(self, stage: Stage, number: int, count: int) -> None:
        print(f"[{number}/{count}] {stage.name}: {stage.words}")

    def tells(self, stage: Stage, words: str) -> None:
        print(f"      {words}")

    def stands(self, stage: Stage, made: Made, *, again: bool) -> None:
        words = "stands from before" if again else f"{made.cpu_s:.1f} s of CPU"
        print(f"      {stage.name}: {words}")


def main() -> int:
    """Folders OUT/ask-1 ...; another status than 0 where a set is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("build/train"))
    parser.add_argument("--all", action="store_true", help="those in bench/students as well")
    parser.add_argument("--only", choices=tuple(ALL))
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--key", type=Path, help="the publisher's; default: OUT/publisher.key")
    options = parser.parse_args()
    began = time.process_time()
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        signer = Signer(None, options.key or options.out / "publisher.key")
        wanted = ALL if options.all else SEEDS
        for name in [options.only] if options.only else list(wanted):
            for seed in range(1, (options.seeds or wanted.get(name, 1)) + 1):
                distilled(name, seed, options.data, options.out, signer)
    except HearthwayError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{(time.process_time() - began) / 60:.1f} CPU minutes")
    return 0


def distilled(name: str, seed: int, sets: Path, out: Path, signer: Signer) -> None:
    """One student, from the recipe of that name; those of one task share the stages that they have in common."""
    file = shipped_recipe(name)
    task = name.split("-")[0]
    recipe, made = built(task, file, seed, Given(folder=file.parent, sets=sets))
    ran = run(made.stages, out / task, seed, Lines())
    place = out / f"{name}-{seed}"
    place.mkdir(exist_ok=True)
    result = finish(recipe, made, ran, place, signer, serial=int(time.time()))
    print(f"{place / result.file}: {result.identity}, {result.size_bytes:,} bytes")
    for one in result.figures:
        print(f"  {one.part}, {one.model}: {one.accuracy:.4f} of {one.rows} right")


if __name__ == "__main__":
    sys.exit(main())
