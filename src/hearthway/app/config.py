"""A node's settings: one TOML file, every table and key checked, unknown ones named with the nearest known."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct, field

from hearthway.mesh.links.own_network import at_address, is_own
from hearthway.records import toml
from hearthway.records.ask import LANGUAGES
from hearthway.records.errors import ConfigError, InputError
from hearthway.records.household import Role

from .paths import NodePaths, write_private

DIALS = ("quiet", "normal", "eager")
VOICE_SERVICES = ("mic", "wake", "asr", "tts", "snd")


class NodeTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Who this node is."""

    id: str
    role: Role
    name: str = ""


class MeshTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Where it listens (host:port, TLS). Whom it calls stands in the household's roster."""

    listen: str = "0.0.0.0:7447"


class MapTable(Struct, frozen=True, forbid_unknown_fields=True):
    """The atlas: "bundled" (central Helsinki), "none", or the path of one made by `hearthway map build`."""

    atlas: str = "bundled"
    hours: dict[str, str] = field(default_factory=dict)


class WebTable(Struct, frozen=True, forbid_unknown_fields=True):
    """The local page: "off" or host:port. `token` guards OwnTracks and every access that is not loopback.

    `hosts`: names it answers to besides addresses and this machine's own name, such as a proxy's.
    """

    listen: str = "off"
    token: str = ""
    hosts: list[str] = field(default_factory=list)


class AssistTable(Struct, frozen=True, forbid_unknown_fields=True):
    """How readily it speaks: quiet, normal or eager; at most `daily_budget` suggestions a day."""

    dial: str = "normal"
    daily_budget: int = 2


class AskTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Questions in plain words: the language tried first, a language model of one's own, and voice by Wyoming.

    `voice` is "off" or host:port; `voice_person` is whose voice that is ("nobody": anybody's).
    """

    language: str = "en"
    model_url: str = ""
    model: str = ""
    voice: str = "off"
    voice_person: str = "nobody"


class SatelliteTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Listening and speaking by Wyoming, each service at its host:port; "off", or all five. `word`: the wake word's name."""

    mic: str = "off"
    wake: str = "off"
    asr: str = "off"
    tts: str = "off"
    snd: str = "off"
    word: str = ""


class VenueTable(Struct, frozen=True, forbid_unknown_fields=True):
    """For the venue role: which POI it is, and where it answers."""

    osm_id: str = ""
    name: str = ""
    listen: str = "0.0.0.0:7480"
    valid_min: float = 20.0
    tables: list[int] = []


class ModelsTable(Struct, frozen=True, forbid_unknown_fields=True):
    """For the home: whose models it takes beside the household's own, by their Ed25519 keys (64 hexadecimal digits)."""

    publishers: list[str] = []


class OffloadTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Computing for other nodes: whether it does, and what it keeps for itself. `watts` 0: not known."""

    lend: bool = True
    battery_floor_pct: float = 30.0
    heat_max_c: float = 75.0
    watts: float = 0.0
    s_per_joule: float = 0.0


class ChargingTable(Struct, frozen=True, forbid_unknown_fields=True):
    """For a phone: the tariff by which the car is charged at home, and what the charger gives. Paths begin at the node's directory.

    `house`: the house's own past, from which sun and load are forecast. `connection_kw` 0: house and car draw what they will.
    """

    tariff: str = ""
    charger_kw: float = 0.0
    target_pct: float = 100.0
    house: str = ""
    connection_kw: float = 0.0


class ReplayTable(Struct, frozen=True, forbid_unknown_fields=True):
    """For a node that takes its time from a replay; `synthetic` is shown wherever its data shows."""

    clock: bool = False
    synthetic: bool = False


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """One node's whole configuration (node.toml)."""

    node: NodeTable
    version: int = 1
    mesh: MeshTable = MeshTable()
    map: MapTable = MapTable()
    web: WebTable = WebTable()
    assist: AssistTable = AssistTable()
    ask: AskTable = AskTable()
    satellite: SatelliteTable = SatelliteTable()
    venue: VenueTable = VenueTable()
    models: ModelsTable = ModelsTable()
    offload: OffloadTable = OffloadTable()
    charging: ChargingTable = ChargingTable()
    replay: ReplayTable = ReplayTable()


MAX_TABLES, MAX_SEATS = 500, 100
_KEY = re.compile(r"[0-9a-f]{64}")
_OSM_ID = re.compile(r"(node|way|relation)/\d+")
_OFFLOAD_LIMITS = (
    ("battery_floor_pct", 0.0, 100.0),
    ("heat_max_c", 0.0, 120.0),
    ("watts", 0.0, 1000.0),
    ("s_per_joule", 0.0, 10.0),
)
_NODE_ID = re.compile(r"^[a-z][a-z0-9-]{0,30}$")
_TABLES: dict[str, type[Struct]] = {
    "node": NodeTable,
    "mesh": MeshTable,
    "map": MapTable,
    "web": WebTable,
    "assist": AssistTable,
    "ask": AskTable,
    "satellite": SatelliteTable,
    "venue": VenueTable,
    "models": ModelsTable,
    "offload": OffloadTable,
    "charging": ChargingTable,
    "replay": ReplayTable,
}


def _typo_hint(problem: str) -> str:
    """For msgspec's "unknown field" messages: the nearest field that exists there."""
    found = re.search(r"unknown field `(\w+)`(?: - at `\$\.?(\w*))?", problem)
    if not found:
        return "docs/reference/settings lists every setting."
    wrong, table = found.group(1), found.group(2)
    kind = _TABLES.get(table or "", Config)
    near = difflib.get_close_matches(wrong, kind.__struct_fields__, n=1, cutoff=0.5)
    known = ", ".join(kind.__struct_fields__)
    return f"Did you mean `{near[0]}`?" if near else f"Known here: {known}."


def _split_address(address: str, what: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) < 65536:
        raise ConfigError(
            f"{what} is {address!r}.", 'It has the form "host:port", like "10.0.0.5:7447".'
        )
    return host.strip("[]"), int(port)


def split_address(address: str) -> tuple[str, int]:
    """("host", port) of "host:port"; ConfigError otherwise."""
    return _split_address(address, "The address")


def parse_config(text: str, source: str) -> Config:
    """The configuration in `text`, or a ConfigError that names the setting and what to write instead."""
    try:
        tree = toml.parse(text)
        config = msgspec.convert(tree, Config)
    except tomllib.TOMLDecodeError as why:
        raise ConfigError(f"{source} is not TOML: {why}.", "Mend that line.") from None
    except RecursionError:
        raise ConfigError(
            f"{source} is nested too deeply.", "docs/reference/settings lists every setting."
        ) from None
    except msgspec.ValidationError as why:
        raise ConfigError(f"{source}: {why}.", _typo_hint(str(why))) from None
    return validated(config, source)


def validated(config: Config, source: str) -> Config:
    """`config` itself where every value is usable; else a ConfigError that names the setting."""
    if config.version != 1:
        raise ConfigError(
            f"{source} has version {config.version}; this Hearthway reads version 1.",
            "Update Hearthway.",
        )
    if not _NODE_ID.match(config.node.id):
        raise ConfigError(
            f"{source}: node.id {config.node.id!r} is not usable.",
            "Use lower-case letters, digits and hyphens, at most 31, starting with a letter.",
        )
    if config.assist.dial not in DIALS:
        raise ConfigError(
            f"{source}: assist.dial is {config.assist.dial!r}.", f"Use one of {', '.join(DIALS)}."
        )
    if not 0 <= config.assist.daily_budget <= 20:
        raise ConfigError(
            f"{source}: assist.daily_budget is {config.assist.daily_budget}.", "Use 0 to 20."
        )
    _check_offload(config.offload, source)
    _check_charging(config.charging, source)
    _split_address(config.mesh.listen, f"{source}: mesh.listen")
    if config.web.listen != "off":
        _split_address(config.web.listen, f"{source}: web.listen")
    if not all(_KEY.fullmatch(one) for one in config.models.publishers):
        raise ConfigError(
            f"{source}: models.publishers has an entry that is no publisher's key.",
            "A key is 64 small hexadecimal digits, as its maker tells it.",
        )
    _check_ask(config.ask, source)
    _check_satellite(config, source)
    if config.node.role is Role.VENUE:
        _split_address(config.venue.listen, f"{source}: venue.listen")
        if config.venue.osm_id and not _OSM_ID.fullmatch(config.venue.osm_id):
            raise ConfigError(
                f"{source}: venue.osm_id is {config.venue.osm_id!r}.",
                'Write it as OpenStreetMap has it: "node/123", "way/4" or "relation/5".',
            )
        seats = config.venue.tables
        if len(seats) > MAX_TABLES or not all(1 <= one <= MAX_SEATS for one in seats):
            raise ConfigError(
                f"{source}: venue.tables has a table or a number of tables that cannot be.",
                f"Write the seats of each table, like [2, 2, 4, 6]: at most {MAX_TABLES} of 1 to {MAX_SEATS}.",
            )
    return config


def _check_offload(table: OffloadTable, source: str) -> None:
    for name, least, most in _OFFLOAD_LIMITS:
        value = getattr(table, name)
        if not least <= value <= most:
            raise ConfigError(
                f"{source}: offload.{name} is {value:g}.", f"Use {least:g} to {most:g}."
            )


def _check_charging(table: ChargingTable, source: str) -> None:
    """ConfigError for what no charger or battery is, and for a part without which nothing is planned."""
    for name, least, most in (
        ("charger_kw", 0.1, 400.0),
        ("target_pct", 1.0, 100.0),
        ("connection_kw", 0.1, 1_000.0),
    ):
        value = getattr(table, name)
        unset = name != "target_pct" and value == 0.0
        if not unset and not least <= value <= most:
            raise ConfigError(
                f"{source}: charging.{name} is {value:g}.", f"Use {least:g} to {most:g}."
            )
    if table.tariff and not table.charger_kw:
        raise ConfigError(
            f"{source}: charging.tariff is set, and what the charger gives is not.",
            "Set charging.charger_kw, such as 11.",
        )
    if table.connection_kw and not table.house:
        raise ConfigError(
            f"{source}: charging.connection_kw needs the house's own past.",
            "Set charging.house, or leave it out.",
        )


def _check_ask(ask: AskTable, source: str) -> None:
    """ConfigError for a language that is not spoken, or an address that is not of one's own network."""
    if ask.language not in LANGUAGES:
        raise ConfigError(
            f"{source}: ask.language is {ask.language!r}.", f"Use {' or '.join(LANGUAGES)}."
        )
    if ask.model_url:
        try:
            at_address(ask.model_url)
        except InputError as why:
            raise ConfigError(f"{source}: ask.model_url: {why.message}", why.next_step) from None
    if not ask.voice_person.strip():  # empty would be the owner, by whoever speaks
        raise ConfigError(
            f"{source}: ask.voice_person is empty.",
            'Name whose voice it is, or write "nobody": anybody\'s.',
        )
    if ask.voice != "off":
        host, _ = _split_address(ask.voice, f"{source}: ask.voice")
        if not is_own(host):
            raise ConfigError(
                f"{source}: ask.voice is {ask.voice!r}: the protocol knows no password.",
                "Listen on this machine or at an address of your own network.",
            )


def _check_satellite(config: Config, source: str) -> None:
    """ConfigError for a satellite that lacks a part, or one that is not on one's own network."""
    table = config.satellite
    at = {name: getattr(table, name) for name in VOICE_SERVICES}
    if set(at.values()) == {"off"}:
        return
    if config.node.role is Role.VENUE:
        raise ConfigError(f"{source}: a venue answers no questions.", "Leave out [satellite].")
    for name, address in at.items():
        if address == "off":
            raise ConfigError(
                f"{source}: satellite.{name} is off, and others are not.",
                f"Say where each of {', '.join(VOICE_SERVICES)} is, or leave all out.",
            )
        host, _ = _split_address(address, f"{source}: satellite.{name}")
        if not is_own(host):
            raise ConfigError(
                f"{source}: satellite.{name} is {address!r}, and what is said does not leave your own network.",
                'Write an address of it, not a name, as in "127.0.0.1:10300".',
            )


def load_config(path: Path) -> Config:
    """The configuration at `path`; ConfigError with what to do next."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"There is no node at {path.parent}.",
            "Start one with `hearthway up --role ROLE --data DIR`.",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from None
    except OSError as why:
        raise ConfigError(
            f"{path} cannot be read: {why.strerror}.", "Check its owner and mode."
        ) from None
    return parse_config(text, str(path))


def save_config(paths: NodePaths, config: Config) -> None:
    """Write `config` to node.toml, 0600, without the settings that stand at their defaults."""
    import tomli_w

    tree = msgspec.to_builtins(config, str_keys=True)
    bare = msgspec.to_builtins(Config(node=config.node), str_keys=True)
    kept = {
        key: (
            {k: v for k, v in value.items() if bare[key].get(k) != v or key == "node"}
            if isinstance(value, dict)
            else value
        )
        for key, value in tree.items()
    }
    kept = {key: value for key, value in kept.items() if value != {}}
    write_private(paths.config, tomli_w.dumps(kept).encode())
