"""From tasks to attempts: prompts, teachers and revisions."""

from codeio.cot_generator.generator import CotGenerator
from codeio.cot_generator.teacher import Teacher
from codeio.cot_generator.tracing import TraceTeacher

__all__ = ["CotGenerator", "Teacher", "TraceTeacher"]
