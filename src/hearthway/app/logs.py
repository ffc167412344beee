"""Structured logs: one JSON object a line, ids and figures only, never a person's field or a secret."""

from __future__ import annotations

import json
import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

LOG_BYTES = 2_000_000


class JsonLines(logging.Formatter):
    """`{"t": Unix seconds, "level": ..., "part": ..., "say": ..., ...fields}`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "t": round(record.created, 3),
            "level": record.levelname.lower(),
            "part": record.name,
            "say": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
        return json.dumps(line, ensure_ascii=False)


class _PrivateFile(RotatingFileHandler):
    """Also the file after a rotation is 0600 from its first byte."""

    def _open(self) -> TextIOWrapper:
        def opener(name: str, flags: int) -> int:
            return os.open(name, flags, 0o600)

        return open(  # the handler closes it
            self.baseFilename, "a", encoding=self.encoding, opener=opener
        )


def start_log(path: Path) -> logging.Logger:
    """The node's logger, writing to `path` (0600, two files of 2 MB at most)."""
    handler = _PrivateFile(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("hearthway")
    for old in logger.handlers[:]:
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


def stop_log() -> None:
    """Close what `start_log` opened."""
    logger = logging.getLogger("hearthway")
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
