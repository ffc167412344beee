"""What the need for a meal assumes beside the gate, each with its reason; none is fitted to a test."""

from __future__ import annotations

UNKNOWN_WAIT_MIN = 10.0  # an unknown wait is charged as this one, and shown as unknown
CLOSED_DOOR_MIN = 20.0  # standing before a closed door: walk back, choose again
LAST_ORDERS_S = 45 * 60.0  # a kitchen that closes sooner than this after arrival is half a meal
LAST_ORDERS_MIN = 10.0
PLACE_REACH_M = 500.0  # a meal this near a place was eaten "at" that place
# Is a spot a table? A receiver is off by ten metres each way for a whole stay, and a house stands so far about its point.
ONE_SPOT_M = 40.0  # as far as two stays of a few fixes each may lie apart on one spot
FIX_M, HOUSE_M = 10.0, 8.0
# How long one sits: a quick lunch half an hour, a dinner an hour and a half; two habits of three lie between 34 and 88 min.
SITS_S, SITS_SPREAD = 55 * 60.0, 0.47  # the spread is of the logarithm
TABLE_REACH_M = 60.0  # no farther from a table does a stay count as one near food at all
TABLES = 6  # of the nearest the first that was not closed half-way through is the one
# What stands for where else one stops thereabouts, and for what no map tells: the nearest shops, and one without a table near.
SHOPS, SHOP_REACH_M, NO_TABLE_M = 12, 400.0, 150.0
# Of the spots beside a table where somebody often stays for 20 min to 3.5 h, one in four is thought to be that table,
# as firmly as two spots would tell: school, sport, church, office and shop stand wall to wall with tables.
HABIT_PRIOR = (0.5, 1.5)
NEWEST_SPOTS = 12
AT_TABLE_P = 0.5  # what is likelier something else is no table
