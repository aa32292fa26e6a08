"""Files of a work dir, in a folder or on object storage (s3://bucket/run): read and written whole.

A folder is a pathlib.Path, object storage a upath.UPath over fsspec with the same methods. Of object storage
only this is asked: to list, read and write whole objects, and to create an object only if it does not exist,
for the lock.
"""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from polypref.errors import InputError, Unavailable
from polypref.files import write_atomically

NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}


def open_path(place: str | Path) -> Path:
    """Return the path of a folder or of a URL.

    Raises InputError where the kind of storage is unknown, or its package is not installed.
    """
    if "://" not in str(place):
        return Path(place)
    try:
        from upath import UPath

        path = UPath(str(place))
        _ = path.fs  # imports the package for this kind of storage
    except (ImportError, ValueError) as error:
        raise InputError(
            f"{place}: {error}; object storage needs pip install 'polypref[object-storage]'"
        ) from None
    return cast(Path, path)


def is_local(path: Path) -> bool:
    return isinstance(path, Path) and not hasattr(path, "fs")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn errors of a disk or of object storage into Unavailable.

    A path that may not be used is an InputError. FileNotFoundError and FileExistsError pass: the caller knows
    what a file that is missing or there means.
    """
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        if error.errno in NOT_ALLOWED:
            raise InputError(f"{path}: {reason}; expected a place to read from and write to") from None
        raise Unavailable(f"{path}: {reason}; nothing made is lost, run again to continue") from None
    except Exception as error:
        if is_local(path):
            raise
        # Every client library of object storage has errors of its own for a storage that is away.
        reason = " ".join(str(error).split())
        raise Unavailable(
            f"{path}: {type(error).__name__}: {reason[:200]}; nothing made is lost, run again to continue"
        ) from None


def read_whole(path: Path) -> bytes:
    """Return a file's content. Raises FileNotFoundError, Unavailable, InputError."""
    with storage_errors(path):
        return path.read_bytes()


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Replace a file at once or not at all: by rename, or by one PUT. Raises Unavailable, InputError."""
    with storage_errors(path):
        if not is_local(path):
            path.write_bytes(content)
            return
        with write_atomically(path) as temporary, open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a small file of the work dir; empty if there is none."""
    try:
        text = read_whole(path)
    except FileNotFoundError:
        return {}
    try:
        content: dict[str, Any] = json.loads(text)
    except ValueError:
        raise InputError(f"{path}: not JSON; restore it or remove it") from None
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a small file of the work dir at once or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    write_whole(path, f"{text}\n".encode())


def create_object(path: Path, content: bytes) -> bool:
    """Write an object on object storage if it does not exist; return False if it does.

    Raises InputError where the bucket does not exist, Unavailable where the storage is away.
    """
    fs = path.fs  # type: ignore[attr-defined]
    try:
        with storage_errors(path):
            fs.pipe_file(path.path, content, mode="create")  # type: ignore[attr-defined]
    except FileExistsError:
        return False
    except FileNotFoundError:
        raise InputError(f"{path}: no such place; expected a bucket that exists") from None
    fs.invalidate_cache()
    return True
