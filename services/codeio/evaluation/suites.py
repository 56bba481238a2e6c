"""The benchmarks that a model can be measured by.

They are those of the paper (section 3.1), sorted into five categories, with
LiveBench beside them. Where lm-evaluation-harness has a task, it is used as it
is, but for the split and the data; the rest are in `tasks/`. Two of its tasks
are not used: CRUXEval's runs what a model wrote in this process, and samples;
DROP's ends an answer at the first full stop.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from codeio.training_run.outcomes import Reason, RunError
from codeio.training_run.suites import CATEGORIES, Category, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codeio.evaluation.rows import Question

OWN_TASKS = Path(__file__).parent / "tasks"
HELD_OUT: Final = "held-out"
"""Category of this project's own data."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows that one task of the harness asks about."""

    task: str
    hub: str = ""
    config: str | None = None
    rows: str = ""
    """What rows of this part have in the suite's `part_column`."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A benchmark."""

    name: str
    category: Category | Literal["held-out"]
    scored: str
    """In words: what counts as right."""
    folder: Path
    """Where the task files are."""
    parts: tuple[Part, ...]
    columns: tuple[str, ...]
    """Columns that its rows must have."""
    marks: dict[str, str] = field(default_factory=dict)
    """What a column's text must hold, where other suites have columns of the same names."""
    optional: tuple[str, ...] = ()
    """Columns that only some of its rows have, and that decide what is right."""
    question: tuple[str, ...]
    """Columns that hold the question's own words, for the search for contamination."""
    split: str = "test"
    part_column: str = ""
    metric: str = "exact_match"
    filter: str = "none"
    grading: Literal["harness", "execution"] = "harness"
    chance: float | None = None
    """The score of guessing, where there is a fixed choice."""
    chat: bool = True
    """Whether the question is put as a chat; not where continuations are compared."""
    file_only: str = ""
    """Why there is no data set at the hub, if there is none."""
    cluster: str = ""
    """Column of what several questions share, which are then resampled together."""
    options: dict[str, str] = field(default_factory=dict)
    """Changes to the harness's task."""
    revision: int = 1
    """Another one where it is asked or judged otherwise, so that older scores are not compared."""

    def cluster_of(self, question: Question) -> str:
        """Return the name of what a question shares with others: a digest of a text, or an id."""
        if not self.cluster:
            return question.id
        shared = str(question.row[self.cluster])
        if self.cluster not in self.question:
            return shared
        return hashlib.sha256(shared.encode(errors="backslashreplace")).hexdigest()[:16]


def harness_tasks() -> Path:
    """Return the folder of the harness's own tasks, without importing it."""
    spec = find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("lm_eval", name="lm_eval")
    return Path(spec.origin).parent / "tasks"


_BBH = (
    "boolean_expressions",
    "causal_judgement",
    "date_understanding",
    "disambiguation_qa",
    "dyck_languages",
    "formal_fallacies",
    "geometric_shapes",
    "hyperbaton",
    "logical_deduction_five_objects",
    "logical_deduction_seven_objects",
    "logical_deduction_three_objects",
    "movie_recommendation",
    "multistep_arithmetic_two",
    "navigate",
    "object_counting",
    "penguins_in_a_table",
    "reasoning_about_colored_objects",
    "ruin_names",
    "salient_translation_error_detection",
    "snarks",
    "sports_understanding",
    "temporal_sequences",
    "tracking_shuffled_objects_five_objects",
    "tracking_shuffled_objects_seven_objects",
    "tracking_shuffled_objects_three_objects",
    "web_of_lies",
    "word_sorting",
)

_STEM = (
    "abstract_algebra",
    "anatomy",
    "astronomy",
    "college_biology",
    "college_chemistry",
    "college_computer_science",
    "college_mathematics",
    "college_physics",
    "computer_security",
    "conceptual_physics",
    "electrical_engineering",
    "elementary_mathematics",
    "high_school_biology",
    "high_school_chemistry",
    "high_school_computer_science",
    "high_school_mathematics",
    "high_school_physics",
    "high_school_statistics",
    "machine_learning",
)

