"""How a conversation goes on after a reply that is of no use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.language_model import Message, Question

if TYPE_CHECKING:
    from codeio.language_model import Reply


def asked_again(question: Question, reply: Reply, *, told: str, purpose: str) -> Question:
    """Return the question that tells the model what was wrong with its reply.

    An empty reply is nothing to talk about: the same is asked anew.
    """
    if not reply.content.strip():
        return Question(
            question.messages, sample_index=question.sample_index + 1, purpose=question.purpose
        )
    said = Message("assistant", reply.content)
    return Question((*question.messages, said, Message("user", told)), purpose=purpose)
