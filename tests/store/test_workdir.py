"""One work dir, one run; revisions are resolved once; a work dir can be moved."""

import json
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from polypref.errors import InputError, Unavailable
from polypref.store.workdir import Workdir


def model(folder: Path, weights: bytes = b"1") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_second_run_is_told_who_holds_the_work_dir(tmp_path: Path) -> None:
    script = (
        f"from polypref.store.workdir import Workdir\nwith Workdir({str(tmp_path)!r}): print('in'); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in\n"
        with (
            pytest.raises(InputError, match=rf"in use by process {holder.pid} on .*; one work dir, one run"),
            Workdir(tmp_path),
        ):
            pass
        holder.kill()
    with Workdir(tmp_path):
        pass


def test_a_local_model_is_its_files_wherever_they_lie(tmp_path: Path) -> None:
    one, other = model(tmp_path / "a/m"), model(tmp_path / "b/m")
    changed = model(tmp_path / "c/m", b"2")
    with Workdir(tmp_path / "run") as workdir:
        first = workdir.resolve(str(one))
        assert first.revision.startswith("sha256:")
        assert (first.model, first.hub_revision) == ("m", None)
        assert workdir.resolve(str(other)).fingerprint({"x": 1}) == first.fingerprint({"x": 1})
        assert workdir.resolve(str(changed)).fingerprint({"x": 1}) != first.fingerprint({"x": 1})
        (one / "README.md").write_text("a card is not the model")
        assert workdir.resolve(str(one)).revision == first.revision


def test_a_resolved_revision_is_not_asked_again(tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text(json.dumps({"org/model@main": {"revision": "c0ffee"}}))
    with Workdir(tmp_path) as workdir:
        assert workdir.resolve("org/model").revision == "c0ffee"


@pytest.mark.parametrize(
    ("status", "error"), [(404, InputError), (401, InputError), (429, Unavailable), (503, Unavailable)]
)
def test_a_hub_that_is_busy_means_run_again_and_one_that_says_no_a_wrong_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]
) -> None:
    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hub = partial(HfApi, endpoint=f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr("huggingface_hub.HfApi", hub)
        with (
            Workdir(tmp_path) as workdir,
            pytest.raises(error, match=r"^org/model: revision 'v2' cannot be resolved: [^\n]*$"),
        ):
            workdir.resolve("org/model", "v2")
        server.shutdown()


def test_a_hub_that_is_away_means_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi", partial(HfApi, endpoint="http://127.0.0.1:9"))
    with Workdir(tmp_path) as workdir, pytest.raises(Unavailable, match="Connection refused"):
        workdir.resolve("org/model")


@pytest.mark.parametrize("name", ["no/such/folder", "./missing", "missing"])
def test_a_model_that_is_nowhere_is_named(tmp_path: Path, name: str) -> None:
    with (
        Workdir(tmp_path) as workdir,
        pytest.raises(InputError, match=r"no such folder, and not a Hub id \(ORG/NAME\)"),
    ):
        workdir.resolve(name)


def test_the_number_of_parts_is_fixed_by_the_first_build_and_travels(tmp_path: Path) -> None:
    with Workdir(tmp_path / "a") as workdir:
        assert workdir.part_count(2001) == 3
    shutil.move(tmp_path / "a", tmp_path / "b")
    with Workdir(tmp_path / "b") as workdir:
        assert workdir.part_count(10) == 3
