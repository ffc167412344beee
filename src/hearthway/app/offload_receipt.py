"""That something of a person was given away to be computed: what of, where, by which rules, how many bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hearthway.records.errors import MeshError
from hearthway.records.offload import PURPOSE, RUN
from hearthway.records.receipts import Computation, Crossing
from hearthway.records.situation import Evidence

if TYPE_CHECKING:
    from .member import Member


async def keep_receipt(
    node: Member,
    kind: str,
    about: str,
    keys: Sequence[str],
    fields: tuple[Evidence, ...],
    given_to: Sequence[Computation],
) -> None:
    """Of a task of that kind, made of `keys`, for the nodes that its input was sent to; MeshError where the mesh is gone."""
    if not given_to:
        return
    mesh, now_s, me = node.mesh, node.clock.now_s(), node.config.node.id
    if mesh is None:
        raise MeshError("The mesh went meanwhile.", "Ask again.")
    rules = {c.key: c for c in mesh.crossings() if c.purpose == PURPOSE and c.sender == me}
    crossed: list[Crossing] = [rules[key] for key in (RUN, *keys) if key in rules]
    await asyncio.to_thread(
        node.receipts.write,
        suggestion_id=f"task-{kind}-{now_s:.3f}",
        person=about,
        time_s=now_s,
        fields=fields,
        crossings=tuple(crossed),
        computations=tuple(given_to),
        mesh=mesh,
    )
