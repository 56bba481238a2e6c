"""Keeps files one of whose functions a language model completes sometimes, but not always.

What it always completes teaches nothing, what it never completes is mostly
broken or says too little (paper, section 2.1: between 10 and 90 percent).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codeio.language_model import Message, Question
from codeio.normalizer.teacher.holes import find_hole
from codeio.normalizer.teacher.prompts import completion_request
from codeio.runtime import values
from codeio.runtime.errors import Rejected
from codeio.runtime.records import ENTRY_POINT
from codeio.v1.execution_pb2 import Call, ExecuteRequest, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeio.language_model import LanguageModel
    from codeio.normalizer.search import Search
    from codeio.normalizer.teacher.holes import Hole
    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import RawFile

SCORE = "completion_rate"


class CompletionFilter:
    """Refuses files by the success in completing a function of theirs.

    The function is the one with most logic of those that make a program
    statically, since its inputs and outputs are known; a completion is right
    when the program with it gives all these outputs. A file without such a
    function is kept, without a score: nothing is known against it, and it is
    often the one that a teacher can still make something of.
    """

    def __init__(
        self,
        model: LanguageModel,
        sandbox: Sandbox,
        *,
        search: Search,
        band: tuple[float, float],
        samples: int,
    ) -> None:
        self._model = model
        self._sandbox = sandbox
        self._search = search
        self._band = band
        self._samples = samples

    async def judge(self, raw: RawFile, /) -> Mapping[str, float]:
        """Return the share of right completions under `completion_rate`.

        Raises:
            Rejected: `completion_rate:low` or `completion_rate:high`.
            TransientError: the model or the sandbox failed.
        """
        try:
            hole = find_hole(await self._search.look(raw.content))
        except Rejected:
            # What is wrong with the file is for the normalizer to say.
            return {}
        if hole is None:
            return {}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._is_right(hole, i)) for i in range(self._samples)]
        right = sum(task.result() for task in tasks)
        rate = right / self._samples
        low, high = self._band
        if not low <= rate <= high:
            raise Rejected(
                f"completion_rate:{'low' if rate < low else 'high'}",
                f"{right} of {self._samples} completions of {hole.name} were right",
            )
        return {SCORE: rate}

    async def _is_right(self, hole: Hole, sample_index: int) -> bool:
        prompt = completion_request(hole.name, hole.shown)
        reply = await self._model.ask(
            Question((Message("user", prompt),), sample_index=sample_index, purpose="completion")
        )
        program = hole.filled(reply.content)
        if program is None:
            return False
        response = await self._sandbox.execute(
            ExecuteRequest(
                code=program,
                entry_point=ENTRY_POINT,
                calls=[Call(input_json=text) for text in hole.trial.inputs],
            )
        )
        return all(
            result.outcome == Outcome.OUTCOME_OK
            and values.equal(values.loads(result.output_json), values.loads(expected))
            for result, expected in zip(response.results, hole.trial.outputs, strict=True)
        )
