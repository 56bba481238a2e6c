"""The teacher that rewrites: a traced rationale is material, a language model gives it a voice."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Protocol

from codeio.cot_generator import prompts
from codeio.cot_generator.model_teacher import usage_of
from codeio.language_model import ContextTooLong, Message, Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.cot_generator.teacher import Teacher
    from codeio.language_model import LanguageModel
    from codeio.v1.records_pb2 import PredictionTask, Turn

_REWRITE = """\
{prompt}

These are notes on how the program runs. Every value in them is right:

<notes>
{notes}
</notes>

Write the answer to the question above as a person would who has only the question and \
reasons it out with care: say what the code is after, go through the steps that matter in an \
order that makes sense, sum up what repeats, and let each conclusion follow from what was said \
before. Keep the values of the notes exactly; state none that they do not give. Do not mention \
notes, a trace, or that anything was run. Write the reasoning alone, without the final JSON \
block, which will be put behind it."""

# Who reads the rewrite has neither.
_OF_NOTES = re.compile(r"\b(?:notes?|traced?|traces)\b", re.IGNORECASE)
_VERSION = "1"


class ClaimCheck(Protocol):
    """Tells whether what a rationale states about values is what the program does."""

    async def __call__(
        self, task: PredictionTask, rationale: str, /, *, material: str, input_json: str | None
    ) -> bool:
        """Return whether nothing is refuted, and of the material enough is still stated.

        `input_json` is the input on which both run the program.
        """
        ...


class GroundedTeacher:
    """Lets a model rewrite what another teacher told, and takes it only if its claims hold.

    What does not hold, or is cut or empty, is dropped for the material itself,
    which is right already; `finish_reason` is `rewritten` where it was taken.
    """

    def __init__(self, material: Teacher, model: LanguageModel, *, check: ClaimCheck) -> None:
        self._material = material
        self._model = model
        self._check = check
        parameters = f"{_VERSION} {material.name} {model.name}"
        digest = hashlib.sha256(parameters.encode()).hexdigest()[:8]
        self.name = f"grounded-{model.name}-{digest}"

    async def answer(
        self, task: PredictionTask, *, prompt: str, conversation: Sequence[Turn], sample_index: int
    ) -> Turn:
        """Answer with a rewritten rationale, or with the material; see `Teacher`."""
        turn = await self._material.answer(
            task, prompt=prompt, conversation=conversation, sample_index=sample_index
        )
        notes, answer = prompts.split_final_answer(turn.response)
        asked = _REWRITE.format(prompt=prompt, notes=notes)
        try:
            reply = await self._model.ask(
                Question((Message("user", asked),), sample_index=sample_index, purpose="rewriting")
            )
        except ContextTooLong:
            return turn
        turn.usage.CopyFrom(usage_of(reply))
        rationale, _ = prompts.split_final_answer(reply.content.strip())
        whole = bool(rationale) and reply.finish_reason == "stop"
        told = _OF_NOTES.search(rationale) and not _OF_NOTES.search(prompt)
        if (
            whole
            and not told
            and await self._check(
                task,
                rationale,
                material=notes,
                input_json=prompts.answered_input(task, answer),
            )
        ):
            turn.response = f"{rationale}\n\n{answer}"
            turn.reasoning = reply.reasoning
            turn.finish_reason = "rewritten"
            turn.ClearField("claims")
        return turn
