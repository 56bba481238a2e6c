"""What a pod of a run answers to who asks: the launcher, Prometheus, and probes."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import make_wsgi_app

from codeio.runtime.listening import listen
from codeio.runtime.probes import Server
from codeio.training_run.environment import METRICS_PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    from prometheus_client import CollectorRegistry

    from codeio.training_run.status import Progress


@contextmanager
def served(
    port: int, *, progress: Callable[[], Progress], registry: CollectorRegistry
) -> Iterator[int]:
    """Answer HTTP at every address for the time of the body; yield the port: 0 is a free one.

    Raises:
        UsageError: the port cannot be had.
    """
    metrics = make_wsgi_app(registry)

    def answer(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        match environment["PATH_INFO"]:
            case "/metrics":
                told: Iterable[bytes] = metrics(environment, start)
                return told
            case "/progress":
                start("200 OK", [("Content-Type", "application/json")])
                return [progress().model_dump_json(by_alias=True, exclude_none=True).encode()]
            case "/livez":
                start("200 OK", [("Content-Type", "text/plain")])
                return [b"ok\n"]
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"there are /metrics, /progress and /livez\n"]

    # A pod's address may be of either kind; not every kernel has IPv6.
    host = "::" if socket.has_dualstack_ipv6() else ""
    server = Server(listen(host, port, chosen_by=METRICS_PORT), answer)
    thread = threading.Thread(target=server.serve_forever, name="progress", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
