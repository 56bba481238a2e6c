"""The batch files of OpenAI, vLLM and SGLang: requests out, results in.

A run writes what it would ask to a file, one request a line, and stops when it
can do nothing more without an answer. Whoever answers the file gives back
results under the same `custom_id`, here the key of the question, and
`add_results` takes them into the response store; the next run finds them.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from codeio.language_model.answers import Answers
from codeio.language_model.completions import (
    REFUSALS,
    empty_reply,
    read_completion,
    refusal_kind,
    request_body,
)
from codeio.language_model.store.opening import open_store
from codeio.language_model.store.packing import check_key
from codeio.runtime.errors import Stopped, UsageError
from codeio.runtime.jsonl import open_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from codeio.language_model.chat import Question, Reply
    from codeio.language_model.store import ResponseStore
    from codeio.language_model.tally import Tally
    from codeio.runtime.settings import TeacherSettings

MOST_REQUESTS = 50_000
"""The most that OpenAI takes in one file."""

_PATH = "/v1/chat/completions"
# Responses that are put together share a sync of the disk.
_AT_ONCE = 256


class BatchModel:
    """Answers from the store alone; what is not there is written to a batch file.

    A question that was written waits until `stop` is called.
    """

    def __init__(
        self, path: Path, store: ResponseStore, *, settings: TeacherSettings, tally: Tally
    ) -> None:
        self._answers = Answers(store, settings=settings, tally=tally)
        self.name = self._answers.name
        self.tally = tally
        self._path = path
        self._written: set[str] = set()
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting = 0
        """Questions that wait for the answers that only the next run has."""

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"cannot write the batch file {self._path}: {error.strerror}; "
                "name another one by teacher.batch"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._stopped.done():
            self._stopped.exception()

    @property
    def state(self) -> str:
        """How many requests are written, in words."""
        return f"{len(self._written):,} requests written"

    async def ask(self, question: Question) -> Reply:
        """Answer from the store, or write the question and wait; see `LanguageModel`."""
        key = self._answers.key(question)
        if (kept := await self._answers.kept(key, question)) is not None:
            return kept
        self._write(key, question)
        self.waiting += 1
        try:
            await asyncio.shield(self._stopped)
        finally:
            self.waiting -= 1
        raise AssertionError("what stops the waiting is an error")

    async def finish(self) -> None:
        """Do nothing: no answer is on its way."""

    def stop(self) -> None:
        """End the waiting of all questions with `Stopped`."""
        if self._stopped.done():
            return
        self._file.flush()
        self._stopped.set_exception(
            Stopped(
                f"{len(self._written)} requests are in {self._path}; have them answered, take the "
                "results in by `codeio responses add RESULTS`, and call the same command again"
            )
        )

    def _write(self, key: str, question: Question) -> None:
        if key in self._written:
            return
        self._written.add(key)
        request = {
            "custom_id": key,
            "method": "POST",
            "url": _PATH,
            "body": request_body(
                question, model=self._answers.model, parameters=self._answers.parameters
            ),
        }
        self._file.write(json.dumps(request) + "\n")
        if len(self._written) >= MOST_REQUESTS:
            self.stop()


async def add_results(
    lines: Iterable[str], store: ResponseStore, *, settings: TeacherSettings
) -> Counter[str]:
    """Take the results of a batch file into the store.

    A request that was refused for what it is has an answer too, an empty one: to
    ask again would not help.

    Returns:
        How many were `added`, and how many `failed` at the endpoint or are `malformed`;
        those are asked for again by the next run.
    """
    counts = Counter(added=0, failed=0, malformed=0)
    putting: list[asyncio.Future[None]] = []
    for line in lines:
        if not line.strip():
            continue
        try:
            result: Any = json.loads(line)
            key, response = str(result["custom_id"]), result.get("response")
            check_key(key)
            status = 0 if result.get("error") or not response else int(response["status_code"])
            reply = _result(status, response, settings)
        except (ValueError, LookupError, TypeError, AttributeError):
            counts["malformed"] += 1
            continue
        if reply is None:
            counts["failed"] += 1
            continue
        putting.append(asyncio.ensure_future(store.put(key, reply.to_text())))
        counts["added"] += 1
        if len(putting) >= _AT_ONCE:
            await asyncio.gather(*putting)
            putting.clear()
    await asyncio.gather(*putting)
    return counts


def _result(status: int, response: Any, settings: TeacherSettings) -> Reply | None:
    if status == 200:
        return read_completion(response["body"], settings)
    if status not in REFUSALS:
        return None
    body = response.get("body") or {}
    error = body.get("error") or body
    code = str(error.get("code") or "")
    if "billing" in code or "quota" in code:
        return None
    return empty_reply(refusal_kind(status, code=code, message=str(error.get("message") or "")))


async def add_results_of(path: str, settings: TeacherSettings) -> Counter[str]:
    """Take the results in a file, `-` for standard input, into the store that is set.

    Raises:
        UsageError: the file cannot be read, or no line of it is a result.
        Stopped: the store cannot be written.
    """
    try:
        with open_text(path) as lines:
            async with open_store(settings.store) as store:
                counts = await add_results(lines, store, settings=settings)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: {error}; give the results file") from error
    if counts["malformed"] and not counts["added"] + counts["failed"]:
        raise UsageError(
            f"{path} holds no results of a batch; each line must be a JSON object with "
            "`custom_id` and `response`"
        )
    return counts
