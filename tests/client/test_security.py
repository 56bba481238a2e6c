"""TLS and tokens, against a plain gRPC server that asks for them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from codeio.client import (
    Answer,
    AsyncCotGeneratorClient,
    AsyncExecutorClient,
    AsyncNormalizerClient,
    AsyncVerifierClient,
    ClientError,
    ExecutorClient,
    InvalidRequest,
    PermissionDenied,
    Refused,
    Tls,
    Unauthenticated,
    Unavailable,
    VerifierClient,
)
from codeio.client.security import is_loopback
from codeio.runtime.settings import load_settings
from codeio.v1.records_pb2 import Attempt, PredictionTask, RawFile
from codeio.v1.verifier_service_pb2_grpc import add_VerifierServiceServicer_to_server
from codeio.verifier.service import VerifierServicer
from tests.client.certificates import Authority
from tests.servers import FakeSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from codeio.client.channel import AsyncClient
    from tests.client.certificates import Signed

RIGHT = Answer('{"output": 7}', output_json="7")
PERMITTED = (("authorization", "Bearer s3cret"),)


class Gate(grpc.aio.ServerInterceptor):
    """Lets calls in that have the token, and keeps what they were sent with."""

    def __init__(self, refusal: grpc.StatusCode = grpc.StatusCode.UNAUTHENTICATED) -> None:
        self._refusal = refusal
        self.seen: list[str] = []

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        metadata = dict(details.invocation_metadata)
        if "grpc.health" in details.method:
            return handler
        self.seen.append(metadata.get("authorization", ""))
        if ("authorization", self.seen[-1]) in PERMITTED:
            return handler

        async def refuse(_: Any, context: Any) -> None:
            await context.abort(self._refusal, "no entry")

        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(refuse)
        return grpc.unary_unary_rpc_method_handler(refuse)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates") / "ours")


@pytest.fixture(scope="module")
def server_certificate(authority: Authority) -> Signed:
    return authority.sign("verifier.codeio", alternatives="IP:127.0.0.1,DNS:localhost")


@asynccontextmanager
async def serving(
    credentials: grpc.ServerCredentials | None = None, *, gate: Gate | None = None
) -> AsyncIterator[int]:
    """A verifier behind nothing of ours; yields its port."""
    server = grpc.aio.server(interceptors=[gate] if gate else [])
    servicer = VerifierServicer(FakeSandbox(), slots=1, settings=load_settings())
    add_VerifierServiceServicer_to_server(servicer, server)
    address = "127.0.0.1:0"
    port = (
        server.add_secure_port(address, credentials)
        if credentials
        else server.add_insecure_port(address)
    )
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


def tls_of(signed: Signed, *, clients: Authority | None = None) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(signed.key.read_bytes(), signed.certificate.read_bytes())],
        root_certificates=clients.certificate.read_bytes() if clients else None,
        require_client_auth=clients is not None,
    )


async def reward(target: str, **options: Any) -> float:
    async with AsyncVerifierClient(target, **options) as remote:
        alone = await remote.verify(RIGHT, timeout=20)
        [streamed] = await remote.verify_many([RIGHT], timeout=20)
        assert alone == streamed
        return alone.reward


def reward_in_a_thread(target: str, **options: Any) -> float:
    with VerifierClient(target, **options) as remote:
        alone = remote.verify(RIGHT, timeout=20)
        assert [alone] == remote.verify_many([RIGHT], timeout=20)
        return alone.reward


@pytest.mark.parametrize("form", [str, Path, Path.read_bytes])
async def test_a_connection_is_encrypted_and_knows_its_server(
    authority: Authority, server_certificate: Signed, form: Callable[[Path], Any]
) -> None:
    tls = Tls(ca=form(authority.certificate))
    async with serving(tls_of(server_certificate)) as port:
        for target in (f"127.0.0.1:{port}", f"localhost:{port}"):
            assert await reward(target, tls=tls) == 1.0
            assert await asyncio.to_thread(reward_in_a_thread, target, tls=tls) == 1.0


async def test_a_server_may_have_another_name_than_the_target(authority: Authority) -> None:
    other = authority.sign("other.codeio")
    async with serving(tls_of(other)) as port:
        target = f"127.0.0.1:{port}"
        named = Tls(ca=authority.certificate, server_name="other.codeio")
        assert await reward(target, tls=named) == 1.0
        with pytest.raises(Unavailable):
            await reward(target, tls=Tls(ca=authority.certificate))


async def test_a_server_that_somebody_else_signed_is_not_trusted(
    tmp_path: Path, server_certificate: Signed
) -> None:
    stranger = Authority(tmp_path / "theirs")
    async with serving(tls_of(server_certificate)) as port:
        for tls in (Tls(ca=stranger.certificate), Tls()):
            with pytest.raises(Unavailable, match=f"127.0.0.1:{port} is not available"):
                await reward(f"127.0.0.1:{port}", tls=tls)


async def test_a_caller_shows_its_certificate(
    authority: Authority, server_certificate: Signed
) -> None:
    caller = authority.sign("trainer")
    own = Tls(ca=authority.certificate, certificate=caller.certificate, key=caller.key)
    async with serving(tls_of(server_certificate, clients=authority)) as port:
        target = f"127.0.0.1:{port}"
        assert await reward(target, tls=own) == 1.0
        assert await asyncio.to_thread(reward_in_a_thread, target, tls=own) == 1.0
        with pytest.raises(Unavailable):
            await reward(target, tls=Tls(ca=authority.certificate))


def test_a_certificate_has_a_key() -> None:
    for half in ({"certificate": b"x"}, {"key": b"x"}):
        with pytest.raises(InvalidRequest, match="needs its key"):
            Tls(**half)  # type: ignore[arg-type]


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidRequest, match="cannot read /no/such/ca: No such file"):
        VerifierClient("localhost:1", tls=Tls(ca="/no/such/ca"))


async def test_a_token_is_sent_with_every_call() -> None:
    gate = Gate()
    async with serving(gate=gate) as port:
        target = f"127.0.0.1:{port}"
        assert await reward(target, token="s3cret") == 1.0
        assert await asyncio.to_thread(reward_in_a_thread, target, token="s3cret") == 1.0
    assert gate.seen == ["Bearer s3cret"] * 4


async def test_a_token_travels_over_tls(authority: Authority, server_certificate: Signed) -> None:
    gate = Gate()
    async with serving(tls_of(server_certificate), gate=gate) as port:
        tls = Tls(ca=authority.certificate)
        assert await reward(f"127.0.0.1:{port}", token="s3cret", tls=tls) == 1.0


async def test_a_token_of_a_file_may_be_renewed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    async with (
        serving(gate=Gate()) as port,
        AsyncVerifierClient(f"127.0.0.1:{port}", token_file=file) as remote,
    ):
        with pytest.raises(Unauthenticated):
            await remote.verify(RIGHT)
        file.write_text("s3cret\n")
        assert (await remote.verify(RIGHT)).reward == 1.0
        file.unlink()
        with pytest.raises(Unauthenticated, match=f"the token in {file} cannot be read"):
            await remote.verify(RIGHT)


@pytest.mark.parametrize("text", ["", " ", "two words", "é", "a\nb"])
async def test_a_token_that_is_none_is_not_sent(text: str) -> None:
    with (
        VerifierClient("127.0.0.1:1", token=text) as remote,
        pytest.raises(Unauthenticated, match="one word of plain characters"),
    ):
        remote.verify(RIGHT)


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, Unauthenticated, "does not know who calls: no entry"),
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied, "does not allow the call: no entry"),
        (grpc.StatusCode.FAILED_PRECONDITION, Refused, "no entry"),
        (grpc.StatusCode.ABORTED, ClientError, r"failed \(ABORTED\): no entry"),
    ],
)
async def test_a_refusal_has_its_kind(
    code: grpc.StatusCode, kind: type[ClientError], told: str
) -> None:
    gate = Gate(code)
    async with (
        serving(gate=gate) as port,
        AsyncVerifierClient(f"127.0.0.1:{port}") as remote,
    ):
        for call in (remote.verify(RIGHT), remote.verify_many([RIGHT])):
            with pytest.raises(kind, match=told):
                await call
    # Once each: the same again would be refused again.
    assert gate.seen == ["", ""]


@pytest.mark.parametrize(
    ("target", "loopback"),
    [
        ("localhost:50051", True),
        ("LOCALHOST", True),
        ("127.0.0.1:1", True),
        ("127.8.8.8", True),
        ("dns:///localhost:50051", True),
        ("dns:localhost", True),
        ("dns://8.8.8.8/localhost:1", True),
        ("[::1]:50051", True),
        ("ipv6:[::1]:50051", True),
        ("ipv6:::1", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:2", True),
        ("unix:/run/verifier.sock", True),
        ("unix-abstract:verifier", True),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", False),
        ("verifier.codeio:50051", False),
        ("localhost.evil.example:1", False),
        ("127.0.0.1.nip.io:1", False),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("[fe80::1]:1", False),
        ("xds:///localhost", False),
        ("vsock:1:2", False),
        ("", False),
    ],
)
def test_a_token_does_not_leave_the_machine_unencrypted(target: str, loopback: bool) -> None:
    with ExecutorClient(target) as plain:
        assert is_loopback(plain._target) == loopback
    if loopback:
        ExecutorClient(target, token="x").close()
        return
    for token in ({"token": "x"}, {"token_file": "/run/token"}):
        with pytest.raises(InvalidRequest, match="unencrypted; give tls"):
            ExecutorClient(target, **token)  # type: ignore[misc]
        ExecutorClient(target, token_over_plaintext=True, **token).close()  # type: ignore[misc]
    ExecutorClient(target, token="x", tls=Tls()).close()


def test_one_token_is_enough() -> None:
    with pytest.raises(InvalidRequest, match="not both"):
        ExecutorClient("localhost:1", token="x", token_file="y")


@pytest.mark.parametrize(
    ("make", "call"),
    [
        (AsyncVerifierClient, lambda c: c.verify(RIGHT)),
        (AsyncVerifierClient, lambda c: c.verify_many([RIGHT])),
        (AsyncExecutorClient, lambda c: c.execute("x", [{}])),
        (AsyncExecutorClient, lambda c: anext(c.stream("x", [{}]))),
        (AsyncExecutorClient, lambda c: c.describe()),
        (AsyncNormalizerClient, lambda c: c.normalize(RawFile(content="x"))),
        (AsyncCotGeneratorClient, lambda c: c.generate(PredictionTask())),
        (AsyncCotGeneratorClient, lambda c: c.revise(Attempt())),
    ],
)
async def test_every_method_sends_the_token(
    make: Callable[..., AsyncClient], call: Callable[[Any], Any]
) -> None:
    seen: list[str] = []

    class Everything(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            if "grpc.health" in details.method:
                return None
            seen.append(dict(details.invocation_metadata).get("authorization", ""))

            async def refuse(_: Any, context: Any) -> None:
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, "seen")

            return grpc.stream_stream_rpc_method_handler(refuse)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Everything(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with make(f"127.0.0.1:{port}", token="s3cret") as remote:
            with pytest.raises(PermissionDenied, match="seen"):
                await call(remote)
    finally:
        await server.stop(None)
    assert seen == ["Bearer s3cret"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_for_http_is_no_target(scheme: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{scheme}://here:1 is an address for HTTP; .*tls"):
        VerifierClient(f"{scheme}://here:1")
