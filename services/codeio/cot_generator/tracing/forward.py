"""Output prediction: the program is followed from its input to what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing.narrator import narrate
from codeio.cot_generator.tracing.purpose import purpose_of
from codeio.cot_generator.tracing.runs import Rationale, Run, run_program
from codeio.cot_generator.tracing.wording import Voice, brief, code, tokens
from codeio.runtime import values
from codeio.runtime.errors import Rejected
from codeio.runtime.trace import Source

if TYPE_CHECKING:
    from codeio.runtime.settings import TeacherSettings
    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import Claim, PredictionTask

_ENDING = 40


async def predict_output(
    sandbox: Sandbox, task: PredictionTask, *, settings: TeacherSettings, seed: str
) -> Rationale:
    """Run the program on the task's input and tell how its output comes about.

    Raises:
        Rejected: the program does not return the task's output.
        TransientError: the sandbox failed, not the program.
    """
    source = parse(task)
    [run] = await run_program(
        sandbox,
        task.program,
        [task.pair.input_json],
        source=source,
        trace_steps=settings.trace_steps,
    )
    output = values.loads(task.pair.output_json)
    if run.returned and not run.gives(output):
        raise Rejected("not_reproducible", "the traced call gives another output")
    wanted = brief(task.pair.output_json, "the output below")
    voice = Voice(seed)
    parts = [opening(task, voice)]
    reserved = tokens(parts[0]) + 2 * tokens(task.pair.output_json) + _ENDING
    told = tell(run, seed=seed, budget=settings.token_budget - reserved)
    if told is None:
        # The call ran out of time under the tracer, or nothing of it fits.
        [run] = await run_program(
            sandbox, task.program, [task.pair.input_json], source=source, trace_steps=0
        )
        if not run.gives(output):
            raise Rejected("not_reproducible", "the call does not give the task's output again")
        text = (
            "The computation is too long to follow here step by step. Carried out to its end, "
            f"{code(task.program.entry_point)} returns {wanted}."
        )
        return Rationale(f"{parts[0]}\n\n{text}", output, (run.claim(),), "abridged")
    parts.append(told.text)
    if told.complete:
        parts.append(_ending(task, output, voice))
    else:
        parts.append(
            "The computation goes on in this way for much longer; carried out to its end, "
            f"it returns {wanted}."
        )
    return Rationale(
        "\n\n".join(parts),
        output,
        (*told.claims, run.claim()),
        "stop" if told.complete else "abridged",
    )


def _ending(task: PredictionTask, output: Any, voice: Voice) -> str:
    if isinstance(output, dict) and "output" in output:
        # Shown in full right before the answer, it could be taken for the answer itself.
        return "That is the result asked for."
    lead = voice.pick("So the output is", "The result is therefore", "That gives the output")
    return f"{lead} {brief(task.pair.output_json, 'the value below')}."


def parse(task: PredictionTask) -> Source:
    try:
        return Source(task.program.code)
    except ValueError as error:
        raise Rejected("unparsable_program", str(error)) from error


def opening(task: PredictionTask, voice: Voice) -> str:
    """Say what the code is for and what is asked."""
    purpose = purpose_of(task.program)
    entry = code(task.program.entry_point)
    stated = voice.pick(
        f"{entry} is documented as: “{purpose}”",
        f"The code says of itself: “{purpose}”",
        f"What {entry} is for, in its own words: “{purpose}”",
    )
    asked = voice.pick(
        "I follow it step by step on the given input.",
        "Let me trace the call with the given input.",
        "Let me work through it with the given input.",
        "To find the output, I walk through the code with the given values.",
    )
    return f"{stated} {asked}" if purpose else asked


@dataclass(frozen=True)
class Told:
    """A run in words."""

    text: str
    claims: tuple[Claim, ...]
    complete: bool
    """False when the trace was cut, so that the end is missing."""


def tell(run: Run, *, seed: str, budget: int) -> Told | None:
    """Tell a run in about so many tokens at most; None where there is no trace, or no room."""
    story = run.story
    if story is None:
        return None
    page = narrate(story, seed=seed, budget=budget)
    if page is None or not page.lines:
        return None
    return Told(page.text, tuple(page.claims(run.input_json)), not story.trace.cut)
