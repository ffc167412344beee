"""What was done, as it is noted: whatever a house tells, and however often in one instant."""

from __future__ import annotations

from hearthway.context.deeds import deeds_of, note
from hearthway.context.state import LifeState
from hearthway.records.deeds import CAME_IN, HEATS, LEFT, Deed
from hearthway.records.signals import Signal
from hearthway.sense.catalogue import HEATING, PRESENCE


def test_what_a_house_does_twice_in_one_instant_has_an_order() -> None:
    life = LifeState(person="ada")
    for on in (False, True, False, True):
        for key in (HEATING, PRESENCE):
            note(life, Signal(key=key, value=on, time_s=60.0, source="house"), ())
    life.deeds.done.append(Deed(60.0, 60.0, LEFT, 60.0, 24.0))
    found = [one.what for one in deeds_of(life.deeds)]
    assert found == [CAME_IN, CAME_IN, HEATS, HEATS, LEFT]
