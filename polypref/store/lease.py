"""The lock of a work dir on object storage: a lease that expires.

The storage would not notice that its holder died. Leases are numbered objects. Once the last one has expired,
a run takes over by creating the next number, with a PUT that fails if the object exists, so that only one of
two runs gets it. A holder renews its own lease; if it is late and finds a newer one, it has lost the work
dir.
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from polypref.errors import InputError
from polypref.store.storage import create_object, storage_errors

LEASE_SECONDS = 60.0
RENEWALS = 4  # within a lease, so that a storage that is away for a moment costs nothing


class Lease:
    """The lease of a run, renewed by a thread from its creation to `release()`.

    `on_loss` is called in that thread when another run has taken the work dir, or the storage has been away
    for as long as a lease. `lost` is true from then on.
    """

    def __init__(self, folder: Path, holder: str, on_loss: Callable[[], None]) -> None:
        self._folder, self._holder, self._on_loss = folder, holder, on_loss
        self.lost = False
        number, last = self._newest()
        if last and float(last["until"]) > time.time():
            raise InputError(f"{folder.parent}: in use by {last['holder']}; one work dir, one run")
        self._path = folder / f"{number + 1:08}.json"
        if not create_object(self._path, self._content(LEASE_SECONDS)):
            raise InputError(f"{folder.parent}: another run has just taken it; one work dir, one run")
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def _content(self, seconds: float) -> bytes:
        return json.dumps({"holder": self._holder, "until": time.time() + seconds}).encode()

    def _newest(self) -> tuple[int, dict[str, float | str] | None]:
        """Return the number and the content of the newest lease; 0 and None if there was none yet."""
        with storage_errors(self._folder):
            self._folder.fs.invalidate_cache()  # type: ignore[attr-defined]
            leases = sorted(self._folder.glob("*.json"), key=lambda path: path.name)
            if not leases:
                return 0, None
            return int(leases[-1].stem), json.loads(leases[-1].read_bytes())

    def _renew(self) -> None:
        until = time.monotonic() + LEASE_SECONDS
        while not self._released.wait(LEASE_SECONDS / RENEWALS):
            try:
                lost = self._newest()[0] != int(self._path.stem)
                if not lost:
                    self._path.write_bytes(self._content(LEASE_SECONDS))
                    until = time.monotonic() + LEASE_SECONDS
            except Exception:  # the storage is away; every client library has errors of its own
                lost = time.monotonic() > until
            if lost:
                self.lost = True
                self._on_loss()
                return

    def release(self) -> None:
        """Stop renewing; let the next run in at once, unless the lease is lost."""
        self._released.set()
        self._thread.join()
        if not self.lost:
            with storage_errors(self._path):
                self._path.write_bytes(self._content(0))
