"""Tables in parquet parts: views of answers, which can be made again at no cost.

A part holds the rows of one language whose prompt ids hash to its number. Its metadata holds the key of what
it was made from, so that a part is made again only if that has changed.
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
from polypref.store.storage import is_local, read_whole, write_whole


@dataclass(frozen=True, slots=True)
class PartInfo:
    """The metadata of a part. `incomplete` counts the calls that failed for now, in its inputs too."""

    key: str
    rows: int
    incomplete: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """The number of rows that nothing rejected."""
        return self.rows - sum(self.rejected.values())

    @property
    def failures(self) -> int:
        """The number of rows whose call failed for good."""
        return self.rejected.get("failed_call", 0)


@dataclass(frozen=True, slots=True)
class Part:
    """One parquet file of one table and language; it need not exist yet."""

    path: Path

    @property
    def number(self) -> int:
        return int(self.path.stem)

    def read_info(self) -> PartInfo | None:
        """Return the part's metadata, or None if it was not made yet.

        Raises InputError if polypref did not write the file.
        """
        try:
            metadata = pl.read_parquet_metadata(self._source())
            return PartInfo(**json.loads(metadata["polypref"]))
        except FileNotFoundError:
            return None
        except (pl.exceptions.PolarsError, KeyError, ValueError, TypeError):
            raise InputError(
                f"{self.path}: not a part that polypref wrote; remove it and run again"
            ) from None

    def read(self) -> pl.DataFrame:
        return pl.read_parquet(self._source(), glob=False)

    def _source(self) -> Path | io.BytesIO:
        return self.path if is_local(self.path) else io.BytesIO(read_whole(self.path))

    def write(self, frame: pl.DataFrame, table: str, key: str, incomplete: int) -> PartInfo:
        """Replace the part by these rows, cast to `table` and sorted by its key, at once or not at all."""
        frame = cast(frame, table)
        rejected: Counter[str] = Counter()
        if "rejected_by" in frame.columns:
            rejected.update(frame["rejected_by"].drop_nulls())
        info = PartInfo(key, frame.height, incomplete, dict(sorted(rejected.items())))
        content = io.BytesIO()  # writing to the path, polars would hide the errno of a full disk
        frame.write_parquet(content, metadata={"polypref": json.dumps(asdict(info), ensure_ascii=False)})
        write_whole(self.path, content.getbuffer())
        return info


def part_number(prompt_id: str, parts: int) -> int:
    """Return the number of the part that holds a prompt's rows, in every table and language."""
    return int(prompt_id, 16) % parts


def read_infos(parts: Iterable[Part]) -> list[PartInfo]:
    """Return the metadata of the parts that exist."""
    infos = [part.read_info() for part in parts]
    return [info for info in infos if info is not None]


def read_parts(parts: Iterable[Part]) -> pl.DataFrame:
    """Return the rows of several parts of one table, in their order."""
    return pl.concat([part.read() for part in parts])
