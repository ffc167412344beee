"""A reply as lines for people."""

from __future__ import annotations

from typing import Any


def reply_lines(reply: dict[str, Any], *, sources: bool) -> list[str]:
    """A reply for people: what is said, and on request where each figure comes from."""
    lines = [reply["line"], *(f"  {one}" for one in reply["more"])]
    if reply["synthetic"]:
        lines.append("  from a synthetic household")
    if not sources:
        return lines
    if reply["intent"]:
        lines.append(f"  understood as {reply['intent']} by {reply['by']}: {reply['of']}")
    for one in reply["sources"]:
        said = " ".join(part for part in (one["shown"], one["ago"]) if part) or "used"
        rule = f", rule {one['rule']}" if one["rule"] else ""
        lines.append(f"  {said}: {one['key']} from {one['source'] or 'here'}{rule}")
    if reply["reply_id"]:
        lines.append(f"  receipt {reply['reply_id']}")
    return lines
