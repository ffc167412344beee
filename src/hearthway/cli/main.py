"""`hearthway`: the verbs, each in a module of its own that is imported when it is used."""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module

import click

from hearthway import __version__
from hearthway.records.errors import HearthwayError

# verb -> (module, what it does). The help text stands here so that `--help` imports no verb.
VERBS: dict[str, tuple[str, str]] = {
    "drive": (
        "drive",
        "A drive at dinnertime on four real nodes; or a backtest of your own history.",
    ),
    "up": ("up", "Run this device's node."),
    "pair": ("pair", "Make two devices one household, by a 6-digit code or a QR code."),
    "people": ("people", "Who is in the household, and whose each device is."),
    "revoke": ("revoke", "Put a lost or sold device out of the household."),
    "router": ("router", "What carries between two sites, and reads none of it."),
    "status": ("status", "Who is there, how well, and what to do about it."),
    "doctor": ("doctor", "What keeps a node from its household: the one cause, and what to do."),
    "import": ("import_", "Take a location history or a calendar into this phone."),
    "calendar": ("calendar", "What the calendar on this phone has next."),
    "places": ("places", "The places of your life: list, name and correct them."),
    "backtest": ("backtest", "What Hearthway would have said on your own past days."),
    "dial": (
        "dial",
        "How readily it speaks: quiet, normal or eager, measured on your own past days first.",
    ),
    "ask": ("ask", "Ask in plain words: answered from local state, with source and age."),
    "why": ("why", "Why a suggestion was made, and what it used: the receipt."),
    "answer": ("answer", "Answer a suggestion: accept, dismiss, not-now or never-here."),
    "handoff": ("handoff", "Running tasks, where they are; move one to another node."),
    "stops": ("stops", "What is on the way to where the car is driving, and what each costs."),
    "compute": ("compute", "Run a function of the household's where its answer is there soonest."),
    "wheel": ("wheel", "Say on this phone that its owner drives the shared car."),
    "setting": ("setting", "What the whole household has set, the same on every node."),
    "rules": ("rules", "What the owner lets go where, and check a rules file."),
    "grant": ("grant", "Let a guest's device or an app do one thing, at some hours, for a time."),
    "consent": (
        "consent",
        "Let another person of the household have something about you; take it back.",
    ),
    "receipts": ("receipts", "List receipts, and verify that none was altered."),
    "forget": ("forget", "Erase a person, a place or a time, and all that was learned from it."),
    "export": ("export", "Everything held about a person."),
    "map": ("map_", "Build and look at the atlas a household carries."),
    "charge": ("charge", "When to charge the car until it leaves: a plan by price, sun and house."),
    "distill": (
        "distill",
        "A student condensed from a large teacher: made, judged and signed here.",
    ),
    "models": (
        "models",
        "The household's models: what serves each task; add one, turn over, go back.",
    ),
    "venue": ("venue", "For a restaurant's own tablet: say the wait; for a phone: follow a venue."),
    "backup": ("backup", "This node in one encrypted file, opened by twelve words."),
    "restore": ("restore", "Bring a node back from its backup, here or on another machine."),
    "check": ("check", "Check a node's settings and rules without starting it."),
}


class Verbs(click.Group):
    """A click group whose commands are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = VERBS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = import_module(f"hearthway.cli.{entry[0]}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            ctx.fail(
                f"There is no verb {args[0]!r}."
                + (f" Did you mean {near[0]!r}?" if near else " `hearthway --help` lists them.")
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hearthway")
def cli() -> None:
    """Tells you the right thing at the right moment, computed only on the phone, car and home you own."""


def _keep_fault(why: Exception) -> str:
    """Where the traceback was written (0600): lines of Hearthway's code, for its makers."""
    import tempfile
    import traceback

    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="hearthway-fault-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.writelines(traceback.format_exception(why))
            return file.name
    except OSError:
        return f"these words: {why}"


def main() -> None:
    """The console script: every error a sentence with a next step, never a traceback."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows no "·" shows a "?"
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = cli.main(standalone_mode=False)
    except HearthwayError as why:
        click.echo(f"hearthway: {why.message}", err=True)
        if why.next_step:
            click.echo(f"  -> {why.next_step}", err=True)
        code = why.exit_code
    except click.ClickException as why:
        why.show()
        code = why.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `| head` is no error
        code = 0
    except OSError as why:
        click.echo(f"hearthway: {why.strerror or why}: {why.filename or ''}".rstrip(": "), err=True)
        click.echo("  -> Check the path, its permissions and the space left on the disk.", err=True)
        code = 1
    except MemoryError:
        click.echo("hearthway: There is not enough memory for this.", err=True)
        click.echo("  -> Close other programs, or give it a smaller file.", err=True)
        code = 1
    except Exception as why:  # noqa: BLE001  # the last line of defence: a sentence, not a traceback
        click.echo(f"hearthway: That is a fault in Hearthway ({type(why).__name__}).", err=True)
        click.echo(f"  -> Please report it with {_keep_fault(why)}.", err=True)
        code = 70  # EX_SOFTWARE
    sys.exit(code if isinstance(code, int) else 0)
