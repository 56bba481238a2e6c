"""Calls are made when there is room, again when they fail, and never more than need be."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.errors import Stopped, TransientError
from tests.language_model.conftest import question
from tests.language_model.scripted import BUSY, Answer, Asked, ScriptedServer, limited

if TYPE_CHECKING:
    from codeio.language_model.model import StoredModel
    from tests.language_model.conftest import Asking


async def ask_all(model: StoredModel, count: int) -> list[str]:
    replies = await asyncio.gather(*(model.ask(question(f"question {n}")) for n in range(count)))
    return [reply.content for reply in replies]


async def echo(asked: Asked) -> Answer:
    return Answer(asked.prompt)


async def test_an_endpoint_that_takes_few_at_a_time_answers_all(asking: Asking) -> None:
    server = ScriptedServer(limited(seconds=0.1, most=5))
    async with asking(server) as model:
        assert await ask_all(model, 200) == ["yes"] * 200
        assert model.tally.answered == 200
        assert model.tally.turned_away == server.asked - 200
        found = server.asked
        more = (model.ask(question(f"further {n}")) for n in range(200))
        assert len(await asyncio.gather(*more)) == 200
    # Who has found the limit hardly runs into it any more.
    assert server.asked - found < 300


async def test_a_tenth_that_fails_at_random_is_asked_again_and_nothing_is_lost(
    asking: Asking,
) -> None:
    rng = random.Random(0)

    async def script(asked: Asked) -> Answer:
        if rng.random() < 0.1:
            return rng.choice(
                [
                    BUSY,
                    Answer(status=500, error={"message": "oops"}),
                    Answer(raw=b"{"),
                    Answer("x" * 100, cut_after=10),
                ]
            )
        return Answer(asked.prompt)

    async with asking(ScriptedServer(script), give_up_seconds=60) as model:
        assert await ask_all(model, 300) == [f"question {n}" for n in range(300)]
        assert model.tally.answered == 300


async def test_what_was_answered_is_never_asked_again(asking: Asking) -> None:
    server = ScriptedServer(echo)
    async with asking(server) as model:
        await ask_all(model, 20)
    assert server.asked == 20
    async with asking(server) as model:
        assert await ask_all(model, 25) == [f"question {n}" for n in range(25)]
        assert (model.tally.stored, model.tally.answered) == (20, 5)
    assert server.asked == 25


async def test_the_same_question_is_asked_once_even_when_it_is_asked_at_once(
    asking: Asking,
) -> None:
    server = ScriptedServer(limited(seconds=0.02, most=100))
    async with asking(server) as model:
        same = await asyncio.gather(*(model.ask(question()) for _ in range(10)))
        await asyncio.gather(*(model.ask(question(sample_index=n)) for n in range(3)))
    assert len(set(same)) == 1
    assert server.asked == 3


async def test_an_answer_is_kept_though_nobody_waits_for_it_any_more(asking: Asking) -> None:
    came, release = asyncio.Event(), asyncio.Event()

    async def script(_: Asked) -> Answer:
        came.set()
        await release.wait()
        return Answer("paid for")

    server = ScriptedServer(script)
    async with asking(server) as model:
        asked = asyncio.create_task(model.ask(question()))
        await came.wait()
        asked.cancel()
        await asyncio.wait([asked])
        release.set()
    async with asking(server) as model:
        assert (await model.ask(question())).content == "paid for"
    assert server.asked == 1


async def test_the_time_that_the_endpoint_names_is_waited(asking: Asking) -> None:
    times: list[float] = []

    async def script(asked: Asked) -> Answer:
        times.append(time.monotonic())
        if asked.number == 0:
            return Answer(status=429, error={"message": "slow"}, headers={"retry-after": "0.5"})
        return Answer()

    async with asking(ScriptedServer(script)) as model:
        await model.ask(question())
    assert times[1] - times[0] >= 0.5


async def test_a_failing_endpoint_is_left_alone_until_it_answers(asking: Asking) -> None:
    healthy = asyncio.Event()

    async def script(asked: Asked) -> Answer:
        if asked.number >= 18:
            healthy.set()
        return Answer() if healthy.is_set() else Answer(status=500, error={"message": "oops"})

    server = ScriptedServer(script)
    settings = {"attempts": 100, "give_up_seconds": 60.0, "max_in_flight": 50}
    async with asking(server, **settings) as model:
        assert len(await ask_all(model, 100)) == 100
    # The first ones were on their way when the circuit opened; after that, one at a time.
    assert server.asked <= 140


async def test_a_dead_endpoint_stops_the_run_with_a_sentence(asking: Asking) -> None:
    server = ScriptedServer()
    async with server.serving() as url:
        pass
    async with asking(base_url=url, give_up_seconds=0.5) as model:
        with pytest.raises((Stopped, TransientError), match="cannot be reached"):
            await model.ask(question())
        with pytest.raises(Stopped, match=r"no endpoint has answered for .* the same command"):
            await ask_all(model, 40)


async def test_an_endless_storm_of_429_stops_the_run(asking: Asking) -> None:
    async def script(_: Asked) -> Answer:
        return BUSY

    server = ScriptedServer(script)
    async with asking(server, give_up_seconds=0.5) as model:
        with pytest.raises(Stopped, match="is busy"):
            await ask_all(model, 40)
    assert server.asked < 200


async def test_several_endpoints_share_the_calls_by_their_weights(asking: Asking) -> None:
    servers = [ScriptedServer(limited(seconds=0.02, most=10**6)) for _ in range(2)]
    async with servers[0].serving() as light, servers[1].serving() as heavy:
        endpoints = [{"base_url": light, "weight": 1}, {"base_url": heavy, "weight": 3}]
        async with asking(endpoints=endpoints, max_in_flight=16) as model:
            await ask_all(model, 12)
    assert (servers[0].asked, servers[1].asked) == (3, 9)


async def test_one_dead_endpoint_of_two_costs_no_answer(asking: Asking) -> None:
    dead, living = ScriptedServer(), ScriptedServer(echo)
    async with dead.serving() as url:
        pass
    async with living.serving() as other:
        endpoints = [{"base_url": url}, {"base_url": other}]
        async with asking(endpoints=endpoints) as model:
            assert await ask_all(model, 100) == [f"question {n}" for n in range(100)]


async def test_who_tries_whether_a_dead_endpoint_is_back_is_not_lost_by_it(asking: Asking) -> None:
    """The living endpoint is slow and full, so the same call is sent to the dead one again."""
    tried = asyncio.Event()

    async def dies(asked: Asked) -> Answer:
        if asked.number >= 6:
            tried.set()
        return Answer(status=500)

    async def waits(asked: Asked) -> Answer:
        await tried.wait()
        return await echo(asked)

    async with ScriptedServer(dies).serving() as url, ScriptedServer(waits).serving() as other:
        endpoints = [{"base_url": url}, {"base_url": other}]
        async with asking(endpoints=endpoints, max_in_flight=1, attempts=2) as model:
            assert await ask_all(model, 2) == ["question 0", "question 1"]


async def test_a_budget_stops_the_run_before_it_is_overdrawn(asking: Asking) -> None:
    # One dollar an answer: five tokens at 0.2 dollars.
    settings = {"budget_usd": 20.0, "completion_usd_per_million": 0.2e6, "max_in_flight": 4}
    server = ScriptedServer(echo)
    async with asking(server, **settings) as model:
        found = await asyncio.gather(
            *(model.ask(question(f"question {n}")) for n in range(50)), return_exceptions=True
        )
        assert model.tally.cost_usd <= 20
    stopped = [reply for reply in found if isinstance(reply, Stopped)]
    assert len(stopped) + server.asked == 50
    assert server.asked >= 16
    assert "with a larger teacher.budget_usd the same command goes on" in str(stopped[0])


async def test_a_budget_of_requests_a_minute_is_kept(asking: Asking) -> None:
    times: list[float] = []

    async def script(_: Asked) -> Answer:
        times.append(time.monotonic())
        return Answer()

    async with asking(ScriptedServer(script), requests_per_minute=1200) as model:
        await ask_all(model, 12)
    # Fifty milliseconds apart, but for the grain of timers.
    assert times[-1] - times[0] >= 0.9 * 11 * 0.05


async def test_a_budget_of_tokens_a_minute_is_kept(asking: Asking) -> None:
    async with asking(ScriptedServer(echo), tokens_per_minute=60_000) as model:
        started = time.monotonic()
        # About 1,000 tokens each, where 2,000 come at once and 1,000 each further second.
        await asyncio.gather(*(model.ask(question(f"{n}" + "word " * 700)) for n in range(4)))
    assert time.monotonic() - started >= 1.5


async def test_retry_after_zero_is_no_invitation_to_hammer(asking: Asking) -> None:
    async def script(_: Asked) -> Answer:
        return Answer(status=429, error={"message": "busy"}, headers={"retry-after": "0"})

    server = ScriptedServer(script)
    async with asking(server, give_up_seconds=1) as model:
        with pytest.raises(Stopped, match="no endpoint has answered"):
            await model.ask(question())
    assert server.asked < 10


async def test_a_long_pause_does_not_outlast_the_patience(asking: Asking) -> None:
    async def script(_: Asked) -> Answer:
        return Answer(status=429, error={"message": "busy"}, headers={"retry-after": "1e9"})

    async with asking(ScriptedServer(script), give_up_seconds=0.5) as model:
        async with asyncio.timeout(20):
            with pytest.raises(Stopped, match="no endpoint has answered"):
                await model.ask(question())


async def test_an_endpoint_with_a_wrong_key_does_not_take_the_others_along(asking: Asking) -> None:
    async def refuse(_: Asked) -> Answer:
        return Answer(status=401, error={"message": "no such key"})

    wrong, right = ScriptedServer(refuse), ScriptedServer(echo)
    async with (
        wrong.serving() as first,
        right.serving() as second,
        asking(endpoints=[{"base_url": first}, {"base_url": second}]) as model,
    ):
        assert await ask_all(model, 40) == [f"question {n}" for n in range(40)]


async def test_a_budget_without_a_known_price_is_refused_and_not_ignored(asking: Asking) -> None:
    async with asking(ScriptedServer(echo), budget_usd=1) as model:
        await model.ask(question("a"))
        with pytest.raises(Stopped, match=r"teacher\.prompt_usd_per_million"):
            await model.ask(question("b"))


async def test_who_asks_again_joins_the_call_that_is_on_its_way(asking: Asking) -> None:
    came, release = asyncio.Event(), asyncio.Event()

    async def script(_: Asked) -> Answer:
        came.set()
        await release.wait()
        return Answer("once")

    server = ScriptedServer(script)
    async with asking(server) as model:
        first = asyncio.create_task(model.ask(question()))
        await came.wait()
        first.cancel()
        await asyncio.wait([first])
        second = asyncio.create_task(model.ask(question()))
        await asyncio.sleep(0)
        release.set()
        assert (await second).content == "once"
    assert server.asked == 1
