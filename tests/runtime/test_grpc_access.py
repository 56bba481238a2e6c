"""Tokens: who is let in, what the others are told, and what the log keeps of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import traceback
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest
import structlog
import yaml
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from grpc_status import rpc_status
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from codeio.cli import app
from codeio.client import AsyncExecutorClient, PermissionDenied, Tls, Unauthenticated
from codeio.pipeline.services.verifier import service as verifier_service
from codeio.runtime.errors import UsageError
from codeio.runtime.grpc_access import scope_name
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest
from codeio.v1.executor_service_pb2 import DescribeEnvironmentRequest, ExecuteStreamRequest
from codeio.v1.executor_service_pb2_grpc import ExecutorServiceStub
from codeio.v1.verifier_service_pb2 import VerifyStreamRequest, VerifyStreamResponse
from codeio.v1.verifier_service_pb2_grpc import VerifierServiceServicer, VerifierServiceStub
from tests.runtime.certificates import AUTHORITY, Files, chain, credentials, server_certificate
from tests.servers import Servicer, listening, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from codeio.runtime.grpc_server import GrpcServer

SECRET = "cb1f70f4c0ffee"
EXECUTE = "/codeio.v1.ExecutorService/Execute"
PLAIN = [("grpc.enable_retries", 0), ("grpc.max_receive_message_length", -1)]


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def entry(name: str, token: str, *scopes: str) -> dict[str, Any]:
    return {"name": name, "sha256": digest(token), "scopes": list(scopes)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.yaml"
    hold(path, entry("rl-team", SECRET, "executor"))
    return path


def hold(path: Path, *entries: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump({"tokens": list(entries)}))


async def answer(_: Any) -> CallResult:
    return CallResult(output_json="7")


@asynccontextmanager
async def calling(server: GrpcServer) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(server.address, options=PLAIN) as channel:
        yield channel


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


async def execute(
    channel: grpc.aio.Channel, token: str | None = None, request: ExecuteRequest | None = None
) -> grpc.StatusCode:
    metadata = bearer(token) if token else None
    call = ExecutorServiceStub(channel).Execute(request or ExecuteRequest(), metadata=metadata)
    return await call.code()


async def refused(call: Any) -> tuple[grpc.aio.AioRpcError, ErrorInfo]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status = rpc_status.from_call(cast("grpc.Call", caught.value))
    assert status
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "codeio"
    return caught.value, info


async def test_the_holder_of_a_token_is_let_in(file: Path) -> None:
    async with serving(Servicer(answer), tokens_file=file) as server, calling(server) as channel:
        assert await execute(channel, SECRET) == grpc.StatusCode.OK
        stub = ExecutorServiceStub(channel)
        request = ExecuteStreamRequest(request=ExecuteRequest(calls=[Call(), Call()]))
        stream = stub.ExecuteStream(request, metadata=bearer(SECRET))
        assert [result.index async for result in stream] == [0, 1]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "no_token"),
        ("", "no_token"),
        (f"Basic {SECRET}", "no_token"),
        (SECRET, "no_token"),
        ("Bearer", "unknown_token"),
        ("Bearer another", "unknown_token"),
        (f"Bearer {digest(SECRET)}", "unknown_token"),
        (f"Bearer {SECRET}x", "unknown_token"),
    ],
)
async def test_others_are_told_that_they_are_not_known(
    file: Path, header: str | None, reason: str
) -> None:
    metadata = () if header is None else (("authorization", header),)
    async with serving(Servicer(answer), tokens_file=file) as server, calling(server) as channel:
        stub = ExecutorServiceStub(channel)
        failed, info = await refused(stub.Execute(ExecuteRequest(), metadata=metadata))
        assert (failed.code(), info.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason)
        stream = stub.ExecuteStream(ExecuteStreamRequest(), metadata=metadata)
        failed, info = await refused(anext(aiter(stream)))
        assert (failed.code(), info.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason)


async def test_a_stream_of_requests_needs_a_token_too(file: Path) -> None:
    class Echo(VerifierServiceServicer):
        async def VerifyStream(self, requests: Any, context: Any) -> AsyncIterator[Any]:
            async for _ in requests:
                yield VerifyStreamResponse()

    hold(file, entry("rl-team", SECRET, "verifier/VerifyStream"))
    with structlog.testing.capture_logs() as lines:
        async with (
            serving(Echo(), service=verifier_service, tokens_file=file) as server,
            calling(server) as channel,
        ):
            stub = VerifierServiceStub(channel)
            # Once it is told to the log, and once not.
            for _ in range(2):
                asked = iter([VerifyStreamRequest()] * 3)
                answers = stub.VerifyStream(asked, metadata=bearer(SECRET))
                assert len([answer async for answer in answers]) == 3
            failed, _ = await refused(anext(aiter(stub.VerifyStream(iter(())))))
            assert failed.code() == grpc.StatusCode.UNAUTHENTICATED
    assert [line["outcome"] for line in lines] == ["accepted", "unauthenticated"]


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer  {}"])
async def test_the_scheme_is_written_in_any_way(file: Path, header: str) -> None:
    metadata = (("authorization", header.format(SECRET)),)
    async with serving(Servicer(answer), tokens_file=file) as server, calling(server) as channel:
        await ExecutorServiceStub(channel).Execute(ExecuteRequest(), metadata=metadata)


@pytest.mark.parametrize(
    ("scopes", "code"),
    [
        (["*"], grpc.StatusCode.OK),
        (["executor"], grpc.StatusCode.OK),
        (["executor/Execute"], grpc.StatusCode.OK),
        (["verifier", "executor/Execute"], grpc.StatusCode.OK),
        (["verifier"], grpc.StatusCode.PERMISSION_DENIED),
        (["executor/ExecuteStream"], grpc.StatusCode.PERMISSION_DENIED),
        (["verifier/Execute"], grpc.StatusCode.PERMISSION_DENIED),
    ],
)
async def test_a_token_is_good_for_its_scopes(
    file: Path, scopes: list[str], code: grpc.StatusCode
) -> None:
    hold(file, entry("rl-team", SECRET, *scopes), entry("all", "other", "*"))
    async with serving(Servicer(answer), tokens_file=file) as server, calling(server) as channel:
        assert await execute(channel, SECRET) == code
        assert await execute(channel, "other") == grpc.StatusCode.OK


async def test_a_missing_scope_is_named(file: Path) -> None:
    hold(file, entry("rl-team", SECRET, "executor/DescribeEnvironment"))
    async with serving(Servicer(answer), tokens_file=file) as server, calling(server) as channel:
        stub = ExecutorServiceStub(channel)
        await stub.DescribeEnvironment(DescribeEnvironmentRequest(), metadata=bearer(SECRET))
        failed, info = await refused(stub.Execute(ExecuteRequest(), metadata=bearer(SECRET)))
    assert failed.details() == "the token rl-team may not call executor/Execute"
    assert info.reason == "missing_scope"
    assert dict(info.metadata) == {"scope": "executor/Execute"}


async def test_health_is_for_everyone_and_reflection_for_who_has_a_token(file: Path) -> None:
    hold(file, entry("rl-team", SECRET, "verifier"))
    async with serving(Servicer(answer), tokens_file=file) as server, calling(server) as channel:
        state = await HealthStub(channel).Check(HealthCheckRequest())
        assert state.status == HealthCheckResponse.SERVING
        stub, asked = ServerReflectionStub(channel), ServerReflectionRequest(list_services="")
        failed, _ = await refused(anext(aiter(stub.ServerReflectionInfo(iter([asked])))))
        assert failed.code() == grpc.StatusCode.UNAUTHENTICATED
        listing = stub.ServerReflectionInfo(iter([asked]), metadata=bearer(SECRET))
        assert (await anext(aiter(listing))).list_services_response.service


async def test_methods_that_are_not_there_are_for_nobody(file: Path) -> None:
    hold(file, entry("rl-team", SECRET, "executor"), entry("narrow", "n", "executor/Execute"))
    async with serving(Servicer(answer), tokens_file=file) as server, calling(server) as channel:
        for method, token, code in [
            ("/codeio.v1.ExecutorService/Nothing", SECRET, grpc.StatusCode.UNIMPLEMENTED),
            ("/codeio.v1.ExecutorService/Nothing", "n", grpc.StatusCode.PERMISSION_DENIED),
            ("/codeio.v1.ExecutorService/Nothing", "x", grpc.StatusCode.UNAUTHENTICATED),
            ("/codeio.v1.NoService/Execute", SECRET, grpc.StatusCode.UNIMPLEMENTED),
            ("/codeio.v1.NoService/Execute", "x", grpc.StatusCode.UNAUTHENTICATED),
            ("/nothing", "x", grpc.StatusCode.UNAUTHENTICATED),
        ]:
            call = channel.unary_unary(method)(b"", metadata=bearer(token))
            assert await call.code() == code, (method, token)


async def test_the_request_of_a_stranger_is_not_read(file: Path) -> None:
    """One that is larger than gRPC's own limit would else be told so first."""
    large = ExecuteRequest(code="x" * 10_000)
    async with (
        serving(Servicer(answer), tokens_file=file, max_message_bytes=1000) as server,
        calling(server) as channel,
    ):
        assert await execute(channel, "x", large) == grpc.StatusCode.UNAUTHENTICATED
        assert await execute(channel, SECRET, large) == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_tokens_come_and_go_while_a_connection_lasts(file: Path) -> None:
    async with serving(Servicer(answer), tokens_file=file) as server, calling(server) as channel:
        assert await execute(channel, "new") == grpc.StatusCode.UNAUTHENTICATED
        hold(file, entry("rl-team", SECRET, "executor"), entry("other", "new", "executor"))
        assert await execute(channel, "new") == grpc.StatusCode.OK
        assert await execute(channel, SECRET) == grpc.StatusCode.OK
        hold(file, entry("other", "new", "executor"))
        assert await execute(channel, SECRET) == grpc.StatusCode.UNAUTHENTICATED
        file.write_text('{"tokens": []}')
        assert await execute(channel, "new") == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("broken", ["", "tokens: [", "tokens: 7", None])
