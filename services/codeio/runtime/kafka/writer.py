"""Transactions: records and the positions that they follow from, written together or not at all.

kafka-python 3.0.12 loses or repeats records, or hangs, where it is used as its
documentation shows. docs/kafka.md describes the faults; F1 and so on in comments name
the one that a line is there for, so that the line can go when the library is mended.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kafka.errors import (
    InvalidProducerEpochError,
    KafkaError,
    KafkaTimeoutError,
    ProducerFencedError,
)

from codeio.runtime.kafka.connection import open_client
from codeio.runtime.sizes import MAX_DEAD_LETTER_BYTES
from kafka import KafkaProducer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata, TopicPartition

    from codeio.runtime.log import Entry

BATCH_BYTES = 1 << 20
"""Records of a partition that are sent as one. The library's two threads wake one another
for each, and with its own 16 KiB that is most of the work."""
_CLOSE_SECONDS = 5.0
_FRESH_SECONDS = 2.0
# Beyond the time after which the broker gives a transaction up.
_ANSWER_FACTOR = 1.2


class _BoundedProducer(KafkaProducer):  # type: ignore[misc]  # the library has no types
    """F5: answers to transactional requests may never come, and are waited for for ever."""

    def __init__(self, *, answer_seconds: float, **options: Any) -> None:
        self._answer_seconds = answer_seconds
        self._begun = time.monotonic()
        super().__init__(**options)
        # F2: it would make itself a new identity in the midst of a transaction, and with that
        # end the transaction of another process that has its place. A failure is to be final.
        self._transaction_manager._supports_epoch_bump = lambda: False

    @property
    def seconds_since_begin(self) -> float:
        return time.monotonic() - self._begun

    @property
    def seconds_left(self) -> float:
        """Time that is worth waiting, since the last transaction was begun."""
        return max(0.0, self._answer_seconds - self.seconds_since_begin)

    @property
    def last_error(self) -> Any:
        return self._transaction_manager.last_error

    def begin_transaction(self) -> None:
        self._begun = time.monotonic()
        super().begin_transaction()

    def send_offsets_to_transaction(self, offsets: Any, group_metadata: Any) -> None:
        self._await(self._transaction_manager.send_offsets_to_transaction(offsets, group_metadata))

    def commit_transaction(self) -> None:
        self._await(self._transaction_manager.begin_commit())

    def _await(self, result: Any) -> None:
        self._sender.wakeup()
        if not result.wait(self.seconds_left * 1000):
            raise KafkaTimeoutError("the broker does not answer to a transactional request")

    def end(self) -> None:
        """End its thread, which closes the sockets, without a wait for what was not sent."""
        self._sender.force_close()
        self._sender.join(_CLOSE_SECONDS)
        with suppress(KafkaError):
            self.close(timeout=0)


class TransactionalWriter:
    """Writes transactions, one at a time, under one transactional id.

    For one thread. After an error it is of no use any more: close it and open
    another. Opening ends what an earlier one under the same id left behind, so that
    from then on it is known whether its last transaction was written.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        prefix: str = "",
        transactional_id: str,
        transaction_seconds: float,
        at: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Connect.

        `prefix` is what the broker's names of topics have before ours; `at` is told of
        each step, for tests that fail there.

        Raises:
            KafkaError: the broker cannot be reached, or refuses.
        """
        self._prefix = prefix
        self._at = at
        self._transaction_seconds = transaction_seconds
        answer_seconds = transaction_seconds * _ANSWER_FACTOR
        ours = {
            "answer_seconds": answer_seconds,
            "transactional_id": transactional_id,
            "transaction_timeout_ms": round(transaction_seconds * 1000),
            # F3: a batch that expires does not fail the transaction; the broker gives up first.
            "delivery_timeout_ms": round(answer_seconds * 2000),
            "request_timeout_ms": round(answer_seconds * 1000),
            "max_block_ms": round(answer_seconds * 1000),
            # After a commit the next transaction is often told to come again: in 100 ms by default.
            "retry_backoff_ms": 10,
            # Each transaction is flushed at its end; until then batches may grow.
            "linger_ms": 1000,
            "batch_size": BATCH_BYTES,
            "compression_type": "lz4",
            # F7: a record above a topic's limit would be the end of the producer; see the worker.
            "max_request_size": MAX_DEAD_LETTER_BYTES,
        }
        self._producer = open_client(_BoundedProducer, {**options, **ours})
        try:
            self._producer.init_transactions()
        except BaseException:
            self.close()
            raise

    def write(
        self,
        entries: Sequence[Entry],
        positions: Mapping[TopicPartition, OffsetAndMetadata] | None = None,
        member: ConsumerGroupMetadata | None = None,
    ) -> None:
        """Write all in one transaction.

        `member` is who read what the positions are behind, as the group knew it at
        the time: the broker refuses the positions of one who is no longer.

        Raises:
            KafkaError: it was not written; after a time-out that is not known.
        """
        producer = self._producer
        self._at("begin")
        producer.begin_transaction()
        sent = [
            producer.send(
                self._prefix + entry.topic,
                key=entry.key,
                value=entry.value,
                headers=list(entry.headers.items()),
            )
            for entry in entries
        ]
        self._at("sent")
        if positions:
            producer.send_offsets_to_transaction(positions, member)
        self._at("positions")
        producer.flush(timeout=producer.seconds_left)
        # F2, F3: the commit of a transaction that lost records returns as if all were well;
        # only the records' own futures tell.
        for future in sent:
            future.get(timeout=0)
        self._at("flushed")
        producer.commit_transaction()
        self._at("committed")

    def missing(self, topics: Iterable[str]) -> list[str]:
        """Return which topics are not there by the broker's names, as it has said a moment ago."""
        known = self._producer._metadata
        age = time.monotonic() - known._last_successful_refresh_ms / 1000
        if age > _FRESH_SECONDS:
            return []
        theirs = {self._prefix + topic for topic in topics}
        return sorted(one for one in theirs if not known.partitions_for_topic(one))

    @property
    def fenced(self) -> bool:
        """Whether the broker refuses what comes from here.

        Either it has given the last transaction up, or another writer was opened under this id.
        """
        refused = (ProducerFencedError, InvalidProducerEpochError)
        return isinstance(self._producer.last_error, refused)

    @property
    def displaced(self) -> bool:
        """Whether it was another writer: the broker cannot have given up so early."""
        return self.fenced and self._producer.seconds_since_begin < self._transaction_seconds

    def close(self) -> None:
        """Close, whatever became of the last transaction."""
        self._producer.end()
