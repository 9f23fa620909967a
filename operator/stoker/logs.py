"""Logging: one JSON object a line on standard error, without secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

_NAMES = r"(?:secret|password|passwd|token|authorization)"

_SECRETS = re.compile(
    rf"""(?ix)
    ( \bbearer\s+ | \bbasic\s+ | {_NAMES}['"]?\s*[:=]\s*(?:bearer\s+|basic\s+)? )
    ( "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | [^\s'",}}]+ )
    """
)
"""What must never be read: the last line of defence, since no code of ours logs a secret on purpose."""

_USERINFO = re.compile(r"(?i)(://)[^\s/@'\"]+@")
"""User and password in a URL."""

_NAME = re.compile(_NAMES, re.IGNORECASE)
_STANDARD = set(vars(logging.makeLogRecord({})))


def redact(text: str) -> str:
    """Return the text with everything that looks like a credential replaced."""
    return _USERINFO.sub(r"\1[redacted]@", _SECRETS.sub(r"\1[redacted]", text))


class JsonFormatter(logging.Formatter):
    """Formats a record with its `extra` fields as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str | int | float] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for key, value in vars(record).items():
            if key not in _STANDARD and isinstance(value, (str, int, float, bool)):
                line[key] = "[redacted]" if _NAME.search(key) else redact(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str) -> None:
    """Send every log line through the formatter; libraries speak from warnings up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("stoker").setLevel(level)
