"""What a history file held: kept, skipped and why. Said to the person, never swallowed."""

from __future__ import annotations

from msgspec import Struct

from hearthway.records.count import count_of

MISSING = "missing"
OUT_OF_RANGE = "out of range"
BAD_TIME = "unparsable time"
BAD_NUMBER = "not a number"
BROKEN = "not JSON"
NESTED = "visits inside a visit"
UNTIMED = "visits without a time"
AWAY = "away from the visit they lie in"
ENCRYPTED = "encrypted"
# What to do where no point was left because of that.
_MEND = {
    MISSING: "Each point needs a latitude, a longitude and a time.",
    OUT_OF_RANGE: "Latitudes are -90 to 90 degrees and longitudes -180 to 180: see which column is which.",
    BAD_TIME: "Times are like 2026-03-03T08:00:00Z, or Unix seconds, from 1980 to 2100.",
    BAD_NUMBER: "Coordinates are degrees with a point, such as 60.1699.",
    ENCRYPTED: "Without the key nothing can read them: record without encryption.",
}


class ReadReport(Struct, kw_only=True):
    """Running counts of a read; complete once the history was iterated to its end."""

    path: str = ""
    form: str = ""  # "csv", "gpx", "plt", "google", "owntracks"
    compressed: bool = False
    rows: int = 0
    kept: int = 0
    skipped: dict[str, int] = {}
    duplicates: int = 0  # same person, same instant: the first in the file is kept
    out_of_order: int = 0  # older than the row before it; sorted, not lost
    first_bad_line: int | None = None
    counted: str = "line"  # what `first_bad_line` counts: lines, or in JSON the entries of its list
    inferred: int = (
        0  # of `kept`: not measured but concluded by the exporter, such as where a visit begins
    )
    truncated: bool = False  # the file ends in the middle; what was read is usable
    notes: list[str] = []

    def skip(self, reason: str, line: int) -> None:
        """Count a row that gives no fix, and remember where the first one stands."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
        if self.first_bad_line is None:
            self.first_bad_line = line

    def refuse(self, reason: str, where: int) -> None:
        """Count a row that was no point in the first place."""
        self.rows += 1
        self.skip(reason, where)

    def mend(self) -> str:
        """What to do about the reason for which most were left out; empty where there is none that one can mend."""
        most = max(self.skipped, key=lambda reason: self.skipped[reason], default="")
        return _MEND.get(most, "")

    def words(self) -> str:
        """One line for people."""
        text = f"{self.kept:,} of {count_of(self.rows, 'point')} read"
        if self.inferred:
            text += f"; {self.inferred:,} of them are the exporter's inference, not measured"
        if self.skipped:
            reasons = ", ".join(f"{self.skipped[k]:,} {k}" for k in sorted(self.skipped))
            text += f"; skipped: {reasons} (first in {self.counted} {self.first_bad_line:,})"
        if self.duplicates:
            text += f"; {count_of(self.duplicates, 'duplicate')}"
        if self.out_of_order:
            text += f"; {self.out_of_order:,} out of order, sorted"
        return "; ".join([text, *self.notes])
