"""What --data and --split give a bench: maps, and histories."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hearthway.atlas.build import build
from hearthway.atlas.store import Atlas
from hearthway.records.errors import InputError


def maps_under(data: Path, split: str, bundled: str) -> Iterator[tuple[str, Atlas]]:
    """The bundled map, called so, then every *.osm.pbf under `data` whose name holds `split`; each is open for its turn."""
    if not data.is_dir():
        raise InputError(f"There is no directory {data}.", "Give one with --data.")
    with closing(Atlas.bundled()) as atlas:
        yield bundled, atlas
    with tempfile.TemporaryDirectory() as scratch:
        for pbf in sorted(p for p in data.glob("**/*.osm.pbf") if split in p.name):
            target = Path(scratch) / pbf.name
            build(pbf, target)
            with closing(Atlas.open(target)) as atlas:
                yield pbf.name.removesuffix(".osm.pbf"), atlas


def find_histories(data: Path, split: str) -> list[Path]:
    """The raw histories of the part `split`; InputError where there is none."""
    found = sorted(
        path
        for folder in (data, data / "mobility")
        for path in folder.glob("*raw*.csv*")
        if split in path.name
    )
    if not found:
        raise InputError(
            f"No file like *raw*{split}*.csv.gz is in {data} or in its folder mobility.",
            "Give --data the folder with raw GPS histories, and --split a part of a name that is there.",
        )
    return found
