"""Whole files: replaced so that a reader finds the old content or the new, and identified by SHA-256."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polypref.errors import InputError


def refuse_folder(path: Path) -> None:
    """Raise InputError if a file is to be written where there is a folder."""
    if path.is_dir():
        raise InputError(f"{path}: found a folder, expected a file to write")


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; the file or folder written there then replaces `path`.

    After an error `path` is as it was and the temporary file is gone. A process that is killed leaves its
    temporary file behind. The data is not flushed to the disk: where a power cut must not lose it, call fsync
    inside the block.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A process id would not do: workers on several machines write to one shared disk.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
