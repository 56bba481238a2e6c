"""Input prediction: from the output back to an input, which is then checked forward."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from codeio.cot_generator.tracing.backward_text import BackwardText
from codeio.cot_generator.tracing.bisection import midpoints, narrowed
from codeio.cot_generator.tracing.candidates import (
    Candidate,
    derived,
    echoes,
    moved,
    resized,
    scaled,
)
from codeio.cot_generator.tracing.comparison import closeness
from codeio.cot_generator.tracing.forward import parse
from codeio.cot_generator.tracing.runs import Rationale, Run, run_program
from codeio.cot_generator.tracing.trials import invented_inputs
from codeio.runtime import values
from codeio.runtime.errors import Rejected
from codeio.runtime.trace import OUTPUT_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeio.cot_generator.tracing.trials import Trials
    from codeio.runtime.settings import TeacherSettings
    from codeio.runtime.stage import Sandbox
    from codeio.runtime.trace import Source
    from codeio.v1.records_pb2 import PredictionTask

_BASES = 3
_FEW = 2
_INVENTED = 4
_CANDIDATES = 8
_MANY_STEPS = 4000


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
    search = _Search(sandbox, task, settings=settings, seed=seed)
    return await search.find(await trials.runs(task.program, source=search.source))


class _Search:
    def __init__(
        self, sandbox: Sandbox, task: PredictionTask, *, settings: TeacherSettings, seed: str
    ) -> None:
        self._sandbox = sandbox
        self._task = task
        self._settings = settings
        self._seed = seed
        self._target = values.loads(task.pair.output_json)
        self.source: Source = parse(task)

    async def find(self, known: list[Run]) -> Rationale:
        own = values.loads(self._task.pair.input_json)
        others = [run for run in known if not values.equal(values.loads(run.input_json), own)]
        misses = [run for run in others if not run.gives(self._target)]
        hits = [run.input_json for run in others if run.gives(self._target)]
        bases = await self._bases(misses)
        misses += [run for run in bases if run.input_json not in _inputs(misses)]
        found = self._candidates(bases)
        fallback = hits[0] if hits else self._task.pair.input_json
        halves = [] if hits else midpoints(misses, own, self._target)
        texts = [*(candidate.input_json for candidate in found), fallback, *halves]
        # Many long traces cost more than one request more for the one that is told.
        longest = max((len(base.story.trace.steps) for base in bases if base.story), default=0)
        outputs_only = longest * len(texts) > _MANY_STEPS
        runs = await self._run(texts, trace_steps=OUTPUT_ONLY if outputs_only else None)
        judged = list(zip(found, runs, strict=False))
        text = BackwardText(
            self._task, self._target, seed=self._seed, budget=self._settings.token_budget
        )
        for place, (candidate, run) in enumerate(judged):
            if run.gives(self._target):
                failed = [one for one in judged[:place] if one[1].returned]
                return text.derived(candidate, await self._told(run, outputs_only), failed)
        last = await self._told(runs[len(found)], outputs_only)
        if last.returned and not last.gives(self._target):
            raise Rejected("not_reproducible", "the traced call gives another output")
        tried = narrowed(misses, runs[len(found) + 1 :], self._target) if halves else []
        if tried:
            return text.narrowed([*tried[:-1], await self._told(tried[-1], outputs_only)])
        return text.searched(misses, last)

    async def _told(self, run: Run, outputs_only: bool) -> Run:
        """Return the run with its trace."""
        if not outputs_only:
            return run
        [traced] = await self._run([run.input_json])
        return traced

    async def _bases(self, misses: list[Run]) -> list[Run]:
        """Trace the runs that candidates are derived from: close ones, and a large one."""
        rng = random.Random(self._seed)  # noqa: S311  (variety, not secrecy)
        shuffled = rng.sample(misses, len(misses))
        near = sorted(shuffled, key=lambda run: closeness(run.output, self._target))
        chosen = [run.input_json for run in near[: _BASES - 1]]
        chosen += [max(near, key=lambda run: len(run.input_json)).input_json] if near else []
        fitted = resized(near[:_BASES], self._target)
        if fitted is not None:
            chosen.insert(0, fitted.input_json)
        if len(misses) < _FEW:
            chosen += invented_inputs(self._task.pair.input_json, seed=self._seed, count=_INVENTED)
        runs = await self._run(list(dict.fromkeys(chosen)))
        return [run for run in runs if run.returned and not run.gives(self._target)]

    def _candidates(self, bases: list[Run]) -> list[Candidate]:
        ways = [derived(base, self._target) for base in bases]
        found: dict[str, Candidate] = {}
        # One way of each run after another, so that no run takes all the places.
        while ways and len(found) < _CANDIDATES:
            for way in list(ways):
                candidate = next(way, None)
                if candidate is None:
                    ways.remove(way)
                elif len(found) < _CANDIDATES:
                    found.setdefault(candidate.input_json, candidate)
        for base in bases:
            for candidate in (*moved(base, self._target), *echoes(base, self._target)):
                found.setdefault(candidate.input_json, candidate)
        for base in bases[:1]:
            for candidate in scaled(base, self._target):
                found.setdefault(candidate.input_json, candidate)
        return list(found.values())[: 2 * _CANDIDATES]

    async def _run(self, texts: list[str], *, trace_steps: int | None = None) -> list[Run]:
        return await run_program(
            self._sandbox,
            self._task.program,
            texts,
            source=self.source,
            trace_steps=trace_steps or self._settings.trace_steps,
        )


def _inputs(runs: Iterable[Run]) -> set[str]:
    return {run.input_json for run in runs}
