"""`open_history`: one way in for every form of history file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from hearthway.records.errors import InputError
from hearthway.records.signals import Fix

from .csvfile import read_csv
from .google import read_google
from .gpx import read_gpx
from .owntracks import read_owntracks
from .plt import read_plt
from .report import ReadReport
from .source import DAMAGED, open_bytes

Reader = Callable[[Path, ReadReport], Iterator[tuple[str, Fix]]]
READERS: dict[str, Reader] = {
    "csv": read_csv,
    "google": read_google,
    "gpx": read_gpx,
    "owntracks": read_owntracks,
    "plt": read_plt,
}
FORMS = (
    "Google's Records.json and Timeline.json, GPX, CSV with `lat,lng,datetime,uid`, OwnTracks' .rec and GeoLife's .plt; "
    "each may be gzipped, or the one history in a zip"
)
_OWNTRACKS = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:.]{5,}Z?\t")


class History:
    """A history file: iterate for (uid, fix) in file order. Each iteration reads anew and renews `report`."""

    def __init__(self, path: Path, form: str) -> None:
        self.path, self.form = path, form
        self.report = ReadReport(path=str(path), form=form)

    def __iter__(self) -> Iterator[tuple[str, Fix]]:
        report = self.report = ReadReport(path=str(self.path), form=self.form)
        last: dict[str, float] = {}
        for uid, fix in READERS[self.form](self.path, report):
            before = last.get(uid)
            if before is not None and fix.time_s < before:
                report.out_of_order += 1
            last[uid] = fix.time_s
            yield uid, fix
        if report.kept == 0:
            raise InputError(
                f"{self.path} holds no usable point ({report.words()}).",
                report.mend() or f"Readable are {FORMS}.",
            )


def open_history(path: Path) -> History:
    """The history in `path` by content, not by name; InputError says what is readable."""
    stream, _ = open_bytes(path)
    with stream:
        try:
            head = stream.read(4096)
        except (*DAMAGED, OSError):
            raise InputError(
                f"{path} is a damaged archive: nothing can be read from it.",
                "Download or export it again.",
            ) from None
    return History(path, _form(path, head))


def _form(path: Path, head: bytes) -> str:
    if not head.strip():
        raise InputError(f"{path} is empty.", "Export the history again.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path} is UTF-16 text.", "Save it as UTF-8.")
    if b"\x00" in head:
        raise InputError(f"{path} is no history file: it is binary.", f"Readable are {FORMS}.")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        return "gpx"
    if start.startswith((b"{", b"[")):
        return "google"
    if _OWNTRACKS.match(start):
        return "owntracks"
    first = start.split(b"\n", 1)[0].lower()
    if first.startswith(b"geolife trajectory"):
        return "plt"
    if b"," in first or b";" in first:
        return "csv"
    raise InputError(f"{path} is no history file that is known here.", f"Readable are {FORMS}.")
