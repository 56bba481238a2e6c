"""The store in objects passes the contract on a real S3 service, in memory and in a folder."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from codeio.language_model.store.objects import ObjectStore
from codeio.language_model.store.packing import unpack
from codeio.runtime.errors import Stopped, UsageError
from tests.language_model.store.servers import S3, Line
from tests.language_model.store.store_contract import StoreContract, key_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    use(s3.port, s3.secret_key, monkeypatch)
    return s3.make_bucket()


def use(port: int, secret_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a service and the credentials for it as its users would."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


# The first of all tests builds the server.
@pytest.mark.timeout(900)
class TestS3(StoreContract):
    @pytest.fixture
    def address(self, bucket: str) -> str:
        return f"s3://{bucket}/of/responses"

    async def test_each_response_is_an_object(self, address: str, bucket: str, s3: S3) -> None:
        async with ObjectStore(address) as store:
            await store.put(key_of(1), "one")
        objects = s3.objects(bucket)
        name = f"of/responses/{key_of(1)[:2]}/{key_of(1)}.json.zst"
        assert objects.keys() == {name, "of/responses/codeio-responses"}
        assert unpack(objects[name], key="", where="") == "one"


class TestFolder(StoreContract):
    @pytest.fixture
    def address(self, tmp_path: Path) -> str:
        return f"file://{tmp_path}/of/responses"


@pytest.mark.timeout(900)
async def test_a_whole_bucket_may_be_a_store(bucket: str, s3: S3) -> None:
    async with ObjectStore(f"s3://{bucket}") as store:
        await store.put(key_of(1), "one")
        assert await store.get(key_of(1)) == "one"
    assert f"{key_of(1)[:2]}/{key_of(1)}.json.zst" in s3.objects(bucket)


@pytest.mark.timeout(900)
async def test_wrong_credentials_are_told_without_them(
    bucket: str, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(s3.port, "a-wrong-secret", monkeypatch)
    told = await refused(f"s3://{bucket}/responses")
    assert "signature" in told
    assert "a-wrong-secret" not in told
    assert s3.secret_key not in told
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "redentials" in await refused(f"s3://{bucket}/responses")


@pytest.mark.timeout(900)
async def test_an_unknown_access_key_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unknown-here")
    assert "access key" in await refused(f"s3://{bucket}/responses")


@pytest.mark.timeout(900)
async def test_a_bucket_that_is_missing_is_told(bucket: str, s3: S3) -> None:
    assert "bucket does not exist" in await refused("s3://no-such-bucket/responses")
    assert "bucket is not valid" in await refused("s3://_/responses")
    with pytest.raises(UsageError, match="s3:// names no bucket; write s3://BUCKET/FOLDER"):
        await ObjectStore("s3://").__aenter__()


async def refused(address: str) -> str:
    with pytest.raises(UsageError) as caught:
        await ObjectStore(address).__aenter__()
    (told,) = str(caught.value).splitlines()
    assert told.startswith(f"cannot use {address} as a store of responses: ")
    assert told.endswith(
        "check CODEIO_TEACHER__STORE, the credentials and their rights to list, get and put"
    )
    return told


@pytest.mark.timeout(900)
async def test_what_is_asked_while_the_service_is_away_is_done_when_it_is_back(
    bucket: str, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Line(s3.port) as line:
        use(line.port, s3.secret_key, monkeypatch)
        async with ObjectStore(f"s3://{bucket}/responses") as store:
            await store.put(key_of(1), "one")
            await line.cut()
            asked = asyncio.gather(store.put(key_of(2), "two"), store.get(key_of(1)))
            await line.refused(4)
            assert not asked.done()
            line.mend()
            assert await asked == [None, "one"]
            assert await store.get(key_of(2)) == "two"


@pytest.mark.timeout(900)
async def test_a_service_that_stays_away_stops_it(
    bucket: str, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"s3://{bucket}/responses"
    async with Line(s3.port) as line:
        use(line.port, s3.secret_key, monkeypatch)
        async with ObjectStore(address, patience_seconds=0.5) as store:
            await store.put(key_of(1), "one")
            await line.cut()
            with pytest.raises(Stopped, match="cannot be written: ") as putting:
                await store.put(key_of(2), "two")
            with pytest.raises(Stopped, match="cannot be read: ") as getting:
                await store.get(key_of(1))
        with pytest.raises(Stopped, match="cannot be reached: ") as opening:
            await ObjectStore(address, patience_seconds=0.5).__aenter__()
    for caught in (putting, getting, opening):
        (told,) = str(caught.value).splitlines()
        assert told.startswith(f"the store of responses {address} cannot be ")
        assert s3.secret_key not in told


@pytest.mark.timeout(900)
async def test_a_service_that_knows_no_conditional_writes_does(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ObjectStore(f"s3://{bucket}/responses") as store:
        pipe_file = store._system.pipe_file

        def unconditional(path: str, data: bytes, mode: str = "overwrite") -> Any:
            if mode == "create":
                error = OSError("A header you provided implies functionality not implemented")
                error.__cause__ = CodedError("NotImplemented")
                raise error
            return pipe_file(path, data)

        monkeypatch.setattr(store._system, "pipe_file", unconditional)
        await store.put(key_of(1), "first")
        await store.put(key_of(1), "second")
        assert await store.get(key_of(1)) == "first"


class CodedError(Exception):
    """Carries a service's code as botocore's errors do."""

    def __init__(self, code: str) -> None:
        self.response = {"Error": {"Code": code}}


async def test_memory_does() -> None:
    async with ObjectStore("memory://responses") as store:
        assert await store.get(key_of(1)) is None
        await asyncio.gather(*(store.put(key_of(i), str(i)) for i in range(200)))
        await store.put(key_of(1), "second")
        assert await store.get(key_of(1)) == "1"
    async with ObjectStore("memory://responses") as store:
        assert await store.get(key_of(199)) == "199"
    MemoryFileSystem.store.clear()


async def test_what_cannot_be_moved_in_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ObjectStore(f"file://{tmp_path}/responses", patience_seconds=0.1) as store:
        before = sorted(tmp_path.rglob("*.*"))

        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(LocalFileSystem, "mv", full)
            with pytest.raises(Stopped, match=r"cannot be written: .*No space left on device"):
                await store.put(key_of(1), "one")
        assert await store.get(key_of(1)) is None
        assert sorted(tmp_path.rglob("*.*")) == before
        await store.put(key_of(1), "one")
        assert await store.get(key_of(1)) == "one"


async def test_a_damaged_response_is_told(tmp_path: Path) -> None:
    async with ObjectStore(f"file://{tmp_path}") as store:
        await store.put(key_of(1), "one")
        (tmp_path / key_of(1)[:2] / f"{key_of(1)}.json.zst").write_bytes(b"\0")
        with pytest.raises(Stopped, match=f"{key_of(1)} in file://.* is damaged"):
            await store.get(key_of(1))


async def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    # What was loaded before is remembered.
    loaded = sys.modules["fsspec.registry"]._registry
    monkeypatch.delitem(loaded, "s3", raising=False)
    with pytest.raises(UsageError, match="s3://bucket needs another package: Install s3fs"):
        await ObjectStore("s3://bucket").__aenter__()


async def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(UsageError, match="STORE cannot be nonsense://here: Protocol not known"):
        await ObjectStore("nonsense://here").__aenter__()
