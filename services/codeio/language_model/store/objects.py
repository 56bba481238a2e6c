"""The store in a bucket or a folder behind an fsspec URL: an object for each response.

What `put` has returned from is as durable as the service makes it. Where that
knows no conditional writes, two puts of the same key at the same moment may
end with the later one in place.
"""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import fsspec

from codeio.language_model.store.packing import check_key, pack, unpack
from codeio.language_model.store.remote import (
    PATIENCE_SECONDS,
    patiently,
    stopped,
    words_of,
)
from codeio.runtime.errors import Stopped, UsageError
from codeio.runtime.settings import public_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_T = TypeVar("_T")

_THREADS = 32
_MARK = "codeio-responses"

_S3 = frozenset({"s3", "s3a"})
_CONDITIONAL = _S3 | {"memory"}
"""Where an object is written only if there is none, in one step."""
_WHOLE = _CONDITIONAL | {"gs", "gcs", "abfs", "abfss", "az"}
"""Where an object is there whole or not at all; elsewhere it is written aside and moved."""

_FINAL = (PermissionError, FileNotFoundError, RuntimeError, TypeError, ValueError)
_FINAL_NAMES = frozenset({"NoCredentialsError", "ParamValidationError", "PartialCredentialsError"})
_PASSING_STATUS = frozenset({408, 409, 425, 429})
"""Of HTTP's 4xx, those which the same request may not meet again."""


class ObjectStore:
    """A `ResponseStore` in objects `ab/abcdef….json.zst` below a URL.

    S3-compatible services other than Amazon's, and credentials, are named as
    for any client: by `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` and so on.

    Raises, when opened:
        UsageError: the address is none, a package is missing, or the service refuses.
        Stopped: no service answers.
    """

    def __init__(self, url: str, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._url = url
        self._name = public_url(url)
        self._scheme = url.partition("://")[0]
        self._patience = patience_seconds
        self._closed = True

    async def __aenter__(self) -> Self:
        self._threads = ThreadPoolExecutor(_THREADS, "responses")
        try:
            self._system, self._root = await self._in_thread(self._locate)
            # Shows right away whether there is such a place, and whether it can be written.
            await self._patiently(self._write, f"{self._root}/{_MARK}", pack("codeio"))
            self._closed = False
        except UsageError:
            raise
        except Exception as error:
            if _may_pass(error):
                raise stopped("reached", error, url=self._url) from error
            raise UsageError(
                f"cannot use {self._name} as a store of responses: "
                f"{words_of(error, url=self._url)}; check CODEIO_TEACHER__STORE, the credentials "
                "and their rights to list, get and put"
            ) from error
        finally:
            if self._closed:
                self._threads.shutdown(wait=False)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)

    async def get(self, key: str, /) -> str | None:
        data = await self._use("read", self._read, self._path(key))
        return None if data is None else unpack(data, key=key, where=self._name)

    async def put(self, key: str, text: str, /) -> None:
        path = self._path(key)
        await self._use("written", lambda: self._write(path, pack(text)))

    def _path(self, key: str) -> str:
        check_key(key)
        return f"{self._root}/{key[:2]}/{key}.json.zst"

    async def _use(self, what: str, function: Callable[..., _T], *arguments: Any) -> _T:
        if self._closed:
            raise Stopped(f"the store of responses {self._name} is closed")
        try:
            return await self._patiently(function, *arguments)
        # Each file system has errors of its own.
        except Exception as error:
            raise stopped(what, error, url=self._url) from error

    async def _patiently(self, function: Callable[..., _T], *arguments: Any) -> _T:
        # While it waits for the next try it holds no thread.
        retrying = patiently(self._patience, may_pass=_may_pass)
        return await retrying(self._in_thread, function, *arguments)

    async def _in_thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *arguments))

    def _locate(self) -> tuple[Any, str]:
        """Return the file system and the path in it; what is missing for that is told."""
        # An instance of its own, since it is changed below.
        options: dict[str, Any] = {"skip_instance_cache": True}
        if self._scheme in _S3:
            # Retried here alone: two more layers of it would wait for minutes.
            options["config_kwargs"] = {
                "retries": {"total_max_attempts": 1},
                "max_pool_connections": _THREADS,
            }
        try:
            system, root = fsspec.core.url_to_fs(self._url, **options)
        except ImportError as error:
            raise UsageError(
                f"{self._name} needs another package: {words_of(error, url=self._url)}"
            ) from error
        except ValueError as error:
            raise UsageError(
                f"CODEIO_TEACHER__STORE cannot be {self._name}: {words_of(error, url=self._url)}; "
                "use a path, postgresql://..., s3://... or another fsspec URL"
            ) from error
        if self._scheme in _S3:
            if not root:
                raise UsageError(f"{self._name} names no bucket; write s3://BUCKET/FOLDER")
            system.retries = 1
        return system, str(root).rstrip("/")

    def _read(self, path: str) -> bytes | None:
        # Or else s3fs asks for the size, and lists the folder, before it gets the object.
        options = {"max_concurrency": 1} if self._scheme in _S3 else {}
        try:
            data: bytes = self._system.cat_file(path, **options)
        except FileNotFoundError as error:
            if _code(error) == "NoSuchBucket":
                raise
            return None
        return data

    def _write(self, path: str, data: bytes) -> None:
        """Write an object whole, unless there is one."""
        if self._scheme in _CONDITIONAL and self._create(path, data):
            return
        if self._read(path) is not None:
            return
        if self._scheme in _WHOLE:
            self._system.pipe_file(path, data)
        else:
            self._move_in(path, data)

    def _create(self, path: str, data: bytes) -> bool:
        """Write an object unless there is one; return False where the service cannot do that."""
        try:
            self._system.pipe_file(path, data, mode="create")
        except FileExistsError:
            return True
        except OSError as error:
            if _code(error) == "PreconditionFailed":
                return True
            if _code(error) == "NotImplemented":
                return False
            raise
        return True

    def _move_in(self, path: str, data: bytes) -> None:
        """Write an object aside and move it to its place."""
        self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
        aside = f"{path}.{uuid.uuid4().hex}.part"
        try:
            self._system.pipe_file(aside, data)
            self._system.mv(aside, path)
        except BaseException:
            with suppress(Exception):
                self._system.rm_file(aside)
            raise


def _may_pass(error: BaseException) -> bool:
    """Say whether to try again: each file system has errors of its own, known are the final."""
    if isinstance(error, (UsageError, *_FINAL)) or type(error).__name__ in _FINAL_NAMES:
        return False
    status = _status(error)
    return (
        not 400 <= status < 500 or status in _PASSING_STATUS or _code(error) == "RequestTimeout"
    ) and _code(error) != "NotImplemented"


def _status(error: BaseException) -> int:
    """Return the HTTP status that the service answered with, or 0."""
    status = _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    found = (status, getattr(error, "status", 0), getattr(error, "code", 0))
    return next((value for value in found if isinstance(value, int) and value), 0)


def _code(error: BaseException) -> str:
    """Return the code of an S3 service's answer."""
    code: str = _response(error).get("Error", {}).get("Code", "")
    return code


def _response(error: BaseException) -> dict[str, Any]:
    """Return an S3 service's answer, which s3fs keeps as the cause of its error."""
    return getattr(error.__cause__, "response", None) or {}
