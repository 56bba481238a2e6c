"""Whether the hub can be reached; a process that could not does without it from then on."""

from __future__ import annotations

import os
import time

_SECONDS = 5.0
_WAITS = (1.0, 3.0)
"""Seconds before another try: the network of a pod may begin after the pod does."""

UNREACHED = "the hub cannot be reached"


def reach_hub() -> bool:
    """Return whether the hub answers, and stay with what is in the cache if it does not.

    Its client would try each file of each model and data set again and again.
    """
    # Both read the environment once, when they are imported.
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "5")
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "30")
    import datasets  # noqa: PLC0415
    from huggingface_hub import constants  # noqa: PLC0415

    if constants.HF_HUB_OFFLINE or datasets.config.HF_HUB_OFFLINE:
        return False
    if _answers():
        return True
    constants.HF_HUB_OFFLINE = True
    datasets.config.HF_HUB_OFFLINE = True
    return False


def _answers() -> bool:
    import httpx  # noqa: PLC0415
    from huggingface_hub import constants  # noqa: PLC0415

    for wait in (0.0, *_WAITS):
        time.sleep(wait)
        try:
            httpx.head(constants.ENDPOINT, timeout=_SECONDS)
        except httpx.HTTPError:
            continue
        return True
    return False
