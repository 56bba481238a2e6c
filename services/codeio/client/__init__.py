"""What other teams import: clients of the services, for threads or for asyncio.

    with ExecutorClient("executor.codeio:50051") as executor:
        for result in executor.stream(code, [{"n": 1}, {"n": 2}]):
            print(result.output_json)

    with VerifierClient("verifier.codeio:50051") as verifier:
        print(verifier.verify(Answer(response, output_json="42")).reward)

They spread calls over all replicas, leave out those that are stopping, and
try again, within the deadline, where a server is busy or cannot be reached; a
busy server says when. They need grpcio and protobuf and nothing else of codeio.
"""

from codeio.client.cot_generator import AsyncCotGeneratorClient, CotGeneratorClient
from codeio.client.errors import (
    AlreadyExists,
    ClientError,
    DeadlineExceeded,
    ExecutorError,
    InvalidRequest,
    NotFound,
    Overloaded,
    PermissionDenied,
    Refused,
    Unauthenticated,
    Unavailable,
)
from codeio.client.executor import AsyncExecutorClient, ExecutorClient
from codeio.client.normalizer import AsyncNormalizerClient, NormalizerClient
from codeio.client.security import Tls
from codeio.client.trainer_launcher import AsyncTrainerLauncherClient, TrainerLauncherClient
from codeio.client.verifier import Answer, AsyncVerifierClient, Judgement, VerifierClient

__all__ = [
    "AlreadyExists",
    "Answer",
    "AsyncCotGeneratorClient",
    "AsyncExecutorClient",
    "AsyncNormalizerClient",
    "AsyncTrainerLauncherClient",
    "AsyncVerifierClient",
    "ClientError",
    "CotGeneratorClient",
    "DeadlineExceeded",
    "ExecutorClient",
    "ExecutorError",
    "InvalidRequest",
    "Judgement",
    "NormalizerClient",
    "NotFound",
    "Overloaded",
    "PermissionDenied",
    "Refused",
    "Tls",
    "TrainerLauncherClient",
    "Unauthenticated",
    "Unavailable",
    "VerifierClient",
]
