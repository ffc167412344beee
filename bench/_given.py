"""What --data and --split give a bench: maps, and histories."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hearthway.atlas.build import build
from hearthway.atlas.store import Atlas
from hearthway.history.ordered import OrderedFixes
from hearthway.history.reader import open_history
from hearthway.records.errors import InputError

BUNDLED = "bundled"  # --split of the bundled map alone
NO_ROOM = "no room on the map"


def extracts_under(data: Path, split: str) -> list[Path]:
    """Every *.osm.pbf under `data` whose name holds `split`; InputError where there is no `data`, or none for a split."""
    if not data.is_dir():
        raise InputError(f"There is no directory {data}.", "Give one with --data.")
    there = sorted(data.glob("**/*.osm.pbf"))
    found = [path for path in there if split in path.name]
    if split and not found:
        names = ", ".join(path.name for path in there) or "none"
        raise InputError(
            f"No *.osm.pbf under {data} has {split!r} in its name; there: {names}.",
            "Give --split a part of a name that is there, or leave it out.",
        )
    return found


def maps_under(data: Path, split: str, bundled: str) -> Iterator[tuple[str, Atlas]]:
    """The bundled map, called so, then every extract of `extracts_under`; each is open for its turn.

    All are built before the first turn: what cannot be read is told before hours were spent on the others.
    """
    extracts = [] if split == BUNDLED else extracts_under(data, split)
    if not data.is_dir():
        raise InputError(f"There is no directory {data}.", "Give one with --data.")
    with tempfile.TemporaryDirectory() as scratch:
        built: list[tuple[str, Path]] = []
        for number, pbf in enumerate(extracts):
            target = Path(scratch) / f"{number}.atlas"  # two folders may hold one name
            build(pbf, target)
            built.append((pbf.name.removesuffix(".osm.pbf"), target))
        with closing(Atlas.bundled()) as atlas:
            yield bundled, atlas
        for name, target in built:
            with closing(Atlas.open(target)) as atlas:
                yield name, atlas


def no_room_row(case: str, why: str) -> dict[str, object]:
    """The row of a life for which a map has no room: it was not lived, and counts nowhere else."""
    print(f"{case}: no room: {why}", flush=True)
    row = {"case": case, "metric": NO_ROOM, "unit": "lives", "ours": 1}
    return row | {"peer": "asked", "theirs": 1, "ratio": 1.0}


def is_history(path: Path, split: str) -> bool:
    """Is it a raw history of the part `split`, by its name?"""
    return split in path.name and path.name.endswith((".csv", ".csv.gz"))


def find_histories(data: Path, split: str) -> list[Path]:
    """The raw histories of the part `split`; InputError where there is none."""
    found = sorted(
        path
        for folder in (data, data / "mobility")
        for path in folder.glob("*raw*.csv*")
        if is_history(path, split)
    )
    if not found:
        raise InputError(
            f"No file like *raw*{split}*.csv.gz is in {data} or in its folder mobility.",
            "Give --data the folder with raw GPS histories, and --split a part of a name that is there.",
        )
    return found


def collected(path: Path) -> OrderedFixes:
    """The fixes of a raw history; what of it could not be read is said on stderr. InputError where nothing can."""
    history = open_history(path)
    fixes = OrderedFixes.collect(history)
    if history.report.truncated or history.report.skipped:
        print(f"{path.name}: {history.report.words()}", file=sys.stderr)
    return fixes
