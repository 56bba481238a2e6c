"""What the launcher tells a pod by environment variables, and the trainer reads."""

RUN = "CODEIO_TRAINING_RUN"
"""The manifest as JSON."""
COORDINATOR = "CODEIO_TRAINING_COORDINATOR"
"""The host of the first pod."""
METRICS_PORT = "CODEIO_TRAINING_METRICS_PORT"
"""Where the first process answers HTTP."""

# How the verifier is reached; `codeio.rewards.scoring` reads these and tells of each.
VERIFIER_ADDRESS = "CODEIO_VERIFIER_ADDRESS"
"""Who grades predicted outputs and inputs, as HOST:PORT."""
VERIFIER_TOKEN = "CODEIO_VERIFIER_TOKEN"  # noqa: S105  (a name)
VERIFIER_TOKEN_FILE = "CODEIO_VERIFIER_TOKEN_FILE"  # noqa: S105  (a name)
VERIFIER_CA_FILE = "CODEIO_VERIFIER_CA_FILE"
VERIFIER_CERTIFICATE_FILE = "CODEIO_VERIFIER_CERTIFICATE_FILE"
VERIFIER_KEY_FILE = "CODEIO_VERIFIER_KEY_FILE"
