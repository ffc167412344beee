"""Labels of places by habit: home and work as they are settled, regular. The owner's word comes first."""

from __future__ import annotations

from collections.abc import Sequence

from hearthway.records.localtime import DAY_S

from .settling import NOWHERE, Settling
from .spots import Tally

REGULAR_VISITS = 5  # these, in so many weeks,
REGULAR_WEEKS = 3
REGULAR_DAYS = 28.0  # and the last not longer ago than this, as of the last stay anywhere


class Habitual(Tally, kw_only=True):
    """A place as its label needs it."""

    index: int
    given: str = ""  # "home" or "work", said by the owner


def labels_of(
    places: Sequence[Habitual], settled: Settling, sleeps: int = NOWHERE
) -> dict[int, str]:
    """Label by place index: home and work (the owner's word, else where nights and office hours are spent), regular.

    `sleeps`: where the stay that goes on makes a first home.
    """
    labels = {p.index: p.given for p in places if p.given}
    home = settled.nights.at if settled.nights.at != NOWHERE else sleeps
    for label, index in (("home", home), ("work", settled.office.at)):
        if label not in labels.values() and index not in (NOWHERE, *labels):
            labels[index] = label
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
