"""`codeio run` with a language model: a scripted endpoint, right, wrong, cut off and gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from codeio.language_model.chat import Message, Question, question_key
from codeio.runtime.jsonl import read_records
from codeio.v1.records_pb2 import Sample, Verdict
from tests.language_model.scripted import BUSY, Answer, Asked, ScriptedServer
from tests.pipeline.conftest import COMMAND
from tests.pipeline.oracle import right_at_last, write_programs
from tests.pipeline.test_run import contents

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

PROGRAMS, TASKS = 3, 4


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Runs:
    """Calls the command line beside a server that this process serves."""

    folder: Path
    tasks: int = TASKS

    async def start(
        self, *arguments: object, url: str = "", **teacher: Any
    ) -> asyncio.subprocess.Process:
        settings = {"model": "scripted", "store": self.folder / "responses.sqlite"} | teacher
        environment = os.environ | {
            "CODEIO_EXECUTOR__TASKS_PER_PROGRAM": str(self.tasks),
            "CODEIO_TEACHER__BASE_URL": url,
            **{f"CODEIO_TEACHER__{name.upper()}": str(value) for name, value in settings.items()},
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return await asyncio.create_subprocess_exec(
            COMMAND,
            *map(str, arguments),
            cwd=self.folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def call(self, *arguments: object, url: str = "", **teacher: Any) -> Done:
        process = await self.start(*arguments, url=url, **teacher)
        out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def run(self, url: str, out: str = "out", *flags: str, **teacher: Any) -> Done:
        command = ("run", "programs.jsonl", "--out", out, "--teacher", "openai", *flags)
        return await self.call(*command, url=url, **teacher)

    def report(self, out: str = "out") -> Mapping[str, Any]:
        return json.loads((self.folder / out / "report.json").read_text())  # type: ignore[no-any-return]

    def samples(self, out: str = "out") -> list[Sample]:
        return list(read_records(self.folder / out / "samples.jsonl.zst", Sample))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    write_programs(tmp_path / "programs.jsonl", PROGRAMS)
    return Runs(tmp_path)


async def test_wrong_answers_are_revised_and_all_that_it_took_is_reported(runs: Runs) -> None:
    server = ScriptedServer(right_at_last)
    async with server.serving() as url:
        done = await runs.run(url, completion_usd_per_million=2e5)
    assert done.code == 0, done.stderr
    samples = runs.samples()
    assert len(samples) == PROGRAMS * TASKS
    for sample in samples:
        assert [turn.verdict for turn in sample.turns] == [
            Verdict.VERDICT_WRONG,
            Verdict.VERDICT_CORRECT,
        ]
        # The word that it was wrong must not say what would have been right.
        assert sample.task.pair.input_json not in sample.turns[0].feedback
        assert sample.task.pair.output_json not in sample.turns[0].feedback
    asked = runs.report()["teacher"]
    assert asked["answered"] == server.asked == 2 * len(samples)
    assert asked["purposes"] == {"rationale": len(samples), "revision": len(samples)}
    assert asked["cost_usd"] == pytest.approx(2 * len(samples))
    assert asked["finish_reasons"] == {"stop": 2 * len(samples)}
    [row] = [
        json.loads(line)
        for line in (runs.folder / "out/dataset/joined/train.jsonl").read_text().splitlines()[:1]
    ]
    assert row["completion"].count("I think it through.") == 2
    assert "Your answer was not right." in row["completion"]
    assert "model" in (runs.folder / "out/report.html").read_text()


async def test_the_same_run_again_asks_nothing(runs: Runs) -> None:
    server = ScriptedServer(right_at_last)
    async with server.serving() as url:
        await runs.run(url, "first")
        asked = server.asked
        done = await runs.run(url, "second")
    assert done.code == 0, done.stderr
    assert server.asked == asked
    assert runs.report("second")["teacher"]["stored"] == asked
    assert contents(runs.folder / "first") == contents(runs.folder / "second")


async def test_a_tenth_of_failures_changes_nothing_of_what_comes_out(runs: Runs) -> None:
    rng = random.Random(1)

    async def failing(asked: Asked) -> Answer:
        if rng.random() < 0.1:
            return rng.choice([BUSY, Answer(status=502, error={"message": "bad gateway"})])
        return await right_at_last(asked)

    for out, script in (("smooth", right_at_last), ("rough", failing)):
        async with ScriptedServer(script).serving() as url:
            done = await runs.run(url, out, store=runs.folder / f"{out}.sqlite")
        assert done.code == 0, done.stderr
    assert contents(runs.folder / "smooth") == contents(runs.folder / "rough")


async def test_a_killed_run_pays_for_nothing_twice(runs: Runs) -> None:
    async with ScriptedServer(right_at_last).serving() as url:
        await runs.run(url, "whole", store=runs.folder / "whole.sqlite")
    goals, asked_again = [5, 15, 10**9], 0
    reached = asyncio.Event()

    async def script(asked: Asked) -> Answer:
        nonlocal asked_again
        asked_again += key_of(asked) in stored
        if asked.number >= goals[0]:
            reached.set()
        return await right_at_last(asked)

    server = ScriptedServer(script)
    stored: set[str] = set()
    command = ("run", "programs.jsonl", "--out", "killed", "--teacher", "openai")
    async with server.serving() as url:
        while len(goals) > 1:
            reached.clear()
            process = await runs.start(*command, url=url, max_in_flight=4)
            await reached.wait()
            process.kill()
            await process.communicate()
            stored = stored_keys(runs.folder / "responses.sqlite")
            del goals[0]
        done = await runs.run(url, "killed")
    assert done.code == 0, done.stderr
    assert asked_again == 0
    # At either kill at most four were on their way, and as many answers were being stored.
    assert server.most_in_flight <= 4
    assert server.asked <= 2 * PROGRAMS * TASKS + 2 * (4 + 4)
    assert contents(runs.folder / "killed") == contents(runs.folder / "whole")


def key_of(asked: Asked) -> str:
    messages = tuple(Message(**message) for message in asked.body["messages"])
    return question_key(Question(messages), model="scripted", parameters={})


def stored_keys(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as store:
        return {str(key) for (key,) in store.execute("SELECT key FROM responses")}


def stopping(status: int, message: str) -> Callable[[Asked], Awaitable[Answer]]:
    async def script(_: Asked) -> Answer:
        return Answer(status=status, error={"message": message})

    return script


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (stopping(401, "no such key"), "does not take the key (401: no such key)"),
        (stopping(404, "no such model"), "has no model 'scripted' (404: no such model)"),
        (stopping(503, "down for repair"), "no endpoint has answered for"),
    ],
    ids=["wrong key", "unknown model", "down"],
)
async def test_an_endpoint_that_cannot_be_used_stops_the_run_and_what_is_done_is_reported(
    runs: Runs, script: Callable[[Asked], Awaitable[Answer]], said: str
) -> None:
    server = ScriptedServer(script)
    async with server.serving() as url:
        done = await runs.run(url, give_up_seconds=1)
        assert done.code == 1
        assert said in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        report = runs.report()
        assert said in report["stopped"]
        assert report["samples"] == 0
        assert said.partition("(")[0].strip() in (
            (runs.folder / "out/report.html").read_text().replace("&#39;", "'")
        )
        server.script = right_at_last
        done = await runs.run(url, give_up_seconds=1)
    assert done.code == 0, done.stderr
    assert runs.report()["stopped"] == ""
    assert runs.report()["samples_correct"] == PROGRAMS * TASKS


async def test_a_budget_ends_a_run_that_goes_on_with_a_larger_one(runs: Runs) -> None:
    server = ScriptedServer(right_at_last)
    price = {"completion_usd_per_million": 2e5, "max_in_flight": 2}
    async with server.serving() as url:
        done = await runs.run(url, budget_usd=10, **price)
        assert done.code == 1
        assert "the budget of 10 US dollars is used up" in done.stderr
        assert server.asked <= 10
        assert server.asked == runs.report()["teacher"]["answered"]
        report = runs.report()
        assert report["teacher"]["cost_usd"] == server.asked
        assert "budget" in report["stopped"]
        done = await runs.run(url, budget_usd=100, **price)
    assert done.code == 0, done.stderr
    assert server.asked == 2 * PROGRAMS * TASKS
    # What was spent before counts on.
    assert runs.report()["teacher"]["cost_usd"] == pytest.approx(server.asked)


async def test_each_kind_of_useless_reply_has_its_outcome(runs: Runs) -> None:
    replies = [
        (Answer("", finish_reason="stop"), "stop"),
        (Answer("It goes on and", finish_reason="length"), "length"),
        (Answer(refusal="I will not."), "refusal"),
        (
            Answer(status=400, error={"message": "maximum context length is 9 tokens"}),
            "context_too_long",
        ),
    ]

    async def script(asked: Asked) -> Answer:
        place = sum(map(ord, asked.body["messages"][0]["content"])) % len(replies)
        return replies[place][0]

    async with ScriptedServer(script).serving() as url:
        done = await runs.run(url)
    assert done.code == 0, done.stderr
    report = runs.report()
    assert report["samples"] == PROGRAMS * TASKS
    assert report["samples_correct"] == 0
    assert set(report["finish_reasons"]) == {reason for _, reason in replies}
    for sample in runs.samples():
        if sample.turns[0].finish_reason == "context_too_long":
            # A revision would be longer still.
            assert (sample.verdict, len(sample.turns)) == (Verdict.VERDICT_FAILED, 1)
        else:
            assert (sample.verdict, len(sample.turns)) == (Verdict.VERDICT_UNPARSABLE, 2)


async def test_a_batch_file_is_written_answered_and_taken_in(runs: Runs) -> None:
    batch = runs.folder / "requests.jsonl"
    written: list[int] = []
    while (done := await runs.run("", batch=batch)).code:
        assert done.code == 1
        assert "take the results in by `codeio responses add RESULTS`" in done.stderr
        lines = []
        for line in batch.read_text().splitlines():
            request = json.loads(line)
            assert (request["method"], request["url"]) == ("POST", "/v1/chat/completions")
            answer = await right_at_last(Asked(request["body"], {}, 0, 0))
            response = {"status_code": 200, "body": answer.completion()}
            lines.append({"custom_id": request["custom_id"], "response": response, "error": None})
        if not written:
            lines[0] |= {"response": None, "error": {"code": "batch_expired"}}
            lines[1] |= {"response": {"status_code": 400, "body": {"error": {}}}}
        (runs.folder / "results.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines) + "not JSON\n"
        )
        added = await runs.call("responses", "add", "results.jsonl", "--json")
        failed = int(not written)
        assert json.loads(added.stdout) == {
            "added": len(lines) - failed,
            "failed": failed,
            "malformed": 1,
        }
        written.append(len(lines))
    # All first answers, the one that failed once more, and the revisions.
    assert written == [PROGRAMS * TASKS, 1, PROGRAMS * TASKS - 1]
    assert runs.report()["samples_correct"] == PROGRAMS * TASKS - 1
    assert runs.report()["rejections"]["cot-generator"] == {"refused_by_endpoint": 1}


async def test_several_samples_tell_how_difficult_a_task_is(runs: Runs) -> None:
    async def script(asked: Asked) -> Answer:
        right = await right_at_last(Asked({"messages": [asked.body["messages"][0]] * 2}, {}, 0, 0))
        wrong = await right_at_last(asked)
        return right if asked.number % 2 else wrong

    async with ScriptedServer(script).serving() as url:
        done = await runs.run(url, samples_per_task=4, turns=0)
    assert done.code == 0, done.stderr
    assert runs.report()["samples"] == 4 * PROGRAMS * TASKS
    rows = [
        json.loads(line)
        for path in (runs.folder / "out/dataset/codeio").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    rates = {row["task_id"]: row["pass_rate"] for row in rows}
    assert set(rates.values()) <= {0, 0.25, 0.5, 0.75, 1}
    chosen = await runs.call(
        "export", "out/samples.jsonl.zst", "--out", "chosen", "--config", config(runs, "[0.3, 0.8]")
    )
    assert chosen.code == 0, chosen.stderr
    kept = {
        json.loads(line)["task_id"]
        for path in (runs.folder / "chosen/codeio").glob("*.jsonl")
        for line in path.read_text().splitlines()
    }
    assert kept == {task for task, rate in rates.items() if 0.3 <= rate <= 0.8}


def config(runs: Runs, band: str) -> Path:
    path = runs.folder / "settings.yaml"
    path.write_text(f"dataset:\n  pass_rate: {band}\n")
    return path


async def test_without_an_endpoint_or_a_model_nothing_is_begun(runs: Runs) -> None:
    done = await runs.run("", model="some")
    assert (done.code, (runs.folder / "out").exists()) == (2, False)
    assert "CODEIO_TEACHER__BASE_URL" in done.stderr
    done = await runs.run("http://127.0.0.1:9/v1", model="")
    assert done.code == 2
    assert "CODEIO_TEACHER__MODEL" in done.stderr
    done = await runs.run("127.0.0.1:9", model="some")
    assert "must begin with http:// or https://" in done.stderr
