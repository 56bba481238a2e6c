"""The bodies of chat completions, as requests, answers and refusals have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from codeio.language_model.chat import Reply
from codeio.runtime.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeio.language_model.chat import Question
    from codeio.runtime.settings import TeacherSettings

REFUSALS = (400, 413, 422)
"""Statuses of requests that are not taken for what they are, and not for when they come."""

FILTERED = "content_filter"
TOO_LONG = "context_too_long"
REFUSED = "refused_by_endpoint"

_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,20}(context|tokens)|too many tokens"
    r"|(prompt|input|request).{0,40}too (long|large)|longer than the model",
    re.IGNORECASE,
)
_OF_MAX_TOKENS = re.compile(r"max_(?:completion_)?tokens\W.{0,20}(?:is|too|must|exceed)")
# The opening mark may stand in the prompt already, as some chat templates have it.
_THOUGHT = re.compile(r"\s*(?:<think>)?((?:(?!<think>).)*)</think>\s*", re.DOTALL)
_UNFINISHED_THOUGHT = re.compile(r"\s*<think>(.*)\Z", re.DOTALL)


class TooSlow(TransientError):
    """The endpoint gave no answer in time; it may have too much to do."""


class RequestRefused(Exception):
    """The endpoint takes no such request; whether for its content or its set-up is not known."""


def request_parameters(settings: TeacherSettings) -> dict[str, Any]:
    """Return what shapes an answer, beside the model and the messages, as the request has it."""
    named = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_tokens,
    }
    return {name: value for name, value in named.items() if value is not None} | settings.body


def request_body(
    question: Question, *, model: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the body of a request for a chat completion."""
    messages = [{"role": m.role, "content": m.content} for m in question.messages]
    return {"model": model, "messages": messages, **parameters}


def read_completion(fields: Any, settings: TeacherSettings) -> Reply:
    """Read the body of a chat completion.

    Raises:
        ValueError: it is none.
    """
    try:
        return _read(fields, settings)
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"no chat completion: {error!r}") from error


def refusal_kind(status: int, *, code: str, message: str) -> str:
    """Tell why a request was refused: filtered, too long, or for another reason of its own."""
    if code == FILTERED:
        return FILTERED
    # That names the model's length too, and is no matter of the question.
    if _OF_MAX_TOKENS.search(message):
        return REFUSED
    if status == 413 or _TOO_LONG.search(f"{code} {message}"):
        return TOO_LONG
    return REFUSED


def empty_reply(finish_reason: str) -> Reply:
    """Return what stands for an answer where there is none."""
    return Reply("", "", finish_reason, prompt_tokens=0, completion_tokens=0, cost_usd=0.0)


def reasoning_of(message: Mapping[str, Any]) -> str:
    """Return the reasoning that a message keeps apart from its content."""
    # vLLM and DeepSeek name it one way, OpenRouter and newer servers the other.
    return str(message.get("reasoning_content") or message.get("reasoning") or "")


def _read(fields: Any, settings: TeacherSettings) -> Reply:
    if failure := fields.get("error"):
        raise ValueError(f"an error in place of an answer: {failure}")
    choice = fields["choices"][0]
    if choice.get("error") or choice.get("finish_reason") == "error":
        raise ValueError(f"an error in place of an answer: {choice.get('error')}")
    message, usage = choice["message"], fields.get("usage") or {}
    prompt_tokens = int(usage.get("prompt_tokens") or 0)
    completion_tokens = int(usage.get("completion_tokens") or 0)
    content, reasoning = _text(message.get("content"), "text"), reasoning_of(message)
    reasoning = reasoning or _text(message.get("content"), "thinking")
    if not reasoning and (thought := _THOUGHT.match(content) or _UNFINISHED_THOUGHT.match(content)):
        reasoning, content = thought[1].strip(), content[thought.end() :]
    finish_reason = str(choice.get("finish_reason") or "")
    if message.get("refusal"):
        content, finish_reason = str(message["refusal"]), "refusal"
    cost = usage.get("cost")  # what some endpoints say of themselves
    return Reply(
        content=_clean(content),
        reasoning=_clean(reasoning),
        finish_reason=_clean(finish_reason),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost_usd=float(cost)
        if isinstance(cost, int | float)
        else prompt_tokens * settings.prompt_usd_per_million / 1e6
        + completion_tokens * settings.completion_usd_per_million / 1e6,
    )


def _text(content: Any, kind: str) -> str:
    """Return what the content of a message holds of a kind; it may come in parts of several."""
    if isinstance(content, list):
        parts = [part[kind] for part in content if part.get("type") == kind]
        return "".join(_text(part, "text") for part in parts)
    return str(content or "") if kind == "text" else ""


def _clean(text: str) -> str:
    # Half a surrogate pair, which a model may write, can neither be kept in a record nor sent.
    return text.encode(errors="replace").decode()
