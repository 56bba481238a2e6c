"""Input prediction: from the output back to an input, which is then checked forward."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing.candidates import Candidate, candidates, echoes
from codeio.cot_generator.tracing.comparison import closeness, difference, move
from codeio.cot_generator.tracing.forward import parse, tell
from codeio.cot_generator.tracing.runs import Rationale, Run, run_program
from codeio.cot_generator.tracing.wording import Voice, capital, code, tokens
from codeio.runtime import values
from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.cot_generator.tracing.expressions import Said
    from codeio.cot_generator.tracing.trials import Trials
    from codeio.runtime.settings import TeacherSettings
    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import Claim, PredictionTask

_TRIALS = 5
_BASES = 3
_DERIVED = 8


async def predict_input(
    sandbox: Sandbox,
    task: PredictionTask,
    *,
    trials: Trials,
    settings: TeacherSettings,
    seed: str,
) -> Rationale:
    """Find an input that gives the task's output, by derivation where that is possible.

    Raises:
        Rejected: the program does not give the task's output on its own input.
        TransientError: the sandbox failed, not the program.
    """
    source = parse(task)
    target = values.loads(task.pair.output_json)
    tried = await trials.inputs(task.program, known=task.pair.input_json, seed=seed, count=_TRIALS)
    texts = [task.pair.input_json, *(values.dumps(trial) for trial in tried)]
    recorded, *runs = await run_program(
        sandbox, task.program, texts, source=source, trace_steps=settings.trace_steps
    )
    if recorded.returned and not recorded.gives(target):
        raise Rejected("not_reproducible", "the traced call gives another output")
    writer = _Writer(task, target, seed=seed, budget=settings.token_budget)
    misses = [run for run in runs if run.returned and not run.gives(target)]
    misses.sort(key=lambda run: closeness(run.output, target))
    found = _derived(misses, target)
    if found:
        executed = await run_program(
            sandbox,
            task.program,
            [candidate.input_json for candidate in found],
            source=source,
            trace_steps=settings.trace_steps,
        )
        judged = list(zip(found, executed, strict=True))
        for place, (candidate, run) in enumerate(judged):
            if run.gives(target):
                failed = [one for one in judged[:place] if one[1].returned]
                return writer.derived(candidate, run, failed)
    hits = [run for run in runs if run.gives(target)]
    return writer.searched(misses, hits[0] if hits else recorded)


def _derived(misses: Sequence[Run], target: Any) -> list[Candidate]:
    found: dict[str, Candidate] = {}
    for base in misses[:_BASES]:
        for candidate in candidates(base, target):
            found.setdefault(candidate.input_json, candidate)
    for base in misses[:1]:
        for candidate in echoes(base, target):
            found.setdefault(candidate.input_json, candidate)
    return list(found.values())[:_DERIVED]


class _Writer:
    """Puts the way to an input into words."""

    def __init__(self, task: PredictionTask, target: Any, *, seed: str, budget: int) -> None:
        self.task = task
        self.target = target
        self.seed = seed
        self.budget = budget
        self.voice = Voice(seed)
        self.random = random.Random(seed)  # noqa: S311
        self.parts: list[str] = []
        self.claims: list[Claim] = []

    def derived(
        self, candidate: Candidate, run: Run, failed: Sequence[tuple[Candidate, Run]]
    ) -> Rationale:
        self._goal()
        base = candidate.base
        self._trial(base)
        self.say(
            self.voice.pick(
                "From the end backwards, I ask what would have to be different:",
                "Now I go backwards from what is returned:",
                "So what has to change? I start from the result and work back:",
            )
        )
        self._reasons(candidate.reasons)
        self._failures([one for one in failed if one[0].base is base][:1])
        self.say(
            self.voice.pick("This leads to the input ", "So I take ", "That suggests ")
            + f"{code(candidate.input_json)}."
        )
        return self._checked(run, "derived")

    def searched(self, misses: Sequence[Run], run: Run) -> Rationale:
        self._goal()
        self.say(
            self.voice.pick(
                "I see no step here that could simply be turned round, so I try inputs of the "
                "described form and compare what they give.",
                "The computation cannot be read backwards directly, so I search: I try inputs of "
                "the described form and look at how their outputs differ.",
            )
        )
        last: Run | None = None
        for miss in sorted(misses, key=lambda r: -closeness(r.output, self.target))[-3:]:
            self._try(miss, last)
            last = miss
        arguments = values.loads(run.input_json)
        why = move(values.loads(last.input_json), arguments) if last is not None else "a plain one"
        self.say(f"Next I try {why}: {code(run.input_json)}.")
        return self._checked(run, "search")

    def _goal(self) -> None:
        wanted = code(self.task.pair.output_json)
        entry = code(self.task.program.entry_point)
        self.say(
            self.voice.pick(
                f"I need arguments for which {entry} returns {wanted}.",
                f"The result is to be {wanted}; I look for an input of {entry} that gives it.",
                f"Which input makes {entry} return {wanted}?",
            )
        )

    def _trial(self, run: Run) -> None:
        self.say(
            self.voice.pick(
                "To see how the result depends on the input, I first take a plain example, ",
                "I start with an ordinary input to see what happens to it: ",
                "As a first guess I take an input of the described form, ",
            )
            + f"{code(run.input_json)}. It gives {code(run.result.output_json)}, "
            + f"{difference(run.output, self.target)}."
        )
        self.claims.append(run.claim())

    def _try(self, run: Run, last: Run | None) -> None:
        why = (
            "First an ordinary input"
            if last is None
            else capital(move(values.loads(last.input_json), values.loads(run.input_json)))
        )
        self.say(
            f"{why}: {code(run.input_json)} gives {code(run.result.output_json)}, "
            f"{difference(run.output, self.target)}."
        )
        self.claims.append(run.claim())

    def _reasons(self, reasons: Sequence[Said]) -> None:
        lines = []
        for reason in reasons[:12]:
            lines.append(f"- {capital(reason.text)}.")
            self.claims += reason.claims
        if len(reasons) > 12:
            lines.append("- The other parts follow in the same way.")
        self.say("\n".join(lines))

    def _failures(self, failed: Sequence[tuple[Candidate, Run]]) -> None:
        for candidate, run in failed:
            last = candidate.reasons[-1]
            self.say(
                f"One way would be {code(candidate.input_json)} ({last.text}), but it gives "
                f"{code(run.result.output_json)}: {difference(run.output, self.target)}."
            )
            self.claims += [*last.claims, run.claim()]

    def _checked(self, run: Run, reason: str) -> Rationale:
        left = self.budget - sum(map(tokens, self.parts)) - 60
        told = tell(run, seed=self.seed, budget=max(left, 120))
        wanted = code(self.task.pair.output_json)
        if told is not None:
            self.say(
                self.voice.pick(
                    "Check it forward:",
                    "To be sure, I follow the code on it:",
                    "Let me verify this by going through the code:",
                )
            )
            self.say(told.text)
            self.claims += told.claims
        if told is not None and told.complete:
            self.say(f"The result is {wanted}, as wanted.")
        else:
            self.say(f"Run to its end, the code returns {wanted} for it, as wanted.")
        self.claims.append(run.claim())
        return Rationale(
            "\n\n".join(self.parts), values.loads(run.input_json), tuple(self.claims), reason
        )

    def say(self, text: str) -> None:
        self.parts.append(text)
