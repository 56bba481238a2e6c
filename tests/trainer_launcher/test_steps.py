"""Which Jobs a run has: its steps in order, made anew when they would be others, and its own."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from codeio.trainer_launcher import children
from codeio.trainer_launcher.pod import asked_for
from codeio.trainer_launcher.reconcile import Observed, Plan, reconcile
from codeio.trainer_launcher.standing import read_status
from codeio.training_run.outcomes import Outcome
from tests.trainer_launcher.conftest import MEASURED, NOW, SETTINGS, SPEC
from tests.trainer_launcher.reconciling import RUN, STEPS, new, plan_of, settle, stages

if TYPE_CHECKING:
    from tests.trainer_launcher.fake import FakeCluster


def test_steps_follow_one_another_and_the_status_tells_of_each() -> None:
    cluster = new(MEASURED)
    for number, step in enumerate(STEPS):
        settle(cluster)
        assert cluster.names("jobs") == sorted(f"demo-{each}" for each in STEPS[: number + 1])
        assert cluster.names("services") == cluster.names("jobs")
        told = [stages(cluster)[each]["state"] for each in STEPS]
        assert told == ["Succeeded"] * number + ["Running"] + ["Waiting"] * (2 - number)
        doing = "Training" if step == "reasoning" else "Evaluating"
        assert cluster.standing(RUN) == ("Running", doing)
        outcome = Outcome("Completed", "done", {"loss": 0.5, "tokens": 99, "scores": []})
        cluster.complete(f"demo-{step}", outcome.to_json())
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")
    status = cluster.run(RUN)["status"]
    assert (stages(cluster)["reasoning"]["loss"], stages(cluster)["reasoning"]["tokens"]) == (
        0.5,
        99,
    )
    assert status["checkpoint"] == "runs/demo/models/reasoning"
    told_parts = {each["type"]: each["status"] for each in status["conditions"]}
    assert told_parts == {
        "Succeeded": "True", "Running": "False", "DataPrepared": "True", "Evaluated": "True",
    }  # fmt: skip


def test_a_step_of_several_pods_is_told_of_by_the_first() -> None:
    cluster = new(SPEC, workers={"nodes": 2, "memory": "1Gi"})
    settle(cluster)
    first, second = cluster.pods_of("demo-reasoning")
    outcomes = (Outcome("Completed", "done", {"loss": loss}).to_json() for loss in (0.5, 9.0))
    for pod, outcome in zip((first, second), outcomes, strict=True):
        cluster.end_pod(pod["metadata"]["name"], 0, outcome)
    cluster.finish_job("demo-reasoning", "Complete", "")
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")
    assert stages(cluster)["reasoning"]["loss"] == 0.5
    assert stages(cluster)["reasoning"]["pod"] == first["metadata"]["name"]


def test_what_a_step_is_made_of_makes_it_anew_and_nothing_else_does() -> None:
    cluster = new(MEASURED)
    settle(cluster)
    cluster.complete("demo-evaluate-before")
    settle(cluster)
    first, training = (cluster.kinds["jobs"][f"demo-{step}"] for step in STEPS[:2])
    # A training step does not depend on how long it may take, nor on how it is measured.
    cluster.change_run(RUN, deadlineSeconds=1000, maxRestarts=3)
    settle(cluster)
    patched = cluster.kinds["jobs"]["demo-reasoning"]
    assert patched["metadata"]["uid"] == training["metadata"]["uid"]
    assert patched["spec"]["activeDeadlineSeconds"] == 1000
    assert patched["spec"]["backoffLimit"] == 3
    cluster.change_run(RUN, workers={"memory": "16Gi"})
    settle(cluster)
    anew = cluster.kinds["jobs"]["demo-reasoning"]
    assert anew["metadata"]["uid"] != training["metadata"]["uid"]
    # What is done stays done.
    assert (
        cluster.kinds["jobs"]["demo-evaluate-before"]["metadata"]["uid"]
        == (first["metadata"]["uid"])
    )
    cluster.change_run(RUN, evaluation={"suites": ["math"]})
    settle(cluster)
    # What measured by another evaluation would count again once that is asked for again.
    assert cluster.names("jobs") == ["demo-reasoning"]
    assert cluster.kinds["jobs"]["demo-reasoning"] == anew


def done(*steps: str, **fields: Any) -> FakeCluster:
    """Return a run that has done some steps, of which the last one's Job is complete."""
    cluster = new(MEASURED, **fields)
    for step in steps:
        settle(cluster)
        cluster.complete(f"demo-{step}")
    settle(cluster)
    return cluster


