"""A work dir on object storage: moto's S3 server on loopback, in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_server import s3_server

from polypref.errors import InputError, Unavailable
from polypref.schemas import hash32
from polypref.store import lease
from polypref.store.storage import create_object, open_path, read_json, write_json
from polypref.store.workdir import Workdir
from tests.frames import rows_to_frame

pytest.importorskip("s3fs")
pytest.importorskip("moto")
pytestmark = pytest.mark.slow
K1, K2, K3 = map(hash32, (1, 2, 3))


@pytest.fixture(scope="module")
def access() -> Iterator[dict[str, str]]:
    with s3_server() as environment:
        yield environment


@pytest.fixture
def url(access: dict[str, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    for name, value in access.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"bucket-{abs(hash(request.node.name))}"
    s3fs.S3FileSystem().mkdir(bucket)
    return f"s3://{bucket}/run"


def prompt(identity: str) -> dict[str, Any]:
    return {"prompt_id": identity, "language": "eng_Latn", "prompt": [{"role": "user", "content": identity}]}


def test_parts_json_and_answers_are_there_for_the_next_run(url: str) -> None:
    with Workdir(url) as workdir:
        (part,) = workdir.table("prompts", "eng_Latn", parts=1)
        assert part.read_info() is None
        part.write(rows_to_frame([prompt("a"), prompt("b")], "prompts"), "prompts", "k", 1)
        write_json(workdir.path / "state.json", {"x": 1})
        log = workdir.open_log("f")
        log.add([(K1, {"text": "eins", "tokens": 3})])
        log.add([(K2, {"text": "zwei"})])
        assert log.get(K1) == {"text": "eins", "tokens": 3}
    with Workdir(url) as workdir:
        (part,) = workdir.table("prompts", "eng_Latn", parts=1)
        about = part.read_info()
        assert about is not None
        assert (about.key, about.rows, about.incomplete) == ("k", 2, 1)
        assert part.read()["prompt_id"].to_list() == ["a", "b"]
        assert read_json(workdir.path / "state.json") == {"x": 1}
        assert read_json(workdir.path / "none.json") == {}
        log = workdir.open_log("f")
        assert [log.get(key) for key in (K1, K2, K3)] == [
            {"text": "eins", "tokens": 3},
            {"text": "zwei"},
            None,
        ]
        assert log.spent["tokens"] == 3


def test_workers_see_each_others_answers(url: str) -> None:
    with Workdir(url), Workdir(url, worker="w1") as one, Workdir(url, worker="w2") as two:
        first, second = one.open_log("f"), two.open_log("f")
        first.add([(K1, {"text": "a"})])
        second.add([(K2, {"text": "b"})])
        first.sync()
        second.refresh()
        assert second.get(K1) == {"text": "a"}
        second.sync()
        first.refresh()
        assert [first.get(K1), first.get(K2)] == [{"text": "a"}, {"text": "b"}]
    with Workdir(url) as workdir:
        assert len(workdir.open_log("f")) == 2


def test_one_run_at_a_time_and_a_dead_ones_lease_runs_out(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        f"from polypref.store.workdir import Workdir\nwith Workdir({url!r}): print(1, flush=True); input()"
    )
    monkeypatch.setattr(lease, "LEASE_SECONDS", 8.0)
    script = "from polypref.store import lease\nlease.LEASE_SECONDS = 8.0\n" + script
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
        env=os.environ,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"1\n"
        time.sleep(12)  # longer than a lease: it is renewed
        with (
            pytest.raises(InputError, match=rf"in use by process {holder.pid} on .*; one work dir, one run"),
            Workdir(url),
        ):
            pass
        holder.kill()
    time.sleep(12)
    with Workdir(url), pytest.raises(InputError, match=f"in use by process {os.getpid()}"), Workdir(url):
        pass
    with Workdir(url):
        pass


def test_a_storage_that_is_away_for_less_than_a_lease_costs_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 4.0)
    lost, newest, away = [], lease.Lease._newest, iter([True, True, False])

    def sometimes(self: lease.Lease) -> Any:
        if next(away, None):
            raise OSError("away")
        return newest(self)

    held = lease.Lease(open_path(url) / "lease", "a", lambda: lost.append(1))
    monkeypatch.setattr(lease.Lease, "_newest", sometimes)
    time.sleep(4.5)
    with pytest.raises(InputError, match="in use by a"):
        lease.Lease(open_path(url) / "lease", "b", lambda: None)
    away = iter([True] * 9)
    time.sleep(6.5)
    assert lost == [1]
    held.release()


def test_a_run_whose_lease_was_taken_stops_and_says_run_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 2.0)

    def work() -> None:
        with Workdir(url) as workdir:
            (workdir.path / "lease" / f"{2:08}.json").write_bytes(b'{"holder": "another", "until": 9e9}')
            time.sleep(60)  # until it is interrupted

    with pytest.raises(Unavailable, match=r"run: its lock was lost"):
        work()


def test_a_bucket_that_does_not_exist_is_named(url: str) -> None:
    with (
        pytest.raises(InputError, match=r"s3://nowhere-at-all/run/lease/\d+\.json: no such place"),
        Workdir("s3://nowhere-at-all/run"),
    ):
        pass


def test_of_two_that_create_one_does(url: str) -> None:
    path = open_path(url) / "lease" / "1.json"
    assert [create_object(path, b"a"), create_object(path, b"b")] == [True, False]
    assert path.read_bytes() == b"a"


def test_an_unknown_storage_is_named() -> None:
    with pytest.raises(InputError, match=r"^nowhere://x: .*object storage needs pip install"):
        open_path("nowhere://x")
