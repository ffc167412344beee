"""Every place index that a life holds, changed where places are joined, divided or given up."""

from __future__ import annotations

from msgspec.structs import replace

from hearthway.records.life import Reached

from . import settling
from .flat import gap_m
from .places import NOWHERE, KnownPlace
from .state import LifeState


def renumber(state: LifeState, old: int, new: int) -> None:
    """What was at the place `old` was at `new`; at no place that is known where that is NOWHERE."""
    place = None if new == NOWHERE else new
    for trip in state.trips:
        trip.origin = new if trip.origin == old else trip.origin
        trip.destination = new if trip.destination == old else trip.destination
    for meal in state.meals:
        meal.place = new if meal.place == old else meal.place
    settling.renumber(state.settling, old, new)
    state.here = place if state.here == old else state.here
    state.previous_place = place if state.previous_place == old else state.previous_place
    if state.departure is not None and state.departure.origin == old:
        state.departure = replace(state.departure, origin=place)
    if state.set_out is not None and state.set_out.leaving.origin == old:
        leaving = replace(state.set_out.leaving, origin=place)
        state.set_out = replace(state.set_out, leaving=leaving)
    car = state.car
    car.at = place if car.at == old else car.at
    car.firsts = [
        replace(
            first,
            origin=new if first.origin == old else first.origin,
            destination=new if first.destination == old else first.destination,
        )
        for first in car.firsts
    ]
    shown = state.battery.shown
    if shown is not None and shown.place == old:
        state.battery.shown = None if place is None else replace(shown, place=place)


def needed(state: LifeState) -> set[int]:
    """Places that what is under way names: they are not given up."""
    shown = state.battery.shown
    named = (
        state.here,
        state.previous_place,
        state.departure.origin if state.departure is not None else None,
        state.set_out.leaving.origin if state.set_out is not None else None,
        shown.place if shown is not None else None,
    )
    return {index for index in named if index is not None}


def move_part(state: LifeState, place: KnownPlace, other: KnownPlace) -> None:
    """`other` was divided from `place`: what was nearer to it was there. A trip sets out from where the last one led."""

    def nearer(at: tuple[float, float] | None) -> bool:
        return at is not None and gap_m(*at, other.lat, other.lon) < gap_m(
            *at, place.lat, place.lon
        )

    settling.divide(state.settling, place, other)
    led = NOWHERE
    for trip in state.trips:
        if trip.origin == place.index:
            start = trip.path[0] if trip.path else None
            there = led == other.index if led in (place.index, other.index) else nearer(start)
            trip.origin = other.index if there else place.index
        if trip.destination == place.index and nearer(trip.stayed or trip.end):
            trip.destination = other.index
        led = trip.destination
    for one in (place, other):
        one.reached = _reached(state, one.index)
    for meal in state.meals:
        if meal.place == place.index and nearer((meal.visit.lat, meal.visit.lon)):
            meal.place = other.index
    if state.here == place.index and not place.staying:
        state.here = other.index
    last = state.previous
    if state.previous_place == place.index and last is not None and nearer((last.lat, last.lon)):
        state.previous_place = other.index
        if state.departure is not None and state.departure.origin == place.index:
            state.departure = replace(state.departure, origin=other.index)
    stop = state.set_out
    at_stop = state.since.points[0][1:] if state.since.points else None
    if stop is not None and stop.leaving.origin == place.index and nearer(at_stop):
        state.set_out = replace(stop, leaving=replace(stop.leaving, origin=other.index))
    if state.car.at == place.index:
        state.car.at = None  # nobody knows at which of the two it stands; past first trips stay with the larger
    shown = state.battery.shown
    if shown is not None and shown.place == place.index:
        state.battery.shown = None  # nobody knows which of the two was meant


def _reached(state: LifeState, index: int) -> Reached:
    """How a place was reached, by the trips that are kept."""
    found = Reached()
    for trip in state.trips:
        if trip.destination == index and trip.mode is not None:
            found = found.plus(Reached(**{trip.mode: 1}))
    return found
