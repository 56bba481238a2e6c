"""The teacher `openai`: a language model that writes the rationales."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.language_model import ContextTooLong, Message, Question
from codeio.v1.records_pb2 import Turn, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.language_model import LanguageModel, Reply
    from codeio.v1.records_pb2 import PredictionTask

# What stands for an answer that was empty: endpoints take no empty message.
_NO_ANSWER = "(no answer)"


class ModelTeacher:
    """Shows a language model the conversation as it went and takes its reply for the turn.

    What a reasoning model thought stands in `reasoning` and is not shown to it
    again. An empty, cut or refused reply is a turn too: the verifier judges it,
    and `finish_reason` says why it ended, `context_too_long` where the question
    did not fit.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.name = model.name

    async def answer(
        self, task: PredictionTask, *, prompt: str, conversation: Sequence[Turn], sample_index: int
    ) -> Turn:
        """Answer by asking the model; see `Teacher`."""
        del task  # the prompt has all that the model is to see
        messages: list[Message] = []
        for turn in conversation:
            messages.append(Message("user", turn.prompt))
            messages.append(Message("assistant", turn.response or _NO_ANSWER))
        messages.append(Message("user", prompt))
        purpose = "revision" if conversation else "rationale"
        try:
            reply = await self._model.ask(
                Question(tuple(messages), sample_index=sample_index, purpose=purpose)
            )
        except ContextTooLong as error:
            return Turn(prompt=prompt, finish_reason=error.reason)
        return Turn(
            prompt=prompt,
            response=reply.content,
            reasoning=reply.reasoning,
            usage=usage_of(reply),
            finish_reason=reply.finish_reason,
        )


def usage_of(reply: Reply) -> Usage:
    return Usage(
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        cost_usd=reply.cost_usd,
    )
