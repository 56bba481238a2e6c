"""How the samples of a step are dealt out."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from codeio.trainer.data.packing import deal

LENGTHS = st.lists(st.integers(1, 3000), min_size=1, max_size=60)


@given(LENGTHS, st.integers(1, 9), st.integers(8, 4096))
@example([5000], 3, 100)
def test_every_sample_is_in_one_row_of_one_process(
    lengths: list[int], world: int, limit: int
) -> None:
    dealt = deal(lengths, world=world, limit=limit)
    assert len(dealt) == world
    assert sorted(place for rows in dealt for row in rows for place in row) == list(
        range(len(lengths))
    )


@given(LENGTHS, st.integers(1, 9), st.integers(8, 4096))
def test_a_row_holds_what_a_device_takes_or_one_longer_sample(
    lengths: list[int], world: int, limit: int
) -> None:
    for rows in deal(lengths, world=world, limit=limit):
        for row in rows:
            assert sum(lengths[place] for place in row) <= limit or len(row) == 1


@given(LENGTHS, st.integers(1, 9), st.integers(8, 4096))
def test_all_processes_have_as_many_rows(lengths: list[int], world: int, limit: int) -> None:
    assert len({len(rows) for rows in deal(lengths, world=world, limit=limit)}) == 1


@given(LENGTHS, st.integers(1, 9), st.integers(3000, 9000))
def test_processes_take_about_as_long_in_each_row(
    lengths: list[int], world: int, limit: int
) -> None:
    dealt = deal(lengths, world=world, limit=limit)
    for together in zip(*dealt, strict=True):
        loads = [sum(lengths[place] for place in row) for row in together]
        assert max(loads) - min(loads) <= max(lengths)


def test_rows_are_nearly_full() -> None:
    lengths = [100 + 37 * n % 900 for n in range(1024)]
    for world in (1, 8, 64):
        rows = deal(lengths, world=world, limit=8192)
        needed = -(-sum(lengths) // (8192 * world))
        assert len(rows[0]) <= needed + 1


def test_long_samples_need_no_more_rows_than_they_are() -> None:
    assert deal([500, 400, 300], world=1, limit=8) == [[[0], [1], [2]]]


def test_a_process_without_a_sample_has_an_empty_row() -> None:
    assert sorted(deal([10, 20], world=3, limit=100)) == [[[]], [[0]], [[1]]]
