"""Trains a model on the data of a run: what its pods do.

A small loop of our own on torch. A trainer of a library was the other choice; but accelerate,
which all of them lean on, silently makes DDP of FSDP on a CPU, so that what runs on a cluster's
GPUs could be tested on a cluster's GPUs alone. torch's own FSDP2 and distributed checkpoints
shard with gloo as they do with nccl, and the tests see them do so.

| module        | what                                                                     |
|---------------|--------------------------------------------------------------------------|
| `data`        | rows of the sources become packed rows of tokens                         |
| `attention`   | attention within the samples of a packed row, never across them          |
| `head`        | the loss of labelled positions, without holding all their logits         |
| `model`       | reads a model and proves that it can be trained so                       |
| `group`       | the processes that train together: collectives, and what they tell       |
| `parallel`    | DDP and FSDP2                                                            |
| `optimiser`   | AdamW, learning rates, clipping                                          |
| `durable`     | folders that are there whole or not at all                               |
| `checkpoints` | what a stage goes on from                                                |
| `progress`    | figures of the steps: HTTP, TensorBoard, JSON Lines, lines for people    |
| `throughput`  | tokens a second, and what share of a device's peak that is               |
| `loop`        | the steps                                                                |
| `stage`       | one stage in one process: from data and model to a trained model         |
| `trained`     | what a stage was asked for and how it ended, beside its model            |
| `process`     | the program that each process runs                                       |
| `failures`    | what ended a process, as an exit code and one sentence                   |
| `word`        | what a process tells: how it ended, and that it met the others           |
| `launch`      | starts the processes of this machine or pod and tells how they ended     |
| `allowance`   | cores and memory that a run may use here                                 |
| `local`       | all steps of a run on this machine                                       |
"""