async def test_a_file_of_no_use_leaves_the_old_tokens(file: Path, broken: str | None) -> None:
    async with serving(Servicer(answer), tokens_file=file) as server, calling(server) as channel:
        with structlog.testing.capture_logs() as lines:
            if broken is None:
                file.unlink()
            else:
                file.write_text(broken)
            assert await execute(channel, SECRET) == grpc.StatusCode.OK
            assert await execute(channel, "x") == grpc.StatusCode.UNAUTHENTICATED
    warnings = [line for line in lines if line["event"] != "audit"]
    assert [(line["log_level"], line["what"]) for line in warnings] == [("warning", "tokens")]
    assert str(file) in warnings[0]["why"]


async def test_json_is_read_as_well(file: Path) -> None:
    file.write_text(json.dumps({"tokens": [entry("rl-team", SECRET, "executor")]}))
    async with serving(Servicer(answer), tokens_file=file) as server, calling(server) as channel:
        assert await execute(channel, SECRET) == grpc.StatusCode.OK


async def test_the_example_in_the_documents_is_a_file_of_tokens(file: Path) -> None:
    documents = Path(__file__).parents[2] / "docs" / "security.md"
    _, _, example = documents.read_text().partition("```yaml\ntokens:")
    file.write_text(f"tokens:{example.partition('```')[0]}")
    async with listening(Servicer(answer), tokens_file=file):
        pass


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tokens: [", "neither YAML nor JSON"),
        ("- a", "all of it: Input should be a valid dict"),
        ({"name": "a", "sha256": SECRET, "scopes": ["*"]}, r"tokens\.0\.sha256: String should"),
        ({"name": "a", "token": SECRET, "scopes": ["*"]}, r"tokens\.0\.sha256: Field required"),
        (entry("a b", "t", "*"), r"tokens\.0\.name: String should match"),
        (entry("a", "t"), r"tokens\.0\.scopes: Tuple should have at least 1 item"),
        (entry("a", "t", "exekutor"), "scope 'exekutor' in .* names no service; there are cot-gen"),
        (entry("a", "t", "executor/Exec"), "scope 'executor/Exec' in .* names no method of exec"),
        (entry("a", "t", "verifier/"), "scope 'verifier/' in .* names no method of verifier"),
        (entry("a", "t", "*/Execute"), r"scope '\*/Execute' in .* names no service"),
    ],
)
async def test_a_file_of_no_use_is_told_at_the_start_without_its_secrets(
    file: Path, text: Any, sentence: str
) -> None:
    if isinstance(text, str):
        file.write_text(text)
    else:
        hold(file, text)
    with pytest.raises(UsageError, match=sentence) as caught:
        async with listening(Servicer(answer), tokens_file=file):
            pass
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("second", "what"),
    [(entry("rl-team", "t", "*"), "name"), (entry("other", SECRET, "*"), "digest")],
)
async def test_two_tokens_are_to_differ(file: Path, second: dict[str, Any], what: str) -> None:
    hold(file, entry("rl-team", SECRET, "executor"), second)
    with pytest.raises(UsageError, match=f"two tokens in .* have one {what}"):
        async with listening(Servicer(answer), tokens_file=file):
            pass


