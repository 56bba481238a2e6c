"""The normalizer behind gRPC: makes programs of other teams' files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeio.runtime.admission import Admission
from codeio.runtime.errors import Rejected, UsageError
from codeio.runtime.policy import rejection_of
from codeio.runtime.records import file_id
from codeio.v1.execution_pb2 import Priority
from codeio.v1.normalizer_service_pb2 import NormalizeResponse
from codeio.v1.normalizer_service_pb2_grpc import NormalizerServiceServicer
from codeio.v1.records_pb2 import Program, RawFile, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    from codeio.runtime.settings import Settings
    from codeio.runtime.stage import Stage
    from codeio.v1.normalizer_service_pb2 import NormalizeRequest


class NormalizerServicer(NormalizerServiceServicer):
    """Hands a file to the stage, and returns what follows from it."""

    def __init__(self, stage: Callable[[], Stage], *, slots: int, settings: Settings) -> None:
        """Serve the stage, which is known once it is up, for `slots` files at a time."""
        self._stage = stage
        self._max_bytes = settings.collect.max_bytes
        self._admission = Admission(
            slots=slots, waiting_batch=settings.normalizer.waiting, what="places"
        )

    async def Normalize(
        self, request: NormalizeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> NormalizeResponse:
        file = self._checked(request.file)
        stage, response = self._stage(), NormalizeResponse()
        with self._admission.admit(Priority.PRIORITY_BATCH):
            try:
                async for record in stage.handle(file):
                    if isinstance(record, Program):
                        response.programs.append(record)
                    elif isinstance(record, Rejection):
                        response.rejections.append(record)
            except Rejected as refusal:
                response.rejections.append(rejection_of(file, refusal, stage=stage.name))
        return response

    def _checked(self, file: RawFile) -> RawFile:
        """Return the file with its id.

        Raises:
            UsageError: there is nothing in it, or too much.
        """
        if not (file.content or file.HasField("program")):
            raise UsageError("the file is empty; give content or program")
        size = len(file.content.encode())
        if size > self._max_bytes:
            raise UsageError(
                f"the file has {size:,} bytes, and the limit is {self._max_bytes:,}; "
                "give a part of it"
            )
        if file.file_id:
            return file
        named = RawFile()
        named.CopyFrom(file)
        named.file_id = file_id(file.content)
        return named
