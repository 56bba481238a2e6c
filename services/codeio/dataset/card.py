"""The data card: what the data set holds, under which licences, and how to make it again."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import jinja2
import yaml

from codeio.dataset.formats import COMMON
from codeio.dataset.splits import SPLITS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from codeio.dataset.formats import Format
    from codeio.dataset.summary import DatasetSummary, Provenance
    from codeio.runtime.settings import DatasetSettings

# What the hub knows as a licence; it spells SPDX identifiers in lower case.
_HUB_LICENCES = frozenset(
    {
        "0bsd",
        "apache-2.0",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsl-1.0",
        "cc0-1.0",
        "isc",
        "mit",
        "unlicense",
        "zlib",
    }
)
_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
_SIZE_NAMES = ("1K", "10K", "100K", "1M", "10M", "100M")
SOURCES_SHOWN = 50


def write_cards(  # noqa: PLR0913
    folder: Path,
    *,
    formats: Sequence[Format],
    summary: DatasetSummary,
    settings: DatasetSettings,
    seed: int,
    provenance: Provenance,
) -> None:
    """Write `README.md` into the folder and into each format's folder."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("codeio.dataset", "."),
        autoescape=False,  # noqa: S701  Markdown, whose cells are escaped by the filter below
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": _cell, "yaml": _yaml}
    template = environment.get_template("card.md.jinja")
    places = [(folder, formats, True), *((folder / form.name, [form], False) for form in formats)]
    for place, shown, whole in places:
        text = template.render(
            front_matter=_front_matter(shown, summary, whole=whole),
            formats=shown,
            default=shown[0],
            whole=whole,
            common=COMMON,
            splits=SPLITS,
            summary=summary,
            settings=settings,
            seed=seed,
            provenance=provenance,
            sources_shown=SOURCES_SHOWN,
        )
        (place / "README.md").write_text(text, encoding="utf-8")


def _front_matter(
    formats: Sequence[Format], summary: DatasetSummary, *, whole: bool
) -> dict[str, Any]:
    """Return the hub's metadata; the first format with rows is the default."""
    rows = summary.rows
    filled = [form for form in formats if any(rows[form.name].values())]
    configs: list[dict[str, Any]] = []
    for form in filled:
        folder = f"{form.name}/" if whole else ""
        # `datasets` refuses to load a split without rows, so it is not named here.
        files = [
            {"split": split, "path": f"{folder}{split}.parquet"}
            for split in SPLITS
            if rows[form.name][split]
        ]
        configs.append({"config_name": form.name, "data_files": files})
    if configs:
        configs[0]["default"] = True
    return {
        "pretty_name": "Code input and output prediction",
        "language": ["en"],
        "license": _hub_licences(summary),
        "size_categories": [_size_category(sum(rows[formats[0].name].values()))],
        "task_categories": ["text-generation"],
        "tags": ["code", "reasoning", "chain-of-thought", "synthetic", "verifiable", "codeio"],
        "configs": configs,
    }


def _hub_licences(summary: DatasetSummary) -> list[str]:
    found = set()
    for licence in summary.licences:
        name = licence.lower()
        found.add(name if name in _HUB_LICENCES else "other" if name else "unknown")
    return sorted(found) or ["unknown"]


def _size_category(rows: int) -> str:
    for number, size in enumerate(_SIZES):
        if rows < size:
            below = _SIZE_NAMES[number]
            return f"{_SIZE_NAMES[number - 1]}<n<{below}" if number else f"n<{below}"
    return "100M<n<1B"


def _cell(value: object) -> str:
    """Return text that stays one cell of a Markdown table, whatever it says."""
    text = " ".join(str(value).split())
    for mark in "\\`*_[]|":
        text = text.replace(mark, f"\\{mark}")
    return html.escape(text, quote=False)


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip()