# The harness's name, the hub's, and what rows are called.
_MATH = (
    ("algebra", "algebra", "Algebra"),
    ("counting_and_prob", "counting_and_probability", "Counting & Probability"),
    ("geometry", "geometry", "Geometry"),
    ("intermediate_algebra", "intermediate_algebra", "Intermediate Algebra"),
    ("num_theory", "number_theory", "Number Theory"),
    ("prealgebra", "prealgebra", "Prealgebra"),
    ("precalc", "precalculus", "Precalculus"),
)

_LIVEBENCH = ("reasoning", "math", "language", "data_analysis")


def all_suites() -> dict[str, Suite]:
    """Return the suites by name, in the order of a report."""
    theirs = harness_tasks()
    suites = (
        Suite(
            name="bbh",
            category="symbolic",
            scored="exact match of the answer that is found in the reasoning (0-shot)",
            folder=theirs / "bbh/cot_zeroshot",
            parts=tuple(
                Part(task=f"bbh_cot_zeroshot_{name}", hub="SaylorTwift/bbh", config=name, rows=name)
                for name in _BBH
            ),
            part_column="task",
            columns=("input", "target"),
            question=("input",),
            filter="flexible-extract",
        ),
        Suite(
            name="cruxeval-i",
            category="symbolic",
            scored="the function, run on the predicted input, gives the output",
            folder=OWN_TASKS,
            parts=(Part(task="codeio_cruxeval_i", hub="cruxeval-org/cruxeval"),),
            columns=("code", "input", "output"),
            marks={"code": "def f("},
            question=("code",),
            grading="execution",
        ),
        Suite(
            name="cruxeval-o",
            category="symbolic",
            scored="the function, run on the input, gives the predicted output",
            folder=OWN_TASKS,
            parts=(Part(task="codeio_cruxeval_o", hub="cruxeval-org/cruxeval"),),
            columns=("code", "input", "output"),
            marks={"code": "def f("},
            question=("code",),
            grading="execution",
        ),
        Suite(
            name="leetcode-o",
            category="symbolic",
            scored="the solution, run on the input, gives the predicted output",
            folder=OWN_TASKS,
            parts=(Part(task="codeio_leetcode_o"),),
            columns=("problem_id", "question", "code", "entry_point", "input", "output"),
            question=("question",),
            grading="execution",
            cluster="problem_id",
            file_only="the authors' file holds no solutions to run",
        ),
        Suite(
            name="zebralogic",
            category="logic",
            scored="every cell of the grid is right",
            folder=OWN_TASKS,
            # The authors' own set, allenai/ZebraLogicBench, has its solutions taken out.
            parts=(Part(task="codeio_zebralogic", hub="WildEval/ZebraLogic", config="grid_mode"),),
            columns=("puzzle", "solution"),
            question=("puzzle",),
        ),
        Suite(
            name="korbench",
            category="logic",
            scored="the answer in double brackets equals the right one, by the rules of its kind",
            folder=OWN_TASKS,
            parts=(Part(task="codeio_korbench", hub="m-a-p/KOR-Bench"),),
            columns=("idx", "category", "rule_id", "rule_content", "question", "answer"),
            cluster="rule_content",
            revision=3,
            question=("rule_content", "question"),
        ),
        Suite(
            name="gsm8k",
            category="mathematical",
            scored="the last number is right (0-shot)",
            folder=theirs / "gsm8k",
            parts=(Part(task="gsm8k_cot_zeroshot", hub="openai/gsm8k", config="main"),),
            columns=("question", "answer"),
            marks={"answer": "####"},
            question=("question",),
            filter="flexible-extract",
        ),
        Suite(
            name="math",
            category="mathematical",
            scored="the answer is equivalent to the right one (4-shot)",
            folder=theirs / "minerva_math",
            parts=tuple(
                Part(
                    task=f"minerva_math_{task}",
                    hub="EleutherAI/hendrycks_math",
                    config=config,
                    rows=rows,
                )
                for task, config, rows in _MATH
            ),
            part_column="type",
            columns=("problem", "solution"),
            question=("problem",),
            metric="math_verify",
        ),
        Suite(
            name="winogrande",
            category="commonsense",
            scored="the right sentence is the likelier one",
            folder=theirs / "winogrande",
            parts=(Part(task="winogrande", hub="allenai/winogrande", config="winogrande_xl"),),
            split="validation",
            columns=("sentence", "option1", "option2", "answer"),
            question=("sentence",),
            metric="acc",
            chance=0.5,
            chat=False,
        ),
        Suite(
            name="drop",
            category="commonsense",
            scored="F1 of the words of the answer in double brackets, after any reasoning (0-shot)",
            folder=OWN_TASKS,
            parts=(Part(task="codeio_drop", hub="EleutherAI/drop"),),
            cluster="passage",
            revision=3,
            split="validation",
            columns=("query_id", "passage", "question", "answer", "validated_answers"),
            question=("passage", "question"),
            metric="f1",
        ),
        Suite(
            name="gpqa",
            category="scientific",
            scored="the right letter (0-shot, the choices in a seeded order)",
            folder=theirs / "gpqa/cot_zeroshot",
            parts=(Part(task="gpqa_main_cot_zeroshot", hub="Idavidrein/gpqa", config="gpqa_main"),),
            split="train",
            columns=(
                "Question",
                "Correct Answer",
                "Incorrect Answer 1",
                "Incorrect Answer 2",
                "Incorrect Answer 3",
            ),
            question=("Question",),
            filter="flexible-extract",
            chance=0.25,
        ),
        Suite(
            name="mmlu-stem",
            category="scientific",
            scored="the right letter (0-shot)",
            folder=theirs / "mmlu/flan_cot_zeroshot",
            parts=tuple(
                Part(
                    task=f"mmlu_flan_cot_zeroshot_{name}",
                    hub="cais/mmlu",
                    config=name,
                    rows=name,
                )
                for name in _STEM
            ),
            part_column="subject",
            columns=("question", "choices", "answer"),
            question=("question",),
            filter="flexible-extract",
            chance=0.25,
            options={"test_split": "test"},
        ),
        Suite(
            name="livebench",
            category="livebench",
            scored="by each task's own rule, in part where the task has parts, but the answer is "
            "found in one way for all; coding, instruction following, table reformatting and "
            "withdrawn questions are left out",
            folder=OWN_TASKS,
            parts=tuple(
                Part(task="codeio_livebench", hub=f"livebench/{name}") for name in _LIVEBENCH
            ),
            columns=("question_id", "task", "turns", "ground_truth"),
            optional=("subtask",),
            revision=3,
            question=("turns",),
        ),
    )
    return {suite.name: suite for suite in suites}