async def test_what_is_refused_leaves_a_line_each_time_and_no_secret(file: Path) -> None:
    hold(file, entry("rl-team", SECRET, "verifier"))
    with structlog.testing.capture_logs() as lines:
        async with (
            serving(Servicer(answer), tokens_file=file) as server,
            calling(server) as channel,
        ):
            for token in (None, "other-secret", "other-secret", SECRET):
                await execute(channel, token)
    assert [
        (line["event"], line["log_level"], line["method"], line["outcome"], line["token"])
        for line in lines
    ] == [
        *[("audit", "warning", EXECUTE, "unauthenticated", None)] * 3,
        ("audit", "warning", EXECUTE, "permission denied", "rl-team"),
    ]
    assert {line["certificate"] for line in lines} == {None}
    assert all(line["peer"].startswith("ipv4:127.0.0.1:") for line in lines)
    for secret in ("other-secret", SECRET, digest(SECRET)):
        assert secret not in repr(lines)


async def test_what_is_refused_is_counted_by_no_name_of_its_own(file: Path) -> None:
    hold(file, entry("rl-team", SECRET, "verifier"))
    labels = {"method": "refused", "code": "UNAUTHENTICATED"}
    name = "codeio_grpc_seconds_count"
    before = REGISTRY.get_sample_value(name, labels) or 0
    async with (
        serving(Servicer(answer), tokens_file=file) as server,
        calling(server) as channel,
    ):
        await execute(channel, "x")
        with pytest.raises(grpc.aio.AioRpcError, match="UNAUTHENTICATED"):
            await channel.unary_unary("/codeio.v1.ExecutorService/Made-up")(b"")
    assert REGISTRY.get_sample_value(name, labels) == before + 2
    methods = {s.labels.get("method", "") for family in REGISTRY.collect() for s in family.samples}
    assert not any("Made-up" in method for method in methods)


