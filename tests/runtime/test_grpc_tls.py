"""TLS: whose certificate a server shows, whose it wants, and what happens when they change."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from codeio.runtime.errors import UsageError
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import CallResult, ExecuteRequest
from codeio.v1.executor_service_pb2_grpc import ExecutorServiceStub
from tests.runtime.certificates import (
    AUTHORITY,
    OTHER_AUTHORITY,
    Files,
    chain,
    credentials,
    server_certificate,
)
from tests.servers import Servicer, listening, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import trustme

    from codeio.runtime.grpc_server import GrpcServer

PLAIN = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]


async def answer(_: Any) -> CallResult:
    return CallResult(output_json="7")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.hold(server_certificate("first"))
    made.trust(AUTHORITY)
    return made


@asynccontextmanager
async def calling(
    server: GrpcServer, client: trustme.LeafCert | None = None
) -> AsyncIterator[ExecutorServiceStub]:
    secure = grpc.aio.secure_channel(server.address, credentials(client), options=PLAIN)
    async with secure as channel:
        yield ExecutorServiceStub(channel)


async def code_of(server: GrpcServer, client: trustme.LeafCert | None = None) -> grpc.StatusCode:
    async with calling(server, client) as stub:
        try:
            await stub.Execute(ExecuteRequest(), timeout=30)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def shown_by(server: GrpcServer) -> str:
    """The name in the certificate that a new connection is shown."""
    context = ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())
    context.set_alpn_protocols(["h2"])
    host, _, port = server.address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        subject = dict(part[0] for part in writer.get_extra_info("peercert")["subject"])
        return str(subject["commonName"])
    finally:
        writer.transport.abort()


async def test_calls_are_made_over_tls_and_not_without(files: Files) -> None:
    async with serving(Servicer(answer), **files.settings()) as server:
        assert await code_of(server) == grpc.StatusCode.OK
        async with grpc.aio.insecure_channel(server.address, options=PLAIN) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ExecutorServiceStub(channel).Execute(ExecuteRequest(), timeout=30)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_new_connections_are_shown_the_renewed_certificate(files: Files) -> None:
    async with serving(Servicer(answer), **files.settings()) as server, calling(server) as old:
        await old.Execute(ExecuteRequest())
        assert await shown_by(server) == "first"
        for name in ("second", "third"):
            files.hold(server_certificate(name))
            assert await shown_by(server) == name
        # What was connected stays so.
        assert (await old.Execute(ExecuteRequest())).results[0].output_json == "7"


async def test_certificate_and_key_may_be_changed_one_after_the_other(files: Files) -> None:
    second = server_certificate("second")
    async with serving(Servicer(answer), **files.settings()) as server:
        with structlog.testing.capture_logs() as lines:
            files.certificate.write_bytes(chain(second))
            assert await shown_by(server) == "first"
            files.key.write_bytes(second.private_key_pem.bytes())
            assert await shown_by(server) == "second"
        assert await code_of(server) == grpc.StatusCode.OK
    (warning, renewed) = lines
    assert warning["log_level"] == "warning"
    assert warning["why"] == (
        f"the certificate in {files.certificate} and the key in {files.key} do not belong together"
    )
    assert renewed["event"] == "renewed"


async def test_a_secret_that_kubernetes_swaps_is_met(tmp_path: Path) -> None:
    for name in ("first", "second"):
        version = Files(tmp_path / name)
        version.folder.mkdir()
        version.hold(server_certificate(name))
    (tmp_path / "..data").symlink_to("first")
    mounted = Files(tmp_path)
    for file in (mounted.certificate, mounted.key):
        file.symlink_to(f"..data/{file.name}")
    async with serving(Servicer(answer), **mounted.settings()) as server:
        assert await shown_by(server) == "first"
        (tmp_path / "..data_tmp").symlink_to("second")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        assert await shown_by(server) == "second"


@pytest.mark.parametrize("broken", ["half", "empty", "wrong", "missing"])
async def test_a_file_of_no_use_leaves_the_old_certificate(files: Files, broken: str) -> None:
    whole = files.certificate.read_bytes()
    async with serving(Servicer(answer), **files.settings()) as server:
        with structlog.testing.capture_logs() as lines:
            match broken:
                case "half":
                    files.certificate.write_bytes(whole[: len(whole) // 2])
                case "empty":
                    files.certificate.write_bytes(b"")
                case "wrong":
                    files.certificate.write_bytes(b"not a certificate")
                case "missing":
                    files.certificate.unlink()
            assert await shown_by(server) == "first"
            assert await shown_by(server) == "first"
        assert await code_of(server) == grpc.StatusCode.OK
    (line,) = lines
    assert (line["log_level"], line["what"]) == ("warning", "TLS certificate")
    assert str(files.certificate) in line["why"]


async def test_clients_need_a_certificate_of_the_authority_where_one_is_named(
    files: Files,
) -> None:
    async with serving(Servicer(answer), **files.settings(client_ca=True)) as server:
        known, unknown = (
            authority.issue_cert("team@example.org") for authority in (AUTHORITY, OTHER_AUTHORITY)
        )
        assert await code_of(server, known) == grpc.StatusCode.OK
        assert await code_of(server) == grpc.StatusCode.UNAVAILABLE
        assert await code_of(server, unknown) == grpc.StatusCode.UNAVAILABLE
        # The authority of clients is renewed like the rest.
        files.trust(OTHER_AUTHORITY)
        assert await code_of(server, unknown) == grpc.StatusCode.OK
        assert await code_of(server, known) == grpc.StatusCode.UNAVAILABLE
        # And one that is of no use lets nobody in who was not before.
        files.client_ca.write_text("nobody")
        assert await code_of(server, unknown) == grpc.StatusCode.OK
        assert await code_of(server, known) == grpc.StatusCode.UNAVAILABLE
        assert await code_of(server) == grpc.StatusCode.UNAVAILABLE


def encrypted(files: Files) -> None:
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda files: files.key.unlink(), "cannot read .*tls.key: No such file or directory"),
        (lambda files: files.certificate.write_text("x"), "tls.crt and .*tls.key cannot be used"),
        (
            lambda files: files.key.write_bytes(AUTHORITY.issue_cert("x").private_key_pem.bytes()),
            "the certificate in .*tls.crt and the key in .*tls.key do not belong together",
        ),
        (encrypted, "the key in .*tls.key is encrypted; give one that is not"),
        (lambda files: files.client_ca.write_text("x"), "ca.crt holds no certificates in PEM form"),
        (lambda files: files.client_ca.unlink(), "cannot read .*ca.crt: No such file"),
    ],
    ids=["missing", "wrong", "mismatch", "encrypted", "wrong authority", "missing authority"],
)
async def test_files_of_no_use_are_told_at_the_start_in_one_sentence(
    files: Files, spoil: Any, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil(files)
    with pytest.raises(UsageError, match=sentence):
        async with listening(Servicer(answer), **files.settings(client_ca=True)):
            pass
    assert capfd.readouterr().err == ""


async def test_a_kind_of_key_that_grpc_does_not_know_is_told_at_the_start(files: Files) -> None:
    key, name = ec.generate_private_key(ec.SECP256K1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now, now + timedelta(days=1)
    ).sign(key, hashes.SHA256())
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(UsageError, match=r"gRPC cannot use the key in .*tls.key.* P-256"):
        async with listening(Servicer(answer), **files.settings()):
            pass


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        ({"tls_certificate": "/c"}, "tls_certificate and tls_key are of use only together"),
        ({"tls_key": "/k"}, "tls_certificate and tls_key are of use only together"),
        ({"tls_client_ca": "/a"}, "tls_client_ca is of use only with tls_certificate and tls_key"),
    ],
)
def test_settings_that_lack_a_part_are_refused(server: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=f"^setting server: {sentence}; mend it in"):
        load_settings(flags={"server": server})


async def test_connections_are_renewed_under_tls(files: Files) -> None:
    peers = set()

    class Peers(Servicer):
        async def Execute(self, request: Any, context: Any) -> Any:
            peers.add(context.peer())
            return await super().Execute(request, context)

    async with (
        serving(Peers(answer), **files.settings(), connection_age_seconds=0.2) as server,
        calling(server) as stub,
        asyncio.timeout(30),
    ):
        while len(peers) < 2:
            # A call may meet the end of its connection, and is then made again.
            with suppress(grpc.aio.AioRpcError):
                await stub.Execute(ExecuteRequest(), wait_for_ready=True)


async def test_draining_finishes_what_runs_under_tls(files: Files) -> None:
    begun, release, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_: Any) -> CallResult:
        begun.set()
        await release.wait()
        return CallResult(output_json="7")

    async def serve(server: GrpcServer) -> None:
        async with server.accepting():
            await stop.wait()

    async with listening(Servicer(slow), **files.settings()) as server, calling(server) as stub:
        served = asyncio.create_task(serve(server))
        running = asyncio.ensure_future(stub.Execute(ExecuteRequest(), wait_for_ready=True))
        await begun.wait()
        stop.set()
        async with grpc.aio.secure_channel(server.address, credentials()) as channel:
            watch = HealthStub(channel).Watch(HealthCheckRequest())
            states = aiter(watch)
            while (await anext(states)).status != HealthCheckResponse.NOT_SERVING:
                pass
            watch.cancel()
        assert await code_of(server) == grpc.StatusCode.UNAVAILABLE
        assert not served.done()
        release.set()
        assert (await running).results[0].output_json == "7"
        await served


async def test_messages_are_limited_under_tls(files: Files) -> None:
    async with (
        serving(Servicer(answer), **files.settings(), max_message_bytes=1000) as server,
        calling(server) as stub,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Execute(ExecuteRequest(code="x" * 1000))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
