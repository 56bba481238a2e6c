"""How long a worker waits before it tries again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codeio.runtime.errors import Overloaded, Rejected, TransientError
from codeio.runtime.log import Message, Partition
from codeio.runtime.policy import Policy, Retry
from codeio.runtime.settings import WorkerSettings
from codeio.v1.records_pb2 import DeadLetter

MESSAGE = Message(Partition("codeio.programs", 0), 7, b"key", b"value", {})


@given(
    attempt=st.integers(1, 5000),
    first=st.floats(0, 10),
    longest=st.floats(0, 100),
    retry_after=st.none() | st.floats(0, 1000),
)
def test_waits_double_up_to_the_longest_and_heed_the_other_side(
    attempt: int, first: float, longest: float, retry_after: float | None
) -> None:
    settings = WorkerSettings(attempts=5001, first_wait_seconds=first, longest_wait_seconds=longest)
    error = TransientError("busy", retry_after=retry_after)
    outcome = Policy("executor", settings).judge(
        error, message=MESSAGE, record=None, attempt=attempt
    )
    assert isinstance(outcome, Retry)
    full = min(first * 2.0 ** min(attempt - 1, 60), longest)
    assert max(full / 2, retry_after or 0) <= outcome.seconds <= max(full, retry_after or 0)


def test_waits_differ_from_one_record_to_the_next() -> None:
    policy = Policy("executor", WorkerSettings())
    error = TransientError("busy")
    waits = {policy.judge(error, message=MESSAGE, record=None, attempt=1) for _ in range(20)}
    assert len(waits) > 1


@given(st.text(st.characters(codec=None)))
def test_any_message_of_an_error_fits_a_dead_letter(text: str) -> None:
    policy = Policy("executor", WorkerSettings())
    letter = policy.judge(ValueError(text), message=MESSAGE, record=None, attempt=1)
    assert isinstance(letter, DeadLetter)
    assert DeadLetter.FromString(letter.SerializeToString()) == letter


def test_a_huge_error_is_cut() -> None:
    policy = Policy("executor", WorkerSettings())
    letter = policy.judge(ValueError("x" * 10**7), message=MESSAGE, record=None, attempt=1)
    assert isinstance(letter, DeadLetter)
    assert len(letter.error) < 10_000


def test_a_refusal_of_what_was_never_read_is_no_refusal() -> None:
    policy = Policy("executor", WorkerSettings())
    outcome = policy.judge(Rejected("impure"), message=MESSAGE, record=None, attempt=1)
    assert isinstance(outcome, DeadLetter)


def test_one_who_is_turned_away_comes_again_for_ever_and_has_not_tried() -> None:
    settings = WorkerSettings(attempts=1, first_wait_seconds=1, longest_wait_seconds=8)
    error = Overloaded("full")
    for before in (0, 1, 2, 3, 1000):
        outcome = Policy("executor", settings).judge(
            error, message=MESSAGE, record=None, attempt=1, turned_away=before
        )
        assert isinstance(outcome, Retry)
        assert not outcome.counts
        assert min(2.0**before, 8) / 2 <= outcome.seconds <= min(2.0**before, 8)


def test_a_failure_that_counts_decides_over_one_that_does_not() -> None:
    """Else work that fails beside a busy server would be tried for ever."""
    group = ExceptionGroup("both", [Overloaded("full"), TransientError("dead")])
    outcome = Policy("executor", WorkerSettings()).judge(
        group, message=MESSAGE, record=None, attempt=1
    )
    assert isinstance(outcome, Retry)
    assert outcome.counts


def test_what_the_interpreter_itself_got_wrong_is_tried_again_and_not_for_ever() -> None:
    """Threads that parse side by side share a counter in Python 3.11; now and then it is off."""
    policy = Policy("normalizer", WorkerSettings(attempts=2))
    error = SystemError("AST constructor recursion depth mismatch (before=99, after=26)")
    first = policy.judge(error, message=MESSAGE, record=None, attempt=1)
    assert isinstance(first, Retry)
    assert first.counts
    last = policy.judge(error, message=MESSAGE, record=None, attempt=2)
    assert isinstance(last, DeadLetter)
