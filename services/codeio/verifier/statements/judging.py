"""Judges what a text says of the program's run: supported, contradicted, or neither."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal, TypeAlias

from codeio.verifier.statements.evaluation import OPAQUE
from codeio.verifier.statements.run import Run, inside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.loops import LoopRun, Round
    from codeio.verifier.statements.run import Episode
    from codeio.verifier.statements.stated import Stated


class Support(Enum):
    """What a trace says to a statement."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNKNOWN = "unknown"


Kind: TypeAlias = Literal[
    "value", "arithmetic", "condition", "loop", "result", "call", "order", "action"
]


@dataclass(frozen=True)
class Statement:
    """One statement of a rationale about values, with what the trace says to it."""

    start: int
    end: int
    text: str
    kind: Kind
    subject: str
    stated: str
    support: Support
    corrected: bool = False
    """Whether the text itself takes the statement back at once (`wait, no`)."""


@dataclass(frozen=True)
class Window:
    """The rounds of loops, or calls, that a stretch of text is about."""

    rounds: tuple[Round, ...]
    group: str = ""
    """The loop or function: how far its moments are to be trusted is judged for all of them."""
    loop: LoopRun | None = None
    """The loop that the line is the header of."""


def support_of(answers: Sequence[bool | None], *, complete: bool) -> Support:
    """Return what answers say together, any of which may be meant.

    Without any, or where one is unknown or may be missing, nothing is contradicted.
    """
    if True in answers:
        return Support.SUPPORTED
    if not answers or None in answers or not complete:
        return Support.UNKNOWN
    return Support.CONTRADICTED


def judge(  # noqa: PLR0913
    run: Run,
    node: ast.expr,
    said: Stated,
    *,
    window: Window | None = None,
    always: bool = False,
    last: bool = False,
) -> Support:
    """Judge a statement about the value of an expression.

    `always`: it is said of the whole run; `last`: of the end.
    """
    episodes = run.episodes(node)
    if not episodes:
        return Support.UNKNOWN
    if always:
        return _always(run, episodes, said)
    answers = [said.holds(episode.value) for episode in episodes]
    if last and run.complete:
        return _last(run, node, episodes, said)
    if window is not None:
        near = [e for r in window.rounds for e in inside(run, episodes, r.start, r.end)]
        if near:
            # Of a cut trace it cannot be told which of several rounds or calls is meant.
            found = [said.holds(episode.value) for episode in near]
            return support_of(found, complete=run.complete)
        if True in answers:
            return Support.UNKNOWN  # but elsewhere
    return support_of(answers, complete=run.complete)


def _always(run: Run, episodes: Sequence[Episode], said: Stated) -> Support:
    answers = [said.holds(episode.value) for episode in episodes]
    if False in answers:
        return Support.CONTRADICTED
    return Support.SUPPORTED if run.complete and None not in answers else Support.UNKNOWN


def _last(run: Run, node: ast.expr, episodes: Sequence[Episode], said: Stated) -> Support:
    answers = [said.holds(episode.value) for episode in episodes]
    end = said.holds(max(episodes, key=lambda e: (e.end, e.start)).value)
    if end:
        return Support.SUPPORTED
    if True not in answers:
        return support_of(answers, complete=run.complete)
    named = _measured(node)
    if named and (final := run.final(named)) is not OPAQUE:
        # A container that is passed on is the same one in all calls: its length grows or not.
        return Support.SUPPORTED if said.holds(len(final)) else Support.CONTRADICTED
    # Of several calls, or of a loop's own variable, the end is not one moment.
    entry = isinstance(node, ast.Name) and all(
        node.id not in step.changes for step in run.trace.steps if step.frame != 0
    )
    return Support.CONTRADICTED if entry and end is False else Support.UNKNOWN


def _measured(node: ast.expr) -> str:
    """Return the variable whose length an expression is; empty for anything else."""
    match node:
        case ast.Call(func=ast.Name("len"), args=[ast.Name(id=name)]):
            return name
        case _:
            return ""
