"""The words of an input prediction: the trial, the way back, and the check forward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing.comparison import closeness, difference, move
from codeio.cot_generator.tracing.forward import tell
from codeio.cot_generator.tracing.runs import Rationale, Run
from codeio.cot_generator.tracing.wording import Voice, brief, capital, code, tokens
from codeio.runtime import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.cot_generator.tracing.candidates import Candidate
    from codeio.v1.records_pb2 import Claim, PredictionTask

_MAX_REASONS = 14
_SHOWN_TRIALS = 3
_LEAST_CHECK = 150
_ENDING = 60


class BackwardText:
    """Writes one rationale."""

    def __init__(self, task: PredictionTask, target: Any, *, seed: str, budget: int) -> None:
        self._wanted = brief(task.pair.output_json, "the wanted output")
        self._entry = code(task.program.entry_point)
        self._target = target
        self._seed = seed
        self._budget = budget
        self._voice = Voice(seed)
        self._parts: list[str] = []
        self._claims: list[Claim] = []

    def derived(
        self, candidate: Candidate, run: Run, failed: Sequence[tuple[Candidate, Run]]
    ) -> Rationale:
        """Tell an input that was derived from a trial."""
        base = candidate.base
        self._goal()
        self._say(
            self._voice.pick(
                "To see how the result depends on the input, take a plain example first: ",
                "I start with an ordinary input to see what happens to it: ",
                "As a first guess I take an input of the described form: ",
            )
            + f"{code(base.input_json)}. It gives {_output(base)}, "
            + f"{difference(base.output, self._target)}.",
            base,
        )
        self._say(
            self._voice.pick(
                "What would have to be different there? From the end backwards:",
                "Now I go backwards from what is returned:",
                "So what has to change? I start from the result and work back:",
            )
        )
        self._reasons(candidate)
        others = [one for one in failed if one[0].base is base and one[0].reasons]
        for other, result in others[:1]:
            last = other.reasons[-1]
            self._claims += [fact.claim(base.input_json) for fact in last.facts]
            self._say(
                f"One way to do it is {code(other.input_json)} ({last.text}), but that gives "
                f"{_output(result)}, {difference(result.output, self._target)}.",
                result,
            )
        lead = (
            self._voice.pick("Another way is ", "The other way is ")
            if others
            else self._voice.pick("This leads to the input ", "So I take ", "That suggests ")
        )
        self._say(lead + f"{code(candidate.input_json)}.")
        return self._checked(run, "derived")

    def narrowed(self, tried: Sequence[Run]) -> Rationale:
        """Tell a number that was found by halving the range that it lies in."""
        self._goal()
        below, above, *middle = tried
        self._say(
            "The computation cannot simply be read backwards, but the input is a single number, "
            "so I can close in on it."
        )
        for run in (below, above):
            self._say(
                f"{code(run.input_json)} gives {_output(run)}, "
                f"{difference(run.output, self._target)}.",
                run,
            )
        for run in middle[:-1]:
            self._say(
                f"Halfway between lies {code(run.input_json)}: it gives "
                f"{_output(run)}, {difference(run.output, self._target)}.",
                run,
            )
        self._say(f"Halfway between the closest two lies {code(middle[-1].input_json)}.")
        return self._checked(middle[-1], "search")

    def searched(self, misses: Sequence[Run], run: Run) -> Rationale:
        """Tell an input that trying found."""
        self._goal()
        far_to_near = sorted(misses, key=lambda miss: -closeness(miss.output, self._target))
        shown = far_to_near[-_SHOWN_TRIALS:]
        if not shown:
            self._say(
                "Nothing in the code makes this output look special, so I try an ordinary input "
                f"of the described form: {code(run.input_json)}."
            )
            return self._checked(run, "search")
        self._say(
            self._voice.pick(
                "I see no step here that could simply be turned round, so I search: I try inputs "
                "of the described form and compare what they give.",
                "The computation cannot be read backwards directly, so I search among inputs of "
                "the described form and look at how their outputs differ.",
                "Working backwards does not single out an input here. I try inputs of the "
                "described form instead.",
            )
        )
        before: Run | None = None
        for miss in shown:
            self._say(
                f"{capital(self._why(before, miss))}: {code(miss.input_json)} gives "
                f"{_output(miss)}, {difference(miss.output, self._target)}.",
                miss,
            )
            before = miss
        self._say(f"Next I try {self._why(before, run)}: {code(run.input_json)}.")
        return self._checked(run, "search")

    @staticmethod
    def _why(before: Run | None, run: Run) -> str:
        if before is None:
            return "an ordinary input first"
        return move(values.loads(before.input_json), values.loads(run.input_json))

    def _goal(self) -> None:
        self._say(
            self._voice.pick(
                f"I need arguments for which {self._entry} returns {self._wanted}.",
                f"The result is to be {self._wanted}; I look for an input of {self._entry} that "
                "gives it.",
                f"Which input makes {self._entry} return {self._wanted}?",
            )
        )

    def _reasons(self, candidate: Candidate) -> None:
        reasons = candidate.reasons
        lines = [f"- {capital(reason.text)}." for reason in reasons[:_MAX_REASONS]]
        for reason in reasons[:_MAX_REASONS]:
            self._claims += [fact.claim(candidate.base.input_json) for fact in reason.facts]
        if len(reasons) > _MAX_REASONS:
            lines.append("- The rest follows in the same way.")
        self._say("\n".join(lines))

    def _checked(self, run: Run, reason: str) -> Rationale:
        """Follow the accepted input forward and end the rationale."""
        used = sum(map(tokens, self._parts)) + tokens(run.input_json) + _ENDING
        told = tell(run, seed=self._seed, budget=max(self._budget - used, _LEAST_CHECK))
        if told is not None:
            self._say(
                self._voice.pick(
                    "Check it forward:",
                    "To be sure, I follow the code on it:",
                    "Let me verify this by going through the code:",
                )
            )
            self._say(told.text)
            self._claims += told.claims
        if told is not None and told.complete:
            self._say(
                self._voice.pick(
                    f"The result is {self._wanted}, as wanted.",
                    f"That is the wanted {self._wanted}.",
                )
            )
        else:
            self._say(f"Carried out to its end, the code returns {self._wanted}, as wanted.")
        if run.returned:
            self._claims.append(run.claim())
        unique = {claim.SerializeToString(deterministic=True): claim for claim in self._claims}
        return Rationale(
            "\n\n".join(self._parts), values.loads(run.input_json), tuple(unique.values()), reason
        )

    def _say(self, text: str, *runs: Run) -> None:
        """Add a paragraph; what it says of runs' outputs is claimed."""
        self._parts.append(text)
        self._claims += [run.claim() for run in runs]


def _output(run: Run) -> str:
    return brief(run.result.output_json, "another output")
