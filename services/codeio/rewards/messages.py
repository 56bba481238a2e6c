"""The text of what a model said, in the forms that chats take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def reply_text(completion: str | Sequence[Mapping[str, Any]]) -> str:
    """Return a completion's text: of a chat, that of the assistant's last message."""
    if isinstance(completion, str):
        return completion
    for message in reversed(completion):
        if _field(message, "role") == "assistant":
            return _content_text(_field(message, "content"))
    return ""


def _field(message: Any, name: str) -> Any:
    return message.get(name) if isinstance(message, Mapping) else getattr(message, name, None)


def _content_text(content: Any) -> str:
    """Return the text of a content, which may be a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(_field(part, "text") or "" for part in content)
