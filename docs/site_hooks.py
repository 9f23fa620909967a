"""MkDocs hooks: pages from outside docs/, folders in the navigation, and links as they are written for GitHub.

The documents are written to be read in the repository; nothing in them is for the site alone. Called by MkDocs
(`hooks` in mkdocs.yml); `make docs` builds the site.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.superfences import fence_code_format

ROOT = Path(__file__).resolve().parents[1]

OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "charts/stoker/README.md": "chart.md",
    "deploy/argocd/README.md": "argocd.md",
    "deploy/kind/README.md": "kind.md",
    "deploy/local/README.md": "local-environment.md",
    "heat_templates/CHANGES.md": "template-versions.md",
    "tests/simulator/README.md": "simulator.md",
}
"""Document in the repository → page of the site."""

LINK = re.compile(r"`[^`\n]*`|\[([^][]*)\]\(([^)#:\s]+)(#[^)]*)?\)")
"""Code, which is none; or a relative link: text, target, anchor. Not one to an address or within the page."""

MERMAID = "assets/mermaid.js"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the folders of the navigation; draw diagrams, if `STOKER_MERMAID` names the program for it.

    Without it a diagram is shown as its text: the theme would have each reader's browser fetch the program elsewhere.
    """
    config.nav = [_listed(item) for item in config.nav or []]
    if os.environ.get("STOKER_MERMAID"):
        fence = {"name": "mermaid", "class": "mermaid", "format": fence_code_format}
        config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}
        config.extra_javascript.append(MERMAID)
    return config


def _listed(item: Any) -> Any:
    if isinstance(item, dict):
        return {
            title: [_listed(child) for child in part] if isinstance(part, list) else part
            for title, part in item.items()
        }
    return {_title(item): [index(item), *pages(item)]} if item.endswith("/") else item


def index(folder: str) -> str:
    """Return the page that stands for a folder: its README.md, else one that is made here."""
    return f"{folder}README.md" if (ROOT / "docs" / folder / "README.md").exists() else f"{folder}index.md"


def pages(folder: str) -> list[str]:
    """Return the other pages in a folder of docs/ that ends with "/", by name."""
    found = (f"{folder}{file.name}" for file in sorted((ROOT / "docs" / folder).glob("*.md")))
    return [page for page in found if page != index(folder)]


def _title(folder: str) -> str:
    return {"adr/": "Decisions"}.get(folder, folder.strip("/").capitalize())


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents from outside docs/, a list of pages to each listed folder, and the program for diagrams."""
    for source, uri in OUTSIDE.items():
        files.append(File.generated(config, uri, content=(ROOT / source).read_text()))
    for folder in _folders(config.nav):
        files.append(File.generated(config, f"{folder}index.md", content=_contents(folder)))
    if os.environ.get("STOKER_MERMAID"):
        files.append(File.generated(config, MERMAID, abs_src_path=os.environ["STOKER_MERMAID"]))
    return files


def _folders(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav.removesuffix("index.md")] if nav.endswith("/index.md") else []
    children = nav.values() if isinstance(nav, dict) else nav
    return [folder for child in children for folder in _folders(child)]


def _contents(folder: str) -> str:
    lines = [f"* [{_heading(ROOT / 'docs' / page)}]({Path(page).name})" for page in pages(folder)]
    return "\n".join([f"# {_title(folder)}", "", *lines, ""])


def _heading(document: Path) -> str:
    return document.read_text().partition("\n")[0].removeprefix("# ")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 -- MkDocs' names
    """Turn links between documents of the repository into links between pages; what is no page keeps its text alone."""
    here = page.file.src_uri
    origin = next((source for source, uri in OUTSIDE.items() if uri == here), f"docs/{here}")

    def link(match: re.Match[str]) -> str:
        if match[2] is None:
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), match[2]))
        uri = OUTSIDE.get(target, target.removeprefix("docs/"))
        if files.get_file_from_path(index(f"{uri}/")):
            uri = index(f"{uri}/")
        if files.get_file_from_path(uri) or not (ROOT / target).exists():  # MkDocs reports what leads nowhere
            return f"[{match[1]}]({posixpath.relpath(uri, posixpath.dirname(here) or '.')}{match[3] or ''})"
        return match[1]

    return LINK.sub(link, markdown)
