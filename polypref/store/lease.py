"""The lock of a work dir on object storage: a lease that expires, since nobody there notices that its holder died.

Leases are numbered objects. A new one is created, by a PUT that fails where the object exists, when the last one has run
out; so of two that try, one gets it. The holder renews its own; one that could not in time finds a newer lease and stops.
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from polypref.errors import InputError
from polypref.store.storage import create

LEASE_SECONDS = 60.0


class Lease:
    """Held from its creation to `release()`; `lost` is called, in another thread, when another run has taken it."""

    def __init__(self, folder: Path, holder: str, lost: Callable[[], None]) -> None:
        self._folder, self._holder, self._lost = folder, holder, lost
        number, last = self._newest()
        if last and float(last["until"]) > time.time():
            raise InputError(f"{folder.parent}: in use by {last['holder']}; one work dir, one run")
        self._path = folder / f"{number + 1:08}.json"
        if not create(self._path, self._content(LEASE_SECONDS)):
            raise InputError(f"{folder.parent}: taken by another run this moment; one work dir, one run")
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def _content(self, seconds: float) -> bytes:
        return json.dumps({"holder": self._holder, "until": time.time() + seconds}).encode()

    def _newest(self) -> tuple[int, dict[str, float | str] | None]:
        self._folder.fs.invalidate_cache()  # type: ignore[attr-defined]
        leases = sorted(self._folder.glob("*.json"), key=lambda path: path.name)
        return (int(leases[-1].stem), json.loads(leases[-1].read_bytes())) if leases else (0, None)

    def _renew(self) -> None:
        until = time.monotonic() + LEASE_SECONDS
        while not self._released.wait(LEASE_SECONDS / 4):
            try:
                taken = self._newest()[0] != int(self._path.stem)
                if not taken:
                    self._path.write_bytes(self._content(LEASE_SECONDS))
                    until = time.monotonic() + LEASE_SECONDS
            except Exception:  # the storage is away; every client library has errors of its own
                taken = time.monotonic() > until
            if taken:
                self._lost()
                return

    def release(self) -> None:
        self._released.set()
        self._thread.join()
        self._path.write_bytes(self._content(0))
