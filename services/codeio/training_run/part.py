"""What the parts of a spec and of a status have in common.

The custom resource's schema is made of the parts (see `definition`), so the API server, the
launcher, the trainer and `codeio train --local` hold a spec to the same rules. A rule over
several fields says what it asks twice, in CEL for the API server and in Python; a test compares
their verdicts. What must hold on a cluster alone is the API server's to refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Callable

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DnsLabel = Annotated[str, Field(pattern=f"^{_LABEL}$", max_length=63)]
DnsSubdomain = Annotated[str, Field(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=253)]
"""What most resources of Kubernetes may be called."""
Text = Annotated[str, Field(min_length=1, max_length=1024)]


@dataclass(frozen=True)
class Rule:
    """What must hold of a part, where no single field can say it."""

    message: str
    cel: str
    holds: Callable[[Any], bool] = lambda _: True
    """The same of the part; not for a rule about changes or about clusters."""

    def validation(self) -> dict[str, str]:
        """Return the rule as the API server has it."""
        return {"rule": self.cel, "message": self.message}


def _add_rules(schema: dict[str, Any], part: type[Part]) -> None:
    if part.rules:
        schema["x-kubernetes-validations"] = [each.validation() for each in part.rules]


class Part(BaseModel):
    """A part of a spec: camelCase in YAML, nothing unknown, never changed."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_extra=_add_rules,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        for each in self.rules:
            if not each.holds(self):
                raise ValueError(each.message)
        return self


class Located(Part):
    """Something at a hub, in a volume, or on the machine itself."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "name or path must be given, and not both",
            "has(self.name) != has(self.path)",
            lambda place: (place.name is None) != (place.path is None),
        ),
        Rule(
            "volume needs a path inside it",
            "!has(self.volume) || has(self.path)",
            lambda place: place.volume is None or place.path is not None,
        ),
        Rule(
            "revision is of a hub's name, and there is none",
            "!has(self.revision) || has(self.name)",
            lambda place: place.revision is None or place.name is not None,
        ),
    )

    name: Text | None = Field(None, description="Name at the Hugging Face hub.")
    revision: Text | None = Field(None, description="Commit, tag or branch at the hub.")
    path: Text | None = Field(
        None, description="Folder or file; inside the volume, if one is named."
    )
    volume: DnsSubdomain | None = Field(
        None, description="PersistentVolumeClaim that holds the path."
    )
