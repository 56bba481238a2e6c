"""The conditions of a run. Which of the first four is true says how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from codeio.training_run.status import Condition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.training_run.status import ConditionType

Standing: TypeAlias = Literal["Suspended", "Running", "Succeeded", "Failed"]

STANDINGS: tuple[Standing, ...] = ("Suspended", "Running", "Succeeded", "Failed")

_LONGEST_MESSAGE = 4096


@dataclass(frozen=True)
class State:
    """How a run stands, why, and what there is to say of it."""

    standing: Standing
    reason: str
    message: str = ""


def conditions_of(
    state: State,
    *,
    parts: dict[ConditionType, tuple[bool, str, str]],
    before: Sequence[Condition],
    generation: int,
    now: str,
) -> tuple[Condition, ...]:
    """Return the conditions: first the one that is true of the four, then those that were.

    `parts`: whether `DataPrepared` and `Evaluated` hold, why, and what there is to say of it; those
    that are asked for.
    """
    known = {condition.type: condition for condition in before}

    def condition(
        kind: ConditionType, status: Literal["True", "False"], reason: str, message: str = ""
    ) -> Condition:
        old = known.get(kind)
        kept = old is not None and old.status == status
        return Condition(
            type=kind,
            status=status,
            reason=reason[:128],
            message=message[:_LONGEST_MESSAGE],
            last_transition_time=old.last_transition_time if old and kept else now,
            observed_generation=generation,
        )

    others = [
        condition(kind, "False", state.standing)
        for kind in STANDINGS
        if kind != state.standing and kind in known
    ]
    return (
        condition(state.standing, "True", state.reason, state.message),
        *others,
        *(
            condition(kind, "True" if holds else "False", reason, message)
            for kind, (holds, reason, message) in parts.items()
        ),
    )


def state_of(conditions: Sequence[Condition]) -> State | None:
    """Return how a run stood by its conditions, if that was ever said."""
    for condition in conditions:
        if condition.type in STANDINGS and condition.status == "True":
            return State(condition.type, condition.reason, condition.message)
    return None
