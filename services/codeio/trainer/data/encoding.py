"""Turns chats into tokens, and marks those that are learnt."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from codeio.trainer.data.masking import Renderer, template_of
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from transformers import PreTrainedTokenizerBase

    from codeio.trainer.data.chats import Chat
    from codeio.trainer.data.masking import Loss, Span

T = TypeVar("T")

Marked: TypeAlias = NDArray[np.int32]
"""Tokens of a sample; one that is learnt is stored as its complement, which is negative."""


class Encoder:
    """Encodes chats with one tokenizer and one kind of loss."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, loss: Loss) -> None:
        """Take the tokenizer as it is now.

        Raises:
            RunError: it cannot tell where in the text its tokens stand.
        """
        if not tokenizer.is_fast:
            raise RunError(
                Reason.INVALID_SPEC,
                f"the model's tokenizer ({type(tokenizer).__name__}) has no tokenizer.json: save"
                " it again with a version of transformers that writes one",
            )
        definition = json.loads(tokenizer.backend_tokenizer.to_str())
        # A post-processor adds tokens, which the template has already, and trims blanks off the
        # offsets; a tokenizer may also have been told to cut or to pad.
        definition |= {"post_processor": None, "truncation": None, "padding": None}
        self._definition = json.dumps(definition, sort_keys=True)
        self._tokenizer = Tokenizer.from_str(self._definition)
        self._renderer = Renderer(tokenizer, loss=loss)
        self._specials = [template_of(tokenizer), tokenizer.special_tokens_map, loss]

    @property
    def fingerprint(self) -> str:
        """Changes when the same chat would give other tokens."""
        about = json.dumps([self._definition, self._specials], sort_keys=True, default=str)
        return hashlib.sha256(about.encode()).hexdigest()

    def encode(self, chats: Sequence[Chat]) -> list[Marked | str]:
        """Return the tokens of each chat, or what is wrong with it."""
        encoded: list[Marked | str] = []
        texts: list[str] = []
        spans: list[tuple[int, Sequence[Span]]] = []
        for place, chat in enumerate(chats):
            try:
                rendered = self._renderer.render(chat)
            except ValueError as error:
                encoded.append(str(error))
                continue
            encoded.append("")
            texts.append(rendered.text)
            spans.append((place, rendered.learnt))
        tokenised = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        for (place, learnt), encoding in zip(spans, tokenised, strict=True):
            encoded[place] = _marked(encoding.ids, encoding.offsets, learnt)
        return encoded


def encode_all(
    chunks: Iterable[tuple[T, Sequence[Chat]]], encoder: Encoder, *, workers: int
) -> Iterator[tuple[T, list[Marked | str]]]:
    """Yield what each chunk comes with and its encoded chats, in order.

    One worker is this process, where the tokenizer uses as many threads as it may; more are
    processes of their own. At most two chunks a worker are in memory.
    """
    if workers == 1:
        for label, chats in chunks:
            yield label, encoder.encode(chats)
        return
    # Forked children would inherit the locks of torch's and the tokenizer's threads.
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(encoder,)
    ) as pool:
        waiting: deque[tuple[T, Future[list[Marked | str]]]] = deque()
        try:
            for label, chats in chunks:
                waiting.append((label, pool.submit(_encode, chats)))
                if len(waiting) == 2 * workers:
                    yield _first_of(waiting)
            while waiting:
                yield _first_of(waiting)
        finally:
            for _, future in waiting:
                future.cancel()


def _first_of(
    waiting: deque[tuple[T, Future[list[Marked | str]]]],
) -> tuple[T, list[Marked | str]]:
    label, done = waiting.popleft()
    return label, done.result()


_encoder: Encoder


def _begin(encoder: Encoder) -> None:
    global _encoder  # noqa: PLW0603  what an initialiser of a process is for
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _encoder = encoder


def _encode(chats: Sequence[Chat]) -> list[Marked | str]:
    return _encoder.encode(chats)


def _marked(ids: list[int], offsets: list[Span], learnt: Sequence[Span]) -> Marked:
    """Mark the tokens that hold a character of what is learnt.

    A character of several tokens makes all of them learnt; a token without any characters
    counts as the character behind it.
    """
    tokens = np.array(ids, dtype=np.int32)
    places = np.array(offsets, dtype=np.int32).reshape(-1, 2)
    starts = places[:, 0]
    ends = np.maximum(places[:, 1], starts + 1)
    marked = np.zeros(len(tokens), dtype=bool)
    for first, behind in learnt:
        marked |= (starts < behind) & (ends > first)
    marked[:1] = False  # nothing stands before the first token to predict it from
    return np.where(marked, ~tokens, tokens)
