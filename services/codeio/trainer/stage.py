"""One stage in one process: from data and model to a trained model."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

from codeio.trainer import durable
from codeio.trainer.allowance import preparation_workers
from codeio.trainer.checkpoints import Checkpoints
from codeio.trainer.data import PLAIN_TEMPLATE, open_corpus, prepare, template_of
from codeio.trainer.failures import failure_of
from codeio.trainer.group import COMPILED_DEADLINE, STEP_DEADLINE, Group
from codeio.trainer.lock import step_alone
from codeio.trainer.loop import Loop
from codeio.trainer.model import (
    Learner,
    Origin,
    check_positions,
    empty_model,
    read_model,
    read_origin,
    write_model,
)
from codeio.trainer.optimiser import adamw
from codeio.trainer.parallel import spread
from codeio.trainer.progress import Reporter
from codeio.trainer.trained import Position, asked_of, note_trained, outcome_at
from codeio.training_run.environment import METRICS_PORT
from codeio.training_run.outcomes import ExitCode, Reason, RunError
from codeio.training_run.precision import is_slow_in_bfloat16
from codeio.training_run.recipes import Stage, stage_of
from codeio.training_run.spec import STAGES, Model

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedModel

    from codeio.trainer.data import Corpus
    from codeio.trainer.group import Joined
    from codeio.trainer.stopping import Stop
    from codeio.trainer.word import Word
    from codeio.training_run.manifest import TrainingRun
    from codeio.training_run.outcomes import Outcome
    from codeio.training_run.places import Places
    from codeio.training_run.spec import StageName, TrainingRunSpec


def run_stage(
    run: TrainingRun,
    name: StageName,
    places: Places,
    *,
    stop: Stop,
    word: Word,
) -> Outcome:
    """Train one stage together with the other processes.

    Raises:
        RunError: this process or another cannot go on.
    """
    stage = stage_of(run.spec, name)
    asked = asked_of(run, name)
    group = Group.of_environment(gpus=run.spec.workers.gpus_per_node > 0)
    training = _Training(
        run=run, stage=stage, places=places, group=group, asked=asked, stop=stop, word=word
    )
    try:
        with step_alone(places.folder) if group.first else nullcontext():
            return outcome_at(name, training.train())
    except BaseException as error:
        failure = failure_of(error, folder=places.folder)
        if failure.exit_code is ExitCode.DISRUPTED:
            # A collective may have failed for what another process tells.
            failure = (None if stop.asked else group.told_error()) or failure
        else:
            failure = group.tell_error(failure)
        raise failure from error


@dataclass(frozen=True, kw_only=True)
class _Training:
    run: TrainingRun
    stage: Stage
    places: Places
    group: Group
    asked: dict[str, Any]
    stop: Stop
    word: Word

    @property
    def spec(self) -> TrainingRunSpec:
        return self.run.spec

    @property
    def folder(self) -> Path | None:
        """Where the model lies that the stage begins with."""
        return self.places.model_before(self.stage.name)

    @property
    def model(self) -> Model:
        """The model that the stage begins with: the run's, or that of the stage before."""
        first = STAGES[self.spec.recipe][0] == self.stage.name
        return self.spec.model if first else Model(path=str(self.folder))

    def train(self) -> Position:
        execution = self.spec.execution
        reporter = Reporter(self.stage.name, say=self.word.say) if self.group.first else None
        port = os.environ.get(METRICS_PORT)
        serving = reporter.served(int(port)) if reporter and port else nullcontext()
        narrow = execution.precision == "BFloat16"
        if narrow and self.group.first and is_slow_in_bfloat16(self.group.device):
            self.word.say(
                f"warning: {self.stage.name} computes in BFloat16, for which this CPU has no"
                " instructions and is up to sixty times slower; set execution.precision to Float32"
            )
        with serving:
            corpus, model, origin = self._prepare()
            learner = Learner(model, dtype=torch.bfloat16 if narrow else torch.float32)
            with self._watched(), self.group.joined() as joined:
                self.word.met()
                position = self._steps(learner, corpus, joined, reporter)
                self._write(learner, origin, joined, position)
        return position

    def _watched(self) -> AbstractContextManager[None]:
        """Hear of errors of others also where this process waits for its GPU."""
        on_gpu = self.group.device.type == "cuda"
        return self.group.watched(self.word.die) if on_gpu else nullcontext()

    def _prepare(self) -> tuple[Corpus, PreTrainedModel, Origin | None]:
        """Return what is trained and on what; the first process makes it for the others.

        It alone writes the trained model, and gets what that has from the one before.
        """
        folder = self.places.data(self.stage.name)
        if not self.group.first:
            self.group.wait_for("preparation")
            corpus = open_corpus(folder, self.stage, seed=self.spec.seed)
            return corpus, empty_model(self.model, self.folder), None
        self.word.say(f"{self.stage.name}: prepares data and model")
        origin = read_origin(self.model, self.folder)
        if template_of(origin.tokenizer) == PLAIN_TEMPLATE:
            self.word.say(
                f"{self.stage.name}: the model has no chat template: it is trained with the one"
                " built in here, which is saved with it"
            )
        corpus = prepare(
            self.stage,
            tokenizer=origin.tokenizer,
            folder=folder,
            places=self.places,
            seed=self.spec.seed,
            workers=preparation_workers(self.spec.workers),
        )
        self.word.say(f"{self.stage.name}: {corpus.summary}")
        self._check_warm_up(corpus.steps)
        model = read_model(self.model, self.folder)
        check_positions(model, longest=self.stage.max_length)
        self.group.tell("preparation")
        return corpus, model, origin

    def _check_warm_up(self, steps: int) -> None:
        """Refuse a warm-up without end; how long epochs are is known only now."""
        if self.stage.warmup_steps >= steps:
            raise RunError(
                Reason.INVALID_SPEC,
                f"a warm-up of {self.stage.warmup_steps} steps must be shorter than the stage"
                f" {self.stage.name}, which has {steps} with these data: lower warmupSteps",
            )

    def _steps(
        self, learner: Learner, corpus: Corpus, joined: Joined, reporter: Reporter | None
    ) -> Position:
        parallel = spread(learner, self.spec.execution, self.group)
        optimiser = adamw(learner, self.stage, device=self.group.device)
        checkpoints = Checkpoints(
            folder=self.places.checkpoints(self.stage.name),
            keep=self.spec.checkpoints.keep,
            joined=joined,
            asked=self.asked | corpus.contents,
            say=self.word.say,
        )
        position = checkpoints.load(learner, optimiser)
        if reporter:
            reporter.begin(position, steps=corpus.steps, folder=self.places.folder)
        loop = Loop(
            stage=self.stage,
            seed=self.spec.seed,
            every_steps=self.spec.checkpoints.every_steps,
            tokens_per_device=self.spec.execution.tokens_per_device,
            parallel=parallel,
            optimiser=optimiser,
            corpus=corpus,
            checkpoints=checkpoints,
            joined=joined,
            stop=self.stop,
            reporter=reporter,
        )
        deadline = COMPILED_DEADLINE if self.spec.execution.compile else STEP_DEADLINE
        try:
            with joined.within(deadline):
                return loop.run(position)
        finally:
            if reporter:
                reporter.end()

    def _write(
        self,
        learner: Learner,
        origin: Origin | None,
        joined: Joined,
        position: Position,
    ) -> None:
        whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
        weights = cast("dict[str, Tensor]", get_model_state_dict(learner, options=whole))
        if self.group.first:
            assert origin is not None
            place = self.places.model(self.stage.name)
            partial = durable.begin(place)
            write_model(
                learner.model,
                {name.removeprefix("model."): each for name, each in weights.items()},
                origin,
                partial,
            )
            note_trained(partial, self.asked, position)
            durable.finish(partial, place)
            self.word.say(f"{self.stage.name}: the trained model is in {place}")
        joined.gather(None)  # none ends before it is there
