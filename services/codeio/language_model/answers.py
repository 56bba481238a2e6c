"""The answers that are there already, by the keys of their questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.language_model.chat import ContextTooLong, Reply, model_name, question_key
from codeio.language_model.completions import REFUSED, TOO_LONG, request_parameters
from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from codeio.language_model.chat import Question
    from codeio.language_model.store import ResponseStore
    from codeio.language_model.tally import Tally
    from codeio.runtime.settings import TeacherSettings


class Answers:
    """What the response store holds for one model and its parameters."""

    def __init__(self, store: ResponseStore, *, settings: TeacherSettings, tally: Tally) -> None:
        self.model = settings.model
        self.parameters = request_parameters(settings)
        self.name = model_name(self.model, self.parameters)
        self.tally = tally
        self._store = store

    def key(self, question: Question) -> str:
        return question_key(question, model=self.model, parameters=self.parameters)

    async def kept(self, key: str, question: Question) -> Reply | None:
        """Return the answer that is there under the question's key.

        Raises:
            ContextTooLong, Rejected: it is the word that the question was refused.
            Stopped: the store cannot be read.
        """
        text = await self._store.get(key)
        if text is None:
            return None
        reply = Reply.from_text(text)
        if reply.finish_reason == TOO_LONG:
            raise ContextTooLong("the provider refused it in a batch")
        if reply.finish_reason == REFUSED:
            raise Rejected(reason=REFUSED, detail="the provider refused it in a batch")
        self.tally.count(question, reply, stored=True)
        return reply

    async def keep(self, key: str, question: Question, reply: Reply) -> None:
        """Keep an answer that is about to be used under the question's key.

        Raises:
            Stopped: the store cannot be written.
        """
        self.tally.count(question, reply, stored=False)
        await self._store.put(key, reply.to_text())
