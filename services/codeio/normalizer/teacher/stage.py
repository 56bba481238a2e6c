"""Makes programs of raw files by asking a language model (paper, section 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.language_model import Message, Question
from codeio.normalizer.adopted import adapt_generator, adopt
from codeio.normalizer.purity import check
from codeio.normalizer.selection import gives_back
from codeio.normalizer.source import syntax_tree
from codeio.normalizer.teacher.complaints import complaint
from codeio.normalizer.teacher.conversation import asked_again
from codeio.normalizer.teacher.prompts import program_request, repair_request
from codeio.normalizer.teacher.reply import BadReply, Declined, read_reply
from codeio.normalizer.units import logic_of
from codeio.runtime.errors import Rejected
from codeio.runtime.records import ENTRY_POINT, GENERATOR, origin_of, program_id
from codeio.v1.records_pb2 import ExecutedProgram, Program, RawFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.language_model import LanguageModel, Reply
    from codeio.runtime.settings import LimitsSettings
    from codeio.runtime.stage import Stage

# One program is made of the whole file.
_UNIT = "file"
_REFUSED = ("refusal", "content_filter")


class TeacherNormalizer:
    """Asks for code, generator and texts, executes them, and has them repaired once.

    What comes out has passed everything that the executor asks for, and what
    the static normalizer refuses besides: impure code, arguments given back,
    code without a decision or a loop. At most two questions are asked of a file.
    """

    name = "normalizer"

    def __init__(self, model: LanguageModel, *, executor: Stage, limits: LimitsSettings) -> None:
        """Make a normalizer.

        Args:
            model: who writes the programs.
            executor: the stage that will execute them, or one that judges as it does.
            limits: what the model is told to keep to.
        """
        self._model = model
        self._executor = executor
        self._limits = limits

    async def handle(self, raw: RawFile) -> AsyncIterator[Program]:
        """Yield the program of a file.

        Raises:
            Rejected: the model finds nothing usable, or its repaired program is not usable.
            TransientError: the model or the sandbox failed.
        """
        if raw.HasField("program"):
            yield adopt(raw)
            return
        request = program_request(raw.content, self._limits)
        question = Question((Message("user", request),), purpose="program")
        reply = await self._ask(question)
        try:
            program = await self._program(raw, reply)
        except Declined:
            raise
        except Rejected as refusal:
            program = await self._repaired(raw, question, reply, refusal)
        yield program

    async def _repaired(
        self, raw: RawFile, question: Question, reply: Reply, refusal: Rejected
    ) -> Program:
        """Return the program of a second reply, to which the fault of the first was told."""
        told = repair_request(complaint(refusal))
        second = await self._ask(asked_again(question, reply, told=told, purpose="repair"))
        try:
            return await self._program(raw, second)
        except Declined:
            raise
        except Rejected as again:
            detail = f"{again.detail} (repaired once; at first {refusal.reason})"
            raise Rejected(again.reason, detail) from again

    async def _ask(self, question: Question) -> Reply:
        reply = await self._model.ask(question)
        if reply.finish_reason in _REFUSED:
            raise Rejected("teacher_refused", reply.content[:300] or reply.finish_reason)
        if reply.finish_reason == "length":
            tokens = reply.completion_tokens
            raise Rejected("teacher_reply_cut", f"the reply was cut off after {tokens} tokens")
        return reply

    async def _program(self, raw: RawFile, reply: Reply) -> Program:
        """Return the program of a reply.

        Raises:
            Declined: the model finds nothing usable.
            Rejected: the reply or its program is not usable.
        """
        normalised = read_reply(reply.content)
        origin = origin_of(raw)
        origin.unit = _UNIT
        code = normalised.code
        program = Program(
            program_id=program_id(code=code, entry_point=ENTRY_POINT, origin=origin),
            code=code,
            entry_point=ENTRY_POINT,
            io_description=normalised.description,
            input_generator=adapt_generator(normalised.generator),
            problem_statement=normalised.problem,
            origin=origin,
        )
        await self._examine(program)
        return program

    async def _examine(self, program: Program) -> None:
        """Hold a program to what holds for one that was derived statically.

        Raises:
            Rejected: it falls short of that.
        """
        statements = syntax_tree(program.code).body
        check(statements)
        try:
            check(syntax_tree(program.input_generator).body)
        except Rejected as effect:
            raise BadReply(
                "generator",
                f"`{GENERATOR}` must depend on `rng` alone, but has {effect.reason}: "
                f"{effect.detail}",
            ) from effect
        if not logic_of(statements):
            raise Rejected("trivial", "it makes no decision and repeats nothing")
        executed = [
            record
            async for record in self._executor.handle(program)
            if isinstance(record, ExecutedProgram)
        ]
        for record in executed:
            inputs = [pair.input_json for pair in record.pairs]
            outputs = [pair.output_json for pair in record.pairs]
            if gives_back(inputs, outputs):
                raise Rejected("identity_output", f"{inputs[0]} gives {outputs[0]}")
