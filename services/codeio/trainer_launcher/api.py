"""The API server: what the launcher asks of it, in resources as they are written.

Resources are mappings as in JSON, not classes of a library: what is sent is what
the manifests say, and what is not looked at is passed on as it came. The library
`kubernetes` finds the cluster, renews tokens and holds the connections.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import aiohttp
import structlog

from codeio.runtime.errors import Stopped
from codeio.runtime.metrics import LAUNCHER_API_CALLS
from codeio.training_run.manifest import GROUP, PLURAL, VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping
    from types import TracebackType

    from kubernetes.aio.client import Configuration

Resource: TypeAlias = "dict[str, Any]"

FIELD_MANAGER = "codeio-trainer-launcher"
"""As what we write is known to the API server."""

_logger = structlog.get_logger()

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_CALL_SECONDS = 30.0
_WATCH_SECONDS = 300
# Bookmarks come every minute: a connection that is this quiet is dead.
_SILENT_SECONDS = 100.0
_PAGE = 500


@dataclass(frozen=True)
class Kind:
    """A kind of resource, and where the API server has it."""

    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        root = f"/apis/{self.group}" if self.group else "/api"
        parts = (root, self.version, "namespaces", namespace, self.plural, name, subresource)
        return "/".join(part for part in parts if part)


RUNS = Kind(GROUP, VERSION, PLURAL)
JOBS = Kind("batch", "v1", "jobs")
PODS = Kind("", "v1", "pods")
SERVICES = Kind("", "v1", "services")
EVENTS = Kind("events.k8s.io", "v1", "events")
LEASES = Kind("coordination.k8s.io", "v1", "leases")


def generation_of(resource: Resource) -> int:
    """Return how often its spec was changed; 0 of one that no API server has seen."""
    return int(resource["metadata"].get("generation", 0))


class ApiError(Exception):
    """The API server refused a call, or did not answer. The message is its sentence."""

    def __init__(self, code: int, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        """HTTP's; 0 where there was no answer."""
        self.reason = reason
        """Such as `AlreadyExists`."""

    @property
    def no_such_kind(self) -> bool:
        """Whether it is the kind of resource that is not known there."""
        return self.code == 404 and "requested resource" in str(self)

    @property
    def is_refusal(self) -> bool:
        """Whether it was refused for what it asks, not for what was there or for want of time."""
        return 400 <= self.code < 500 and self.code not in {404, 409, 429}


class Expired(Exception):
    """What a watch or a page was to go on from is too old: list anew."""


