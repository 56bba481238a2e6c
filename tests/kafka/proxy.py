"""A network between clients and a broker that a test can cut and mend."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.kafka.broker import cluster, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


class Proxy:
    """Passes bytes to a broker and back, unless it is cut."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._target = 0
        self._peers: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._is_cut = False
        self._ending = False
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._pass, name="proxy", daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def begin(self, target: int) -> None:
        """Pass everything on to a port of this machine."""
        self._target = target
        self._server.settimeout(0.2)
        self._selector.register(self._server, selectors.EVENT_READ)
        self._thread.start()

    def cut(self) -> None:
        """Close all connections; new ones are closed at once, until `mend`."""
        with self._lock:
            self._is_cut = True
            while self._peers:
                self._close(next(iter(self._peers)))

    def mend(self) -> None:
        with self._lock:
            self._is_cut = False

    def end(self) -> None:
        self._ending = True
        if self._thread.is_alive():
            self._thread.join()
        self.cut()
        self._server.close()
        self._selector.close()

    def _pass(self) -> None:
        while not self._ending:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    if key.fileobj is self._server:
                        self._accept()
                    elif key.fileobj in self._peers:
                        self._forward(key.fileobj)

    def _accept(self) -> None:
        with suppress(OSError):
            client, _ = self._server.accept()
            if self._is_cut:
                client.close()
                return
            broker = socket.create_connection(("127.0.0.1", self._target))
            for one, other in ((client, broker), (broker, client)):
                one.settimeout(5)
                self._peers[one] = other
                self._selector.register(one, selectors.EVENT_READ)

    def _forward(self, one: socket.socket) -> None:
        try:
            data = one.recv(1 << 16)
            if data:
                self._peers[one].sendall(data)
                return
        except OSError:
            pass
        self._close(one)

    def _close(self, one: socket.socket) -> None:
        for end in (one, self._peers[one]):
            self._peers.pop(end, None)
            self._selector.unregister(end)
            end.close()


@contextmanager
def distant_broker() -> Iterator[tuple[Proxy, str]]:
    """Run a broker that clients reach through a proxy; yield that, and a way around it."""
    proxy, direct = Proxy(), free_port()
    try:
        with cluster(
            properties={
                "listeners": "PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},"
                f"DIRECT://127.0.0.1:{direct}",
                "advertised.listeners": f"PLAINTEXT://127.0.0.1:{proxy.port},"
                f"DIRECT://127.0.0.1:{direct}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
                "DIRECT:PLAINTEXT",
                "inter.broker.listener.name": "DIRECT",
            }
        ) as brokers:
            proxy.begin(brokers.brokers[0].port)
            yield proxy, f"127.0.0.1:{direct}"
    finally:
        proxy.end()
