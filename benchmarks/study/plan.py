"""Every number of the study."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path


class Direction(StrEnum):
    """What is predicted."""

    OUTPUT = "output"
    INPUT = "input"


class Origin(StrEnum):
    """Where held-out questions come from."""

    PROGRAMS = "held-out programs"
    FUNCTIONS = "random functions"


PACKAGES = (
    "inflection==0.5.1",
    "more-itertools==11.2.1",
    "convertdate==2.5.1",
    "algorithms==1.0.1",
    "boltons==26.2.0",
    "pydash==8.1.0",
    "pygorithm==1.0.4",
    "textdistance==4.6.3",
    "toolz==1.2.0",
    "humanize==4.17.0",
    "strsimpy==0.2.1",
    "wcwidth==0.9.4",
    "stringcase==1.2.0",
    "funcy==2.1",
    "titlecase==2.4.1",
    "base58==2.1.1",
)
"""What the data is made of: packages of PyPI under permissive licences."""

RUN_SETTINGS = {
    # More programs help more than more questions about each; one half predicts inputs.
    "executor": {"tasks_per_program": 4},
    # The rationale over the code alone, and short: a CPU reads every token.
    "teacher": {"prompt_format": "code/rationale", "token_budget": 200},
    "dataset": {"splits": [0.75, 0.0, 0.25], "formats": ["messages"]},
}
"""Settings of `codeio run` that differ from the defaults."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured, and on how much."""

    folder: Path = Path("out/study")
    seeds: tuple[int, ...] = (0, 1, 2)
    all_arms: bool = True
    """Whether the arms beside the main one are trained, and the untouched model asked without
    examples too."""

    token_budget: int = 48_000
    """Tokens of an arm's training samples, prompts included."""
    longest_rationale: int = 200
    """Tokens, by the model's tokenizer."""
    longest_sample: int = 448
    """Tokens of prompt, rationale and answer in the model's chat template."""
    longest_answer: int = 64
    """Tokens of the answer alone; longer ones are neither taught nor asked for."""

    learning_rate: float = 5e-4
    batch_size: int = 4
    """With this rate chosen by the loss of one pass of the main arm, where no sample is seen twice:
    0.48 over its last third, to 0.55 with 1e-4 and batches of 8. No question had a say."""
    tokens_per_device: int = 2048
    """Of samples that go through the model together; it changes no result but by rounding."""

    questions: dict[tuple[Origin, Direction], int] = field(
        default_factory=lambda: {
            (Origin.PROGRAMS, Direction.OUTPUT): 120,
            (Origin.PROGRAMS, Direction.INPUT): 30,
            (Origin.FUNCTIONS, Direction.OUTPUT): 60,
            (Origin.FUNCTIONS, Direction.INPUT): 20,
        }
    )
    """Held-out questions, at most; a smaller number asks the first of the larger's."""
    shots: int = 2
    thinking_tokens: int = 272
    """Most new tokens where a rationale goes before the answer."""
    answer_tokens: int = 96
    """Most new tokens of an answer alone."""
    resamples: int = 10_000

    def claim(self, *, precision: str) -> None:
        """Note in its folder what results there depend on.

        Raises:
            FileExistsError: those that are there are another plan's.
        """
        settings = asdict(self)
        for each in ("folder", "seeds", "all_arms", "questions", "resamples"):  # how many there are
            del settings[each]
        settings |= {"precision": precision, "packages": PACKAGES, "run": RUN_SETTINGS}
        text = json.dumps(settings, indent=2)
        note = self.folder / "plan.json"
        if note.exists() and note.read_text() != text:
            raise FileExistsError(f"{self.folder} was begun by another plan: remove it")
        self.folder.mkdir(parents=True, exist_ok=True)
        note.write_text(text)


STUDY = Plan()
DEMO = Plan(
    seeds=(0,),
    all_arms=False,
    questions={
        (Origin.PROGRAMS, Direction.OUTPUT): 30,
        (Origin.PROGRAMS, Direction.INPUT): 10,
        (Origin.FUNCTIONS, Direction.OUTPUT): 20,
        (Origin.FUNCTIONS, Direction.INPUT): 10,
    },
)
"""One seed of the main arm, in half an hour on two cores."""
