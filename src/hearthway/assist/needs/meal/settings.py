"""What the need for a meal assumes beside the gate, each with its reason; none is fitted to a test."""

from __future__ import annotations

UNKNOWN_WAIT_MIN = 10.0  # an unknown wait is charged as this one, and shown as unknown
CLOSED_DOOR_MIN = 20.0  # standing before a closed door: walk back, choose again
EATEN_OFTEN = 5  # so many own meals at this hour, as many as make a routine, tell that a table is open then as its hours would
LAST_ORDERS_S = 45 * 60.0  # a kitchen that closes sooner than this after arrival is half a meal
LAST_ORDERS_MIN = 10.0
PLACE_REACH_M = 500.0  # a meal this near a place was eaten "at" that place
# Is a spot a table? A receiver is off by ten metres each way for a whole stay, and a house stands so far about its point.
ONE_SPOT_M = 40.0  # as far as two stays of a few fixes each may lie apart on one spot
FIX_M, HOUSE_M = 10.0, 8.0
# When people sit down who eat out, and how long: of breakfast, lunch and dinner the share, the middle hour of the local day and its
# spread, and the usual length. Wide, for countries differ, and so do a quick bite and a feast: two of three lie within the spread.
SITS_DOWN = (
    (0.1, 8.5, 1.2, 40 * 60.0),
    (0.45, 12.75, 1.2, 50 * 60.0),
    (0.45, 19.25, 1.5, 65 * 60.0),
)
SITS_SPREAD = 0.45  # of the logarithm
# When they are about for anything else: from the first hour on ever more, all alike from the second to the third, and fewer until
# the last; one in ten at any hour at all.
ABOUT, AT_ANY_HOUR = (6.0, 8.0, 20.0, 23.0), 0.1
ODD_STAY = 0.1  # of the stays at a table these tell nothing by their length or hour
ALIKE = 0.5  # how much two stays of one habit have in common
# And how much the stays of one habit scatter: the usual standard deviation of the hour at which they begin and of the logarithm of their
# length, of meals and of what else one does next door to a table: half of that by the clock, half whenever there is time. Two of three habits
# lie within a factor of 1.8 of it. What a phone sees of either is off by two minutes, or a thirtieth.
MEAL_SCATTER = (0.25, 0.3)
OTHER_SCATTER = ((0.5, 0.08, 0.1), (0.5, 1.25, 0.5))
SCATTER_SPREAD = 0.6
CLOCK_H, CLOCK_LOG = 2.0 / 60.0, 0.03
LIKE_OTHERS = 0.02  # of habits of eating out one in fifty scatters as what is none: a table kept for seven each Friday
TABLE_REACH_M = 60.0  # no farther from a table does a stay count as one near food at all
TABLES = 6  # of the nearest the first that was not closed half-way through is the one
# What stands for where else one stops thereabouts, and for what no map tells: the nearest shops, and one without a table near.
SHOPS, SHOP_REACH_M, NO_TABLE_M = 12, 400.0, 150.0
# Of the spots beside a table where somebody often stays for 20 min to 3.5 h, one in four is thought to be that table,
# as firmly as two spots would tell: school, sport, church, office and shop stand wall to wall with tables.
HABIT_PRIOR = (0.5, 1.5)
NEWEST_SPOTS = 12
# Having eaten: nothing more is wanted for a while, then appetite returns.
SATED_S, HUNGRY_S = 90 * 60.0, 4 * 3600.0
# Coffee out, at the hours at which a stay at a cafe is one (not breakfast or lunch): most begin around four and take 35 minutes. A meal
# leaves room for it sooner than for another meal.
COFFEE_SITS_DOWN = ((1.0, 16.0, 1.5, 35 * 60.0),)
COFFEE_SATED_S, COFFEE_WANTED_S = 45 * 60.0, 2 * 3600.0
# Half an hour to an hour in the afternoon is also a lesson, an errand, a doctor's: of such spots beside a cafe one in eight is thought to be it.
COFFEE_PRIOR = (0.5, 3.5)
# And a lesson is as regular as a coffee, in its hour and its length: so many such stays speak for one by these no more than one does.
COFFEE_ALIKE = 1.0
COFFEE_LESS_MIN = 10.0  # who searches in vain goes without a coffee sooner than without a dinner
# Whoever takes a spot for a table wrongly is wrong there each time, and a run of wrong words costs more trust than as many now and
# then. So of the spots that speak for a meal one is surer than of a word: three to one. Known errands beside them are no doubt of that kind.
AT_TABLE_P = 0.75
# Is this a day on which one eats out? A stay counts as such a meal if it rather was one; the latest of what lies between two tell.
A_MEAL_P, LATEST_GAPS = 0.5, 20
# How regular these gaps may be, all as likely before any was seen: shapes of an Erlang distribution (1: by lot; 32: a week is a
# week, a day more or less), and the share of them that is by lot whatever the shape. All of this tells as much as ten gaps.
REGULAR, BY_LOT, SMOOTH = (1, 2, 4, 8, 16, 32), (0.05, 0.2, 0.5), 10.0
# Of habits that nothing is known of one meal in ten is the last; each that was followed by another makes that less.
LAST_OF = 10.0
