"""What is trained on: the `data` of a spec."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from codeio.training_run.part import Located, Part, Rule, Text

Verdict = Literal["Correct", "Wrong", "Unparsable", "Failed", "Timeout"]


class Band(Part):
    """A closed interval of shares."""

    rules = (
        Rule("min must not exceed max", "self.min <= self.max", lambda band: band.min <= band.max),
    )

    min: float = Field(0.0, ge=0, le=1)
    max: float = Field(1.0, ge=0, le=1)


class Selection(Part):
    """Which rows of a snapshot are trained on; all conditions must hold."""

    verdicts: tuple[Verdict, ...] = Field(
        ("Correct",),
        min_length=1,
        max_length=5,
        description="The paper keeps wrong answers too (section 5): name them to do so, and have"
        " the format Codeio, which alone holds them.",
    )
    direction: Literal["Both", "Output", "Input"] = Field(
        "Both", description="Whether the output is predicted, or an input."
    )
    statements: Literal["Any", "NotContradicted", "Supported"] = Field(
        "Any", description="What the claim check must have found of the rationale."
    )
    pass_rate: Band | None = Field(
        None, description="Share of a task's samples that were right at once."
    )
    min_scores: dict[str, float] = Field(
        default_factory=dict,
        max_length=16,
        description="Quality: the least score of the program, by the score's name.",
    )
    max_turns: int | None = Field(None, ge=1, le=16, description="Most answers of a sample.")


class Source(Located):
    """Rows to train on: a snapshot, one of its files, or chats of instruction data."""

    rules = (
        *Located.rules,
        Rule(
            "only the format Codeio holds answers that are not Correct: set format: Codeio",
            "!has(self.select) || !has(self.select.verdicts) || self.select.verdicts == ['Correct']"
            " || (has(self.format) && self.format == 'Codeio')",
            lambda source: (
                source.select is None
                or source.select.verdicts == ("Correct",)
                or source.format == "Codeio"
            ),
        ),
    )

    format: Literal["Messages", "PromptCompletion", "Joined", "ShareGpt", "Codeio"] = Field(
        "Messages",
        description="Which of a snapshot's formats, or the form of the rows. Codeio holds every"
        " sample, right or wrong, the others those that end in a right answer.",
    )
    split: Text = Field("train", description="Split of the data set.")
    weight: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="Share of the samples drawn, beside the others' weights. Where no source of a"
        " stage has one, each counts by its samples, and an epoch is one pass over all.",
    )
    select: Selection | None = Field(
        None, description="Which rows of a snapshot; not for other data. All, unless given."
    )


_ALL_OR_NONE = "self.{0}.all(each, has(each.weight)) || !self.{0}.exists(each, has(each.weight))"


class Data(Part):
    """What is trained on."""

    rules = (
        Rule(
            "either each source has a weight or none has",
            f"({_ALL_OR_NONE.format('reasoning')})"
            f" && (!has(self.instruction) || {_ALL_OR_NONE.format('instruction')})",
            lambda data: evenly_weighted(data.reasoning) and evenly_weighted(data.instruction),
        ),
    )

    reasoning: tuple[Source, ...] = Field(
        min_length=1, max_length=16, description="This project's data."
    )
    instruction: tuple[Source, ...] = Field(
        (), max_length=16, description="General instruction data, for the recipes that have it."
    )


def evenly_weighted(sources: tuple[Source, ...]) -> bool:
    """Whether all sources have a weight, or none."""
    return len({source.weight is None for source in sources}) <= 1