def evaluated(cluster: FakeCluster) -> str:
    conditions = {each["type"]: each for each in cluster.run(RUN)["status"]["conditions"]}
    status: str = conditions["Evaluated"]["status"]
    return status


@pytest.mark.parametrize(
    "change",
    [
        {"evaluation": {"suites": ["gsm8k", "math"]}},
        # No score depends on it: what was measured is kept, and what was out of reach is tried.
        {"evaluation": {"suites": ["gsm8k"], "batchSize": 4}},
        {"execution": {"precision": "Float32"}},
    ],
)
@pytest.mark.parametrize("are_there", [True, False])
def test_a_run_that_is_done_is_measured_again_by_what_is_asked_for_now(
    change: dict[str, Any], are_there: bool
) -> None:
    cluster = done(*STEPS)
    before = {step: cluster.kinds["jobs"][f"demo-{step}"]["metadata"]["uid"] for step in STEPS}
    assert (cluster.standing(RUN), evaluated(cluster)) == (("Succeeded", "Completed"), "True")
    if not are_there:
        for step in STEPS:
            cluster.remove("jobs", f"demo-{step}")
    cluster.change_run(RUN, **change)
    for step in ("evaluate-before", "evaluate-after"):
        settle(cluster)
        assert (cluster.standing(RUN), evaluated(cluster)) == (("Running", "Evaluating"), "False")
        assert stages(cluster)[step]["state"] == "Running"
        assert cluster.kinds["jobs"][f"demo-{step}"]["metadata"]["uid"] != before[step]
        cluster.complete(f"demo-{step}")
    settle(cluster)
    assert (cluster.standing(RUN), evaluated(cluster)) == (("Succeeded", "Completed"), "True")
    # The training stays done.
    if are_there:
        assert cluster.kinds["jobs"]["demo-reasoning"]["metadata"]["uid"] == before["reasoning"]
    else:
        assert "demo-reasoning" not in cluster.names("jobs")


@pytest.mark.parametrize("change", [{"seed": 0}, {"workers": {"memory": "16Gi"}}])
def test_what_scores_do_not_depend_on_has_nothing_measured_again(change: dict[str, Any]) -> None:
    cluster = done(*STEPS)
    jobs = copy.deepcopy(cluster.kinds["jobs"])
    cluster.change_run(RUN, **change)
    settle(cluster)
    assert cluster.kinds["jobs"] == jobs
    assert cluster.standing(RUN) == ("Succeeded", "Completed")


def test_an_evaluation_that_is_taken_back_has_both_models_measured_again() -> None:
    """The table of before has been written over by then."""
    cluster = done(*STEPS)
    first = cluster.run(RUN)["spec"]["evaluation"]
    cluster.change_run(RUN, evaluation={"suites": ["math"]})
    settle(cluster)
    cluster.change_run(RUN, evaluation=first)
    for step in ("evaluate-before", "evaluate-after"):
        settle(cluster)
        assert stages(cluster)[step]["state"] == "Running"
        cluster.complete(f"demo-{step}")
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")


