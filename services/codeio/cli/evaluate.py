"""`codeio evaluate`: a model, or two beside each other, by benchmarks."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeio.cli.common import (
    Config,
    Json,
    Sandbox,
    extra,
    going_on_with,
    named,
    say,
    settings_of,
    summarise,
)
from codeio.runtime.errors import CodeioError, UsageError
from codeio.training_run.environment import VERIFIER_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeio.evaluation.measurement import Measured, Plan
    from codeio.evaluation.model import Model
    from codeio.evaluation.suites import Suite
    from codeio.training_run.manifest import TrainingRun

app = typer.Typer()


@app.command("evaluate")
def evaluate(  # noqa: PLR0913, PLR0917
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="A folder that holds it, or its name at the hub."),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="MODEL", help="Another model, to be compared with."),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option("--suite", metavar="NAME", help="A suite or a category; all unless given."),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", metavar="SUITE=PATH", help="A suite's data as a local file."),
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option("--held-out", metavar="DATASET", help="Held-out rows of a data set of ours."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Split of the held-out rows.")] = "test",
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where answers, table and picture go.")
    ] = Path("evaluation"),
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Most questions of a suite.")
    ] = None,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=1, help="Longest answer.")
    ] = 1024,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Answers at a time.")] = 8,
    seed: Annotated[int, typer.Option("--seed", help="Of what is random.")] = 0,
    decontaminate: Annotated[
        Path | None,
        typer.Option(
            "--decontaminate",
            metavar="DATASET",
            help="Training data, of which shared text is reported; without a model, only that.",
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show suites and categories.")] = False,
    sandbox: Sandbox = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Measure a model by benchmarks and held-out data; called again, it goes on.

    Example: codeio evaluate ./model --before ./base --suite logic --held-out out/dataset
    """
    with extra("evaluation"):
        from codeio.evaluation.earlier import check_fits, earlier_in, model_in, search_in
        from codeio.evaluation.measurement import Plan
        from codeio.evaluation.model import fastest_precision
        from codeio.evaluation.suites import all_suites, chosen_suites
        from codeio.training_run.outcomes import RunError

        if list_:
            _list(all_suites().values())
            return
        if model is None and decontaminate is None:
            raise UsageError("name a model, or training data with --decontaminate, or use --list")
        if before is not None and model is None:
            raise UsageError("--before compares with a model, and none is named")
        try:
            files = {name: Path(path) for name, path in named("--file", "SUITE=PATH", file)}
            plan = Plan(
                suites=chosen_suites(_wanted(suite, held_out), files=files),
                files=files,
                held_out=None if held_out is None else lambda: held_out,
                held_out_split=split,
                limit=limit,
                max_new_tokens=max_new_tokens,
                seed=seed,
                precision=fastest_precision(),
            )
            for name in files.keys() - {each.name for each in plan.suites}:
                say(f"--file {name} is of no use: the suite is not asked for, by --suite {name}")
            if model is None:
                _tell(_searched(plan, decontaminate) or {}, out, as_json=as_json)
                return
            models = {
                stage: _found(each, batch_size, plan)
                for stage, each in (("before", before), ("after", model))
                if each is not None
            }
            for stage in ("before", "after"):
                header = models[stage].header if stage in models else {}
                check_fits(out / stage, plan, model=header)
            plan.asked.check()
            searched = _searched(plan, decontaminate)
            with _verifier(plan, sandbox, config):
                measured = {
                    stage: _measure(plan, out / stage, each) for stage, each in models.items()
                }
            if before is None and (earlier := earlier_in(out / "before")).results:
                measured["before"] = earlier
            _publish(
                measured,
                plan,
                out,
                before=before or model_in(out / "before"),
                model=model,
                searched=searched or search_in(out),
                as_json=as_json,
            )
        except RunError as error:
            # What a run would not try again is the user's to mend.
            kind = CodeioError if error.exit_code == 1 else UsageError
            raise kind(str(error)) from error


def _list(suites: Iterable[Suite]) -> None:
    category = ""
    for each in suites:
        if each.category != category:
            category = each.category
            typer.echo(category)
        hubs = sorted({part.hub for part in each.parts if part.hub})
        where = ", ".join(hubs) if hubs else f"local file only: {each.file_only}"
        typer.echo(f"  {each.name:12} {each.scored}\n  {'':12} {where}")


def _wanted(suites: list[str] | None, held_out: Path | None) -> list[str]:
    if suites or held_out:
        return suites or []
    from codeio.evaluation.suites import all_suites

    return list(all_suites())


