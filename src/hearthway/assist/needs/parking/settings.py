"""What the need to park assumes, each with its reason; none is fitted to a test."""

from __future__ import annotations

# Sixteen counts of cars looking for a kerb found 8 min on average (Shoup, "Cruising for parking", 2006).
SEARCH_MIN = 8.0
FOUND_WALK_MIN = 5.0  # and from where one is found then, so far on foot, there and back
FULL_MIN = (
    3.0  # nobody tells whether a place is free: what a full car park costs, as often as that is
)
# By so many own visits one drives, half of the time, to where one left the car last.
HABIT_VISITS = 5.0
ASKED_P = 0.5  # a question that is rather none is not looked at
# Before so many days of history nobody can tell a new place from an old one: by then an errand of every month was
# seen twice. On a person's first days every place is one where he has been "once".
MIN_DAYS = 60
