"""What a pod says last is short enough for Kubernetes, and read as it was said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeio.training_run.outcomes import MESSAGE_BYTES, Outcome, Reason

texts = st.text(max_size=60) | st.text().map(lambda text: (text or "😀") * 700)
details = st.dictionaries(
    st.sampled_from(["stage", "step", "loss", "tokens"]),
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
)


@given(reason=st.sampled_from(sorted(Reason)), message=texts, details=details)
def test_a_message_fits_and_its_beginning_is_read_again(
    reason: str, message: str, details: dict[str, object]
) -> None:
    said = Outcome(reason, message, details).to_json()
    assert len(said.encode()) <= MESSAGE_BYTES
    read = Outcome.from_json(said)
    assert read is not None
    assert (read.reason, read.details) == (reason, details)
    assert message.startswith(read.message)
    # Cut only where it is too long.
    assert read.message == message or len(said.encode()) > MESSAGE_BYTES - 32


def test_details_that_have_no_room_are_left_out_and_the_message_is_not() -> None:
    many = {f"figure-{each}": 0.123456789 for each in range(400)}
    said = Outcome("Completed", "measured", many).to_json()
    assert len(said.encode()) <= MESSAGE_BYTES
    assert Outcome.from_json(said) == Outcome("Completed", "measured")


@pytest.mark.parametrize("text", ["", "Killed", "[]", "3", "null", '{"reason": "x"}', "{"])
def test_what_a_pod_says_in_another_form_is_nothing(text: str) -> None:
    assert Outcome.from_json(text) is None


def test_it_is_one_line_of_json() -> None:
    said = Outcome(Reason.OUT_OF_MEMORY, "line\nline", {"step": 3}).to_json()
    assert "\n" not in said
    assert json.loads(said)["details"] == {"step": 3}
