"""What the house of a synthetic life tells: a thermostat with a programme, a sensor of somebody in, and doors that leak heat.

The description. The house loses a twentieth of its excess over the cold outside an hour, and the heating adds more than that. By its
programme it is 18 degrees from ten at night and 21 from six in the morning. Somebody else of the household is in all day, but not on
every fifth day from nine to seven. When that one and the person of the life are both out, the programme lets the house cool, and
heats again two hours before the first of them is back.

So a house is without need on all these days: it is as warm as always with somebody in, or being heated. What a need is told of
is a day on which all left and somebody turned the heating down for good.

Two things have a tag, which the house sees and tells of when it changes, every ten minutes, and every minute of the first quarter of an
hour after the door closed: a bag goes along whenever the person leaves from Monday to Friday, an umbrella three
times in ten. Both stay where they are not needed, so that is no need either; one is a morning on which the bag stays.
"""

from __future__ import annotations

from random import Random

from hearthway.records.signals import Signal
from hearthway.sense.catalogue import HEATING, NEXT_HEATING, PRESENCE, ROOM, SETPOINT

HOUR_S, DAY_S = 3600.0, 86_400.0
STEP_S, TAG_S, LEFT_TAG_S = 600.0, 600.0, 60.0
OUTSIDE_C, LOST_PER_H = 2.0, 1.0 / 20.0
DAY_C, NIGHT_C, LEFT_C = 21.0, 18.0, 12.0
SWITCH_C = 0.3
EMPTY_EVERY = 5  # days
OUT_S, IN_S = 9 * HOUR_S, 19 * HOUR_S
AHEAD_S = 2 * HOUR_S
SOURCE = "home"
Away = list[tuple[float, float]]


def told(
    from_s: float,
    until_s: float,
    monday_s: float,
    seed: str,
    away: Away,
    left_s: float = float("inf"),
) -> list[Signal]:
    """Its readings by time. `monday_s`: the midnight before a Monday; `away`: when the person of the life was out.

    From `left_s` on all are out and the heating is down.
    """
    rng = Random(f"house/{seed}")
    gain_c = rng.uniform(2.2, 3.2)  # an hour, before what is lost
    celsius, on, signals = NIGHT_C, False, list[Signal]()
    said: dict[str, float | bool] = {}
    at_s = from_s
    while at_s < until_s:
        day, second = divmod(at_s - monday_s, DAY_S)
        other_in = int(day) % EMPTY_EVERY != 3 or not OUT_S <= second < IN_S
        back_s = next((back for left, back in away if left <= at_s < back), at_s)
        heats_s = min(back_s, at_s - second + IN_S) - AHEAD_S  # the first of them is back
        gone = at_s >= left_s
        cooling = not other_in and at_s < heats_s
        wanted = DAY_C if 6 * HOUR_S <= second < 22 * HOUR_S else NIGHT_C
        wanted = LEFT_C if gone or cooling else wanted
        on = celsius < wanted - SWITCH_C or (on and celsius < wanted + SWITCH_C)
        readings: dict[str, float | bool] = {
            ROOM: round(celsius + rng.gauss(0.0, 0.05), 1),
            SETPOINT: wanted,
            HEATING: on,
            PRESENCE: not gone and (other_in or back_s == at_s),
        }
        if cooling and not gone:
            readings[NEXT_HEATING] = heats_s
        for key, value in readings.items():
            again = (at_s - from_s) % (3 * STEP_S) < STEP_S or key == ROOM
            if again or said.get(key) != value:
                said[key] = value
                signals.append(Signal(key=key, value=value, time_s=at_s, source=SOURCE))
        hours = STEP_S / HOUR_S
        celsius += hours * (gain_c * on - LOST_PER_H * (celsius - OUTSIDE_C))
        at_s += STEP_S
    return signals


def tags(
    from_s: float, until_s: float, monday_s: float, seed: str, away: Away, stays_s: float = 0.0
) -> list[Signal]:
    """What the house says of both tags, by time. `monday_s`: the midnight before a Monday.

    On the outing that began at `stays_s` the bag was left behind.
    """
    rng = Random(f"tags/{seed}")
    gone: dict[str, Away] = {"Bag": [], "Umbrella": []}
    for left_s, back_s in away:
        if (left_s - monday_s) // DAY_S % 7 < 5 and left_s != stays_s:
            gone["Bag"].append((left_s, back_s))
        if rng.random() < 0.3:
            gone["Umbrella"].append((left_s, back_s))
    signals = []
    for name, times in gone.items():
        marks = {from_s + n * TAG_S for n in range(int((until_s - from_s) / TAG_S))}
        marks |= {left_s + n * LEFT_TAG_S for left_s, _ in away for n in range(1, 15)}
        for at_s in sorted(marks | {mark + 5.0 for both in times for mark in both}):
            at_home = not any(left_s < at_s <= back_s for left_s, back_s in times)
            key = f"Home.Items.{name}.Present"
            signals.append(Signal(key=key, value=at_home, time_s=at_s, source=SOURCE))
    return sorted(signals, key=lambda signal: signal.time_s)
