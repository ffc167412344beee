"""`hearthway status`: who is there, how well, and what to do about it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from hearthway.app.config import load_config
from hearthway.app.control import Control
from hearthway.app.model_words import lines_of as lines_about
from hearthway.app.paths import start_with
from hearthway.records.count import count_of, kinds_of
from hearthway.records.errors import ConfigError

from .common import ago, data_option, json_option, nodes, write_json
from .router import router_line

WATCH_S = 1.0


@click.command("status")
@click.option("--watch", is_flag=True, help="Look again every second until Ctrl-C.")
@data_option
@json_option
def command(watch: bool, data: Path | None, json_to: Path | None) -> None:
    """Each node found here: is it up, paired and healthy; whom it reaches, since when and how well.

    A phone whose person stays somewhere also says where that person likely goes next, or asks. Where the positions
    that it is told are too rough to see its person move, it says so and what to do.
    With --watch and --json one line of JSON is written a second.
    """
    while True:
        found = _look(data)
        if json_to is not None:
            write_json(found, json_to)
        else:
            if watch:
                click.clear()
            for state in found:
                for line in lines_of(state):
                    click.echo(line)
        if not watch:
            return
        time.sleep(WATCH_S)


def _look(data: Path | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for paths in nodes(data):
        config = load_config(paths.config)
        state: dict[str, Any] = {
            "node": config.node.id,
            "role": str(config.node.role),
            "data": str(paths.root),
        }
        try:
            with Control(paths.socket, 5.0) as control:
                state |= {"up": True, **control.ask("status")}
        except ConfigError:
            state |= {"up": False, "next": start_with(paths.root)}
        found.append(state)
    return found


def lines_of(state: dict[str, Any]) -> list[str]:
    """A node's state for people: one line, then what is wrong, then the others."""
    lines = [_line(state)]
    if state.get("problem"):
        lines.append(f"  {state['problem']}")
    if state.get("next") and not state.get("healthy"):
        lines.append(f"  -> {state['next']}")
    storage = state.get("storage") or {}
    if storage.get("problem") and storage["problem"] != state.get("problem"):
        lines += [f"  {storage['problem']}", f"  -> {storage['next']}"]
    lines += [_peer_line(peer) for peer in state.get("peers", [])]
    lines += [f"  {router_line(router)}" for router in state.get("routers", [])]
    lines += [f"  runs here: {task['title']} ({task['id']})" for task in state.get("tasks", [])]
    for row in state.get("models", []):
        if row["problem"] or row["next"]:
            lines += [
                f"  model of {line}" if at == 0 else line
                for at, line in enumerate(lines_about(row))
            ]
    ranker = state.get("ranker")
    if ranker and ranker["problem"]:
        lines.append(f"  {ranker['problem']}")
    if state.get("charging"):
        lines += _charging_lines(state["charging"])
    if state.get("onward"):
        lines.append(f"  {state['onward']['words']}")
    if state.get("rough"):
        lines += [f"  {state['rough']['words']}", f"  -> {state['rough']['next']}"]
    retention = state.get("retention")
    if retention and retention["deleted"]:
        gone = kinds_of(retention["deleted"])
        lines.append(f"  deleted since its start, as the rules keep it no longer: {gone}")
    if state.get("aboard"):
        lines.append(f"  riding along: {', '.join(state['aboard'])}")
    position = state.get("position")
    if position and position.get("lent"):
        lines.append(f"  position lent by {position['source']}, {position['age_s']:.0f} s old")
    lines += [
        f"  {count_of(one['tasks'], 'task')} computed by {one['node']}, {count_of(one['bytes'], 'byte')}"
        for one in state.get("computed_by", [])
    ]
    lines += [
        f"  computed {count_of(one['tasks'], 'task')} for {one['node']}"
        for one in state.get("computes_for", [])
    ]
    if state.get("computes_why_not"):
        lines.append(f"  computes for nobody else: {state['computes_why_not']}")
    lines += [f"  {change}" for change in state.get("changes", [])]
    trouble = state.get("last_trouble")
    if trouble:
        lines.append(
            f"  last trouble {ago(time.time() - trouble['time_s'])} ago: {trouble['text']}"
        )
    return lines


def _charging_lines(told: dict[str, Any]) -> list[str]:
    if "words" not in told:
        return [f"  charging plan: none. {told['problem']}", f"  -> {told['next']}"]
    age = f" ({ago(told['age_s'])} ago)"
    return [f"  charging plan: {told['words']}{age}", *(f"  {note}" for note in told["notes"])]


def _line(state: dict[str, Any]) -> str:
    name = f"{state['node']} ({state['role']})"
    if not state["up"]:
        return f"{name}: not running"
    if state["role"] == "venue":
        return f"{name}: up, serving its wait"
    if not state["paired"]:
        return f"{name}: up, not paired"
    parts = [f"{name}: up", "healthy" if state["healthy"] else "NOT healthy"]
    if state.get("certificate_days") is not None:
        parts.append(f"certificate {count_of(round(state['certificate_days']), 'day')}")
    if state.get("storage"):
        parts.append(f"{state['storage']['database_mb']:.1f} MB kept")
    return ", ".join(parts)


def _peer_line(peer: dict[str, Any]) -> str:
    words = [f"  {peer['node']:12} {peer['role']:6}"]
    if not peer["alive"]:
        words.append("not there")
    else:
        words.append(f"there via {peer['via']}" if peer.get("via") else "there")
    if peer.get("for_s") is not None:
        words.append(f"for {ago(peer['for_s'])}")
    if peer["alive"] and peer.get("rtt_ms") is not None:
        words.append(f"{peer['rtt_ms']:.1f} ms")
    offset_s = peer.get("clock_offset_s")
    if peer["alive"] and offset_s is not None and abs(offset_s) > 1.0:
        words.append(f"clock {offset_s:+.0f} s")
    if not peer["alive"] and peer.get("problem"):
        words.append(f"- {peer['problem']}")
    return " ".join(words)
