"""Labels of places by habit: home, work, regular. What the owner says of home and work comes first."""

from __future__ import annotations

from collections.abc import Sequence

from hearthway.records.localtime import DAY_S

from .spots import Tally

MIN_HOME_S = 6 * 3600.0  # of night spent there before a place may be called home
MIN_WORK_DAYS = 3
REGULAR_VISITS = 5  # these, in so many weeks,
REGULAR_WEEKS = 3
REGULAR_DAYS = 28.0  # and the last not longer ago than this, as of the last stay anywhere


class Habitual(Tally, kw_only=True):
    """A place as its label needs it."""

    index: int
    given: str = ""  # "home" or "work", said by the owner


def labels_of(places: Sequence[Habitual]) -> dict[int, str]:
    """Label by place index: home (the owner's word, else most nights), work (the same, most office hours), regular."""
    labels = {p.index: p.given for p in places if p.given}
    if "home" not in labels.values():
        nights = [p for p in places if p.night_s >= MIN_HOME_S and p.index not in labels]
        if nights:
            labels[max(nights, key=lambda p: (p.night_s, -p.index)).index] = "home"
    if "work" not in labels.values():
        offices = [p for p in places if p.office_days >= MIN_WORK_DAYS and p.index not in labels]
        if offices:
            labels[max(offices, key=lambda p: (p.office_s, -p.index)).index] = "work"
    newest_s = max((p.last_s for p in places if p.visits), default=0.0)
    for place in places:
        if (
            place.visits >= REGULAR_VISITS
            and place.weeks >= REGULAR_WEEKS
            and newest_s - place.last_s <= REGULAR_DAYS * DAY_S
            and place.index not in labels
        ):
            labels[place.index] = "regular"
    return labels
