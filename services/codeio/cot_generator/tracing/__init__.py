"""The teacher `trace`: rationales told from the trace of the program itself."""

from codeio.cot_generator.tracing.teacher import TraceTeacher

__all__ = ["TraceTeacher"]
