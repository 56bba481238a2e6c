# syntax=docker/dockerfile:1
# What the pods of a training run have: the trainer and the evaluation, with torch.
#
#   deploy/docker/build trainer         # for GPUs
#   deploy/docker/build trainer-cpu     # for tests on machines without any; it cannot use a GPU
#
# CUDA comes with torch's wheels; the driver comes from the node, by NVIDIA's container runtime.

# Both stages from the same image, as the virtual environment links to its interpreter.
ARG PYTHON_IMAGE=docker.io/library/python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ARG VARIANT=cuda
# A compiler for the stand-ins alone.
RUN case "${VARIANT}" in cuda) ;; \
    cpu) apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null ;; \
    *) echo "VARIANT is cuda or cpu, not ${VARIANT}" >&2; exit 2 ;; esac
RUN python3 -m venv /opt/codeio \
 && /opt/codeio/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check hatchling==1.33.0 uv==0.13.9
# Dependencies in a layer of their own, which a change of the code leaves as it is.
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY services/codeio/__init__.py services/codeio/__init__.py
COPY deploy/docker/cpu_torch.py deploy/docker/cpu_torch.txt /src/
# uv can leave out what a package wants, which pip cannot. It trusts whom the system trusts.
ENV UV_SYSTEM_CERTS=1
RUN [ "${VARIANT}" = cuda ] || without="--overrides cpu_torch.txt nvidia-cuda-runtime"; \
    /opt/codeio/bin/uv pip install --quiet --no-cache --python /opt/codeio/bin/python \
      --no-build-isolation-package codeio --constraint requirements.lock ${without:-} ".[evaluation]" \
 && { [ "${VARIANT}" = cuda ] || /opt/codeio/bin/python cpu_torch.py /opt/codeio/lib/python3*/site-packages; } \
 && /opt/codeio/bin/python -c "import torch"
COPY services services
RUN /opt/codeio/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
      --no-build-isolation --no-deps --force-reinstall .
# What the image holds, as a CycloneDX bill of materials.
COPY deploy/docker/sbom.py /src/
RUN python3 -m venv /opt/sbom \
 && /opt/sbom/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check cyclonedx-bom==7.5.0 \
 && /opt/sbom/bin/python sbom.py /opt/codeio /opt/codeio/sbom.cdx.json
RUN /opt/codeio/bin/python -m pip uninstall --quiet --yes pip hatchling uv

FROM ${PYTHON_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG NAME
ARG VARIANT=cuda
LABEL org.opencontainers.image.title="codeio-${NAME}" \
      org.opencontainers.image.description="codeio's trainer; variant ${VARIANT}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      dev.codeio.variant="${VARIANT}"
# With `execution.compile` and for attention kernels, Triton compiles in the pod. NCCL loads
# libibverbs where a pod has an adapter for InfiniBand or RoCE.
RUN [ "${VARIANT}" = cpu ] || { apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends gcc libc6-dev libibverbs1 ibverbs-providers >/dev/null \
 && rm -rf /var/lib/apt/lists/*; }
COPY --from=build /opt/codeio /opt/codeio
ENV PATH=/opt/codeio/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
# No name in /etc/passwd: a number is what Kubernetes can check for being no root.
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["codeio"]
