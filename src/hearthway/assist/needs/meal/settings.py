"""What the need for a meal assumes beside the gate, each with its reason; none is fitted to a test."""

from __future__ import annotations

UNKNOWN_WAIT_MIN = 10.0  # an unknown wait is charged as this one, and shown as unknown
CLOSED_DOOR_MIN = 20.0  # standing before a closed door: walk back, choose again
LAST_ORDERS_S = 45 * 60.0  # a kitchen that closes sooner than this after arrival is half a meal
LAST_ORDERS_MIN = 10.0
PLACE_REACH_M = 500.0  # a meal this near a place was eaten "at" that place
# Many places lie wall to wall with a table: a pool, a church, an office, the depot of a van. Who always stays on one spot
# there has a meal at it only if the map has one table, and no more, where the mean of those stays lies.
ONE_SPOT_M = 40.0  # as far as two stays of a few fixes each may lie apart on one spot
ALWAYS = 0.8  # one in five elsewhere is a choice
MIN_MEALS = 3  # fewer are no habit
NEWEST_MEALS = 20
AT_TABLE_M = 25.0  # the mean of several stays is good to 10 m, and a table stands 15 m from its name on the map
