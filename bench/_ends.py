"""How a bench ends: its rows as the last line, an error in two lines, Ctrl-C in one."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from hearthway.records.errors import HearthwayError

REFUSED, BY_HAND = 2, 130  # exit codes: what was given cannot be used; stopped by Ctrl-C


def finish(bench: str, rows: Sequence[Mapping[str, Any]], **more: Any) -> None:
    """Prints the last line; a figure that is no finite number is null in it and named on stderr: NaN is no JSON."""
    for row in rows:
        bad = [name for name, value in row.items() if not _all_finite(value)]
        if bad:
            named = f"{row.get('case')}, {row.get('metric')}"
            print(f"No finite number: {named}: {', '.join(bad)}", file=sys.stderr)
    told = {"bench": bench, "rows": [_finite(row) for row in rows], **_finite(more)}
    print(json.dumps(told, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def _all_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    held = value.values() if isinstance(value, Mapping) else value
    return not isinstance(value, Mapping | list | tuple) or all(map(_all_finite, held))


def refused(why: HearthwayError) -> int:
    """What cannot be used and what to do, a line each on stderr; the exit code."""
    print("\n".join(filter(None, (why.message, why.next_step))), file=sys.stderr)
    return REFUSED


def started(main: Callable[[], int]) -> NoReturn:
    """Ends the process with what `main` gives; whoever stops it by hand is told so, without a traceback."""
    try:
        code = main()
    except KeyboardInterrupt:
        print("Stopped by hand: what was not finished has no figures.", file=sys.stderr)
        code = BY_HAND
    sys.exit(code)
