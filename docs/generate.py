"""Writes the generated parts of docs/reference from the code that they describe: `python docs/generate.py`.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`. The tests compare: a verb, an
option, a setting or an adapter that the pages miss fails them, and a setting without a meaning fails here.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import click
import msgspec

import hearthway
from hearthway.app.config import Config
from hearthway.assist import needs
from hearthway.cli.main import cli
from hearthway.distill import file_card
from hearthway.distill.tasks import TASKS
from hearthway.mesh.policy.rules import PURPOSES, default_rules
from hearthway.records import errors
from hearthway.records.kinds import as_markdown
from hearthway.sense.catalogue import CATALOGUE
from hearthway.student import header as student_header
from hearthway.student.forms import FORMS

REFERENCE = Path(__file__).parent / "reference"
SHIPPED = Path(hearthway.__file__).parent / "student" / "data"
BESIDE = Path(__file__).parents[1] / "bench" / "students"
_BLOCK = re.compile(r"<!-- generated: ([^>]+?) -->\n.*?<!-- end -->", re.DOTALL)

MEANINGS: dict[str, str] = {
    "version": "Version of this file's format.",
    "node.id": "The device's id in the household: lower-case letters, digits and hyphens, at most 31.",
    "node.role": "`phone`, `car`, `home` or `venue`.",
    "node.name": "A name for people; nothing depends on it.",
    "mesh.listen": "Where other household nodes reach this one (mutual TLS). Streams use the port two above.",
    "map.atlas": "`bundled` (central Helsinki), `none`, or the path of an atlas made by `hearthway map build`.",
    "map.hours": 'Your corrections of opening hours: `"node/1" = "Mo-Su 10:00-22:00"`, in OpenStreetMap\'s format.',
    "web.listen": "`off`, or where the page and the OwnTracks endpoint listen. Plain HTTP: see the how-to.",
    "web.hosts": "Host names the page answers to, besides addresses and this machine's own name: a proxy's, for example.",
    "web.token": "Password of the OwnTracks endpoint, and of the page from every other device. At least 16 characters.",
    "assist.dial": "How readily it speaks: `quiet`, `normal` or `eager` (an unwanted word costs 40, 20 or 10 minutes, and a word must help with p 0.70, 0.60 or 0.45).",
    "assist.daily_budget": "At most so many suggestions a day, 0 to 20.",
    "ask.language": "The language in which a question is tried first: `en` or `de`.",
    "ask.model_url": "An OpenAI-compatible endpoint of your own, such as `http://127.0.0.1:11434/v1`: it reads what nothing else reads. Addresses of your own network only.",
    "ask.model": "The name of the model to ask for there.",
    "ask.voice": "`off`, or where this node takes what a speech recogniser heard, by the Wyoming protocol. The protocol has no password: addresses of your own network only.",
    "ask.voice_person": "Whose voice that is; `nobody` is anybody's, and gets what the rules let a guest have.",
    "satellite.mic": "`off`, or where a microphone's Wyoming service is, as host:port: then this node listens and speaks. All five services, or none; addresses of your own network only.",
    "satellite.wake": "The service that hears the wake word, such as openWakeWord.",
    "satellite.asr": "The speech recogniser, such as faster-whisper.",
    "satellite.tts": "The voice, such as Piper.",
    "satellite.snd": "The loudspeaker.",
    "satellite.word": "The wake word's name at that service. Empty: any that it knows.",
    "venue.osm_id": "For a venue: which POI it is, such as `node/1208596667`.",
    "venue.name": "For a venue: its name as guests see it.",
    "venue.listen": "For a venue: where it answers with its wait.",
    "venue.tables": "For a venue: the seats of each of its tables, such as `[2, 2, 4, 6]`; its count needs them.",
    "venue.valid_min": "For a venue: how many minutes a typed wait holds unless `--valid` says otherwise.",
    "models.publishers": "For the home: whose [models](../how-to/models.md) it takes beside the household's own, by their Ed25519 keys (64 hexadecimal digits). Default: nobody's.",
    "offload.lend": "Compute for other nodes of the household, as far as the rules let their tasks come here.",
    "offload.battery_floor_pct": "On battery it computes for others only above this, 0 to 100; once below, again from 5 % above.",
    "offload.heat_max_c": "Warmer than this it computes for nobody else, 0 to 120 °C; once above, again from 3 °C below.",
    "offload.watts": "What this device takes while it computes, 0 to 1000 W. 0: not known, and energy plays no part in where a task runs.",
    "offload.s_per_joule": "For a node that borrows: how many seconds it would wait to spare a battery one joule, 0 to 10.",
    "charging.tariff": "For a phone: the [tariff](../how-to/charge.md) by which the car is charged, a TOML file, from the node's directory on. While the car is plugged in its plan is kept. Empty: none is.",
    "charging.charger_kw": "What the charger gives, 0.1 to 400 kW. 0: not known; a tariff needs it.",
    "charging.target_pct": "State of charge at departure, 1 to 100.",
    "charging.house": "The house's own past, a CSV of `time,load_w,pv_w`: sun and load are forecast from it. Empty: neither is.",
    "charging.connection_kw": "What house and car may draw together, 0.1 to 1000 kW; needs `charging.house`. 0: no limit.",
    "replay.clock": "Take the time from replayed events, not from the wall clock. `hearthway drive` sets it.",
    "replay.synthetic": "Everything this node shows is labelled synthetic.",
}


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A Markdown table; pipes in cells are escaped."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )


def verbs() -> Iterator[tuple[str, click.Command]]:
    """Every verb and sub-verb as ("receipts verify", command), in the order of the help."""
    context = click.Context(cli, info_name="hearthway")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            for below, one in command.commands.items():
                yield f"{name} {below}", one
        elif command is not None:
            yield name, command


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


def _option(option: click.Option) -> tuple[str, ...]:
    names = ", ".join(f"`{name}`" for name in option.opts)
    kind = "" if option.is_flag else (option.metavar or option.type.name.upper())
    if isinstance(option.type, click.Choice):
        kind = ", ".join(str(choice) for choice in option.type.choices)
    elif isinstance(option.type, click.types._NumberRangeBase):
        low, high = option.type.min, option.type.max
        limits = f"{low}–{high}" if high is not None else f"{low} or more"
        kind = f"{option.metavar or 'NUMBER'}, {limits}"
    shown = option.default
    default = ""
    if isinstance(shown, str | int | float | Path) and not isinstance(shown, bool):
        default = f"`{shown}`"
    meaning = _words(option.help) + (" Required." if option.required else "")
    if option.multiple:
        meaning += " May be repeated."
    return names, kind, default, meaning


def verb(name: str) -> str:
    """Usage, help and options of one verb."""
    command = dict(verbs())[name]
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    usage = " ".join(["hearthway", name, *(a.make_metavar(_context(command)) for a in arguments)])
    parts = [f"`{usage} [OPTIONS]`" if options else f"`{usage}`"]
    parts += [_words(part) for part in (command.help or "").split("\n\n")]
    if options:
        parts.append(table(("option", "value", "default", "meaning"), map(_option, options)))
    return "\n\n".join(parts)


def _context(command: click.Command) -> click.Context:
    return click.Context(command, info_name=command.name)


def settings() -> str:
    """Every table and key of node.toml."""
    rows: list[tuple[str, ...]] = []
    hints = get_type_hints(Config)
    for table_field in msgspec.structs.fields(Config):
        kind = hints[table_field.name]
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
            rows.append(
                (
                    f"`{table_field.name}`",
                    kind.__name__,
                    f"`{table_field.default}`",
                    MEANINGS[table_field.name],
                )
            )
            continue
        below = get_type_hints(kind)
        for key in msgspec.structs.fields(kind):
            full = f"{table_field.name}.{key.name}"
            rows.append((f"`{full}`", _type(below[key.name]), _default(key), MEANINGS[full]))
    return table(("setting", "type", "default", "meaning"), iter(rows))


def _type(kind: object) -> str:
    names = {
        "str": "text",
        "bool": "true or false",
        "int": "whole number",
        "float": "number",
        "Role": "role",
    }
    name = getattr(kind, "__name__", "")
    if str(kind).startswith("list"):
        return "list of whole numbers" if kind == list[int] else "list of texts"
    if str(kind).startswith("dict"):
        return "table of texts"
    return names.get(name, name)


def _default(key: msgspec.structs.FieldInfo) -> str:
    if key.required:
        return "required"
    if key.default is msgspec.NODEFAULT:
        return "empty"
    shown = str(key.default).lower() if isinstance(key.default, bool) else str(key.default)
    return f"`{shown}`" if shown else "empty"


def signals() -> str:
    """The catalogue of signal keys."""

    def rows() -> Iterator[tuple[str, ...]]:
        for row in CATALOGUE.values():
            limits = "" if row.low is None or row.high is None else f"{row.low:g} to {row.high:g}"
            yield (
                f"`{row.key}`",
                row.unit or row.type,
                limits,
                f"{row.freshness_s:g} s",
                "yes" if row.personal else "no",
                row.about,
            )

    return table(("key", "unit or type", "range", "fresh for", "personal", "what"), rows())


def purposes() -> str:
    """What a rule can be for."""
    return table(("purpose", "to ..."), ((f"`{name}`", words) for name, words in PURPOSES.items()))


def silences() -> str:
    """Why nothing is said, and by which need where it is not for all of them."""
    rows = (
        (f"`{code}`", need, words)
        for code, by in needs.silence_words().items()
        for need, words in by.items()
    )
    return table(("code", "need", "words"), rows)


def failures() -> str:
    """The error tree with its exit codes."""

    def rows(kind: type[errors.HearthwayError], depth: int) -> Iterator[tuple[str, ...]]:
        name = "&nbsp;" * 4 * depth + f"`{kind.__name__}`"
        yield name, str(kind.exit_code), _words(kind.__doc__)
        for below in kind.__subclasses__():
            if below.__module__ == errors.__name__:
                yield from rows(below, depth + 1)

    return table(("error", "exit code", "meaning"), rows(errors.HearthwayError, 0))


def adapters() -> str:
    """Every adapter's manifest."""
    parts = []
    for manifest in sorted((Path(hearthway.__file__).parent / "adapters").glob("*/manifest.toml")):
        about = tomllib.loads(manifest.read_text(encoding="utf-8"))
        there = about["counterpart"]
        rows = (
            ("runs on the", about["role"]),
            ("direction", about["direction"]),
            ("gives", ", ".join(f"`{key}`" for key in about["gives"])),
            ("versions", there["versions"]),
            ("protocol", there["protocol"]),
            ("authentication", there["authentication"]),
            *((f"limit: {name}", str(value)) for name, value in about.get("limits", {}).items()),
        )
        parts.append(f"## {about['name']}\n\n{about['summary']}\n\n" + table(("", ""), iter(rows)))
    return "\n\n".join(parts)


