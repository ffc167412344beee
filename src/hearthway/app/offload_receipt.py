"""That something of a person was given away to be computed: what of, where, by which rules, how many bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hearthway.records.errors import MeshError
from hearthway.records.offload import PURPOSE, RUN
from hearthway.records.receipts import Computation, Crossing
from hearthway.records.situation import Evidence

from .witness import code_hash

if TYPE_CHECKING:
    from .member import Member


def computed(
    stage: str, me: str, by: str, sent: Sequence[str], *, model: str, code: str | None = None
) -> tuple[Computation, ...]:
    """Of one task: who answered (`by`, empty where nobody did) and whoever else its input was `sent` to.

    `code` is what each of them ran, where the task itself says it; else only this node's own is known.
    """

    def of(node: str) -> str:
        if code is not None:
            return code
        return code_hash(stage) if node == me else ""

    return tuple(
        Computation(stage=stage, node=node, code=of(node), model=model, used=node == by)
        for node in dict.fromkeys([*([by] if by else []), *sent])
    )


async def keep_receipt(
    node: Member,
    kind: str,
    about: str,
    keys: Sequence[str],
    fields: tuple[Evidence, ...],
    ran: Sequence[Computation],
) -> None:
    """Of a task of that kind, made of `keys`, whose input went somewhere; MeshError where the mesh is gone."""
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
        computations=tuple(ran),
        mesh=mesh,
    )
