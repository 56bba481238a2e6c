"""What is told of a file that is no training run: one clear sentence."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from codeio.runtime.errors import UsageError
from codeio.training_run.manifest import read_manifest
from tests.training_run.specs import manifest, smoke


def told(text: str) -> str:
    with pytest.raises(UsageError) as refused:
        read_manifest(text, source="run.yaml")
    return str(refused.value)


def test_a_file_is_read_with_its_defaults() -> None:
    run = read_manifest(yaml.safe_dump(manifest(seed=7)), source="run.yaml")
    assert (run.metadata.name, run.spec.seed, run.spec.recipe) == ("smoke", 7, "OneStage")


def test_what_was_got_from_a_cluster_is_read_as_well() -> None:
    got = manifest() | {"status": {"observedGeneration": 1}}
    got["metadata"] |= {"uid": "1", "resourceVersion": "3", "labels": {"a": "b"}}
    assert read_manifest(yaml.safe_dump(got), source="run.yaml").metadata.name == "smoke"


@pytest.mark.parametrize("number", ["1e-5", "1E-5", "1.0e-5", ".1e-4", "1e-05", "0.00001"])
def test_numbers_are_those_of_kubernetes(number: str) -> None:
    # PyYAML writes other forms of a number than people do.
    text = yaml.safe_dump(manifest(hyperparameters={"learningRate": "RATE"}))
    run = read_manifest(text.replace("RATE", number), source="run.yaml")
    assert run.spec.hyperparameters.learning_rate == pytest.approx(1e-5, rel=1e-12)


def test_what_follows_from_an_error_is_not_counted() -> None:
    wrong = manifest(data={"reasoning": [{"path": 3}]})
    assert "more)" not in told(yaml.safe_dump(wrong))
    wrong["spec"]["seed"] = -1
    assert told(yaml.safe_dump(wrong)).endswith("(and 1 more)")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "run.yaml must hold one TrainingRun"),
        ("- a", "run.yaml must hold one TrainingRun"),
        ("a: 1\n---\nb: 2\n", "run.yaml must hold one TrainingRun"),
        ("a: [", "run.yaml is no YAML: "),
        ("kind: Pod", "run.yaml: this is no TrainingRun, but a Pod"),
        ("spec: {}", "run.yaml: this is no TrainingRun, since it names no kind"),
        ("kind: TrainingRun", "run.yaml: apiVersion: Field required (and 2 more)"),
    ],
)
def test_what_is_no_resource(text: str, sentence: str) -> None:
    assert told(text).startswith(sentence)
    assert "\n" not in told(text)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "PyTorchJob"}, "this is no TrainingRun, but a PyTorchJob"),
        ({"apiVersion": "codeio.dev/v1"}, "apiVersion: Input should be 'codeio.dev/v1alpha1'"),
        ({"metadata": {}}, "metadata.name: Field required"),
        ({"metadata": {"name": "Big"}}, "metadata.name: 'Big' is no name of a run: it has"),
        ({"metadata": {"name": "7b"}}, "metadata.name: '7b' is no name of a run: it has"),
    ],
)
def test_what_is_another_resource(change: dict[str, Any], sentence: str) -> None:
    assert told(yaml.safe_dump(manifest() | change)).startswith(f"run.yaml: {sentence}")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"modle": {}}, "spec.modle: there is no such field"),
        ({"model": {}}, "spec.model: name or path must be given, and not both"),
        ({"model": {"name": "a", "volume": "v"}}, "spec.model: volume needs a path inside it"),
        ({"data": {"reasoning": []}}, "spec.data.reasoning: Tuple should have at least 1 item"),
        ({"data": {"reasoning": [{"path": 3}]}}, "spec.data.reasoning.0.path: Input should be a"),
        ({"recipe": "Both"}, "spec.recipe: Input should be 'TwoStage', 'Mixed' or 'OneStage'"),
        ({"recipe": "Mixed"}, "spec: the recipes TwoStage and Mixed need data.instruction"),
        ({"stages": {"mixed": {}}}, "spec: stages may name those of the recipe"),
        (
            {"hyperparameters": {"epochs": 1, "tokens": 5}},
            "spec.hyperparameters: epochs, steps and tokens exclude one another",
        ),
        ({"workers": {"nodes": "2"}}, "spec.workers.nodes: Input should be a valid integer"),
        ({"workers": {"memory": "8 GB"}}, "spec.workers.memory: String should match pattern"),
        ({"workers": {"env": {"A": 1}}}, "spec.workers.env.A: Input should be a valid string"),
        (
            {"workers": {"gpusPerNode": 8, "processesPerNode": 4}},
            "spec.workers: processesPerNode must be gpusPerNode where there are GPUs",
        ),
        ({"evaluation": {}}, "spec.evaluation: evaluation needs suites or heldOut"),
        (
            {"evaluation": {"suites": ["gsm8"]}},
            "spec.evaluation.suites.0: there is no suite or category 'gsm8'; did you mean gsm8k?",
        ),
        ({"seed": True}, "spec.seed: Input should be a valid integer"),
        ({"seed": -1}, "spec.seed: Input should be greater than or equal to 0"),
        ({"max_restarts": 1}, "spec.max_restarts: there is no such field"),
        ({"suspend": "yes"}, "spec.suspend: Input should be a valid boolean"),
        (
            {"data": {"reasoning": [{"path": "/d", "select": {"verdicts": ["Wrong"]}}]}},
            "spec.data.reasoning.0: only the format Codeio holds answers that are not Correct",
        ),
    ],
)
def test_what_is_wrong_in_a_spec(change: dict[str, Any], sentence: str) -> None:
    message = told(yaml.safe_dump(manifest() | {"spec": smoke() | change}))
    assert message.startswith(f"run.yaml: {sentence}")
    assert "\n" not in message
