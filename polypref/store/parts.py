"""Tables on disk, in parquet parts: views that can be made again from answers at no cost.

A part holds the rows of one language whose prompt ids hash to its number. It carries, in the file's own metadata,
the key of what it was made from, so a part whose key still holds is not made again.
"""

import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from polypref.errors import InputError
from polypref.schemas import cast
from polypref.store.storage import is_local, write_whole


@dataclass(frozen=True, slots=True)
class About:
    """What a part says of itself; `incomplete` counts the calls that failed for now, its inputs' included."""

    key: str
    rows: int
    incomplete: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """One parquet file of one table and language."""

    path: Path

    @property
    def number(self) -> int:
        return int(self.path.stem)

    def about(self) -> About | None:
        """What the part says of itself; None where it was not made yet."""
        try:
            return About(**json.loads(pl.read_parquet_metadata(self._source())["polypref"]))
        except FileNotFoundError:
            return None
        except (pl.exceptions.PolarsError, KeyError, ValueError, TypeError):
            raise InputError(
                f"{self.path}: not a part that polypref wrote; remove it and run again"
            ) from None

    def read(self) -> pl.DataFrame:
        return pl.read_parquet(self._source(), glob=False)

    def _source(self) -> Path | io.BytesIO:
        return self.path if is_local(self.path) else io.BytesIO(self.path.read_bytes())

    def write(self, frame: pl.DataFrame, table: str, key: str, incomplete: int) -> About:
        """Writes the rows, cast to `table` and sorted by its key, in place of the file at once or not at all."""
        frame = cast(frame, table)
        rejected = (
            Counter(frame["rejected_by"].drop_nulls().to_list())
            if "rejected_by" in frame.columns
            else Counter[str]()
        )
        about = About(key, frame.height, incomplete, dict(sorted(rejected.items())))
        content = io.BytesIO()  # polars' own way to the file would hide which error of the disk it was
        frame.write_parquet(content, metadata={"polypref": json.dumps(asdict(about), ensure_ascii=False)})
        write_whole(self.path, content.getbuffer())
        return about


def number_of(prompt_id: str, parts: int) -> int:
    """The number of the part in which a prompt's rows lie, in every table and language."""
    return int(prompt_id, 16) % parts


def read_parts(parts: Iterable[Part]) -> pl.DataFrame:
    """The rows of several parts of one table, in their order."""
    return pl.concat([part.read() for part in parts])
