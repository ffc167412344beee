"""`hearthway rules`: what may be collected, cross, be learned from and stay; what a change would open; using it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hearthway.app.collecting import rules_of
from hearthway.app.config import load_config
from hearthway.app.control import Control, running
from hearthway.app.paths import NodePaths, write_private
from hearthway.mesh.policy.rules import PURPOSES, TEMPLATES, Rules, read_file, said_by, template
from hearthway.records.count import count_of
from hearthway.records.errors import HearthwayError
from hearthway.records.household import Role, Rule

from .common import data_option, json_option, nodes, write_json

if TYPE_CHECKING:
    from hearthway.mesh.policy.rules_words import Explanation


class _Verbs(click.Group):
    """`hearthway rules` and `hearthway rules FILE` show; everything else names what it does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = ["show", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group("rules", cls=_Verbs)
def command() -> None:
    """The owner's rules. Without a command: show those of every node found here, or of a file."""


@command.command("show")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--default",
    "show_default",
    is_flag=True,
    help="Print the rules Hearthway starts with, as a file to edit.",
)
@click.option(
    "--template",
    "name",
    type=click.Choice(list(TEMPLATES)),
    help="Print one of the rules files to start from.",
)
@data_option
@json_option
def show(
    file: Path | None,
    show_default: bool,
    name: str | None,
    data: Path | None,
    json_to: Path | None,
) -> None:  # click's callback form
    """The rules of every node found here, or those of FILE. What no rule names stays where it is."""
    if show_default or name is not None:
        click.echo(template(name or "family"), nl=False)
        return
    sources = [file] if file else [paths.rules for paths in nodes(data) if paths.rules.exists()]
    shown = {str(source): Rules.load(source) for source in sources}
    if json_to is not None:
        write_json({source: rules.book for source, rules in shown.items()}, json_to)
        return
    before: str | None = None
    for source, rules in shown.items():
        click.echo(source)
        text = "\n".join(_lines(rules))
        click.echo("  the same" if text == before else text)
        before = text


def _lines(rules: Rules) -> list[str]:
    lines = [
        f"  {rule.id:24} {rule.sender} -> {', '.join(rule.receivers)}: {', '.join(rule.keys)}"
        f"  (to {PURPOSES[rule.purpose]}{_limits(rule)})"
        for rule in rules.rules
    ]
    lines += [
        f"  {c.id:24} taken in at {', '.join(c.at)}: {', '.join(c.keys)}"
        for c in rules.collect or ()
    ]
    lines += [
        f"  {t.id:24} learned from: {', '.join((*t.kinds, *t.keys))}" for t in rules.train or ()
    ]
    lines += [
        f"  {k.id:24} deleted after {count_of(k.days, 'day')}: {', '.join((*k.kinds, *k.keys))}"
        for k in rules.keep
    ]
    return lines


def _limits(rule: Rule) -> str:
    words = "" if rule.whose == "own" else f"; for {rule.whose}"
    words += "" if rule.precision == "exact" else f"; as {rule.precision}"
    by = next(filter(None, (said_by(rule, key) for key in rule.keys)), "")
    return words + (f"; said by {by}" if by else "")


# explain --------------------------------------------------------------------------------------------------------


@command.command("explain")
@click.argument("key")
@data_option
@json_option
def explain(key: str, data: Path | None, json_to: Path | None) -> None:
    """Who of this household gets KEY, about whom, why and how precisely; is it learned from, how long does it stay.

    Of a pattern, such as 'Vehicle.*', the same of every key that it fits.
    """
    found = {paths.root.name: _explained(paths, key) for paths in _members(data)}
    if json_to is not None:
        one = "*" not in key
        write_json({name: all_[0] if one else all_ for name, all_ in found.items()}, json_to)
        return
    before: list[str] = []
    for name, all_ in found.items():
        click.echo(f"{name}:")
        lines = _said(all_)
        click.echo("  the same" if lines == before else "\n".join(f"  {line}" for line in lines))
        before = lines


def _explained(paths: NodePaths, key: str) -> list[Explanation]:
    from hearthway.app.keys import keys_of
    from hearthway.mesh.policy.rules_words import explain as explained
    from hearthway.sense.catalogue import CATALOGUE, row_of

    rules, who = rules_of(paths), _household(paths)
    found = []
    for one in keys_of(key, rules):
        row = CATALOGUE.get(one) or row_of(one)
        found.append(
            explained(
                rules,
                one,
                who["parties"],
                who["people"],
                who["consents"],
                about="" if row is None else row.about,
                name_of=lambda person: who["names"].get(person, person),
            )
        )
    return found