def held_out_suites() -> dict[str, Suite]:
    """Return the suites of this project's own data, by direction."""
    return {
        suite.name: suite
        for suite in (
            Suite(
                name=f"held-out-{direction}",
                category=HELD_OUT,
                scored=scored,
                folder=OWN_TASKS,
                parts=(Part(task="codeio_held_out"),),
                columns=("prompt", "verification_info", "program_id"),
                question=("code",),
                grading="execution",
                cluster="program_id",
            )
            for direction, scored in (
                ("output", "the program, run on the input, gives the predicted output"),
                ("input", "the program, run on the predicted input, gives the output"),
            )
        )
    }


def chosen_suites(names: Sequence[str], *, files: Iterable[str] = ()) -> list[Suite]:
    """Return the suites of these names, which may be categories, in the order of a report.

    Raises:
        RunError: there is no such suite or category, or a file is given for none.
    """
    known = all_suites()
    for name in names:
        if name not in known and name not in CATEGORIES:
            raise _unknown(name, [*known, *CATEGORIES], "suite or category")
    for name in files:
        if name not in known:
            raise _unknown(name, known, "suite")
    return [suite for suite in known.values() if suite.name in names or suite.category in names]


def _unknown(name: str, known: Iterable[str], what: str) -> RunError:
    return RunError(Reason.UNKNOWN_SUITE, unknown(name, known, what))
