#!/usr/bin/env python3
"""Write what the chart has from elsewhere (`make generate`), and what others have from it (`make manifests`).

values.yaml, values.schema.json and the table of the README come from `chart_values.py`; the objects that the chart
shares with the plain manifests are copied from crds/, deploy/manifests/ and heat_templates/. The other way round,
deploy/operator.yaml is the chart's workload, for those who use no Helm.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chart_values import ChartValues

ROOT = Path(__file__).resolve().parents[1]
CHART = Path("charts/stoker")
README = CHART / "README.md"
BEGIN, END = "<!-- written by charts/write_chart.py -->", "<!-- end of what is written -->"

COPIED = {"crds": "crds", "deploy/manifests": "manifests", "heat_templates": "templates"}
"""Folder of the repository → folder below the chart's files/."""

MONITORING = "alerts.yaml", "dashboard.json"

HEAD = "# Written by charts/write_chart.py from charts/chart_values.py; change it there. The README has the same as a table.\n"


def generated() -> dict[Path, str]:
    """Return each generated file's path in the repository, and its text."""
    values = ChartValues()
    readme = (ROOT / README).read_text()
    before, after = readme.split(BEGIN)[0], readme.split(END)[1]
    return {
        CHART / "values.yaml": HEAD + "\n".join(_lines(values, "")) + "\n",
        CHART / "values.schema.json": json.dumps(_schema(), indent=2) + "\n",
        README: f"{before}{BEGIN}\n{_table(values)}{END}{after}",
        **{
            CHART / "files" / to / file.name: file.read_text()
            for folder, to in COPIED.items()
            for file in sorted((ROOT / folder).glob("*.yaml"))
        },
        **{CHART / "files" / name: (ROOT / "deploy/monitoring" / name).read_text() for name in MONITORING},
    }


def _fields(values: BaseModel) -> Iterator[tuple[str, FieldInfo, Any]]:
    """Yield each key with its field and its default."""
    for name, field in type(values).model_fields.items():
        yield str(field.alias), field, getattr(values, name)


def _lines(values: BaseModel, indent: str) -> Iterator[str]:
    """Yield the lines of values.yaml, each key below its description."""
    for key, field, default in _fields(values):
        yield f"{indent}# {field.description}"
        if isinstance(default, BaseModel):
            yield f"{indent}{key}:"
            yield from _lines(default, indent + "  ")
        else:
            yield f"{indent}{key}: {json.dumps(default)}"


def _table(values: BaseModel) -> str:
    head = "| Value | Default | Meaning |\n|---|---|---|\n"
    return head + "".join(
        f"| `{key}` | `{json.dumps(default)}` | {text} |\n" for key, default, text in _rows(values, "")
    )


def _rows(values: BaseModel, prefix: str) -> Iterator[tuple[str, Any, str]]:
    for key, field, default in _fields(values):
        if isinstance(default, BaseModel):
            yield from _rows(default, f"{prefix}{key}.")
        else:
            yield prefix + key, default, str(field.description)


def _schema() -> dict[str, Any]:
    schema = ChartValues.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


PLAIN = Path("deploy/operator.yaml")
PLAIN_HEAD = (
    "# The operator itself, as the chart has it by default: written by `make manifests`; docs/install.md applies it.\n"
)


def plain(helm: Path) -> str:
    """Return the chart's workload as plain manifests: rendered, without what says that Helm manages it."""
    options = ["--namespace", "stoker-system", "--show-only", "templates/operator.yaml"]
    command = [str(helm), "template", "stoker", str(ROOT / CHART), *options]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 -- our own helm
    return PLAIN_HEAD + re.sub(
        r" *(app\.kubernetes\.io/(managed-by|instance)|helm\.sh/chart): .*\n|# Source: .*\n", "", text
    )


def main() -> int:
    """Write the files, or with the path of a helm the plain manifests; remove copies of what is no more."""
    if len(sys.argv) == 2:
        (ROOT / PLAIN).write_text(plain(Path(sys.argv[1])))
        return 0
    files = generated()
    for folder in COPIED.values():
        for stale in set((ROOT / CHART / "files" / folder).glob("*")) - {ROOT / path for path in files}:
            stale.unlink()
    for path, text in files.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
