"""How a broker is reached, and what is said when it is not."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from kafka.errors import (
    AuthorizationError,
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket

from codeio.runtime.errors import UsageError
from codeio.runtime.kafka.batches import read_any_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from codeio.runtime.settings import KafkaSettings

C = TypeVar("C")

BOOTSTRAP_SECONDS = 15.0
_HEARD = 100
_NO_CAUSE = re.compile("bootstrap|in the clear|no node available", re.IGNORECASE)


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return what every client of the broker is made with.

    Raises:
        UsageError: no broker is named or none that can be one, or the password cannot be read.
    """
    servers = [part.strip() for part in settings.bootstrap_servers.split(",") if part.strip()]
    if not servers:
        raise UsageError("no broker is named; set CODEIO_KAFKA__BOOTSTRAP_SERVERS to HOST:PORT")
    if wrong := [server for server in servers if not re.fullmatch(r"\S+:\d{1,5}", server)]:
        raise UsageError(f"kafka.bootstrap_servers holds {wrong[0]!r}, which is not HOST:PORT")
    options: dict[str, Any] = {
        "bootstrap_servers": servers,
        "client_id": "codeio",
        "security_protocol": settings.security_protocol,
        # Doubled up to 30 s, as it is by default, the return after an outage is late.
        "reconnect_backoff_max_ms": 1000,
        "bootstrap_timeout_ms": round(BOOTSTRAP_SECONDS * 1000),
        "proxy_url": f"{_ClosingSocket.SCHEMES[0]}://",
    }
    if settings.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": _password(settings),
        }
    if settings.security_protocol.endswith("SSL"):
        files = (settings.ca_file, settings.certificate_file, settings.key_file)
        names = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
        options |= {n: str(f) for n, f in zip(names, files, strict=True) if f is not None}
    return options


def open_client(kind: Callable[..., C], options: Mapping[str, Any]) -> C:
    """Make a producer, a consumer or an administrator.

    F11: one that does not reach the broker would leave a thread and its sockets for ever.
    """
    networks: list[Any] = []

    def network(**given: Any) -> Any:
        networks.append(KafkaNetClient(**given))
        return networks[-1]

    read_any_headers()
    try:
        return kind(**options, kafka_client=network)
    except BaseException:
        for one in networks:
            one.close()
        raise


def close_consumer(consumer: Any, *, seconds: float) -> None:
    """Leave the group, and close the sockets though that fails."""
    with suppress(KafkaError):
        try:
            consumer.close(autocommit=False, timeout_ms=round(seconds * 1000))
        finally:
            consumer._client.close()


def _password(settings: KafkaSettings) -> str:
    if settings.password_file is None:
        return settings.password.get_secret_value()
    try:
        return settings.password_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the password in {settings.password_file}: {error}; "
            "mend kafka.password_file"
        ) from error


@contextmanager
def reaching(settings: KafkaSettings) -> Iterator[None]:
    """Say in a sentence why the broker cannot be reached or refuses us.

    Raises:
        UsageError: in place of the library's errors.
    """
    with overheard() as said:
        try:
            yield
        except AuthorizationError as error:
            raise UsageError(refusal(error, settings, right="DESCRIBE")) from error
        except KafkaError as error:
            if isinstance(error, BrokerResponseError) and not error.retriable:
                raise UsageError(
                    f"the broker refuses what {client_name(settings)} asks: {error}"
                ) from error
            raise UsageError(
                f"no Kafka can be reached at {settings.bootstrap_servers}: "
                f"{_cause(said, settings, error)}; check "
                "kafka.bootstrap_servers, kafka.security_protocol and the credentials"
            ) from error


def _cause(said: Sequence[str], settings: KafkaSettings, error: KafkaError) -> str:
    """Return what the library told to its log alone, where the later follows from the first."""
    causes = [one for one in said if not _NO_CAUSE.search(one)]
    cause = causes[0].rpartition(">: ")[2] if causes else str(error)
    # Which of the two is told depends on which thread sees the end first.
    if settings.security_protocol.startswith("SASL") and (
        cause == "socket disconnected" or SaslAuthenticationFailedError.__name__ in cause
    ):
        return (
            "the broker ends the connection, as it does where authentication failed, for user "
            f"{settings.username!r} or for the password"
        )
    return cause


def refusal(error: KafkaError, settings: KafkaSettings, *, right: str) -> str:
    """Return which right is missing; `right` is the one that was needed on topics."""
    begin = f"whose name begins with {settings.prefix}codeio."
    match error:
        case TopicAuthorizationFailedError():
            # A set of names, or one.
            names = error.args[0] if error.args else ()
            thing = f"topic {names if isinstance(names, str) else ', '.join(sorted(names))}"
        case GroupAuthorizationFailedError():
            right, thing = "READ", f"the groups {begin}"
        case TransactionalIdAuthorizationFailedError():
            right, thing = "WRITE", f"the transactional ids {begin}"
        case ClusterAuthorizationFailedError():
            thing = "the cluster"
        case _:
            return f"the broker refuses {client_name(settings)}: {error}"
    return missing_right(settings, right, thing)


def missing_right(settings: KafkaSettings, right: str, thing: str) -> str:
    return (
        f"{client_name(settings)} has no {right} right on {thing}; "
        "have the broker's administrator grant it"
    )


def missing_topic(settings: KafkaSettings, name: str) -> str:
    return (
        f"topic {name} is missing, or {client_name(settings)} has no right on it; run "
        "`codeio topics apply` as somebody who may create topics, or have the right granted"
    )


def client_name(settings: KafkaSettings) -> str:
    return settings.username or "this client"


class _ClosingSocket(KafkaNetSocket):  # type: ignore[misc]  # the library has no types
    """F11: the library leaves a socket open that was not connected.

    The library takes this for a proxy of a kind of its own, which is how one is put in.
    """

    SCHEMES = ("direct",)

    async def sock_connect(self, net: Any, sock: Any, address: Any, timeout_at: Any = None) -> Any:
        try:
            return await super().sock_connect(net, sock, address, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise


class _Overhearing(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # A broker that is away is told of without end.
        if len(self.said) < _HEARD:
            self.said.append(record.getMessage())


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Keep what the library says out of the log; give it to the body instead."""
    handler = _Overhearing()
    logger = logging.getLogger("kafka")
    propagated = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield handler.said
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated
