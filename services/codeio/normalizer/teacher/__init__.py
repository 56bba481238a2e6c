"""From raw files to programs, and past the filters, by a language model."""

from codeio.normalizer.teacher.category import CategoryFilter
from codeio.normalizer.teacher.completion import CompletionFilter
from codeio.normalizer.teacher.modes import FilteredNormalizer, StaticThenTeacher
from codeio.normalizer.teacher.stage import TeacherNormalizer

__all__ = [
    "CategoryFilter",
    "CompletionFilter",
    "FilteredNormalizer",
    "StaticThenTeacher",
    "TeacherNormalizer",
]
