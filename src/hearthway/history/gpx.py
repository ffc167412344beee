"""GPX track points, streamed through expat. Entities are refused: a track needs none, an attack does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat  # bare expat, entity declarations refused below

from hearthway.records.errors import InputError
from hearthway.records.signals import Fix

from .point import make_fix
from .report import ReadReport
from .source import chunks

MAX_TEXT = 256  # longer element text is no time and no speed


class _Entity(Exception):  # noqa: N818  a signal through expat's C frames, never shown
    pass


class _Points:
    """Collects finished track points from expat's callbacks; holes are counted, not fatal."""

    def __init__(self, parser: expat.XMLParserType, report: ReadReport) -> None:
        self.parser, self.report = parser, report
        self.done: list[Fix] = []
        self.is_gpx = False
        self._inside = False
        self._lat = self._lon = self._time = self._speed = ""
        self._text: list[str] = []
        self._text_size = 0
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.data
        parser.EntityDeclHandler = self.entity

    def entity(self, *_: object) -> None:
        raise _Entity

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "gpx":
            self.is_gpx = True
        elif local == "trkpt":
            self._inside = True
            self._lat, self._lon = attributes.get("lat", ""), attributes.get("lon", "")
            self._time = self._speed = ""
        self._text, self._text_size = [], 0

    def data(self, text: str) -> None:
        if self._inside and self._text_size < MAX_TEXT:
            self._text.append(text)
            self._text_size += len(text)

    def end(self, name: str) -> None:
        local = name.rpartition(":")[2]
        if not self._inside:
            return
        if local == "time":
            self._time = "".join(self._text)
        elif local == "speed":
            self._speed = "".join(self._text)
        elif local == "trkpt":
            self._inside = False
            self._finish()

    def _finish(self) -> None:
        line = self.parser.CurrentLineNumber
        fix = make_fix(self.report, line, self._lat, self._lon, self._time, speed_mps=self._speed)
        if fix is not None:
            self.done.append(fix)


def read_gpx(path: Path, report: ReadReport) -> Iterator[tuple[str, Fix]]:
    """("", fix) of each timed track point, in file order; a GPX names no person."""
    parser = expat.ParserCreate()
    points = _Points(parser, report)
    try:
        for piece in chunks(path, report):
            parser.Parse(piece, False)  # noqa: FBT003  expat takes it by position only
            yield from (("", fix) for fix in points.done)
            points.done.clear()
        if not report.truncated:
            parser.Parse(b"", True)  # noqa: FBT003  expat takes it by position only
    except _Entity:
        raise InputError(
            f"{path} declares XML entities (line {parser.CurrentLineNumber}), which a track never needs.",
            "Export the track again with the tool that recorded it.",
        ) from None
    except expat.ExpatError as broken:
        yield from (("", fix) for fix in points.done)
        if report.kept == 0:
            raise InputError(
                f"{path} is not well-formed XML: {expat.ErrorString(broken.code)} in line {broken.lineno}.",
                "Export the track again.",
            ) from None
        report.truncated = True
        report.notes.append(
            f"{path.name} breaks off in line {broken.lineno}: what came before is used"
        )
    if not points.is_gpx:
        raise InputError(f"{path} is XML but no GPX.", "Name a .gpx file.")
