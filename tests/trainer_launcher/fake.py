"""An API server for tests: as much of one as the launcher asks of it, and faults on demand.

It lists, watches, creates, applies, merges, replaces and deletes; it counts
versions, collects garbage by owners, and does with Jobs what their controller
would do, when a test says so. What it forgives, a real one may not: the tests
on a cluster see to that.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from codeio.trainer_launcher.api import Api
from codeio.trainer_launcher.pod import CONTAINER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Resource = dict[str, Any]
NAMESPACE = "runs"
TIME = "2026-01-01T00:00:00Z"
CREATED = {"jobs": "Job", "pods": "Pod", "services": "Service", "trainingruns": "TrainingRun"}
_SERVICE_NAME = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")
_INDEX = "batch.kubernetes.io/job-completion-index"


class FakeCluster:
    """Holds resources by plural and name."""

    def __init__(self) -> None:
        self.kinds: dict[str, dict[str, Resource]] = {}
        self.calls: Counter[str] = Counter()
        self.version = 100
        self.oldest = 0
        """Watches from before this version are told that it is gone."""
        self.history: list[tuple[int, str, str, Resource]] = []
        self._changed = asyncio.Event()
        self.fail: Callable[[str, str], int | None] = lambda verb, plural: None
        """Asked before each call: a status to fail with, 0 to break the connection."""
        self.watches: set[asyncio.Task[Any]] = set()
        self._serial = 0
        self._uid = 0

    # What a test does.

    def add_run(self, name: str, spec: Resource) -> Resource:
        return self.store("trainingruns", {"metadata": {"name": name}, "spec": spec})

    def change_run(self, name: str, **fields: Any) -> None:
        run = copy.deepcopy(self.kinds["trainingruns"][name])
        run["spec"] |= fields
        run["metadata"]["generation"] += 1
        self._put("trainingruns", run)

    def run(self, name: str) -> Resource:
        return self.kinds["trainingruns"][name]

    def standing(self, name: str) -> tuple[str, str] | None:
        conditions = self.run(name).get("status", {}).get("conditions", [])
        return (conditions[0]["type"], conditions[0]["reason"]) if conditions else None

    def names(self, plural: str) -> list[str]:
        return sorted(self.kinds.get(plural, {}))

    def events(self) -> list[tuple[str, str]]:
        return [(each["reason"], each["note"]) for each in self.kinds.get("events", {}).values()]

    def remove(self, plural: str, name: str) -> None:
        """Take a resource away, and what it owns."""
        gone = self.kinds[plural].pop(name)
        self._note("DELETED", plural, gone)
        uid = gone["metadata"]["uid"]
        for kind, resources in list(self.kinds.items()):
            for each in list(resources.values()):
                owners = each["metadata"].get("ownerReferences", [])
                if any(owner["uid"] == uid for owner in owners):
                    self.remove(kind, each["metadata"]["name"])

    def break_watches(self) -> None:
        for task in list(self.watches):
            task.cancel()

    # What the controller of Jobs does.

    def start_job(self, name: str) -> None:
        """Give a Job that is not suspended its pods, those that it lacks."""
        job = copy.deepcopy(self.kinds["jobs"][name])
        if job["spec"]["suspend"] or _finished(job) or "deletionTimestamp" in job["metadata"]:
            return
        status = job.setdefault("status", {})
        if "startTime" not in status:
            status["startTime"] = TIME
            status["conditions"] = []
            self._put("jobs", job)
        living = {
            pod["metadata"]["labels"][_INDEX]
            for pod in self.pods_of(name)
            if pod["status"]["phase"] == "Running"
        }
        for index in map(str, range(job["spec"]["completions"])):
            if index not in living:
                self._serial += 1
                self.store(
                    "pods",
                    {
                        "metadata": {
                            "name": f"{name}-{index}-{self._serial:05}",
                            "labels": job["spec"]["template"]["metadata"]["labels"]
                            | {_INDEX: index},
                            "ownerReferences": [
                                {"uid": job["metadata"]["uid"], "controller": True, "name": name}
                            ],
                            "creationTimestamp": f"2026-01-01T00:{self._serial // 60 % 60:02}"
                            f":{self._serial % 60:02}Z",
                        },
                        "status": {"phase": "Running", "podIP": "127.0.0.1"},
                    },
                )

    def suspend_job(self, name: str) -> None:
        """Stop the pods of a Job whose flag says so."""
        job = copy.deepcopy(self.kinds["jobs"][name])
        conditions = job.get("status", {}).get("conditions", [])
        if not job["spec"]["suspend"] or _finished(job) or conditions:
            return
        for pod in self.pods_of(name):
            self.remove("pods", pod["metadata"]["name"])
        job.setdefault("status", {}).pop("startTime", None)
        job["status"]["conditions"] = [_condition("Suspended", "JobSuspended")]
        self._put("jobs", job)

    def end_pod(self, name: str, code: int, message: str = "", *, reason: str = "Error") -> None:
        pod = copy.deepcopy(self.kinds["pods"][name])
        ended = {"exitCode": code, "reason": reason, "message": message, "finishedAt": TIME}
        pod["status"] |= {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [
                {"name": "sidecar", "state": {"terminated": {"exitCode": 0}}},
                {"name": CONTAINER, "state": {"terminated": ended}},
            ],
        }
        self._put("pods", pod)

    def finish_job(self, name: str, kind: str = "Complete", reason: str = "") -> None:
        job = copy.deepcopy(self.kinds["jobs"][name])
        status = job.setdefault("status", {})
        status["conditions"] = [_condition(kind, reason)]
        if kind == "Complete":
            status["completionTime"] = TIME
        self._put("jobs", job)

    def complete(self, name: str, message: str = "") -> None:
        for pod in self.pods_of(name):
            if pod["status"]["phase"] == "Running":
                self.end_pod(pod["metadata"]["name"], 0, message)
        self.finish_job(name)

    def pods_of(self, job: str) -> list[Resource]:
        uid = self.kinds["jobs"][job]["metadata"]["uid"]
        pods = self.kinds.get("pods", {}).values()
        return [pod for pod in pods if pod["metadata"]["ownerReferences"][0]["uid"] == uid]

    def step(self) -> None:
        """Do for all Jobs what their controller would do next."""
        for name, job in list(self.kinds.get("jobs", {}).items()):
            if "deletionTimestamp" in job["metadata"]:
                self.remove("jobs", name)
            elif job["spec"]["suspend"]:
                self.suspend_job(name)
            elif job["spec"].get("activeDeadlineSeconds") == 1 and not _finished(job):
                for pod in self.pods_of(name):
                    if pod["status"]["phase"] == "Running":
                        self.remove("pods", pod["metadata"]["name"])
                self.finish_job(name, "Failed", "DeadlineExceeded")
            else:
                self.start_job(name)

    # How it keeps things.

    def store(self, plural: str, resource: Resource) -> Resource:
        resource = copy.deepcopy(resource)
        metadata = resource["metadata"]
        self._uid += 1
        metadata |= {"uid": f"uid-{self._uid}", "namespace": NAMESPACE, "generation": 1}
        metadata.setdefault("creationTimestamp", TIME)
        if plural in CREATED:
            resource["kind"] = CREATED[plural]
        return self._put(plural, resource)

    def _put(self, plural: str, resource: Resource) -> Resource:
        known = self.kinds.setdefault(plural, {})
        name = resource["metadata"]["name"]
        kind = "MODIFIED" if name in known else "ADDED"
        known[name] = resource
        self._note(kind, plural, resource)
        return resource

    def _note(self, kind: str, plural: str, resource: Resource) -> None:
        self.version += 1
        resource["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, kind, plural, copy.deepcopy(resource)))
        self._changed.set()
        self._changed = asyncio.Event()

    # How it is asked.

    async def answer(self, request: web.Request) -> web.StreamResponse:
        plural, name = request.match_info["plural"], request.match_info.get("name", "")
        verb = "WATCH" if request.query.get("watch") else request.method
        self.calls[f"{verb} {plural}"] += 1
        failure = self.fail(verb, plural)
        if failure == 0:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if failure is not None:
            return _status(failure, "Injected", "as the test wants it")
        if verb == "WATCH":
            return await self._watch(request, plural)
        body = json.loads(await request.read() or b"null")
        return getattr(self, f"_{verb.lower()}")(request, plural, name, body)

    def _get(self, request: web.Request, plural: str, name: str, body: Any) -> web.Response:
        known = self.kinds.get(plural, {})
        if name:
            return web.json_response(known[name]) if name in known else _not_found(plural, name)
        names = [each for each in sorted(known) if _selected(known[each], request)]
        begin = int(request.query.get("continue") or 0)
        end = begin + int(request.query.get("limit") or len(names))
        metadata = {"resourceVersion": str(self.version)}
        if end < len(names):
            metadata["continue"] = str(end)
        items = [known[each] for each in names[begin:end]]
        return web.json_response({"metadata": metadata, "items": items})

    def _refusal(self, plural: str, body: Resource) -> web.Response | None:
        name = body["metadata"]["name"]
        if plural == "services" and not _SERVICE_NAME.fullmatch(name):
            told = f'Service "{name}" is invalid: metadata.name: must start with a letter'
            return _status(422, "Invalid", told)
        return None

    def _post(self, request: web.Request, plural: str, name: str, body: Any) -> web.Response:
        if body["metadata"]["name"] in self.kinds.get(plural, {}):
            return _status(409, "AlreadyExists", f"{plural} exists already")
        if (refused := self._refusal(plural, body)) is not None:
            return refused
        if request.query.get("dryRun"):
            made = {"uid": "x", "generation": 1, "creationTimestamp": TIME}
            return web.json_response({**body, "metadata": body["metadata"] | made})
        return web.json_response(self.store(plural, body), status=201)

    def _patch(self, request: web.Request, plural: str, name: str, body: Any) -> web.Response:
        known = self.kinds.get(plural, {}).get(name)
        if "apply-patch" in request.headers["Content-Type"]:
            if (refused := self._refusal(plural, body)) is not None:
                return refused
            if known is None:
                return web.json_response(self.store(plural, body), status=201)
            return web.json_response(self._put(plural, _merged(known, body)))
        if known is None:
            return _not_found(plural, name)
        changed = _merged(known, body)
        if changed.get("spec") != known.get("spec"):
            changed["metadata"]["generation"] += 1
        return web.json_response(self._put(plural, changed))

    def _put_answer(self, plural: str, known: Resource, body: Resource, part: str) -> web.Response:
        if body["metadata"].get("resourceVersion") != known["metadata"]["resourceVersion"]:
            return _status(409, "Conflict", "the object has been modified")
        return web.json_response(self._put(plural, copy.deepcopy(known) | {part: body[part]}))

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        version = int(request.query["resourceVersion"])
        if version < self.oldest:
            return _status(410, "Expired", "too old resource version")
        response = web.StreamResponse()
        await response.prepare(request)
        task = asyncio.current_task()
        assert task is not None
        self.watches.add(task)
        try:
            position = 0
            while True:
                changed = self._changed
                while position < len(self.history):
                    at, kind, of, resource = self.history[position]
                    position += 1
                    if at > version and of == plural and _selected(resource, request):
                        line = json.dumps({"type": kind, "object": resource}) + "\n"
                        await response.write(line.encode())
                await changed.wait()
        except (asyncio.CancelledError, ConnectionError):
            if request.transport is not None:
                request.transport.close()
            return response
        finally:
            self.watches.discard(task)

    def _delete(self, request: web.Request, plural: str, name: str, body: Any) -> web.Response:
        known = self.kinds.get(plural, {}).get(name)
        if known is None:
            return _not_found(plural, name)
        if (body or {}).get("preconditions", {}).get("uid", known["metadata"]["uid"]) != known[
            "metadata"
        ]["uid"]:
            return _status(409, "Conflict", "the UID in the precondition differs")
        if (body or {}).get("propagationPolicy") != "Foreground":
            # What it owns goes later, or stays.
            self._note("DELETED", plural, self.kinds[plural].pop(name))
            return web.json_response({"kind": "Status", "status": "Success"})
        going = copy.deepcopy(known)
        going["metadata"]["deletionTimestamp"] = TIME
        return web.json_response(self._put(plural, going))


def _selected(resource: Resource, request: web.Request) -> bool:
    metadata = resource["metadata"]
    label, fields = request.query.get("labelSelector"), request.query.get("fieldSelector")
    wanted = dict(each.split("=") for each in fields.split(",")) if fields else {}
    return (not label or label in metadata.get("labels", {})) and all(
        _field(resource, path) == value for path, value in wanted.items()
    )


def _field(resource: Resource, path: str) -> Any:
    for part in path.split("."):
        resource = resource.get(part, {})
    return resource


def _merged(into: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(into, dict):
        return copy.deepcopy(patch)
    merged = copy.deepcopy(into)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _finished(job: Resource) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(each["type"] in {"Complete", "Failed"} for each in conditions)


def _condition(kind: str, reason: str) -> Resource:
    return {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": TIME}


def _status(code: int, reason: str, message: str) -> web.Response:
    told = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return web.json_response(told, status=code)


def _not_found(plural: str, name: str) -> web.Response:
    return _status(404, "NotFound", f'{plural} "{name}" not found')


@asynccontextmanager
async def serving(cluster: FakeCluster) -> AsyncIterator[Callable[[], Api]]:
    """Serve a cluster; yield what makes clients of it."""
    from kubernetes.aio.client import Configuration  # noqa: PLC0415

    async def put(request: web.Request) -> web.StreamResponse:
        plural, name = request.match_info["plural"], request.match_info["name"]
        cluster.calls[f"PUT {plural}"] += 1
        failure = cluster.fail("PUT", plural)
        if failure is not None:
            return _status(failure or 503, "Injected", "as the test wants it")
        known = cluster.kinds.get(plural, {}).get(name)
        if known is None:
            return _not_found(plural, name)
        part = request.match_info.get("subresource", "spec")
        return cluster._put_answer(plural, known, await request.json(), part)

    app = web.Application()
    for root in ("/api/v1", "/apis/{group}/{version}"):
        base = f"{root}/namespaces/{NAMESPACE}/{{plural}}"
        app.router.add_put(f"{base}/{{name}}", put)
        app.router.add_put(f"{base}/{{name}}/{{subresource}}", put)
        app.router.add_route("*", base, cluster.answer)
        app.router.add_route("*", f"{base}/{{name}}", cluster.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]

    def client() -> Api:
        return Api(Configuration(host=f"http://127.0.0.1:{port}"), namespace=NAMESPACE)

    try:
        yield client
    finally:
        cluster.break_watches()
        await runner.cleanup()
