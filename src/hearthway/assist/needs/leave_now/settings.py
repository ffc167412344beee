"""What the word to leave assumes, each with its reason; none is fitted to a test."""

from __future__ import annotations

READY_MIN = 10.0  # shoes, coat, keys, the way to the car: until this person's own entries tell
READY_COUNTS = (
    4  # as so many own entries the assumed minutes count, and those anywhere at one place
)
READY_LEAST_MIN = 5.0  # a word later than this only hurries
READY_MOST_MIN = 30.0  # a word earlier than this is forgotten again
DOOR_MIN = 5.0  # parking, and from there to the door
LATE_MIN = 15.0  # somebody who comes later than this missed it, and a word is only a reproach
EARLY_S = 1800.0  # so long before its beginning one may be at an entry's place for its sake
LATE_COST_MIN = 20.0  # coming late: others wait, or the beginning is missed
GO_P = 0.9  # of what one writes down with a place, some is not gone to, and some needs no word
OWN_TRIPS = 3  # so many own trips from here to there tell better than the map
# One trip against the map's time, one sigma: traffic, lights, weather. As much is added to the map's time as
# long as fewer than `OWN_WAYS` own ways tell how this person's time compares with it.
MAP_ERROR = 0.25
OWN_WAYS = 5
DRIVEN = (0.6, 2.5)  # times the map's: whoever took less or more did not drive there without a stop
ALIKE = (
    2.0  # as far or twice: a short way has more of lights and parking, a long one of country road
)
FASTEST_MPS = 40.0  # by the bee-line: what was faster was no car
POSITION_S = 3 * 3600.0  # at rest a phone tells where it is every half hour, or when it moves
NEAR_M = 200.0  # as far as a stay reaches: walking about there is not being under way
SLOWEST_MPS = 1.5  # the bee-line is never slower: before, no way need be looked up
# No word twice about one entry: from the first moment to the last there are READY_MOST, LATE and 4 min for the gate.
REPEAT_S = 6 * 3600.0
