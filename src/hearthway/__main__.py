"""`hearthway` and `python -m hearthway`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The command line; a Ctrl-C while it is still being loaded ends it without a word too many."""
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # numpy's products are small here, and each thread has its price
    try:
        from hearthway.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
