"""An order to the house: which things are meant, what is said before, and what became of it. Nothing here acts on a car."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hearthway.assist.ask import answers
from hearthway.assist.ask.facts import Facts
from hearthway.assist.ask.house_answers import lights_meant, no_such_light
from hearthway.assist.ask.words import say
from hearthway.records.acts import COLDEST_C, WARMEST_C, HeatingOrder, LightOrder, Order
from hearthway.records.ask import Meaning, Outcome, Reply, Source
from hearthway.records.errors import HearthwayError
from hearthway.records.household import Role
from hearthway.records.signals import Signal

from .house_orders import HouseOrders

if TYPE_CHECKING:
    from hearthway.app.node import Node

TIMEOUT_S = 12.0  # the home waits five seconds for each thing
AT_ONCE = 2  # so many lights are switched without asking back


class Ordering:
    """One order."""

    def __init__(self, node: Node, lights: Mapping[str, Signal], language: str) -> None:
        self._node, self._lights, self._language = node, lights, language

    def order_of(self, meaning: Meaning) -> Order | Reply:
        """What is ordered; a reply where that is nothing that is known here."""
        if meaning.intent == "heating_set":
            return self._heating(meaning)
        said = meaning.slots.get("light", "")
        facts = Facts(now_s=0.0, language=self._language, lights=self._lights)
        names = lights_meant(facts, said)
        if not names:
            return self._refused(meaning, say(self._language, *no_such_light(facts, said)))
        return LightOrder(names=tuple(names), on=meaning.intent == "light_on")

    def _heating(self, meaning: Meaning) -> Order | Reply:
        said = meaning.slots.get("degrees", "")
        try:
            degrees = float(said.split()[0].replace(",", ".").rstrip("°"))
        except (ValueError, IndexError):
            degrees = float("nan")
        if not COLDEST_C <= degrees <= WARMEST_C:
            low, high = f"{COLDEST_C:.0f}", f"{WARMEST_C:.0f}"
            line = say(
                self._language,
                f"The heating can be set to {low} to {high} degrees.",
                f"Die Heizung lässt sich auf {low} bis {high} Grad stellen.",
            )
            return self._refused(meaning, line)
        return HeatingOrder(degrees=degrees)

    def _refused(self, meaning: Meaning, line: str) -> Reply:
        return answers.said(self._language, meaning, Outcome.REFUSED, line)

    @staticmethod
    def many(order: Order) -> bool:
        """Is it about so much that it is asked back first?"""
        return isinstance(order, LightOrder) and len(order.names) > AT_ONCE

    def words(self, order: Order) -> str:
        """What would be done."""
        if isinstance(order, HeatingOrder):
            return say(
                self._language,
                f"The heating to {order.degrees:g} °C",
                f"Die Heizung auf {order.degrees:g} °C",
            )
        names = [name.replace("_", " ") for name in order.names]
        all_ = ", ".join(names)
        if order.on:
            return say(self._language, f"On: {all_}", f"An: {all_}")
        return say(self._language, f"Off: {all_}", f"Aus: {all_}")

    async def carry_out(self, order: Order, meaning: Meaning, command: str, rule: str) -> Reply:
        """Done and acknowledged by the home, or refused with the reason."""
        try:
            source = await self._sent(order, command)
        except HearthwayError as why:
            line = say(self._language, "That was not done.", "Das wurde nicht getan.")
            more = tuple(one for one in (why.message, why.next_step) if one)
            return answers.said(self._language, meaning, Outcome.REFUSED, line, *more)
        done = Source(
            key=command, shown=self.words(order), source=source, age_s=0.0, rule=rule, value=True
        )
        line = say(self._language, f"Done. {self.words(order)}.", f"Erledigt. {self.words(order)}.")
        return answers.said(self._language, meaning, Outcome.DONE, line, sources=(done,))

    async def _sent(self, order: Order, command: str) -> str:
        node = self._node
        if node.config.node.role is Role.HOME:
            await node.part(HouseOrders).carry_out(order)
            return node.config.node.id
        mesh = node.paired()
        await mesh.command(str(Role.HOME), command, order, "control", type(None), TIMEOUT_S)
        return str(Role.HOME)
