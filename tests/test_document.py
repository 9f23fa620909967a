"""The reader of a page's commands: no block is lost without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.document import blocks

PAGE = """
# A page

<!-- not replayed: there is none -->
```sh
first
```

```yaml
# a comment, and no heading
```

```sh
second
third
```
"""


def read(folder: Path, text: str) -> list[tuple[str, str, str]]:
    page = folder / "page.md"
    page.write_text(text)
    return [(block.section, block.text, block.excuse) for block in blocks(page)]


def test_an_excuse_is_for_the_block_below_it_alone(tmp_path: Path) -> None:
    assert read(tmp_path, PAGE) == [("A page", "first", "there is none"), ("A page", "second\nthird", "")]


@pytest.mark.parametrize("fence", ["```console", "```bash", "  ```sh"])
def test_a_block_that_would_not_be_seen_is_refused(tmp_path: Path, fence: str) -> None:
    with pytest.raises(ValueError, match=r"page\.md:1: .* is a block of shell"):
        read(tmp_path, f"{fence}\nls\n```\n")
