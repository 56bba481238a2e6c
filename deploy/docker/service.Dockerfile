# syntax=docker/dockerfile:1
# One service and what its extra of pyproject.toml installs: nothing of the others.
#
#   deploy/docker/build executor        # or all of them; docker or buildah, whichever is there

# Both stages from the same image, as the virtual environment links to its interpreter.
ARG PYTHON_IMAGE=docker.io/library/python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python3 -m venv /opt/codeio \
 && /opt/codeio/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check hatchling==1.33.0
# Dependencies in a layer of their own, which a change of the code leaves as it is.
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY services/codeio/__init__.py services/codeio/__init__.py
ARG EXTRA
RUN /opt/codeio/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
      --no-build-isolation --constraint requirements.lock ".[${EXTRA}]"
COPY services services
RUN /opt/codeio/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
      --no-build-isolation --no-deps --force-reinstall .
# What the image holds, as a CycloneDX bill of materials.
COPY deploy/docker/sbom.py /src/
RUN python3 -m venv /opt/sbom \
 && /opt/sbom/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check cyclonedx-bom==7.5.0 \
 && /opt/sbom/bin/python sbom.py /opt/codeio /opt/codeio/sbom.cdx.json
# Whoever runs a service installs nothing; the executor's `pip` is for laptops.
RUN /opt/codeio/bin/python -m pip uninstall --quiet --yes pip hatchling

FROM ${PYTHON_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG NAME
LABEL org.opencontainers.image.title="codeio-${NAME}" \
      org.opencontainers.image.description="codeio's ${NAME}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# Of the distribution; for the command line alone.
ARG PACKAGES
RUN [ -z "${PACKAGES}" ] || { apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends ${PACKAGES} >/dev/null \
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