async def test_what_is_accepted_leaves_a_line_a_minute_for_each_method(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("codeio.runtime.grpc_access.monotonic", lambda: now)
    hold(file, entry("rl-team", SECRET, "executor"), entry("other", "o", "executor"))
    with structlog.testing.capture_logs() as lines:
        async with (
            serving(Servicer(answer), tokens_file=file) as server,
            calling(server) as channel,
        ):
            for now in (1000.0, 1059.0, 1060.0, 1061.0):  # noqa: B007
                await execute(channel, SECRET)
            await execute(channel, "o")
            stub = ExecutorServiceStub(channel)
            request = ExecuteStreamRequest(request=ExecuteRequest(calls=[Call()]))
            async for _ in stub.ExecuteStream(request, metadata=bearer(SECRET)):
                pass
    assert [(line["token"], line["method"].rpartition("/")[2]) for line in lines] == [
        ("rl-team", "Execute"),
        ("rl-team", "Execute"),
        ("other", "Execute"),
        ("rl-team", "ExecuteStream"),
    ]
    assert {(line["log_level"], line["outcome"]) for line in lines} == {("info", "accepted")}


async def test_the_log_names_the_certificate_of_the_client(file: Path, tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.hold(server_certificate("server"))
    files.trust(AUTHORITY)
    client = AUTHORITY.issue_cert("rl@example.org", common_name="rl-client")
    with structlog.testing.capture_logs() as lines:
        async with (
            serving(Servicer(answer), tokens_file=file, **files.settings(client_ca=True)) as server,
            grpc.aio.secure_channel(server.address, credentials(client)) as channel,
        ):
            assert await execute(channel, SECRET) == grpc.StatusCode.OK
            assert await execute(channel, "x") == grpc.StatusCode.UNAUTHENTICATED
    accepted, denied = lines
    assert "CN=rl-client" in accepted["certificate"]
    assert "CN=rl-client" in denied["certificate"]


async def test_a_token_that_the_command_made_is_good(tmp_path: Path) -> None:
    secret, tokens = tmp_path / "rl-team.token", tmp_path / "tokens.yaml"
    made = CliRunner().invoke(
        app, ["token", "rl-team", "executor", "verifier/Verify", "--out", str(secret)]
    )
    assert (made.exit_code, made.stderr) == (0, "")
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.read_text() not in made.stdout
    tokens.write_text(f"tokens:\n{made.stdout}")
    async with serving(Servicer(answer), tokens_file=tokens) as server, calling(server) as channel:
        assert await execute(channel, secret.read_text()) == grpc.StatusCode.OK
        assert await execute(channel, "x") == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a b", "executor"], "name: String should match"),
        (["a", "exekutor"], "scope 'exekutor' in the new entry names no service"),
    ],
)
def test_the_command_refuses_what_no_server_would_take(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    out = tmp_path / "token"
    made = CliRunner().invoke(app, ["token", *arguments, "--out", str(out)])
    assert isinstance(made.exception, UsageError)
    assert sentence in str(made.exception)
    assert not out.exists()


def test_the_command_writes_over_no_file(tmp_path: Path) -> None:
    out = tmp_path / "token"
    out.write_text("mine")
    made = CliRunner().invoke(app, ["token", "a", "executor", "--out", str(out)])
    assert isinstance(made.exception, UsageError)
    assert "File exists" in str(made.exception)
    assert out.read_text() == "mine"


async def test_our_own_clients_are_let_in_and_told_why_not(file: Path, tmp_path: Path) -> None:
    hold(file, entry("rl-team", SECRET, "executor"), entry("other", "o", "verifier"))
    files = Files(tmp_path)
    files.hold(server_certificate("server"))
    files.trust(AUTHORITY)
    own = AUTHORITY.issue_cert("rl@example.org")
    tls = Tls(
        ca=AUTHORITY.cert_pem.bytes(),
        certificate=chain(own),
        key=own.private_key_pem.bytes(),
    )
    async with serving(
        Servicer(answer), tokens_file=file, **files.settings(client_ca=True)
    ) as server:
        for token, error in [(SECRET, None), ("x", Unauthenticated), ("o", PermissionDenied)]:
            async with AsyncExecutorClient(server.address, tls=tls, token=token) as executor:
                expected = pytest.raises(error) if error else contextlib.nullcontext()
                with expected:
                    (result,) = await executor.execute("", [{}])
                    assert result.output_json == "7"


OPEN = "whoever reaches this address may call; see server.tokens_file"
CLEAR = "tokens travel unencrypted to this address; see server.tls_certificate"


@pytest.mark.parametrize(
    ("host", "secured", "warnings"),
    [
        ("127.0.0.1", (), []),
        ("localhost", (), []),
        ("::1", (), []),
        ("0.0.0.0", (), [OPEN]),
        ("0.0.0.0", ("tls",), [OPEN]),
        ("0.0.0.0", ("tokens",), [CLEAR]),
        ("0.0.0.0", ("tls", "clients"), []),
        ("0.0.0.0", ("tls", "tokens"), []),
    ],
)
async def test_what_is_left_open_is_told_at_the_start(
    file: Path, tmp_path: Path, host: str, secured: tuple[str, ...], warnings: list[str]
) -> None:
    files = Files(tmp_path)
    files.hold(server_certificate("server"))
    files.trust(AUTHORITY)
    settings: dict[str, Any] = {"tokens_file": file} if "tokens" in secured else {}
    if "tls" in secured:
        settings |= files.settings(client_ca="clients" in secured)
    with structlog.testing.capture_logs() as lines:
        async with serving(Servicer(answer), host=host, **settings) as server:
            pass
    assert [line["event"] for line in lines] == warnings
    assert all(line["address"] == server.address for line in lines)


@pytest.mark.parametrize(
    ("service", "scope"),
    [
        ("codeio.v1.ExecutorService", "executor"),
        ("codeio.v1.CotGeneratorService", "cot-generator"),
        ("codeio.v1.TrainerLauncherService", "trainer-launcher"),
    ],
)
def test_scopes_are_named_as_services_are_on_the_command_line(service: str, scope: str) -> None:
    assert scope_name(service) == scope
