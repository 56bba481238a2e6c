"""What a teacher is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.v1.records_pb2 import PredictionTask, Turn


class Teacher(Protocol):
    """Answers questions with a rationale."""

    @property
    def name(self) -> str:
        """Name of the teacher with a hash of its parameters, part of every sample's id."""
        ...

    async def answer(
        self, task: PredictionTask, *, prompt: str, conversation: Sequence[Turn], sample_index: int
    ) -> Turn:
        """Answer the prompt, which follows the turns of the conversation.

        The turn has the prompt, the response, what it consumed and why it ended; its
        verdict is not given yet. The last turn of a conversation was judged wrong.

        Raises:
            Rejected: the teacher has no answer to this task.
            TransientError: it may have one later.
        """
        ...
