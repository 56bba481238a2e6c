"""Specs at random, as the schema has them, and some that stand for what users write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from codeio.training_run.spec import STAGES
from codeio.training_run.suites import SUITES

if TYPE_CHECKING:
    from tests.training_run.api_server import Schema

_PLACE = ("name", "revision", "path", "volume")
_SEPARATE = ("epochs", "steps", "tokens")
# Each fits the others, for one stage or for all.
_FITTING: tuple[dict[str, Any], ...] = (
    {},
    {"learningRate": 1e-3, "schedule": "Linear", "finalLearningRate": 1e-4},
    {"learningRate": 1e-3, "schedule": "Cosine"},
    {"warmupSteps": 5},
)


def smoke() -> dict[str, Any]:
    """Return the least that a run can be."""
    return {
        "model": {"path": "/models/tiny"},
        "data": {"reasoning": [{"path": "/data/dataset"}]},
        "checkpoints": {"path": "/team", "volume": "runs"},
    }


def manifest(**spec: Any) -> dict[str, Any]:
    """Return the least run with some fields of its spec set."""
    return {
        "apiVersion": "codeio.dev/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": "smoke"},
        "spec": smoke() | spec,
    }


def values(schema: Schema, *, careful: bool = True) -> st.SearchStrategy[Any]:
    """Draw what the schema allows, rules aside. `careful`: rules hold more often than not."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object" if "properties" in schema:
            return _objects(schema, careful=careful)
        case "object":
            keys = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
            each = values(schema["additionalProperties"], careful=careful)
            return st.dictionaries(keys, each, max_size=2)
        case "array":
            least = schema.get("minItems", 0)
            return st.lists(values(schema["items"], careful=careful), min_size=least, max_size=2)
        case "string":
            return _texts(schema)
        case "boolean":
            return st.booleans()
        case "integer":
            least = schema.get("minimum", -(2**31))
            return st.integers(least, min(schema.get("maximum", 2**40), least + 2000))
        case "number":
            return st.floats(
                schema.get("minimum", -1e6),
                schema.get("maximum", 1e6),
                exclude_min=schema.get("exclusiveMinimum", False),
                exclude_max=schema.get("exclusiveMaximum", False),
                allow_nan=False,
            )
    raise AssertionError(schema)


def _texts(schema: Schema) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        longest = schema.get("maxLength", 20)
        # Python's `$` lets a newline follow; nobody else's does.
        pattern = schema["pattern"].removesuffix("$") + r"\Z"
        return st.from_regex(pattern).filter(lambda text: len(text) <= longest)
    return st.text("abc/é😀 ", min_size=schema.get("minLength", 0), max_size=4)


@st.composite
def _objects(draw: st.DrawFn, schema: Schema, *, careful: bool) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    made = {
        name: draw(values(each, careful=careful))
        for name, each in schema["properties"].items()
        if name in required or draw(st.booleans())
    }
    if "stages" in made:
        # With another key Python refuses it in words of its own.
        for_one = values(schema["properties"]["stages"]["additionalProperties"])
        names = sorted({stage for each in STAGES.values() for stage in each})
        made["stages"] = draw(st.dictionaries(st.sampled_from(names), for_one, max_size=2))
    if "everySteps" in schema["properties"]:
        # A cluster needs it, and Python does not.
        made["volume"] = draw(values(schema["properties"]["volume"]))
    if "suites" in made:
        files = st.dictionaries(st.sampled_from([*SUITES, "other"]), st.just("f"), max_size=2)
        made["files"] = draw(files)
    # One in eight is left as it came.
    if careful and draw(st.integers(0, 7)):
        _mend(draw, schema, made)
    return made


def _mend(draw: st.DrawFn, schema: Schema, made: dict[str, Any]) -> None:
    properties = schema["properties"]
    names = properties.keys()
    if names >= set(_PLACE):
        for each in _PLACE:
            made.pop(each, None)
        chosen = draw(
            st.sampled_from([("name",), ("name", "revision"), ("path",), ("path", "volume")])
        )
        made |= {each: draw(values(properties[each])) for each in chosen}
    if names >= set(_SEPARATE):
        _mend_hyperparameters(draw, made)
    if names >= {"reasoning", "instruction"}:
        weights = draw(st.sampled_from([{}, {"weight": 2}]))
        for source in (*made["reasoning"], *made.get("instruction", ())):
            source.pop("weight", None)
            source.update(weights)
    if "gpusPerNode" in names:
        _mend_workers(draw, made)
    if "suites" in names:
        made["suites"] = ["gsm8k", *made.get("suites", ())]
        made["files"] = {}
    if names == {"min", "max"} and len(made) == 2:
        made["min"], made["max"] = sorted(made.values())
    if "recipe" in names:
        _mend_recipe(draw, properties, made)


def _mend_recipe(draw: st.DrawFn, properties: Schema, made: dict[str, Any]) -> None:
    recipe = made.get("recipe", "OneStage")
    if recipe == "OneStage":
        made["data"].pop("instruction", None)
    if "stages" in made:
        hyperparameters = values(properties["stages"]["additionalProperties"])
        made["stages"] = draw(st.dictionaries(st.sampled_from(STAGES[recipe]), hyperparameters))


def _mend_hyperparameters(draw: st.DrawFn, made: dict[str, Any]) -> None:
    for each in draw(st.permutations(_SEPARATE))[1:]:
        made.pop(each, None)
    for each in {each for fitting in _FITTING for each in fitting}:
        made.pop(each, None)
    made |= draw(st.sampled_from(_FITTING))
    if "steps" in made:
        made["steps"] += 10


def _mend_workers(draw: st.DrawFn, made: dict[str, Any]) -> None:
    made["env"] = draw(st.dictionaries(st.sampled_from(["A", "b_1"]), st.text("b")))
    made["sharedMemory"], made["memory"] = draw(st.sampled_from([("1Gi", "1Gi"), ("2M", "2Mi")]))
    if made.get("gpusPerNode"):
        made.pop("processesPerNode", None)
