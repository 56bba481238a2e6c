"""Who is asked about which file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codeio.pipeline.stages import build_stage
from codeio.pipeline.workshop import Workshop
from codeio.runtime.errors import Rejected, UsageError
from codeio.runtime.settings import load_settings
from codeio.v1.records_pb2 import Program, RawFile
from tests.normalizer.teacher.scripted import CODE, GENERATOR, Scripted, records, reply_of

if TYPE_CHECKING:
    from codeio.executor.sandbox.pool import Pool
    from codeio.runtime.stage import Stage

USABLE = (
    "def total(numbers: list[int]) -> int:\n    found = 0\n    for number in numbers:\n"
    "        if number > 3:\n            found += number\n    return found\n"
)
OUTSIDE = "import requests\n\ndef total(url):\n    return sum(requests.get(url).json())\n"
BROKEN = "def total(:\n"


def normalizer(sandbox: Pool, model: Scripted | None, **flags: Any) -> Stage:
    return build_stage(
        "normalizer",
        load_settings(flags={"normalizer": flags}),
        Workshop(sandbox=sandbox, guest=sandbox.version, workers=2, model=model),
        own_tasks=True,
    )


async def test_statically_nobody_is_asked(sandbox: Pool) -> None:
    model = Scripted()
    [program] = await records(normalizer(sandbox, model, mode="static"), USABLE)
    assert isinstance(program, Program)
    assert program.origin.unit == "total"
    assert not model.asked


async def test_the_teacher_alone_is_asked_for_every_file(sandbox: Pool) -> None:
    model = Scripted([reply_of()])
    [program] = await records(normalizer(sandbox, model, mode="teacher"), USABLE)
    assert isinstance(program, Program)
    assert program.code == CODE


async def test_the_teacher_gets_only_what_the_static_one_could_not_use(sandbox: Pool) -> None:
    model = Scripted([reply_of(), reply_of()])
    stage = normalizer(sandbox, model, mode="static+teacher")
    [program] = await records(stage, USABLE)
    assert isinstance(program, Program)
    assert program.origin.unit == "total"
    assert not model.asked
    for number, text in enumerate((OUTSIDE, BROKEN)):
        [program] = await records(stage, text)
        assert isinstance(program, Program)
        assert program.code == CODE
        assert len(model.asked) == number + 1


@pytest.mark.parametrize(
    ("text", "static"),
    [(OUTSIDE, "statically missing_package:requests"), (BROKEN, "statically not_parseable")],
)
async def test_a_refusal_by_both_has_the_teachers_reason_and_tells_the_other(
    sandbox: Pool, text: str, static: str
) -> None:
    stage = normalizer(sandbox, Scripted(["NOTHING: a download"]), mode="static+teacher")
    with pytest.raises(Rejected) as refusal:
        await records(stage, text)
    assert refusal.value.reason == "teacher_declined"
    assert refusal.value.detail.startswith("a download; ")
    assert static in refusal.value.detail


EVERYTHING: dict[str, Any] = {"categories": ["mathematics"], "completion_band": [0.1, 0.9]}


@pytest.mark.parametrize("mode", ["static", "teacher", "static+teacher"])
async def test_programs_that_somebody_made_already_ask_nobody(sandbox: Pool, mode: str) -> None:
    model = Scripted()
    stage = normalizer(sandbox, model, mode=mode, **EVERYTHING)
    given = RawFile(
        file_id="f", content=CODE, program=Program(code=CODE, input_generator=GENERATOR)
    )
    [program] = [record async for record in stage.handle(given)]
    assert isinstance(program, Program)
    assert program.code == CODE
    given.program.code = "def other():\n    pass\n"
    with pytest.raises(Rejected, match="no_entry_point"):
        [record async for record in stage.handle(given)]
    assert not model.asked


@pytest.mark.parametrize("flags", [{"mode": "teacher"}, {"categories": ["algorithms"]}])
def test_settings_that_need_a_model_say_so(sandbox: Pool, flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="language model"):
        normalizer(sandbox, None, **flags)


async def test_the_filters_go_before_and_leave_their_score(sandbox: Pool) -> None:
    right = f"```python\n{USABLE}```"
    model = Scripted(["mathematics", right, "no idea", reply_of()])
    stage = normalizer(sandbox, model, mode="static", completion_samples=3, **EVERYTHING)
    [program] = await records(stage, USABLE)
    assert isinstance(program, Program)
    assert program.scores == {
        "category:mathematics": 1,
        "completion_rate": pytest.approx(1 / 3),
    }
    assert model.purposes == ["category", *["completion"] * 3]
    with pytest.raises(Rejected, match="category:algorithms"):
        await records(normalizer(sandbox, Scripted(["algorithms"]), **EVERYTHING), USABLE)