@pytest.mark.parametrize("finished", [True, False])
def test_another_default_restarts_nothing_until_the_spec_is_changed(
    monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    """The API server keeps in a run the default of the release that it was made with."""
    evaluation = {"suites": ["gsm8k"], "maxNewTokens": 1024}
    cluster = done(*(STEPS if finished else STEPS[:2]), evaluation=evaluation)
    jobs, standing = copy.deepcopy(cluster.kinds["jobs"]), cluster.standing(RUN)
    monkeypatch.setattr(
        children, "asked_for", lambda spec: asked_for(spec) | {"evaluation": evaluation}
    )
    settle(cluster)
    assert (cluster.kinds["jobs"], cluster.standing(RUN)) == (jobs, standing)
    cluster.change_run(RUN, evaluation=evaluation | {"limit": 9})
    evaluation["limit"] = 9
    settle(cluster)
    assert stages(cluster)["evaluate-before"]["state"] == "Running"


def test_a_training_that_has_begun_ends_before_a_model_is_measured_again() -> None:
    cluster = done("evaluate-before")
    # Its own Job is made anew for it, in which time there is none.
    cluster.change_run(RUN, evaluation={"suites": ["math"]}, execution={"precision": "Float32"})
    settle(cluster)
    assert cluster.standing(RUN) == ("Running", "Training")
    cluster.complete("demo-reasoning")
    settle(cluster)
    assert stages(cluster)["evaluate-before"]["state"] == "Running"


def test_what_an_earlier_release_has_measured_counts() -> None:
    cluster = done(*STEPS)
    for step in STEPS:
        cluster.remove("jobs", f"demo-{step}")
    for stage in cluster.run(RUN)["status"]["stages"]:
        stage.pop("measuredBy", None)
    cluster.change_run(RUN, evaluation={"suites": ["math"]})
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")
    assert cluster.names("jobs") == []


def test_a_new_release_of_the_launcher_does_not_restart_what_runs() -> None:
    cluster = new()
    settle(cluster)
    later = SETTINGS.model_copy(update={"image": "codeio-trainer:next", "grace_seconds": 1})
    # As the API server has a run whose definition has got fields with defaults.
    cluster.change_run(RUN, execution={"precision": "BFloat16"}, seed=0)
    seen = Observed(
        jobs=list(cluster.kinds["jobs"].values()),
        pods=list(cluster.kinds["pods"].values()),
        services=list(cluster.kinds["services"].values()),
    )
    plan = reconcile(cluster.run(RUN), seen, settings=later, now=NOW)
    assert (plan.delete, plan.patch, plan.create) == ((), (), None)


def test_fields_of_a_newer_definition_change_nothing() -> None:
    """The API server fills their defaults into runs that are there, and keeps a newer status."""
    cluster = new(SPEC, workers={"env": {"NCCL_DEBUG": "INFO"}})
    settle(cluster)
    run = cluster.run(RUN)
    run["spec"] |= {"novelty": True, "execution": {"novelty": "Auto"}}
    run["spec"]["data"]["reasoning"][0]["novelty"] = 1
    run["status"] |= {"novelty": 1}
    run["status"]["stages"][0]["novelty"] = 1
    plan = plan_of(cluster)
    assert (plan.delete, plan.patch, plan.create) == ((), (), None)
    assert plan.status == read_status(run)
    assert plan.status.stages[0].state == "Running"
    cluster.complete("demo-reasoning")
    settle(cluster)
    assert cluster.standing(RUN) == ("Succeeded", "Completed")


def test_a_step_that_is_no_longer_asked_for_ends_and_the_next_begins() -> None:
    cluster = new(MEASURED)
    settle(cluster)
    assert cluster.names("jobs") == ["demo-evaluate-before"]
    cluster.change_run(RUN, evaluation=None)
    settle(cluster)
    assert cluster.names("jobs") == ["demo-reasoning"]
    assert cluster.standing(RUN) == ("Running", "Training")


def test_a_step_that_is_done_is_not_done_again_when_its_job_is_gone() -> None:
    cluster = new(MEASURED)
    settle(cluster)
    cluster.complete("demo-evaluate-before")
    settle(cluster)
    cluster.remove("jobs", "demo-evaluate-before")
    settle(cluster)
    assert cluster.names("jobs") == ["demo-reasoning"]
    assert stages(cluster)["evaluate-before"]["state"] == "Succeeded"


def test_nothing_is_made_for_a_run_that_is_being_deleted() -> None:
    cluster = new()
    cluster.run(RUN)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert plan_of(cluster) == Plan()


def test_children_of_an_earlier_run_of_the_name_are_not_taken_for_its_own() -> None:
    cluster = new()
    settle(cluster)
    job = copy.deepcopy(cluster.kinds["jobs"]["demo-reasoning"])
    cluster.complete("demo-reasoning")
    old = copy.deepcopy(cluster.kinds["jobs"]["demo-reasoning"])
    service = copy.deepcopy(cluster.kinds["services"]["demo-reasoning"])
    cluster.remove("trainingruns", RUN)
    cluster.add_run(RUN, copy.deepcopy(SPEC))
    seen = Observed(jobs=[old, job], services=[service])
    plan = reconcile(cluster.run(RUN), seen, settings=SETTINGS, now=NOW)
    assert plan.create is not None
    # The Service of before goes with its run.
    assert [each["metadata"]["name"] for each in plan.apply] == ["demo-reasoning"]
    assert plan.status is not None
    assert plan.status.stages[0].state == "Running"
