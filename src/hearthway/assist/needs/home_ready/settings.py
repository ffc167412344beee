"""What the word about a cold house assumes, each with its reason; none is fitted to a test."""

from __future__ import annotations

MIN_DAYS = 5  # as for a routine: fewer days with somebody in tell no habit
MIN_WARMINGS = 5  # so many past warmings before it is said how long one takes
OFTEN_ENOUGH = 0.8  # in so many of ten warmings it was no slower
LEAST_C = 1.5  # a sensor in another room, a sunny wall: less may not be felt
# So far below what one is used to, the coat stays on and each minute of it is lost; nearer, less in proportion.
COAT_C = 3.0
MOST_MIN = 60.0  # how early it is worth saying at most: the way home is rarely longer
HEATED_S = (
    14 * 86_400.0
)  # not heated for two weeks: it is not the season, or the house is left cold on purpose
ALONE_DAYS = 2  # of the last two weeks' days like this: then the heating has a programme of its own
AT_SET_C = 0.5  # a thermostat set so near to what is usual will warm the house by itself
REPEAT_S = 4 * 3600.0  # one word an evening
