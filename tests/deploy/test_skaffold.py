"""skaffold.yaml refers to what is there."""

from __future__ import annotations

import re

import yaml

from tests.deploy.chart import CHART, ROOT, render
from tests.deploy.test_images import BUILD, IMAGES

SKAFFOLD = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
PROFILES = {profile["name"]: profile for profile in SKAFFOLD["profiles"]}


def test_it_builds_the_images_as_the_script_does() -> None:
    built = {artifact["image"]: artifact for artifact in SKAFFOLD["build"]["artifacts"]}
    # The trainer's are large: they are built where a profile asks for them.
    patched = [patch["value"] for each in PROFILES.values() for patch in each.get("patches", ())]
    built |= {each["image"]: each for each in patched if isinstance(each, dict) and "image" in each}
    assert {name.removeprefix("codeio-") for name in built} == {*IMAGES, "trainer-cpu"}
    for name, artifact in built.items():
        docker = artifact["docker"]
        assert (ROOT / artifact.get("context", ".") / docker["dockerfile"]).exists()
        image = name.removeprefix("codeio-")
        if image.startswith("trainer") and image != "trainer-launcher":
            variant = "cpu" if image == "trainer-cpu" else "cuda"
            assert docker["buildArgs"] == {"NAME": image, "VARIANT": variant}
        elif image != "sandbox":
            told = re.search(
                rf"{image}[a-z|-]*\) file=service extra=(\S+) packages=(\S*) ;;", BUILD
            )
            assert told
            wanted = {"EXTRA": told[1].replace("$image", image), "NAME": image}
            if told[2]:
                wanted["PACKAGES"] = told[2]
            assert docker["buildArgs"] == wanted


def releases() -> list[dict]:  # type: ignore[type-arg]
    return [
        release
        for part in (SKAFFOLD, *SKAFFOLD["profiles"])
        for release in part.get("deploy", {}).get("helm", {}).get("releases", ())
    ]


def test_what_it_gives_the_chart_is_taken() -> None:
    assert releases()
    for release in releases():
        assert ROOT / release["chartPath"] == CHART
        files = release.get("valuesFiles", ())
        for file in files:
            assert (ROOT / file).exists()
        values = {**release.get("setValues", {}), **release.get("setValueTemplates", {})}
        options = [f"--values={ROOT / file}" for file in files]
        for key, value in values.items():
            plain = re.sub(r"\{\{.*?\}\}", "made", str(value))
            options.append(f"--set={key}={plain}")
        render(None, *options)


def test_its_profiles_and_ports() -> None:
    assert {"kind", "gpu"} <= PROFILES.keys()
    services = {
        m["metadata"]["name"]: {port["port"] for port in m["spec"]["ports"]}
        for m in render("trial-values.yaml")
        if m["kind"] == "Service"
    }
    local = []
    for forward in SKAFFOLD["portForward"]:
        assert forward["port"] in services[forward["resourceName"]]
        local.append(forward["localPort"])
    assert len(set(local)) == len(local) >= 4
