"""What the images are made of, as far as that shows without building them."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
import yaml

from tests.deploy.chart import CHART, ROOT, SCENARIOS, pods, rendered, variables

DOCKER = ROOT / "deploy" / "docker"
BUILD = (DOCKER / "build").read_text()
IMAGES = tuple(re.search(r"^images=\((.*)\)$", BUILD, re.MULTILINE)[1].split())  # type: ignore[index]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

DOCKERFILES = ("service.Dockerfile", "sandbox.Dockerfile", "trainer.Dockerfile")
# Packages that the command line wants, and a compiler for kernels of a GPU.
_PACKAGES = (
    '[ -z "${PACKAGES}" ] || { apt-get update -qq \\',
    '[ "${VARIANT}" = cpu ] || { apt-get update -qq \\',
)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_is_small_pinned_and_nobodys(name: str) -> None:
    text = (DOCKER / name).read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert stages == ["${PYTHON_IMAGE}"] * 2
    base = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", text, re.MULTILINE)
    assert base
    assert re.fullmatch(r"\S+:\d+\.\d+\.\d+-slim-\w+", base[1])
    final = text.rpartition("\nFROM ")[2]
    assert "USER 65532:65532" in final
    # Nothing of the build: packages alone.
    assert re.findall(r"^RUN (.*)", final, re.MULTILINE) in ([], *([each] for each in _PACKAGES))
    assert "org.opencontainers.image.version" in final
    assert "sbom.cdx.json" in text
    # What is not in the lock is pinned where it stands.
    for requirement in re.findall(r"pip install(?:.|\\\n)*?(?:&&|$)", text, re.MULTILINE):
        for word in re.findall(r" ([a-z][a-z-]+(?:==\S+)?)(?= |\n|$)", requirement):
            assert "==" in word or word in ("pip", "install", "codeio"), word


def test_each_image_installs_an_extra_that_exists() -> None:
    for names, extra in re.findall(r"^    (\S+)\) file=service extra=(\S+)", BUILD, re.MULTILINE):
        for image in names.split("|"):
            assert image in IMAGES
            assert set(extra.replace("$image", image).split(",")) <= EXTRAS.keys()
    assert ".[executor]" in (DOCKER / "sandbox.Dockerfile").read_text()


def test_the_chart_uses_the_images_that_are_built() -> None:
    used = {
        re.sub(r"^.*/?codeio-|:.*$", "", container["image"])
        for scenario in SCENARIOS
        for _, spec in pods(rendered(scenario))
        for container in spec["containers"]
        if "codeio-" in container["image"]
    }
    # The launcher is told of the trainer's.
    used |= {
        re.sub(r"^.*/?codeio-|:.*$", "", told["CODEIO_TRAINER_LAUNCHER__IMAGE"])
        for told in (variables(rendered("training-values.yaml"), "trainer-launcher"),)
    }
    assert used == set(IMAGES)


def test_what_cannot_use_a_gpu_is_not_to_be_mistaken() -> None:
    """It has another name and a label, is built on request alone, and no values name it."""
    assert "trainer-cpu" not in IMAGES
    text = (DOCKER / "trainer.Dockerfile").read_text()
    assert 'dev.codeio.variant="${VARIANT}"' in text
    assert set(re.findall(r"^ARG VARIANT=(.*)$", text, re.MULTILINE)) == {"cuda"}
    assert '[ "$image" = trainer-cpu ] && arguments+=(--build-arg "NAME=$image"' in BUILD
    for scenario in SCENARIOS:
        assert "trainer-cpu" not in str(rendered(scenario))


def test_the_trainers_image_leaves_out_what_only_gpus_need() -> None:
    left_out = [
        line.partition(" ;")[0]
        for line in (DOCKER / "cpu_torch.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    locked = (ROOT / "requirements.lock").read_text()
    for name in left_out:
        assert re.search(rf"^{name}==", locked, re.MULTILINE), name
    assert "nvidia-cuda-runtime" not in left_out
    assert re.search(r"^nvidia-cuda-runtime==", locked, re.MULTILINE)
    assert ".[evaluation]" in (DOCKER / "trainer.Dockerfile").read_text()
    assert "evaluation" in EXTRAS


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (project, project)


def test_the_build_says_what_is_wrong() -> None:
    done = subprocess.run(
        [DOCKER / "build", "exekutor"],
        env={"PATH": "/usr/bin:/bin", "BUILDER": "buildah"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("there is no image exekutor; there are normalizer, executor")


def test_a_build_takes_no_more_than_it_needs() -> None:
    kept = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for name in DOCKERFILES:
        text = (DOCKER / name).read_text()
        for copied in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
            for source in copied.split():
                assert any(source == each or source.startswith(f"{each}/") for each in kept), source
                assert (ROOT / source).exists()
