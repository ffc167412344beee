"""What the word about a thing left at home assumes, each with its reason; none is fitted to a test."""

from __future__ import annotations

NEARLY_ALL = 0.9  # of the occasions: what stays at home once in five is not forgotten
PROBABLE_P = 0.5  # a thing that is more probably not wanted is not named beside one that is
LATE_S = 600.0  # by then one is as far that it is a trip of its own to fetch it
BACK_MIN_PER_MIN = 2.0  # each minute away is driven back, and once more
MISSING_MIN = 20.0  # noticed only there: a half-hour without it, or the whole way again
URGENT_S = 60.0  # from leaving on every minute makes turning back dearer
GO_P = 0.9  # of what stands in the calendar, some is not gone to
