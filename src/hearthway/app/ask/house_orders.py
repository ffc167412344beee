"""The home's part in what is ordered: hand it to the program at home that switches things, and say what became of it.

Such a program listens to the control socket's events. For `{"event": "order", "id": ..., "light": NAME, "on": true}` or
`{"event": "order", "id": ..., "heating": 21.0}` it switches, and says `{"do": "ordered", "id": ..., "done": true}`
(or false, with "why") within five seconds. Nothing is called done that it did not say was.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from hearthway.app.control_server import ControlServer
from hearthway.app.part import Part
from hearthway.assist.ask.intents import COMMAND_HEATING, COMMAND_LIGHT
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.acts import COLDEST_C, WARMEST_C, HeatingOrder, LightOrder, Order
from hearthway.records.errors import HearthwayError, InputError
from hearthway.sense.catalogue import light_key

if TYPE_CHECKING:
    from hearthway.app.node import Node, Request

DONE_S = 5.0
LIGHTS_MAX = 64


class HouseOrders(Part):
    """Orders of lights and heating, on the home."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._waiting: dict[str, asyncio.Future[tuple[bool, str]]] = {}

    def verbs(self, control: ControlServer) -> None:
        control.on("ordered", self._ordered)

    def mesh_started(self, mesh: MeshNode) -> None:
        mesh.serve(COMMAND_LIGHT, LightOrder, self._heard)
        mesh.serve(COMMAND_HEATING, HeatingOrder, self._heard)

    async def _heard(self, meta: Any, order: Order) -> None:
        await self.carry_out(order)

    async def carry_out(self, order: Order) -> None:
        """Returns once every part of it was done; HearthwayError says what was not, and what to do."""
        if isinstance(order, HeatingOrder):
            if not COLDEST_C <= order.degrees <= WARMEST_C:
                raise InputError(
                    f"The heating cannot be set to {order.degrees:g} °C.",
                    f"Give {COLDEST_C:g} to {WARMEST_C:g}.",
                )
            await self._one(f"the heating to {order.degrees:g} °C", heating=order.degrees)
            return
        if not 0 < len(order.names) <= LIGHTS_MAX:
            raise InputError("No light was named.", "Name one that the house tells of.")
        for name in order.names:
            light_key(name)  # InputError for what is no light's name
        for name in order.names:
            await self._one(f"the {name.replace('_', ' ')} light", light=name, on=order.on)

    async def _one(self, what: str, **fields: Any) -> None:
        order_id = secrets.token_hex(6)
        done: asyncio.Future[tuple[bool, str]] = asyncio.get_running_loop().create_future()
        self._waiting[order_id] = done
        try:
            self.node.control.emit("order", id=order_id, **fields)
            ok, why = await asyncio.wait_for(done, DONE_S)
        except TimeoutError:
            raise HearthwayError(
                f"No program at home says that it switched {what}.",
                "docs/how-to/ask says how one listens for orders; look at the thing itself.",
            ) from None
        finally:
            del self._waiting[order_id]
        if not ok:
            raise HearthwayError(
                f"{what} was not switched: {why or 'no reason given'}.", "Look at home."
            )

    async def _ordered(self, request: Request) -> Request:
        done = self._waiting.get(str(request["id"]))
        if done is None or done.done():
            raise InputError("Nobody waits for that order.", f"Answer within {DONE_S:.0f} s.")
        done.set_result((request.get("done") is True, str(request.get("why", ""))[:200]))
        return {}
