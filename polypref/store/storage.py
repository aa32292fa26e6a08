"""Where a work dir lies: a folder, or object storage by its URL (s3://bucket/run), both as a path with pathlib's methods.

A folder is a pathlib.Path. Object storage is a upath.UPath over fsspec: reading and writing whole objects is all that is
asked of it, and creating one only where there is none, for the lock.
"""

import os
from pathlib import Path
from typing import cast

from polypref.errors import InputError
from polypref.files import write_atomically


def open_path(where: str | Path) -> Path:
    """Raises InputError where the kind of storage is unknown, or its package is not installed."""
    if "://" not in str(where):
        return Path(where)
    try:
        from upath import UPath

        found = UPath(str(where))
        _ = found.fs
    except (ImportError, ValueError) as error:
        raise InputError(
            f"{where}: {error}; object storage needs pip install 'polypref[object-storage]'"
        ) from None
    return cast(Path, found)


def is_local(path: Path) -> bool:
    return isinstance(path, Path) and not hasattr(path, "fs")


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Writes a file in place of the old one, at once or not at all: by rename, or by one PUT."""
    if not is_local(path):
        path.write_bytes(content)
        return
    with write_atomically(path) as temporary, open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def create(path: Path, content: bytes) -> bool:
    """Writes an object where there is none; whether there was none. For object storage."""
    fs = path.fs  # type: ignore[attr-defined]
    try:
        fs.pipe_file(path.path, content, mode="create")  # type: ignore[attr-defined]
    except FileExistsError:
        return False
    fs.invalidate_cache()
    return True
