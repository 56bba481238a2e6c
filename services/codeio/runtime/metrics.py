"""What a process counts, as Prometheus reads it at `/metrics`.

| metric                                        | what it counts                             |
|-----------------------------------------------|--------------------------------------------|
| `codeio_records_{read,written,rejected,dead}` | records of a stage, once they are committed |
| `codeio_record_retries`                       | tries of a record beyond its first         |
| `codeio_records_in_flight`, `codeio_lag_records` | records in a handler; records that wait |
| `codeio_handler_seconds`                      | time of one try in a handler               |
| `codeio_group_joined`                         | 1 while the stage is in its consumer group |
| `codeio_transactions`, `codeio_transaction_aborts` | of a stage: done; failed or refused      |
| `codeio_sandbox_slots`, `codeio_sandbox_slots_busy` | places, and those taken       |
| `codeio_sandbox_starts`                       | guests, by why they were needed            |
| `codeio_model_{tokens,questions,cost_usd}`    | what asking a language model took          |
| `codeio_grpc_seconds`                         | calls, by method and status                |
| `codeio_training_runs`                        | runs, by the condition that is true        |
| `codeio_launcher_leader`                      | 1 while this replica carries out runs      |
| `codeio_launcher_queue`                       | runs that wait to be looked at             |
| `codeio_launcher_reconciles`                  | looks at a run, by outcome                 |
| `codeio_launcher_api_calls`                   | calls of the API server, by verb and code  |

Counters have `_total` behind their names. They begin at zero with each process;
what a stage has done in all is kept with its positions (`codeio status`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.runtime.worker import Tally, Worker

disable_created_metrics()  # type: ignore[no-untyped-call]  # or each counter has a twin of a time

_STAGE = ["stage"]
_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

_RECORDS = {
    "read": Counter("codeio_records_read", "Records that a stage has read.", _STAGE),
    "written": Counter("codeio_records_written", "Records for the next stages.", _STAGE),
    "rejected": Counter("codeio_records_rejected", "Records that a stage refused.", _STAGE),
    "dead": Counter("codeio_records_dead", "Records that broke a stage.", _STAGE),
    "retries": Counter("codeio_record_retries", "Tries beyond the first.", _STAGE),
}
_IN_FLIGHT = Gauge(
    "codeio_records_in_flight", "Records in a handler or waiting to be tried again.", _STAGE
)
_LAG = Gauge("codeio_lag_records", "Records that are there and not committed yet.", _STAGE)
_JOINED = Gauge("codeio_group_joined", "Whether the stage is in its consumer group.", _STAGE)

HANDLER_SECONDS = Histogram(
    "codeio_handler_seconds", "One try of one record in a handler.", _STAGE, buckets=_SECONDS
)
TRANSACTIONS = Counter("codeio_transactions", "Transactions that were written.", _STAGE)
TRANSACTION_ABORTS = Counter(
    "codeio_transaction_aborts", "Commits that did not come about; their records are read again.",
    _STAGE,
)  # fmt: skip
_SLOTS = Gauge("codeio_sandbox_slots", "Jobs that can run at a time; guests of a sandbox pod.")
_SLOTS_BUSY = Gauge("codeio_sandbox_slots_busy", "Jobs that run; guests that a service holds.")
SANDBOX_STARTS = Counter(
    "codeio_sandbox_starts", "Guests that were started: first, or for one that died or was worn.",
    ["why"],
)  # fmt: skip
MODEL_TOKENS = Counter("codeio_model_tokens", "Tokens of answers that were paid for.", ["kind"])
MODEL_QUESTIONS = Counter(
    "codeio_model_questions", "Questions to a model, by outcome.", ["outcome"]
)
MODEL_COST = Counter("codeio_model_cost_usd", "What the answers cost.")
GRPC_SECONDS = Histogram(
    "codeio_grpc_seconds", "Calls, by method and status.", ["method", "code"], buckets=_SECONDS
)

TRAINING_RUNS = Gauge("codeio_training_runs", "Training runs, by condition.", ["condition"])
LAUNCHER_LEADER = Gauge("codeio_launcher_leader", "Whether this replica carries out runs.")
LAUNCHER_QUEUE = Gauge("codeio_launcher_queue", "Training runs that wait to be looked at.")
LAUNCHER_RECONCILES = Counter("codeio_launcher_reconciles", "Looks at a training run.", ["outcome"])
LAUNCHER_API_CALLS = Counter(
    "codeio_launcher_api_calls", "Calls of the API server; code 0: no answer.", ["verb", "code"]
)


def count_committed(stage: str, tally: Tally) -> None:
    """Count what a transaction of a stage wrote."""
    TRANSACTIONS.labels(stage).inc()
    for name, counter in _RECORDS.items():
        counter.labels(stage).inc(getattr(tally, name))


def watch_worker(worker: Worker) -> None:
    """Have the gauges of a stage ask its worker whenever they are read."""
    _IN_FLIGHT.labels(worker.name).set_function(lambda: worker.progress.running)
    _LAG.labels(worker.name).set_function(lambda: worker.progress.lag)
    _JOINED.labels(worker.name).set_function(lambda: worker.joined)


def watch_slots(count: int, *, busy: Callable[[], int]) -> None:
    """Tell of so many places for jobs, and ask how many are busy whenever that is read."""
    _SLOTS.set(count)
    _SLOTS_BUSY.set_function(busy)