def _said(found: list[Explanation]) -> list[str]:
    """What is the same for several keys is said once, below all of them."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for one in found:
        about, *rest = one.sentences
        alike.setdefault(tuple(rest), []).append(about)
    deeper = "" if len(found) == 1 else "  "
    return [line for rest, keys in alike.items() for line in (*keys, *(deeper + r for r in rest))]


def _members(data: Path | None) -> list[NodePaths]:
    return [paths for paths in nodes(data) if load_config(paths.config).node.role != Role.VENUE]


def _household(paths: NodePaths) -> dict[str, Any]:
    """The devices and people that node knows of, the consents it has heard of, and the names that stand on it."""
    import time

    from hearthway.app.consents import ended_ids, stored_words
    from hearthway.mesh.policy.consent import states
    from hearthway.mesh.state.store import Store
    from hearthway.mesh.trust.identity import DeviceIdentity
    from hearthway.records.household import Party

    settings, now_s = load_config(paths.config).node, time.time()
    names: dict[str, str] = {}
    if not (paths.keys / "device.pem").exists():  # not paired: as in a household of one person
        parties = [Party(role=role, alone=True) for role in (Role.PHONE, Role.CAR, Role.HOME)]
        return {"parties": parties, "people": [], "consents": [], "names": names}
    roster = DeviceIdentity.load(paths.keys, now_s).roster
    found = [roster.party(member.device_id, now_s) for member in roster.members]
    consents = []
    if paths.database.exists():
        with Store.open(paths.database, node_id=settings.id) as store:
            names = {p.person_id: p.name for p in store.persons() if p.name}
            consents = states(stored_words(store), roster, now_s, ended_ids(store))
    return {
        "parties": [party for party in found if party is not None],
        "people": [person.person_id for person in roster.people],
        "consents": consents,
        "names": names,
    }


# diff and apply -------------------------------------------------------------------------------------------------


@command.command("diff")
@click.argument("file", type=click.Path(path_type=Path))
@data_option
@json_option
def diff(file: Path, data: Path | None, json_to: Path | None) -> None:
    """What FILE would open and close on the nodes found here, opened lines first. Nothing is changed."""
    new = Rules.load(file)
    changes = {paths.root.name: _changes(paths, new) for paths in _members(data)}
    if json_to is not None:
        write_json(changes, json_to)
        return
    _tell(changes)


@command.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def apply(file: Path, yes: bool, data: Path | None) -> None:
    """Show what FILE would open and close, ask, and make it the rules of every node found here; running ones at once.

    What was collected before stays until it is forgotten or no longer kept.
    """
    text = read_file(file)
    new = Rules.parse(text, str(file))
    found = _members(data)
    _tell({paths.root.name: _changes(paths, new) for paths in found})
    if not yes and not click.confirm("Use these rules?", err=True):
        raise click.Abort
    for paths in found:
        write_private(paths.rules, text.encode())
        click.echo(f"{paths.root.name}: {_use(paths)}")


def _use(paths: NodePaths) -> str:
    if not running(paths.socket):
        return "written; they hold when it starts"
    try:
        with Control(paths.socket, 60.0) as control:
            control.ask("use-rules")
    except HearthwayError as why:
        raise HearthwayError(
            f"{paths.root.name} runs on with its old rules: {why.message}", why.next_step
        ) from None
    return "in force"


def _changes(paths: NodePaths, new: Rules) -> Sequence[Any]:
    from hearthway.mesh.policy.rules_words import diff as changed
    from hearthway.sense.catalogue import CATALOGUE

    return changed(rules_of(paths), new, CATALOGUE)


def _tell(changes: dict[str, Sequence[Any]]) -> None:
    before: Sequence[Any] | None = None
    for name, found in changes.items():
        click.echo(f"{name}:")
        if found == before and found:
            click.echo("  the same")
        elif not found:
            click.echo("  nothing changes for anybody")
        else:
            for change in found:
                click.echo(f"  {'opens ' if change.opened else 'closes'}  {change.words}")
        before = found
