"""Input prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.cot_generator.tracing.forward import parse, tell
from codeio.cot_generator.tracing.runs import Rationale, run_program
from codeio.cot_generator.tracing.wording import code
from codeio.runtime import values
from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from codeio.runtime.settings import TeacherSettings
    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import PredictionTask


async def predict_input(
    sandbox: Sandbox, task: PredictionTask, *, settings: TeacherSettings, seed: str
) -> Rationale:
    """Find an input that gives the task's output, and check it forward."""
    source = parse(task)
    target = values.loads(task.pair.output_json)
    inputs = [
        task.pair.input_json,
        *[s for s in task.program.seed_inputs if s != task.pair.input_json][:4],
    ]
    runs = await run_program(
        sandbox, task.program, inputs, source=source, trace_steps=settings.trace_steps
    )
    if not runs[0].gives(target):
        raise Rejected("not_reproducible", "the call does not give the task's output again")
    parts = [
        f"The output is to be {code(task.pair.output_json)}, and I look for an input that gives it by trying inputs of the described form."
    ]
    claims = []
    for run in runs[1:3]:
        if run.returned and not run.gives(target):
            parts.append(
                f"{code(run.input_json)} gives {code(run.result.output_json)}, which is not it."
            )
            claims.append(run.claim())
    told = tell(runs[0], seed=seed, budget=settings.token_budget // 2)
    parts.append(f"Next I try {code(runs[0].input_json)}.")
    if told is not None:
        parts.append(told.text)
        claims += told.claims
    parts.append(f"That gives {code(task.pair.output_json)}, as wanted.")
    return Rationale(
        "\n\n".join(parts), values.loads(runs[0].input_json), (*claims, runs[0].claim()), "search"
    )
