"""HTTP for Prometheus and for the probes of Kubernetes: /metrics, /livez and /readyz.

It answers from threads of its own, so that a process whose loop hangs is found
out: a probe goes through the loop and fails if it does not come back.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import asynccontextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from codeio.runtime.listening import address_text, listen

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from codeio.runtime.grpc_health import Health

_ANSWER_SECONDS = 5.0


@asynccontextmanager
async def probed(health: Health, *, host: str, port: int) -> AsyncIterator[str]:
    """Answer for the time of the body; yield the address.

    Raises:
        UsageError: the address cannot be listened at.
    """
    server = Server(listen(host, port, chosen_by="server.metrics_port"), _App(health))
    thread = threading.Thread(target=server.serve_forever, name="probes", daemon=True)
    thread.start()
    try:
        yield address_text(host, server.server_port)
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


class _App:
    def __init__(self, health: Health) -> None:
        self._health = health
        self._loop = asyncio.get_running_loop()
        self._metrics = make_wsgi_app()

    def __call__(self, environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        match environment["PATH_INFO"]:
            case "/metrics":
                answer: Iterable[bytes] = self._metrics(environment, start)
                return answer
            case "/livez":
                return _told(start, self._through_loop(lambda: True))
            case "/readyz":
                return _told(start, self._through_loop(lambda: self._health.ready))
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"there are /metrics, /livez and /readyz\n"]

    def _through_loop(self, look: Callable[[], bool]) -> bool:
        seen: Future[bool] = Future()
        try:
            self._loop.call_soon_threadsafe(lambda: seen.set_result(look()))
            return seen.result(_ANSWER_SECONDS)
        except (NoAnswer, RuntimeError):  # it hangs, or is closed
            return False


def _told(start: StartResponse, holds: bool) -> Iterable[bytes]:
    start("200 OK" if holds else "503 Service Unavailable", [("Content-Type", "text/plain")])
    return [b"ok\n" if holds else b"not now\n"]


class Server(ThreadingMixIn, WSGIServer):
    """Answers at a socket that listens, each request in a thread."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, application: WSGIApplication) -> None:
        address = listening.getsockname()
        super().__init__(address[:2], _SilentHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        # To bind would have set these, and asked DNS for the machine's name.
        self.server_name, self.server_port = address[:2]
        self.setup_environ()
        self.set_app(application)


class _SilentHandler(WSGIRequestHandler):
    """Reads requests and tells nobody of them."""

    timeout = 10
    """Seconds after which one who connects and asks nothing is left."""

    def log_message(self, *_: object) -> None:
        """Say nothing; the server would print a line for each request."""