class Api:
    """The API server, for one namespace. To be used in an `async with` block."""

    def __init__(self, configuration: Configuration, *, namespace: str) -> None:
        from kubernetes.aio.client import ApiClient  # noqa: PLC0415  (it takes seconds)

        self._client = ApiClient(configuration)
        self.namespace = namespace

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, kind: Kind, name: str) -> Resource:
        """Return a resource.

        Raises:
            ApiError: it is not there, for instance; as all of these methods do.
        """
        return await self._call("get", "GET", kind.path(self.namespace, name))

    async def page(
        self,
        kind: Kind,
        *,
        selector: str = "",
        fields: str = "",
        limit: int = _PAGE,
        token: str = "",
    ) -> tuple[list[Resource], str, str]:
        """Return some resources by name, the token of the next page, and the list's version.

        Raises:
            Expired: the token is too old.
        """
        query = {"limit": str(limit)}
        query |= {"labelSelector": selector} if selector else {}
        query |= {"fieldSelector": fields} if fields else {}
        query |= {"continue": token} if token else {}
        try:
            found = await self._call("list", "GET", kind.path(self.namespace), query)
        except ApiError as error:
            if error.code == 410:
                raise Expired(str(error)) from error
            raise
        metadata = found["metadata"]
        return found.get("items") or [], metadata.get("continue", ""), metadata["resourceVersion"]

    async def list(
        self, kind: Kind, *, selector: str = "", fields: str = ""
    ) -> tuple[list[Resource], str]:
        """Return all resources, and the version from which on to watch."""
        found: list[Resource] = []
        token = ""
        while True:
            items, token, version = await self.page(
                kind, selector=selector, fields=fields, token=token
            )
            found += items
            if not token:
                return found, version

    async def watch(
        self, kind: Kind, *, version: str, selector: str = "", fields: str = ""
    ) -> AsyncGenerator[tuple[str, Resource]]:
        """Yield changes, each a type such as `MODIFIED` and a resource, until the server ends it.

        Raises:
            Expired: the version is too old.
        """
        query = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        query |= {"labelSelector": selector} if selector else {}
        query |= {"fieldSelector": fields} if fields else {}
        limit = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_SILENT_SECONDS)
        response = await self._send("watch", "GET", kind.path(self.namespace), query, limit=limit)
        try:
            if response.status != 200:
                error = _error(response.status, await response.read())
                raise Expired(str(error)) if response.status == 410 else error
            async for line in _lines(response):
                change = json.loads(line)
                if change["type"] == "ERROR":
                    told = change["object"]
                    if told.get("code") == 410:
                        raise Expired(told.get("message", ""))
                    raise ApiError(told.get("code", 0), told.get("message", "the watch failed"))
                yield change["type"], change["object"]
        finally:
            response.close()

    async def create(self, kind: Kind, resource: Resource, *, dry_run: bool = False) -> Resource:
        query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        return await self._call("create", "POST", kind.path(self.namespace), query, body=resource)

    async def apply(self, kind: Kind, resource: Resource) -> Resource:
        """Have a resource be so, whether or not it is there: a server-side apply."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        path = kind.path(self.namespace, resource["metadata"]["name"])
        return await self._call("apply", "PATCH", path, query, resource, "apply-patch+yaml")

    async def patch(self, kind: Kind, name: str, patch: Mapping[str, Any]) -> Resource:
        """Change some fields: a merge patch, in which None takes a field away."""
        path = kind.path(self.namespace, name)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call("patch", "PATCH", path, query, patch, "merge-patch+json")

    async def replace(self, kind: Kind, resource: Resource, *, status: bool = False) -> Resource:
        """Replace what has the resource's `resourceVersion`, or its status alone."""
        path = kind.path(self.namespace, resource["metadata"]["name"], "status" if status else "")
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call("update", "PUT", path, query, body=resource)

    async def delete(self, kind: Kind, resource: Resource) -> Resource:
        """Delete this very resource, once what it owns is gone.

        Returns the resource as it is being deleted, or a `Status` if it is gone at once.
        """
        options = {
            "propagationPolicy": "Foreground",
            "preconditions": {"uid": resource["metadata"]["uid"]},
        }
        path = kind.path(self.namespace, resource["metadata"]["name"])
        return await self._call("delete", "DELETE", path, body=options)

    async def _call(  # noqa: PLR0913, PLR0917
        self,
        verb: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "json",
    ) -> Resource:
        limit = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        response = await self._send(
            verb, method, path, query or {}, body=body, content=content, limit=limit
        )
        try:
            payload = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ApiError(0, _unanswered(error)) from error
        if response.status >= 300:
            raise _error(response.status, payload)
        answer: Resource = json.loads(payload)
        return answer

    async def _send(  # noqa: PLR0913
        self,
        verb: str,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        limit: aiohttp.ClientTimeout,
        body: Mapping[str, Any] | None = None,
        content: str = "json",
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "Content-Type": f"application/{content}"}
        prepared = await self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            auth_settings=["BearerToken"],
        )
        code = 0
        try:
            told = await self._client.call_api(*prepared[:3], body=body, _request_timeout=limit)
            response: aiohttp.ClientResponse = told.response
            code = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, _unanswered(error)) from error
        finally:
            LAUNCHER_API_CALLS.labels(verb, str(code)).inc()
        return response


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the lines of a response; that it breaks off or is silent is its end."""
    try:
        async for line in response.content:
            if line.endswith(b"\n"):
                yield line
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        _logger.info("a watch broke off", why=_unanswered(error))


def _unanswered(error: Exception) -> str:
    return f"the API server does not answer: {str(error) or type(error).__name__}"


def _error(code: int, payload: bytes) -> ApiError:
    try:
        told = json.loads(payload)
        return ApiError(code, str(told["message"]), reason=str(told.get("reason", "")))
    except (ValueError, KeyError, TypeError):
        text = payload[:200].decode(errors="replace").strip()
        return ApiError(code, f"the API server answers {code}: {text}")


async def connect(namespace: str) -> Api:
    """Return the API server of the pod's cluster, or else of the kubeconfig's.

    `namespace` may be empty: the pod's own then, or that of the kubeconfig's context.

    Raises:
        Stopped: there is no cluster.
    """
    # The import takes seconds, in which calls are to be answered.
    config = await asyncio.to_thread(_configuration_module)
    from kubernetes.aio.client import Configuration  # noqa: PLC0415

    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
        own = _NAMESPACE_FILE
        found = (
            await asyncio.to_thread(own.read_text) if await asyncio.to_thread(own.exists) else ""
        )
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=configuration)
            _, context = config.list_kube_config_contexts()
        except config.ConfigException as error:
            raise Stopped(
                "there is no cluster to run on: this is no pod of one, and there is no kubeconfig;"
                " set KUBECONFIG to its path"
            ) from error
        found = context["context"].get("namespace", "")
    return Api(configuration, namespace=namespace or found or "default")


def _configuration_module() -> Any:
    from kubernetes.aio import config  # noqa: PLC0415

    return config
