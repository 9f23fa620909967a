"""Boot text: what cloud-init is given, composed of the SSH keys and the user's own data.

Composed here and not by Heat's CloudConfig and MultipartMime: a server whose user data refers to another resource is
called "replaced" by every preview of an update, whatever the update changes (measured against Heat 27.0.1). As one
parameter it is called so only when the text differs, and then it is true: cloud-init runs once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence


def boot_text(user_data: str | None, keys: Sequence[str]) -> str:
    """Return the text for Nova: the user's as it is, a cloud-config with the keys, or a MIME message of both; or ""."""
    if not keys:
        return user_data or ""
    config = f"#cloud-config\n{json.dumps({'ssh_authorized_keys': list(keys)})}\n"  # JSON is YAML
    return _message(config, user_data) if user_data else config


def _message(config: str, user_data: str) -> str:
    """Return both as the parts of one message.

    8bit, so that the user's bytes stay bytes and the size grows by the headers alone. The boundary is a hash of the
    content: equal input gives equal text, and no content can hold it.
    """
    boundary = hashlib.sha256(f"{len(config)} {config}{user_data}".encode()).hexdigest()
    keys = f"Content-Type: text/cloud-config; charset=utf-8\n{_RAW}\n{config}"
    is_message = user_data.lower().startswith(("content-type:", "mime-version:"))  # then it has headers of its own
    data = user_data if is_message else f"{_PLAIN}{_RAW}\n{user_data}"
    head = f'Content-Type: multipart/mixed; boundary="{boundary}"\nMIME-Version: 1.0\n\n'
    # CR LF before a boundary belongs to it; of a bare LF, a reader would take a CR that the user's text ends in.
    return head + "".join(f"--{boundary}\n{part}\r\n" for part in (keys, data)) + f"--{boundary}--\n"


_RAW = "Content-Transfer-Encoding: 8bit\n"

_PLAIN = (
    "Content-Type: text/plain; charset=utf-8\n"  # cloud-init then looks at the first line, as it does without MIME
    # Without this, keys in the user's own cloud-config would be dropped: of two lists cloud-init keeps the first.
    "X-Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n"
)
