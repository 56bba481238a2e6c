"""Measures a model by benchmarks, before and after a training.

| module          | what                                                                     |
|-----------------|--------------------------------------------------------------------------|
| `suites`        | the benchmarks: category, data, task of lm-evaluation-harness, score     |
| `tasks/`        | task files of our own, where the harness has none                        |
| `rows`          | a benchmark's questions, from a local file or from the hub               |
| `hub`           | asks once whether the hub can be reached                                 |
| `held_out`      | the held-out questions of a snapshot                                     |
| `harness`       | has a model answer a suite's questions                                   |
| `execution`     | grades predicted outputs and inputs by running the programs              |
| `literals`      | CRUXEval's answers, Python literals, as programs to run                  |
| `measurement`   | measures one model by several suites, and goes on after an interruption  |
| `answers`       | a model's answers, kept batch by batch                                   |
| `results`       | a suite's answers and scores as a file                                   |
| `earlier`       | what a folder holds already, which is not overwritten                    |
| `progress`      | how far it is, by HTTP                                                   |
| `baselines`     | scores that need no model                                                |
| `bootstrap`     | intervals                                                                |
| `comparison`    | before beside after: `evaluation.json`, scores for the status            |
| `table`         | the same for a terminal                                                  |
| `picture`       | and as a picture                                                         |
| `contamination` | which questions share 13 tokens in a row with the training data          |
| `training_rows` | the rows that a run trains on                                            |
| `model`         | finds and loads a model                                                  |
| `of_run`        | all of it for a `TrainingRun`                                            |
"""

from codeio.evaluation.of_run import evaluate_run

__all__ = ["evaluate_run"]
