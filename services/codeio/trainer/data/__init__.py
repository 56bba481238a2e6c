"""What a stage trains on: rows become chats, chats tokens, tokens the batches of steps.

| module        | what                                                                  |
|---------------|-----------------------------------------------------------------------|
| `selection`   | selects among a snapshot's rows                                       |
| `chats`       | makes a chat of a row                                                 |
| `masking`     | renders a chat and finds what of it is learnt                         |
| `encoding`    | turns chats into tokens                                               |
| `store`       | keeps the tokens in files                                             |
| `preparation` | does all of this once a stage                                         |
| `order`       | says which sample is drawn when                                       |
| `packing`     | deals the samples of a step out to the processes                      |
| `corpus`      | gives the batches                                                     |
"""

from codeio.trainer.data.corpus import IGNORED, Batch, Corpus, MicroBatch, open_corpus
from codeio.trainer.data.masking import PLAIN_TEMPLATE, template_of
from codeio.trainer.data.preparation import prepare
from codeio.trainer.data.store import CorpusSummary, SourceSummary

__all__ = [
    "IGNORED",
    "PLAIN_TEMPLATE",
    "Batch",
    "Corpus",
    "CorpusSummary",
    "MicroBatch",
    "SourceSummary",
    "open_corpus",
    "prepare",
    "template_of",
]
