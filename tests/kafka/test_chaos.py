"""Whatever dies, no record is lost, none comes twice, none comes out otherwise."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.kafka import chaos
from tests.kafka.broker import cluster
from tests.language_model.scripted import ScriptedServer
from tests.pipeline.oracle import right_at_last, write_programs

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS, FAULTS = 300, 20


# However slow the machine: a run that stands still is found out by `drained`.
@pytest.mark.timeout(1800)
async def test_the_samples_are_those_of_a_quiet_run(tmp_path: Path) -> None:
    programs = tmp_path / "programs.jsonl"
    write_programs(programs, PROGRAMS)
    server = ScriptedServer(right_at_last)
    # One broker alone forgets transactions when it is killed, see docs/kafka.md.
    with cluster(nodes=3) as brokers:
        async with server.serving() as url:
            hurt = tmp_path / "hurt"
            hurt.mkdir()
            harm = partial(chaos.random_faults, count=FAULTS, seed=1)
            outcome = await chaos.run(
                brokers, hurt, [str(programs)], teacher=url, harm=harm, replicas=3
            )
            asked = server.asked
            settings, _ = chaos.settings_for(brokers, hurt, teacher=url)
            quiet = await chaos.quiet_run(tmp_path, [str(programs)], settings=settings)
            # Each answer was stored before it was used: the quiet run asks for none.
            assert server.asked == asked
    assert sum(outcome.faults.values()) == FAULTS
    assert len(quiet) == 4 * PROGRAMS
    assert outcome.samples == quiet
    assert (outcome.repeated, outcome.dead) == (0, 0)
    # Twice each, as the first answer is wrong; more only where one was killed while it waited.
    kills = outcome.faults.total()
    assert 2 * len(quiet) <= asked <= 2 * len(quiet) + kills * chaos.MOST_IN_FLIGHT
