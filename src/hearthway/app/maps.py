"""Which atlas a node carries."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hearthway.atlas.schema import VERSION
from hearthway.atlas.store import Atlas
from hearthway.records.errors import MapError

from .config import MapTable
from .paths import private_dir


def open_atlas(table: MapTable) -> Atlas | None:
    """The atlas of the settings with the owner's corrections; None for "none"; MapError with what to do."""
    if table.atlas == "none":
        return None
    atlas = Atlas.bundled() if table.atlas == "bundled" else Atlas.open(Path(table.atlas))
    return atlas.with_hours(table.hours) if table.hours else atlas


def atlas_for(source: Path, cache: Path) -> Path:
    """`source` itself where it is an atlas; else the atlas built from that extract, kept in `cache`.

    The cache is keyed by the extract's content, so a changed extract is built anew.
    """
    try:
        with source.open("rb") as file:
            head = file.read(16)
            if head.startswith(b"SQLite format 3\0"):
                return source
            file.seek(0)
            key = hashlib.file_digest(file, "blake2b").hexdigest()[:24]
    except OSError as why:
        raise MapError(
            f"{source} cannot be read: {why.strerror}.", "Check the path of --map."
        ) from None
    from hearthway.atlas.build import build  # needs the extra `map`

    built = private_dir(cache) / f"{key}-{VERSION}.atlas"
    if not built.exists():
        build(source, built)
    return built
