"""Makes the data set's folder.

    out/
        README.md                        the data card; `load_dataset(out)` reads it
        manifest.json                    the summary, and the sha256 of every file
        FORMAT/{train,validation,test}.{parquet,jsonl}
        FORMAT/README.md                 so that a format's folder loads on its own

The folder is written beside its place and renamed when whole: an interrupted
export leaves what was there before.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from typing import TYPE_CHECKING

from codeio.dataset.card import write_cards
from codeio.dataset.files import digests, write_split
from codeio.dataset.formats import Placed, formats_named
from codeio.dataset.snapshot import open_snapshot
from codeio.dataset.splits import SPLITS, check_shares
from codeio.dataset.summary import DatasetSummary, Provenance, summarise
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from codeio.dataset.formats import Format
    from codeio.dataset.snapshot import Snapshot
    from codeio.runtime.settings import DatasetSettings
    from codeio.v1.records_pb2 import Sample

MANIFEST = "manifest.json"


def export(  # noqa: PLR0913
    samples: Iterable[Sample],
    out: Path,
    *,
    settings: DatasetSettings,
    formats: Sequence[str] = (),
    seed: int = 0,
    provenance: Provenance | None = None,
) -> DatasetSummary:
    """Write the samples to the folder `out` as a data set and return what was counted.

    The order of the samples does not matter, and memory does not grow with
    their number. A data set that is there already is replaced. `formats` are
    those of the settings unless given.

    Raises:
        UsageError: a format or the shares of the splits cannot be, or `out` is
            something else than a data set of codeio.
    """
    names = tuple(formats) or settings.formats
    formats_named(names)
    check_shares(settings.splits)
    selection = _selection(settings)
    out = out.resolve()
    _check_place(out)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        with open_snapshot(partial / "snapshot.sqlite") as snapshot:
            snapshot.add(samples)
            snapshot.settle(
                threshold=settings.near_duplicate_threshold, shares=settings.splits, seed=seed
            )
            turns = snapshot.count("SELECT max(turns) FROM samples")
            chosen = formats_named(names, most_turns=turns)
            rows = {
                form.name: _write_format(form, snapshot, partial, selection=selection)
                for form in chosen
            }
            summary = summarise(snapshot, rows=rows, samples_read=snapshot.read)
        write_cards(
            partial,
            formats=chosen,
            summary=summary,
            settings=settings,
            seed=seed,
            provenance=provenance or Provenance(),
        )
        manifest = {"summary": summary.to_json(), "sha256": digests(partial)}
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        _put_in_place(partial, out)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
    except sqlite3.OperationalError as error:  # such as a full disk
        raise UsageError(f"cannot write {out}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return summary


def _selection(settings: DatasetSettings) -> str:
    """Return what the settings ask of a sample, as a condition on the snapshot.

    Raises:
        UsageError: the band of pass rates is none.
    """
    conditions = ["TRUE"]
    if settings.pass_rate is not None:
        low, high = settings.pass_rate
        if not 0 <= low <= high <= 1:
            raise UsageError(
                f"dataset.pass_rate is {low:g} to {high:g}; a band goes from a share of 0 or more "
                "to one of 1 or less"
            )
        conditions.append(f"pass_rate BETWEEN {low} AND {high}")
    if settings.statements != "any":
        conditions.append("contradicted = 0")
    if settings.statements == "supported":
        conditions.append("supported > 0")
    return " AND ".join(conditions)


def _write_format(
    form: Format, snapshot: Snapshot, folder: Path, *, selection: str
) -> dict[str, int]:
    (folder / form.name).mkdir()
    return {
        split: write_split(
            (
                form.row(Placed(sample, split, index, pass_rate))
                for index, (sample, pass_rate) in enumerate(
                    snapshot.samples(split, where=f"({form.where}) AND {selection}")
                )
            ),
            schema=form.schema,
            folder=folder / form.name,
            split=split,
        )
        for split in SPLITS
    }


def _check_place(out: Path) -> None:
    if not out.exists() or (out / MANIFEST).is_file():
        return
    if not out.is_dir() or any(out.iterdir()):
        raise UsageError(
            f"{out} is there and is no data set of codeio; name another place or remove it"
        )


def _put_in_place(partial: Path, out: Path) -> None:
    previous = out.with_name(f".{out.name}.previous")
    shutil.rmtree(previous, ignore_errors=True)
    if out.exists():
        out.replace(previous)
    partial.replace(out)
    shutil.rmtree(previous, ignore_errors=True)
