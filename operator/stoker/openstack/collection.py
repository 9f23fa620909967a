"""What Nova, Glance, Neutron and Cinder list: a whole collection, all pages of it, or numbers; or an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from stoker.api.errors import ErrorCode
from stoker.core.faults import Fault
from stoker.openstack.base import CloudError
from stoker.openstack.rest import Rest

PAGE = 500
MOST_PAGES = 200

Item = TypeVar("Item")


def collection(
    rest: Rest,
    path: str,
    key: str,
    read: Callable[[dict[str, Any]], Item],
    *,
    marker: str = "id",
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    page: int | None = None,
) -> tuple[Item, ...]:
    """Return all items. A page is the last only when the service says so: it may cap pages below what is asked."""
    operation = f"list {key}"
    items: dict[str, Item] = {}
    query = {**(params or {}), "limit": str(page or PAGE)}
    for _ in range(MOST_PAGES):
        body = rest.call(operation, "GET", path, params=query, headers=headers).body
        try:
            entries = body[key]
            items |= {str(_inner(entry)[marker]): read(_inner(entry)) for entry in entries}
            if not entries or not _has_next(body, key):
                return tuple(items.values())
            query["marker"] = str(_inner(entries[-1])[marker])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _unexpected(operation, error) from error
    raise CloudError(Fault(ErrorCode.CLOUD_UNAVAILABLE, f"{operation}: no end after {MOST_PAGES} pages"))


def numbers(
    rest: Rest, operation: str, path: str, where: tuple[str, ...], headers: dict[str, str] | None = None
) -> dict[str, int]:
    """Return named numbers, from `where` in the answer."""
    body: Any = rest.call(operation, "GET", path, headers=headers).body
    try:
        for key in where:
            body = body[key]
        return {str(name): int(number) for name, number in body.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unexpected(operation, error) from error


def _unexpected(operation: str, error: Exception) -> CloudError:
    message = f"{operation}: the answer is not what was expected ({type(error).__name__})"
    return CloudError(Fault(ErrorCode.CLOUD_UNAVAILABLE, message))


def _inner(entry: dict[str, Any]) -> dict[str, Any]:
    """Nova wraps each key pair once more: {"keypair": {…}}."""
    wrapped = entry.get("keypair")
    return wrapped if isinstance(wrapped, dict) else entry


def _has_next(body: dict[str, Any], key: str) -> bool:
    """Glance names the next page, Nova and Neutron link it; Cinder's link of types is in the singular."""
    links = body.get(f"{key}_links") or body.get(f"{key.removesuffix('s')}_links") or ()
    return bool(body.get("next")) or any(link.get("rel") == "next" for link in links)
