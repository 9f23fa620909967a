"""Write `argocd-cm.yaml`, the scripts of `resource_customizations` as settings of Argo CD: `make generate`."""

from __future__ import annotations

from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER / "argocd-cm.yaml"
GROUP = "stoker.dev"

HEADER = """\
# How Argo CD judges Stoker's objects, and the actions it offers; drawn up from resource_customizations by `make generate`.
# kubectl patch configmap argocd-cm -n argocd --patch-file deploy/argocd/argocd-cm.yaml
"""


class _Block(str):
    """Text that YAML shows as it is, line by line."""

    __slots__ = ()


yaml.SafeDumper.add_representer(
    _Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, "|")
)


def page() -> str:
    """Return the patch of the ConfigMap `argocd-cm`."""
    data = {}
    for kind in sorted((FOLDER / "resource_customizations" / GROUP).iterdir()):
        data[f"resource.customizations.health.{GROUP}_{kind.name}"] = _Block((kind / "health.lua").read_text())
        if (kind / "actions").is_dir():
            data[f"resource.customizations.actions.{GROUP}_{kind.name}"] = _Block(_actions(kind / "actions"))
    return HEADER + yaml.safe_dump({"data": data}, sort_keys=False, width=120)


def _actions(folder: Path) -> str:
    scripts = sorted(folder.glob("*/action.lua"))
    return yaml.safe_dump(
        {
            "discovery.lua": _Block((folder / "discovery.lua").read_text()),
            "definitions": [
                {"name": script.parent.name, "action.lua": _Block(script.read_text())} for script in scripts
            ],
        },
        sort_keys=False,
    )


if __name__ == "__main__":
    PAGE.write_text(page())