def _searched(plan: Plan, data: Path | None) -> dict[str, Any] | None:
    if data is None:
        return None
    from codeio.evaluation.of_run import search
    from codeio.evaluation.training_rows import rows_in

    return search(plan, rows_in(data, split="train"))


def _tell(searched: dict[str, Any], out: Path, *, as_json: bool) -> None:
    from codeio.evaluation.of_run import write_report
    from codeio.evaluation.table import shared_table

    write_report(out / "contamination.json", searched)
    if not as_json:
        typer.echo(shared_table(searched))
    missing = searched["not_searched"]
    figures = {
        "training_rows": searched["training_rows"],
        "questions": sum(each["questions"] for each in searched["suites"].values()),
        "shared": sum(each["shared"] for each in searched["suites"].values()),
        "not_searched": missing if as_json else len(missing),
    }
    summarise({**figures, "out": str(out)}, as_json=as_json)


def _verifier(
    plan: Plan, sandbox: str | None, config: Path | None
) -> AbstractContextManager[object]:
    """Serve a verifier for the time of the body, where one is needed and none is named."""
    return _served(plan.suites, held_out=plan.held_out is not None, config=config, sandbox=sandbox)


def verifier_for(run: TrainingRun) -> AbstractContextManager[object]:
    """Do the same for what a run is measured by.

    Raises:
        RunError: a suite is unknown.
    """
    spec = run.spec.evaluation
    if spec is None:
        return nullcontext()
    from codeio.evaluation.suites import chosen_suites

    suites = chosen_suites(spec.suites, files=spec.files)
    return _served(suites, held_out=spec.held_out is not None, config=None, sandbox=None)


def _served(
    suites: Iterable[Suite], *, held_out: bool, config: Path | None, sandbox: str | None
) -> AbstractContextManager[object]:
    if not held_out and all(each.grading != "execution" for each in suites):
        return nullcontext()
    if os.environ.get(VERIFIER_ADDRESS):
        return nullcontext()
    with extra("verifier"):
        from codeio.pipeline.local_verifier import verifier_in_environment

        return verifier_in_environment(settings_of(config, sandbox={"backend": sandbox}), say=say)


def _found(model: str, batch_size: int, plan: Plan) -> Model:
    from codeio.evaluation.model import check_folder, find_model

    # What looks like a path is one, so that a missing folder is not looked for at the hub.
    is_path = Path(model).exists() or model.startswith((".", "/", "~")) or model.count("/") > 1
    where = Path(model).expanduser() if is_path else model
    if isinstance(where, Path):
        check_folder(where)
    return find_model(where, batch_size=batch_size, precision=plan.precision)


def _measure(plan: Plan, folder: Path, model: Model) -> Measured:
    """Return what there is of a model when it was measured."""
    from codeio.evaluation.earlier import earlier_in, together
    from codeio.evaluation.measurement import measure
    from codeio.evaluation.progress import Reporter

    earlier = earlier_in(folder)
    say(f"{folder.name}: {model.name}, computed in {plan.precision}")
    with going_on_with(f"what is answered in {folder}"):
        now = measure(plan, folder, model=model, reporter=Reporter(folder.name), say=say)
    return together(earlier, now, folder)


def _publish(  # noqa: PLR0913
    measured: dict[str, Measured],
    plan: Plan,
    out: Path,
    *,
    before: str | None,
    model: str,
    searched: dict[str, Any] | None,
    as_json: bool,
) -> None:
    from codeio.evaluation.of_run import publish

    after = measured["after"]
    settings = {
        "before": before,
        "after": model,
        "limit": plan.limit,
        "max_new_tokens": plan.max_new_tokens,
        "seed": plan.seed,
        "precision": plan.precision,
    }
    scores = publish(
        out,
        measured.get("before"),
        after,
        settings=settings,
        searched=searched,
        title=Path(model).name,
        say=(lambda _: None) if as_json else typer.echo,
    )
    told = [score.model_dump(by_alias=True, exclude_none=True) for score in scores]
    if as_json:
        figures = {
            "suites": len(after.results),
            "not_measured": after.not_measured,
            "scores": told,
            "out": str(out),
        }
        summarise(figures, as_json=True)
        return
    suites = "1 suite" if len(after.results) == 1 else f"{len(after.results)} suites"
    missing = f", {len(after.not_measured)} not measured" if after.not_measured else ""
    say(f"{suites}{missing} in {out}")
