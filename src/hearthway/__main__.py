"""`hearthway` and `python -m hearthway`."""

from __future__ import annotations

import sys


def main() -> None:
    """The command line; a Ctrl-C while it is still being loaded ends it without a word too many."""
    try:
        from hearthway.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
