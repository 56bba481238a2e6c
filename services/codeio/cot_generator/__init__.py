"""From tasks to attempts: prompts, teachers and revisions."""

from codeio.cot_generator.generator import CotGenerator
from codeio.cot_generator.grounded import ClaimCheck, GroundedTeacher
from codeio.cot_generator.model_teacher import ModelTeacher
from codeio.cot_generator.teacher import Teacher
from codeio.cot_generator.tracing import TraceTeacher

__all__ = [
    "ClaimCheck",
    "CotGenerator",
    "GroundedTeacher",
    "ModelTeacher",
    "Teacher",
    "TraceTeacher",
]
