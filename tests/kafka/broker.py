"""Real brokers for the tests: Apache Kafka from its published jars, one node or three.

The jars are resolved once into a cache by Maven and share an archive of loaded
classes, which is most of a start.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kafka.admin import TransactionState

from kafka import KafkaAdminClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_HERE = Path(__file__).parent
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "codeio-tests"
_START_SECONDS = 60.0
_JAVA = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m", "-XX:-UsePerfData")
_SETTLE_SECONDS = 30.0
_OPEN = (
    TransactionState.ONGOING,
    TransactionState.PREPARE_COMMIT,
    TransactionState.PREPARE_ABORT,
    TransactionState.PREPARE_EPOCH_FENCE,
)
_PACKAGES = {"java": "default-jre-headless", "mvn": "maven"}


def install() -> Path:
    """Return the folder of the jars, made on the first call on a machine."""
    pom = _HERE / "pom.xml"
    home = _CACHE / f"kafka-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "classes.jsa").exists():
            _ensure_tools()
            command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
            options = ["-DincludeScope=runtime", f"-DoutputDirectory={home / 'libs'}"]
            subprocess.run([*command, *options], check=True, timeout=300)
            _archive_classes(home)
    return home


def _ensure_tools() -> None:
    missing = [_PACKAGES[tool] for tool in _PACKAGES if not shutil.which(tool)]
    if not missing:
        return
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    try:
        subprocess.run([*root, "apt-get", "update", "-qq"], check=True, timeout=300)
        subprocess.run([*root, *install], check=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeError(
            f"the tests start a real Kafka, which needs {' and '.join(missing)}: run "
            f"'sudo apt-get install {' '.join(missing)}', or set CODEIO_TEST_KAFKA to a broker"
        ) from error


def _archive_classes(home: Path) -> None:
    made = home / f"classes.{os.getpid()}.jsa"
    with cluster(home=home, java=(f"-XX:ArchiveClassesAtExit={made}",)):
        pass
    made.rename(home / "classes.jsa")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@dataclass
class Broker:
    """One node, its own controller; it may be stopped, killed and started again."""

    home: Path
    folder: Path
    node: int
    port: int
    java: Sequence[str]
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def spawn(self) -> None:
        log = (self.folder / "broker.log").open("ab")
        self._process = subprocess.Popen(
            _java(self.home, self.java, "kafka.Kafka", self.folder / "server.properties"),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def wait(self) -> None:
        """Return when clients may connect."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            assert self._process
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the broker did not start:\n{self.log()[-2000:]}")

    def start(self) -> None:
        self.spawn()
        self.wait()

    def log(self) -> str:
        return (self.folder / "broker.log").read_text(errors="replace")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(how)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


@dataclass
class Cluster:
    """Brokers that form one cluster."""

    brokers: list[Broker]
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.address for broker in self.brokers)


@contextmanager
def cluster(
    nodes: int = 1,
    *,
    home: Path | None = None,
    java: Sequence[str] = (),
    properties: Mapping[str, str] | None = None,
    scram: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Run brokers for the time of the body.

    In values of `properties`, `{port}` and `{controller}` stand for a node's own ports;
    `scram` are users with their passwords.
    """
    home = home or install()
    archive = home / "classes.jsa"
    java = (*_JAVA, *java, *((f"-XX:SharedArchiveFile={archive}",) if archive.exists() else ()))
    folder = Path("/tmp") / f"codeio-kafka-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    ports = [(free_port(), free_port()) for _ in range(nodes)]
    identity = _cluster_id()
    brokers = []
    try:
        for node, (port, _) in enumerate(ports, start=1):
            place = folder / str(node)
            place.mkdir()
            text = _properties(node, ports, place / "data", properties or {})
            (place / "server.properties").write_text(text)
            users = [
                f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]"
                for name, password in (scram or {}).items()
            ]
            subprocess.run(
                _java(home, java, "kafka.tools.StorageTool", "format", "-t", identity, "-c",
                      place / "server.properties", *users),
                check=True, capture_output=True, timeout=120,
            )  # fmt: skip
            brokers.append(Broker(home, place, node, port, java))
        for broker in brokers:
            broker.spawn()
        for broker in brokers:
            broker.wait()
        yield Cluster(brokers)
    finally:
        for broker in brokers:
            # Only one alone ends in time when asked: the last of several lack their quorum.
            if nodes == 1:
                broker.stop()
            else:
                broker.kill()
        shutil.rmtree(folder, ignore_errors=True)


def settle(address: str) -> None:
    """Return when no transaction is open: until then readers may not see all that is written."""
    admin = KafkaAdminClient(bootstrap_servers=address.split(","))
    deadline = time.monotonic() + _SETTLE_SECONDS
    try:
        while any(
            one.state in _OPEN
            for transactions in admin.list_transactions().values()
            for one in transactions
        ):
            if time.monotonic() > deadline:
                raise RuntimeError(f"transactions are open: {admin.list_transactions()}")
            time.sleep(0.05)
    finally:
        admin.close()


def _java(home: Path, options: Sequence[str], main: str, *arguments: object) -> list[str]:
    log = f"-Dlog4j2.configurationFile={_HERE / 'log4j2.yaml'}"
    classes = ":".join(sorted(str(jar) for jar in (home / "libs").glob("*.jar")))
    return ["java", *options, log, "-cp", classes, main, *(str(a) for a in arguments)]


def _cluster_id() -> str:
    while True:
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # The tool takes a leading dash for an option.
        if not identity.startswith("-"):
            return identity


def _properties(
    node: int, ports: Sequence[tuple[int, int]], data: Path, more: Mapping[str, str]
) -> str:
    port, controller = ports[node - 1]
    replicas = min(3, len(ports))
    voters = ",".join(f"{n}@127.0.0.1:{ports[n - 1][1]}" for n in range(1, len(ports) + 1))
    known = {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": min(2, replicas),
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": 1,
        "min.insync.replicas": min(2, replicas),
        "default.replication.factor": replicas,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        "auto.create.topics.enable": "false",
        # The dead are found out soon, and their transactions given up soon.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
        **{
            key: value.replace("{port}", str(port)).replace("{controller}", str(controller))
            for key, value in more.items()
        },
    }
    return "".join(f"{key}={value}\n" for key, value in known.items())
