"""Check the import contracts of pyproject.toml on a tree and name each violation's file and line.

    python scripts/contracts.py [--src DIR]

Prints `path/file.py:LINE: contract 'name': importer -> imported (chain ...)` per violation and exits 1; exits 0 when
every contract is kept, 2 when the check itself cannot run.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the contracts; the exit status."""
    parser = argparse.ArgumentParser(description="Check the import contracts.")
    parser.add_argument("--src", type=Path, default=PROJECT / "src", help="folder of the package")
    source: Path = parser.parse_args().src.resolve()
    package = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "root_package"
    ]
    if not (source / package / "__init__.py").is_file():
        print(f"There is no package {package} in {source}. Name the folder that holds it.")
        return 2
    sys.path.insert(0, str(source))
    return _check(source)


def _check(source: Path) -> int:
    from importlinter import configuration
    from importlinter.application import use_cases

    configuration.configure()
    options = use_cases.read_user_options(config_filename=str(PROJECT / "pyproject.toml"))
    use_cases._register_contract_types(options)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it draws a spinner
            report = use_cases.create_report(options, cache_dir=None)
    except ValueError as error:
        print(f"{PROJECT / 'pyproject.toml'}:1: the contracts do not fit the tree: {error}")
        return 1
    if report.could_not_run:
        for name, invalid in report.invalid_contract_options.items():
            print(f"pyproject.toml: contract '{name}' is not valid: {invalid.errors}")
        return 2
    found = {
        _describe(source, contract.name, chain)
        for contract, outcome in report.get_contracts_and_checks()
        for chain in _chains(outcome.metadata)
    }
    lines = sorted(found)
    for line in lines:
        print(line)
    if report.contains_failures and not lines:
        print("A contract is broken in a way this script does not know. Run lint-imports.")
    return 1 if report.contains_failures else 0


def _chains(metadata: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Every chain of imports of a broken contract, as links with importer, imported and line_numbers."""
    for broken in metadata.get("invalid_chains", ()):
        yield from broken["chains"]
    for broken in metadata.get("invalid_dependencies", ()):
        for route in broken["routes"]:
            # a chain's ends can be reached from several modules: each of those is a chain of its own
            *_, last = chain = route["chain"]
            for first in (chain[0], *route["extra_firsts"]):
                yield [first, *chain[1:]]
            for other in route["extra_lasts"]:
                yield [*chain[:-1], {**last, **other}]


def _describe(source: Path, contract: str, chain: list[dict[str, Any]]) -> str:
    """One violation: where it starts, and every step with its own place."""
    first, last = chain[0], chain[-1]
    text = (
        f"{_place(source, first)}: contract '{contract}': {first['importer']} -> {last['imported']}"
    )
    if len(chain) == 1:
        return text
    steps = ", ".join(
        f"{link['importer']} -> {link['imported']} at {_place(source, link)}" for link in chain
    )
    return f"{text} (chain {steps})"


def _place(source: Path, link: dict[str, Any]) -> str:
    """file:line of an import, relative to the working directory where it lies below it."""
    stem = source.joinpath(*link["importer"].split("."))
    file = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
    if file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    lines = [number for number in link["line_numbers"] if number is not None]
    return f"{file}:{min(lines, default=1)}"


if __name__ == "__main__":
    sys.exit(main())
