"""Trains the students of language: teachers, three seeds of *ask*, one of its small form and of *home*. See scripts/train.

    python scripts/train.py --data DIR [--out DIR] [--only ask|ask-small|home] [--seeds N]

DIR holds clinc150/, hwu64/, slurp/ and snips/ (or a folder language/ with them). What is done stands in --out and is
not done again, so that a training that was cut goes on; the teachers stay there as teacher.pt.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from hearthway.records.errors import HearthwayError

SEEDS = {"ask": 3, "ask-small": 1, "home": 1}


def main() -> int:
    """Files out/ask-1.student ...; 2 where a set is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("build/train"))
    parser.add_argument("--only", choices=tuple(SEEDS))
    parser.add_argument("--seeds", type=int)
    options = parser.parse_args()
    try:
        import torch

        from hearthway.distill.language import datasets, recipes, run
    except ModuleNotFoundError as missing:
        print(f"{missing.name} is not installed: pip install 'hearthway[distill]'", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    began = time.process_time()
    try:
        folder = datasets.language_folder(options.data)
        for name in [options.only] if options.only else list(SEEDS):
            for seed in range(1, (options.seeds or SEEDS[name]) + 1):
                made = recipes.recipe(name, seed)
                trained = run.train(
                    made.corpus(folder),
                    made.settings,
                    options.out / name,
                    print,
                    teachers=options.out / made.settings.task,
                )
                path = options.out / f"{name}-{seed}.student"
                path.write_bytes(trained.data)
                print(f"{path}: {trained.identity}, {len(trained.data):,} bytes")
                print(f"  validation, whole numbers: {trained.whole}\n  floats: {trained.floats}")
    except HearthwayError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{(time.process_time() - began) / 60:.1f} CPU minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
