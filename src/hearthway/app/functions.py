"""Functions that the household stands by, run where their answer is there soonest: in the car, or on a node that it may ask.

A function is spread, signed and tried as its models are; its input goes only where a rule lets what it was made of go.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, cast

from hearthway.mesh.offload.function import PREFIX, no_runtime, runs_functions
from hearthway.records.errors import InputError
from hearthway.records.offload import INPUT_MAX_BYTES, KEYS_MAX, WITHIN_MAX_S, Job

from .control_server import ControlServer
from .models import Models
from .offload import Offloading
from .offload_jobs import FUNCTION
from .offload_receipt import computed, keep_receipt
from .part import Part
from .wheel import AtWheel

if TYPE_CHECKING:
    from .member import Member
    from .node import Request

INPUT = "Function.Input"  # what the rules call an input of which nobody says what it was made of
KEY_MAX = 120  # characters


class Functions(Part):
    """In the car: `compute` on the control socket."""

    def verbs(self, control: ControlServer) -> None:
        control.on("compute", self._compute)

    async def _compute(self, request: Request) -> Request:
        name, within_s = str(request.get("name", "")), float(request.get("within_s", 2.0))
        if not 0.0 < within_s <= WITHIN_MAX_S:
            raise InputError(f"{within_s:g} s is no deadline.", f"Use up to {WITHIN_MAX_S:g} s.")
        data, keys = _input(request.get("input")), _keys(request.get("made_of"))
        identity = await asyncio.to_thread(self._identity, name)
        about = self.node.part(AtWheel).driver()
        sent: list[str] = []
        by = ""
        try:
            done = await self.node.part(Offloading).run(
                Job(FUNCTION, identity),
                data,
                size=float(len(data)),
                within_s=within_s,
                keys=keys,
                about=about,
                sent=sent.append,
            )
            by = done.by
        finally:
            if sent:
                me = self.node.config.node.id
                ran = computed(FUNCTION, me, by, sent, model=name, code=identity)
                await keep_receipt(cast("Member", self.node), FUNCTION, about, keys, (), ran)
        return {
            "output": base64.b64encode(done.output).decode(),
            "computed_by": done.by,
            "took_ms": round(done.took_s * 1000.0, 1),
            "not_asked": dict(done.choice.why_not),
        }

    def _identity(self, name: str) -> str:
        """Of what serves under that name. Blocking."""
        if not name.startswith(PREFIX):
            raise InputError(f"{name[:60]!r} is no function.", f"Its name begins with {PREFIX!r}.")
        if not runs_functions():
            raise no_runtime()
        found = self.node.part(Models).load(name)
        if found is None:
            raise InputError(
                f"The household has no function of the name {name[:60]!r} here.",
                f"`hearthway models` lists them; at home `hearthway models add FILE.wasm --own --task {PREFIX}NAME`.",
            )
        return found[0]


def _input(told: object) -> bytes:
    """InputError for what is no input."""
    try:
        data = base64.b64decode(str(told or ""), validate=True)
    except (binascii.Error, ValueError):
        raise InputError(
            "That is no input.", "It is base64, as `hearthway compute` sends it."
        ) from None
    if len(data) > INPUT_MAX_BYTES:
        raise InputError(f"An input has at most {INPUT_MAX_BYTES >> 20} MiB.", "Give less.")
    return data


def _keys(told: object) -> tuple[str, ...]:
    """What it was made of, as the rules call it; InputError for what cannot be keys."""
    keys = told if isinstance(told, list) else []
    if len(keys) > KEYS_MAX or not all(
        isinstance(one, str) and 0 < len(one) <= KEY_MAX for one in keys
    ):
        raise InputError("That is nothing an input is made of.", "Name keys, as in rules.toml.")
    return tuple(dict.fromkeys(keys)) or (INPUT,)
