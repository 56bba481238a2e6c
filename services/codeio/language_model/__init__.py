"""Language models behind OpenAI-compatible endpoints: asked at speed, paid for once."""

from codeio.language_model.chat import ContextTooLong, LanguageModel, Message, Question, Reply

__all__ = ["ContextTooLong", "LanguageModel", "Message", "Question", "Reply"]
