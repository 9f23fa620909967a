"""Requests to the API server by the `kubernetes` package: its logins and its session; JSON in, JSON out.

The only module that knows the package. Its models are not used: ours are typed, and pass unknown answers on.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from kubernetes import config
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from stoker.api.errors import ErrorCode
from stoker.client.errors import StokerError, refused, unanswered
from stoker.core.faults import one_line

MERGE_PATCH = "application/merge-patch+json"

POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where a pod finds the namespace that it runs in."""

WATCH_SECONDS = 240
"""How long one watch request is open; then it is asked again. Seconds."""

PAGE = 500
"""Objects of one answer to a list."""

_NO_ANSWER = (HTTPError, ssl.SSLError, OSError)


class Transport:
    """A logged-in session. `timeout` bounds each request, seconds."""

    def __init__(self, api: ApiClient, namespace: str, user_agent: str, timeout: float = 30.0) -> None:
        self._api, self.namespace, self._timeout = api, namespace, timeout
        api.user_agent = user_agent

    def close(self) -> None:
        self._api.close()

    def get(self, path: str, **query: str | None) -> dict[str, Any]:
        return self._send("GET", path, query)

    def post(self, path: str, body: Mapping[str, Any], **query: str | None) -> dict[str, Any]:
        return self._send("POST", path, query, body)

    def put(self, path: str, body: Mapping[str, Any], **query: str | None) -> dict[str, Any]:
        return self._send("PUT", path, query, body)

    def merge(self, path: str, patch: Mapping[str, Any], **query: str | None) -> dict[str, Any]:
        """Send a JSON merge patch."""
        return self._send("PATCH", path, query, patch, MERGE_PATCH)

    def delete(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._send("DELETE", path, {}, body)

    def list(self, path: str, **query: str | None) -> Iterator[dict[str, Any]]:
        """Yield all objects, page by page."""
        after: str | None = None
        while True:
            page = self.get(path, limit=str(PAGE), **{**query, "continue": after})
            yield from page.get("items", [])
            after = page.get("metadata", {}).get("continue")
            if not after:
                return

    def watch(self, path: str, seconds: int, **query: str | None) -> Iterator[dict[str, Any]]:
        """Yield watch events until the API server ends the watch, which it does after that many seconds at most."""
        query = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        try:
            response = self._open("GET", path, query, None, None, (self._timeout, seconds + self._timeout)).response
        except StokerError as error:
            if error.code is ErrorCode.TIMEOUT:
                return  # as below
            raise
        buffer = b""
        try:
            for chunk in response.stream(decode_content=True):
                *lines, buffer = (buffer + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line)
        except _NO_ANSWER:
            return  # a cut watch is an ended one: the caller lists again
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | None],
        body: Mapping[str, Any] | None = None,
        content_type: str | None = None,
    ) -> dict[str, Any]:
        what = f"{method} {path}"
        try:
            data = self._open(method, path, query, body, content_type, self._timeout).read()
            answer = json.loads(data)
        except _NO_ANSWER as error:
            raise unanswered(what, error) from None
        except ValueError:
            raise StokerError(ErrorCode.UNKNOWN, f"{what}: the API server's answer is not JSON") from None
        assert isinstance(answer, dict)
        return answer

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | None],
        body: Mapping[str, Any] | None,
        content_type: str | None,
        timeout: Any,
    ) -> Any:
        """Return an answer whose body is not read yet. Raises StokerError unless it is a success."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type or "application/json"
        asked = [(key, value) for key, value in query.items() if value is not None]
        try:
            request = self._api.param_serialize(
                method, path, query_params=asked, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = self._api.call_api(*request, _request_timeout=timeout)
        except _NO_ANSWER as error:
            raise unanswered(f"{method} {path}", error) from None
        except (ApiException, config.ConfigException) as error:
            raise StokerError(ErrorCode.UNAUTHORIZED, f"{method} {path}: {error}. Check your login.") from None
        if not 200 <= response.status < 300:
            raise refused(f"{method} {path}", response.status, response.read())
        return response


def login(kubeconfig: str | None, context: str | None) -> tuple[ApiClient, str]:
    """Return a session and the namespace that goes with the login.

    A kubeconfig is used as kubectl uses it (the argument, else KUBECONFIG, else the default file; exec plugins run);
    where there is none, the pod's own service account. Raises StokerError (CredentialsInvalid) when neither works.
    """
    try:
        return _from_kubeconfig(kubeconfig, context)
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        if kubeconfig or context:
            raise StokerError(
                ErrorCode.CREDENTIALS_INVALID, f"the kubeconfig cannot be used: {one_line(str(error))}"
            ) from None
        reason = one_line(str(error))
    settings = Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)
        return ApiClient(settings), POD_NAMESPACE.read_text().strip()
    except (config.ConfigException, OSError):
        message = f"no login: {reason}, and this is no pod. Set KUBECONFIG, or name a kubeconfig."
        raise StokerError(ErrorCode.CREDENTIALS_INVALID, message) from None


def _from_kubeconfig(kubeconfig: str | None, context: str | None) -> tuple[ApiClient, str]:
    contexts, current = config.list_kube_config_contexts(config_file=kubeconfig)
    chosen = next((one for one in contexts if one["name"] == context), None) if context else current
    if chosen is None:
        raise config.ConfigException(f"there is no context {context}")
    api = config.new_client_from_config(config_file=kubeconfig, context=context, persist_config=False)
    return api, chosen["context"].get("namespace") or "default"
