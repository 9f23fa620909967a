"""Serve a WSGI application on the loopback interface, with one JSON line per request in its access log.

A line never holds a token, a header other than the user agent, or a body; `localenv/access_log.py` reads it.
"""

import json
import os
import threading
import time

import waitress

HOST = "127.0.0.1"

THREADS = 16
"""Threads of each API. Requests of one Heat to its neighbours arrive in such numbers; more only wait for the CPU."""


def serve(application, service, port, threads=THREADS):
    """Serve in a thread of this process; the whole process ends when the server does.

    An API whose server thread is gone would accept connections and answer none; a dead process is noticed.
    """
    logged = AccessLog(application, service)
    threading.Thread(target=_serve_or_die, args=(logged, service, port, threads), daemon=True).start()


def _serve_or_die(application, service, port, threads):
    try:
        waitress.serve(
            application,
            host=HOST,
            port=port,
            threads=threads,
            ident=None,
            channel_timeout=300,
            connection_limit=1000,
            clear_untrusted_proxy_headers=False,
            # select() fails at file descriptor 1024, and Heat keeps about 13 sockets for each stack it made.
            asyncore_use_poll=True,
        )
    finally:
        print(f"the server of {service} on port {port} ended", flush=True)
        os._exit(1)


class AccessLog:
    """WSGI middleware that writes the access log of one service."""

    def __init__(self, application, service):
        self._application = application
        path = os.path.join(os.environ["STOKER_ACCESS_LOGS"], f"access-{service}.jsonl")
        # One write() of a file opened for appending is one line, whichever thread it comes from.
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __call__(self, environ, start_response):
        started = time.time()
        # Taken now: URL maps below move parts of the path while they route.
        record = {
            "time": round(started, 3),
            "status": 500,
            "milliseconds": 0,
            "method": environ["REQUEST_METHOD"],
            "path": environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
            "query": environ.get("QUERY_STRING", ""),
            "client": environ.get("HTTP_USER_AGENT", ""),
        }

        def start(status, headers, exc_info=None):
            record["status"] = int(status.split()[0])
            record.update(_request_id(headers))
            return start_response(status, headers, exc_info)

        try:
            return self._application(environ, start)
        finally:
            record["milliseconds"] = round((time.time() - started) * 1000)
            record.update(_caller(environ))
            os.write(self._file, (json.dumps(record) + "\n").encode())


def _request_id(headers):
    values = {name.lower(): value for name, value in headers}
    request_id = values.get("x-openstack-request-id") or values.get("x-compute-request-id")
    return {"request_id": request_id} if request_id else {}


def _caller(environ):
    """Return who asked, where keystonemiddleware verified it and left it in the environment of the request."""
    if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
        return {}
    names = {"project_id": "HTTP_X_PROJECT_ID", "user_id": "HTTP_X_USER_ID"}
    return {name: environ[variable] for name, variable in names.items() if environ.get(variable)}
