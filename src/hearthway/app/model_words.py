"""How a task's model stands on a node, in a row for programs and in lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearthway.mesh.offload.function import PREFIX
from hearthway.mesh.state.shelf import Shelf
from hearthway.records.errors import HearthwayError
from hearthway.records.releases import Release

SHORT = 12  # characters of an identity that people see


def row_of(
    shelf: Shelf, task: str, trouble: HearthwayError | None, lied: Mapping[str, str]
) -> dict[str, Any]:
    """One task: what serves, what is being spread, what is wrong and what to do."""
    order, standing, serving = shelf.order(task), shelf.standing(task), shelf.serving(task)
    named = {} if order is None else {one.identity: one for one in order.releases()}
    row: dict[str, Any] = {
        "task": task,
        "serves": _told(named.get(serving), serving),
        "before": _told(named.get(standing.before), standing.before),
        "next": None,
        "problem": "",
        "what_to_do": "",
    }
    if order is None:
        return row
    if order.next is not None:
        checked = standing.staged == order.next.identity
        row["next"] = {**_told(order.next, order.next.identity), "checked": checked}
    for one in (order.serves, order.next):
        if one is not None and (why := standing.why_not(one.identity)):
            row["problem"] = f"{one.name} ({one.identity[:SHORT]}) does not work here: {why}"
            row["what_to_do"] = (
                f"What worked before serves. `hearthway models back {task}` at home takes it back"
                f" everywhere; `hearthway models use {task} {one.identity[:SHORT]}` tries once more."
            )
    wanted = order.serves.identity if order.serves else ""
    if wanted != serving and wanted and not row["problem"] and not shelf.artefacts.has(wanted):
        row["problem"] = "The one that should serve is not here yet; the one before it does."
        row["what_to_do"] = "It comes from any device in reach that has it, such as the home."
    if trouble is not None:
        row["problem"], row["what_to_do"] = trouble.message, trouble.next_step
    liars = sorted(device for device, identity in lied.items() if identity in named)
    if liars:
        row["problem"] = (
            f"{', '.join(liars)} gave other bytes than this model's; they were not used."
        )
        row["what_to_do"] = "Look at that device; others were asked instead."
    return row


def lines_of(row: Mapping[str, Any]) -> list[str]:
    """The same for people: one line, then what is wrong."""
    shipped = "none yet" if row["task"].startswith(PREFIX) else "as shipped"
    parts = [f"{row['task']}: {words(row['serves'], shipped)}"]
    if row["next"] is not None:
        state = "checked here" if row["next"]["checked"] else "not here yet"
        parts.append(f"next {words(row['next'])}, {state}")
    if waits := row.get("waits_for"):
        parts.append(f"waits for {', '.join(waits)}")
    lines = ["; ".join(parts)]
    lines += [
        f"  {one['node']}: {one['problem']}" for one in row.get("nodes", []) if one["problem"]
    ]
    if row["problem"]:
        lines += [f"  {row['problem']}", f"  -> {row['what_to_do']}"]
    return lines


def words(told: Mapping[str, Any], shipped: str = "as shipped") -> str:
    """A release for people; `shipped`: what none is called."""
    if not told["identity"]:
        return shipped
    by = f", by {told['publisher'][:SHORT]}" if told["publisher"] else ""
    return f"{told['name'] or 'a model'} ({told['identity'][:SHORT]}{by})"


def _told(release: Release | None, identity: str) -> dict[str, Any]:
    if release is None:
        return {"identity": identity, "name": "", "publisher": "", "size_bytes": None}
    return {
        "identity": identity,
        "name": release.name,
        "publisher": release.publisher,
        "size_bytes": release.size_bytes,
    }
