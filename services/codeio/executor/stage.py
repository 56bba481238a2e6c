"""The executor: runs a program on many inputs and keeps the pairs that reproduce.

A pair is kept when the same input gives the same output in another process with
another hash seed and clock, after the program's other calls in another order
(the original pairs were run once, and one in twenty does not reproduce).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from codeio.executor.sizes import oversize
from codeio.runtime import records, values
from codeio.runtime.errors import Rejected
from codeio.runtime.verdicts import impurity, refusal
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome
from codeio.v1.records_pb2 import Direction, ExecutedProgram, IoPair, PredictionTask, Program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from codeio.executor.sandbox.guests import GuestVersion
    from codeio.runtime.settings import ExecutorSettings, LimitsSettings
    from codeio.runtime.stage import Sandbox

_MAX_SEED = 2**31


class Executor:
    """Turns a `Program` into an `ExecutedProgram` and two `PredictionTask`s per pair."""

    name = "executor"

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        guest: GuestVersion,
        settings: ExecutorSettings,
        limits: LimitsSettings,
        seed: int,
    ) -> None:
        self._sandbox = sandbox
        self._guest = guest
        self._settings = settings
        self._limits = limits
        self._seed = seed

    async def handle(self, program: Program, /) -> AsyncIterator[ExecutedProgram | PredictionTask]:
        """Execute a program.

        Raises:
            Rejected: it is impure, does not reproduce, or has too few pairs or outputs.
            TransientError: the sandbox failed.
        """
        inputs = await self._inputs(program)
        pairs = await self._reproducible_pairs(program, inputs)
        kept = _select(pairs, self._settings.pairs_per_program)
        distinct = _distinct(kept)
        if len(distinct) < self._settings.min_distinct_outputs:
            raise Rejected(
                "constant_output",
                f"{len(kept)} inputs give only {len(distinct)} output: {kept[0].output_json}",
            )
        yield ExecutedProgram(
            program=program,
            pairs=kept,
            python_version=self._guest.python_version,
            lock_hash=self._guest.lock_hash,
            distinct_outputs=len(distinct),
        )
        for pair in _select(kept, max(1, self._settings.tasks_per_program // 2)):
            for direction in (
                Direction.DIRECTION_OUTPUT_PREDICTION,
                Direction.DIRECTION_INPUT_PREDICTION,
            ):
                yield PredictionTask(
                    task_id=records.task_id(
                        program_id=program.program_id, pair=pair, direction=direction
                    ),
                    program=program,
                    pair=pair,
                    direction=direction,
                )

    async def _inputs(self, program: Program) -> list[str]:
        """Return distinct inputs within the limits: the recorded ones, then generated ones."""
        candidates = list(program.seed_inputs)
        failed: CallResult | None = None
        if program.input_generator:
            generated = await self._sandbox.execute(
                ExecuteRequest(
                    code=program.input_generator,
                    entry_point=records.GENERATOR,
                    calls=[Call(seed=seed) for seed in self._seeds(program)],
                    unlimited_sizes=True,
                )
            )
            fine = [r for r in generated.results if r.outcome == Outcome.OUTCOME_OK]
            candidates += [result.output_json for result in fine]
            failed = next((r for r in generated.results if r not in fine), None)
        inputs, complaint = self._usable(candidates)
        if inputs:
            return inputs
        if failed is not None and not candidates:
            reason, detail = refusal(failed)
            raise Rejected(f"generator_failed:{reason}", detail)
        if complaint:
            raise Rejected("input_too_large", f"every input {complaint}")
        raise Rejected("no_inputs", "neither recorded inputs nor a generator that gives any")

    def _seeds(self, program: Program) -> list[int]:
        # Of the program too, so that programs with like generators do not share all inputs.
        start = hashlib.sha256(f"{self._seed}/{program.program_id}".encode()).digest()
        first = int.from_bytes(start[:4], "big") % _MAX_SEED
        return [(first + i) % _MAX_SEED for i in range(self._settings.candidates)]

    def _usable(self, candidates: Sequence[str]) -> tuple[list[str], str]:
        usable: dict[str, None] = {}
        complaint = ""
        for text in candidates:
            try:
                value = values.loads(text)
                canonical = values.dumps(value)
            except (ValueError, TypeError):
                continue
            if not isinstance(value, dict):
                continue
            too_large = oversize(canonical, value, self._limits)
            if too_large:
                complaint = too_large
            else:
                usable.setdefault(canonical)
        return list(usable), complaint

    async def _reproducible_pairs(self, program: Program, inputs: Sequence[str]) -> list[IoPair]:
        first = await self._run(program, inputs, replica=0)
        effect = impurity(first)
        if effect:
            raise Rejected(f"impure:{effect}", f"the program uses {effect}")
        fine = [i for i, result in enumerate(first) if _usable_result(result)]
        if len(fine) < self._settings.min_pairs:
            raise self._too_few(inputs, first, len(fine))
        # The other order shows what a call leaves behind for the next one.
        backwards = fine[::-1]
        reversed_inputs = [inputs[i] for i in backwards]
        second = await self._run(program, reversed_inputs, replica=1)
        again = dict(zip(backwards, second, strict=True))
        differing = [i for i in fine if not _same(first[i], again[i])]
        if differing:
            raise await self._irreproducible(program, inputs, first, differing[0])
        kept = [i for i in fine if _usable_result(again[i])]
        if len(kept) < self._settings.min_pairs:
            raise self._too_few(reversed_inputs, second, len(kept))
        return [IoPair(input_json=inputs[i], output_json=first[i].output_json) for i in kept]

    async def _run(
        self, program: Program, inputs: Sequence[str], *, replica: int
    ) -> list[CallResult]:
        response = await self._sandbox.execute(
            ExecuteRequest(
                code=program.code,
                entry_point=program.entry_point,
                calls=[Call(input_json=text) for text in inputs],
                replica=replica,
            )
        )
        return list(response.results)

    def _too_few(
        self, inputs: Sequence[str], results: Sequence[CallResult], pairs: int
    ) -> Rejected:
        """Name what went wrong most often, with an input, for want of enough pairs."""
        bad = [
            (*refusal(result), text)
            for text, result in zip(inputs, results, strict=True)
            if not _usable_result(result)
        ]
        bad = [entry for entry in bad if entry[0]]
        if not bad:
            return Rejected("too_few_inputs", f"{pairs} distinct inputs give a result")
        reason = Counter(reason for reason, _, _ in bad).most_common(1)[0][0]
        detail, text = next(entry[1:] for entry in bad if entry[0] == reason)
        return Rejected(
            reason, f"{detail}, for {text} ({pairs} of {len(results)} inputs gave a result)"
        )

    async def _irreproducible(
        self,
        program: Program,
        inputs: Sequence[str],
        first: Sequence[CallResult],
        index: int,
    ) -> Rejected:
        """Tell a program that remembers its calls from one that is not determined by its input."""
        alone = [await self._run(program, [inputs[index]], replica=r) for r in (0, 1)]
        if _same(alone[0][0], alone[1][0]):
            return Rejected(
                "stateful",
                f"the result for {inputs[index]} depends on the calls before: "
                f"{first[index].output_json} or {alone[0][0].output_json}",
            )
        return Rejected(
            "nondeterministic",
            f"{inputs[index]} gives {alone[0][0].output_json} or {alone[1][0].output_json}",
        )


def _select(pairs: Sequence[IoPair], wanted: int) -> list[IoPair]:
    """Keep pairs with outputs not seen yet first, then others, in the order of the inputs."""
    new = _distinct(pairs)[:wanted]
    chosen = set(new)
    for index in range(len(pairs)):
        if len(chosen) == wanted:
            break
        chosen.add(index)
    return [pairs[index] for index in sorted(chosen)]


def _usable_result(result: CallResult) -> bool:
    """Tell whether a result makes a pair: a value, not at the limit, not left in an argument."""
    in_place = result.output_json == "null" and result.mutated_arguments
    return result.outcome == Outcome.OUTCOME_OK and not result.near_limit and not in_place


def _same(first: CallResult, second: CallResult) -> bool:
    """Tell whether two runs agree: exactly, after a JSON round trip."""
    if first.outcome != second.outcome:
        return False
    if first.outcome != Outcome.OUTCOME_OK:
        return first.error_type == second.error_type
    if first.output_json == second.output_json:
        return True
    left, right = values.loads(first.output_json), values.loads(second.output_json)
    return values.equal(left, right, relative=0.0, absolute=0.0)


def _distinct(pairs: Sequence[IoPair]) -> list[int]:
    """Return the index of the first pair with each output, by the verifier's comparison."""
    found: list[tuple[int, object]] = []
    for index, pair in enumerate(pairs):
        output = values.loads(pair.output_json)
        if not any(values.equal(output, other) for _, other in found):
            found.append((index, output))
    return [index for index, _ in found]
