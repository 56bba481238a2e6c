# syntax=docker/dockerfile:1
# What a sandbox pod runs: an interpreter, codeio, and the packages of the guest's lock
# that programs may import. Untrusted code runs in it, so there is nothing else.

ARG PYTHON_IMAGE=docker.io/library/python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null \
 && python3 -m venv /opt/codeio \
 && /opt/codeio/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check hatchling==1.33.0
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY services/codeio/__init__.py services/codeio/__init__.py
RUN /opt/codeio/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
      --no-build-isolation --constraint requirements.lock ".[executor]"
# The guest's packages change with its lock alone.
COPY services services
RUN /opt/codeio/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
      --no-build-isolation --no-deps --force-reinstall .
RUN /opt/codeio/bin/python -c "from pathlib import Path; \
from codeio.executor.sandbox.guest_environment import build_guest_environment; \
build_guest_environment(Path('/opt/codeio/home'), say=print)"
COPY deploy/docker/sbom.py /src/
RUN python3 -m venv /opt/sbom \
 && /opt/sbom/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check cyclonedx-bom==7.5.0 \
 && /opt/sbom/bin/python sbom.py /opt/codeio /opt/codeio/sbom.cdx.json /opt/codeio/home/guest/*-*.*/
RUN /opt/codeio/bin/python -m pip uninstall --quiet --yes pip hatchling

FROM ${PYTHON_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="codeio-sandbox" \
      org.opencontainers.image.description="codeio's sandbox: runs programs inside gVisor" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/codeio /opt/codeio
ENV PATH=/opt/codeio/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CODEIO_SANDBOX__HOME=/opt/codeio/home \
    HOME=/tmp
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["codeio", "serve", "sandbox"]