def student_forms() -> str:
    """Every legal form of an operator of a student's file."""
    fields = {
        kind.__struct_config__.tag: [
            f"`{f.name}`"
            for f in msgspec.structs.fields(kind)
            if f.name not in ("name", "of", *student_header.TENSOR_FIELDS)
        ]
        for kind in get_args(student_header.Node)
    }
    rows = (
        (
            f"`{form.op}`",
            ", ".join(f"`{pattern}`" for pattern in form.takes),
            ", ".join(f"`{name}` `{pattern}`" for name, pattern in form.tensors.items()),
            ", ".join(f'`how: "{form.how}"`' if f == "`how`" else f for f in fields[form.op]),
            f"`{form.gives}`",
        )
        for form in FORMS
    )
    return table(("op", "takes", "tensors", "other fields", "gives"), rows)


def students(folder: Path) -> str:
    """Every student's file of a folder: its identity, size, recipe and terms."""
    head = ("file", "SHA-256", "size", "recipe", "terms")
    return table(head, map(file_card.row, file_card.students(folder)))


def card(name: str) -> str:
    """What a student's file says of itself."""
    path = next(one for one in file_card.students(SHIPPED, BESIDE) if one.stem == name)
    return table(("", ""), iter(file_card.rows(path)))


def tasks() -> str:
    """What can be distilled."""
    rows = (
        (f"`{t.name}`", t.words, f"the extra `{t.extra}`" if t.extra else "")
        for t in TASKS.values()
    )
    return table(("task", "says", "needs"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "signals": signals,
    "purposes": purposes,
    "default rules": lambda: "```toml\n" + default_rules() + "```",
    "record kinds": lambda: as_markdown().strip(),
    "silences": silences,
    "errors": failures,
    "adapters": adapters,
    "student forms": student_forms,
    "distill tasks": tasks,
    "students that ship": lambda: students(SHIPPED),
    "students beside": lambda: students(BESIDE),
}


BY_NAME: dict[str, Callable[[str], str]] = {"verb": verb, "card": card}


def part(name: str) -> str:
    """The generated part of that name; KeyError where there is none."""
    kind, _, one = name.partition(" ")
    if kind in BY_NAME:
        return BY_NAME[kind](one)
    return PARTS[name]()


def renewed(text: str) -> str:
    """A page with its generated parts as the code says them now."""

    def block(found: re.Match[str]) -> str:
        name = found[1].strip()
        return f"<!-- generated: {name} -->\n\n{part(name)}\n\n<!-- end -->"

    return _BLOCK.sub(block, text)


def pages() -> list[Path]:
    """The pages of the reference."""
    return sorted(REFERENCE.glob("*.md"))


def main() -> int:
    """Rewrite what changed; the count of pages rewritten on standard error."""
    changed = 0
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = renewed(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            changed += 1
    sys.stderr.write(f"{changed} pages renewed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
