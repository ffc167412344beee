"""`hearthway receipts`: list them, and verify that none was altered, removed, reordered or re-signed."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.offline import opened, verify_node
from hearthway.records.chain import ERASED, VerifyReport
from hearthway.records.count import count_of
from hearthway.records.errors import ReceiptError

from .common import data_option, json_option, nodes, write_json

_CHANGED = "Somebody or something changed them after they were written; a backup has what was."
_NEVER_MET = (
    "The home vouches for a node's key at their first contact: bring them in reach of each other and"
    " verify again. If they have met, somebody took the home's word out of the files."
)


@click.group("receipts")
def command() -> None:
    """What each node wrote down about each suggestion."""


@command.command("list")
@data_option
@json_option
def list_(data: Path | None, json_to: Path | None) -> None:
    """The receipts of every node found here."""
    rows = []
    for paths in nodes(data):
        with opened(paths) as (_, chain):
            for entry, receipt in chain.receipts():
                rows.append(
                    {
                        "node": paths.root.name,
                        "seq": entry.seq,
                        "suggestion": ERASED if receipt is None else receipt.suggestion_id,
                        "person": "" if receipt is None else receipt.person,
                    }
                )
    if json_to is not None:
        write_json(rows, json_to)
        return
    for row in rows:
        click.echo(f"{row['node']:8} {row['seq']:4}  {row['suggestion']}")


@command.command()
@data_option
@json_option
def verify(data: Path | None, json_to: Path | None) -> None:
    """Check every chain found here against the witness's key and heads. Exit code 1 when something is wrong."""
    found = nodes(data)
    reports: list[VerifyReport] = [verify_node(paths, found) for paths in found]
    reports = [report for report in reports if not _empty(report)]
    if json_to is not None:
        write_json([{"ok": report.ok, "report": report} for report in reports], json_to)
    else:
        for report in reports:
            _tell(report)
    bad = [report.node for report in reports if not report.ok]
    if bad:
        unbound = all(_unbound(report) for report in reports if not report.ok)
        raise ReceiptError(
            f"The receipts of {', '.join(bad)} do not verify.", _NEVER_MET if unbound else _CHANGED
        )
    if not reports and json_to is None:
        click.echo("no receipts yet")


def _unbound(report: VerifyReport) -> bool:
    """Nothing is wrong but that no witness vouches for the node's key."""
    return all(one.code == "not-enrolled" for one in report.problems)


def _empty(report: VerifyReport) -> bool:
    """Nothing was ever written here: a chain that was cut to nothing has heads that say otherwise."""
    return not report.entries and _unbound(report)


def _tell(report: VerifyReport) -> None:
    erased = f", {report.erased} {ERASED}" if report.erased else ""
    state = "verified" if report.ok else "NOT VERIFIED"
    click.echo(
        f"{report.node:8} {state}: {count_of(report.receipts, 'receipt')}{erased}, witnessed up to entry {report.witnessed_to}"
    )
    if report.ok and report.witnessed_to < report.entries:
        click.echo(
            "  entries after that are vouched for by this node alone until the home countersigns"
        )
    for problem in report.problems:
        click.echo(f"  {problem.code}: {problem.words}")
