"""Makes a chat of a row, whatever form the row has.

| format             | columns                                                               |
|--------------------|-----------------------------------------------------------------------|
| `Messages`         | `messages`, a list of `role` and `content`                            |
| `PromptCompletion` | `prompt` and `completion`, texts or lists of messages                 |
| `Joined`           | the same; a snapshot has all answers of a sample in `completion`      |
| `ShareGpt`         | `conversations`, a list of `from` and `value`                         |
| `Codeio`           | `prompt`, `turn_1`, `prompt_2` (or `feedback_1`), `turn_2` and so on  |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Chat: TypeAlias = list[dict[str, str]]

_REQUIRED = {
    "Messages": ("messages",),
    "PromptCompletion": ("prompt", "completion"),
    "Joined": ("prompt", "completion"),
    "ShareGpt": ("conversations",),
    "Codeio": ("prompt", "turn_1"),
}
_OF_TURNS = re.compile(r"(turn|prompt|feedback)_[1-9][0-9]?")
IDS = ("sample_id", "id")
"""Columns that name a sample, where there are any."""

_SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
    "observation": "tool",
}


def columns_of(
    form: str, there: Collection[str], *, title: str, more: Collection[str]
) -> list[str]:
    """Return those of the columns that are there which a form reads, and `more`.

    Raises:
        RunError: one is missing.
    """
    missing = [name for name in _REQUIRED[form] if name not in there]
    if missing:
        fitting = [name for name, needed in _REQUIRED.items() if set(needed) <= set(there)]
        advice = f"set the source's format to {fitting[0]}" if fitting else "rename its columns"
        raise RunError(
            Reason.INVALID_DATA,
            f"{title} has no column {missing[0]}, which rows of the format {form} have (it has"
            f" {', '.join(sorted(there)[:20])}): {advice}",
        )
    for name in more:
        if name not in there:
            raise RunError(
                Reason.INVALID_DATA,
                f"{title} has no column {name}, by which rows are to be selected: export the"
                " snapshot again, or leave this out of the source's select",
            )
    turns = [name for name in there if form == "Codeio" and _OF_TURNS.fullmatch(name)]
    ids = [name for name in IDS if name in there]
    return list(dict.fromkeys((*_REQUIRED[form], *turns, *ids, *more)))


def chat_of(values: Mapping[str, Any], form: str) -> Chat | None:
    """Return the chat of a row, or None if it has no answer that one could learn.

    Raises:
        ValueError: the row has not the form; the message says where.
    """
    chat = _READERS[form](values)
    return chat if any(message["role"] == "assistant" for message in chat) else None


def _messages(values: Mapping[str, Any]) -> Chat:
    return _listed(values, "messages", role="role", content="content")


def _sharegpt(values: Mapping[str, Any]) -> Chat:
    return _listed(values, "conversations", role="from", content="value")


def _prompt_completion(values: Mapping[str, Any]) -> Chat:
    chat: Chat = []
    for column, speaker in (("prompt", "user"), ("completion", "assistant")):
        if isinstance(values.get(column), list):
            chat += _listed(values, column, role="role", content="content")
        else:
            chat.append({"role": speaker, "content": _text(values.get(column), column)})
    return chat


def _codeio(values: Mapping[str, Any]) -> Chat:
    chat: Chat = []
    number = 1
    while (answer := values.get(f"turn_{number}")) is not None:
        question = values.get("prompt" if number == 1 else f"prompt_{number}")
        if question is None:  # upstream's own data has the feedback alone
            question = values.get(f"feedback_{number - 1}")
        asked = "prompt" if number == 1 else f"prompt_{number}"
        chat.append({"role": "user", "content": _text(question, asked)})
        chat.append({"role": "assistant", "content": _text(answer, f"turn_{number}")})
        number += 1
    return chat


_READERS: dict[str, Callable[[Mapping[str, Any]], Chat]] = {
    "Messages": _messages,
    "PromptCompletion": _prompt_completion,
    "Joined": _prompt_completion,
    "ShareGpt": _sharegpt,
    "Codeio": _codeio,
}


def _listed(values: Mapping[str, Any], column: str, *, role: str, content: str) -> Chat:
    listed = values.get(column)
    if not isinstance(listed, list) or not listed:
        raise ValueError(f"{column} is no list of messages")
    chat = []
    for number, message in enumerate(listed):
        place = f"{column}[{number}]"
        if not isinstance(message, dict):
            raise ValueError(f"{place} is no object with {role} and {content}")  # noqa: TRY004
        speaker = _SPEAKERS.get(message.get(role) or "")
        if speaker is None:
            raise ValueError(
                f"{place}.{role} is {message.get(role)!r}, which is none of {', '.join(_SPEAKERS)}"
            )
        chat.append({"role": speaker, "content": _text(message.get(content), f"{place}.{content}")})
    return chat


def _text(value: Any, place: str) -> str:
    if isinstance(value, list) and all(
        isinstance(part, dict) and part.get("type") == "text" for part in value
    ):
        value = "".join(str(part.get("text", "")) for part in value)
    if not isinstance(value, str):
        raise ValueError(f"{place} is no text")  # noqa: TRY004  data, not a wrong call
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{place} has half of a surrogate pair, which is no text") from error
    return value
