"""Stages on a Ray cluster of two local nodes, one of which is lost: the tables are those of a run here."""

import importlib.util
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from openai_server import OpenAIServer
from s3_server import s3_server

from polypref.builders.complete import complete_prompts
from polypref.builders.filters.apply import Filters
from polypref.engines.base import Request
from polypref.engines.budget import Budget, Meter, Price
from polypref.engines.cluster import Cluster, make_parts_on_ray
from polypref.engines.config import HttpGenerator, PseudoTranslator
from polypref.engines.http import HttpEngine
from polypref.engines.pool import PoolOptions, open_pool
from polypref.engines.pseudo import PseudoEngine
from polypref.errors import BudgetReached, InputError
from polypref.progress import Progress
from polypref.schemas import MESSAGES
from polypref.store.parts import read_parts
from polypref.store.stages import Asking, PartTask, make_parts
from polypref.store.workdir import Workdir
from tests.frames import rows_to_frame

ROOT = Path(__file__).parent.parent.parent
PARTS, ROWS = 12, 20
pytestmark = [
    pytest.mark.slow,
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no Ray in this environment"),
]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import ray
    from ray.cluster_utils import Cluster as LocalCluster

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "180")
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    cluster = LocalCluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80_000_000}
    )
    cluster.workers = [cluster.add_node(num_cpus=1, object_store_memory=80_000_000) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def tasks(workdir: Workdir, engine: HttpEngine) -> list[PartTask]:
    filters = Filters(wrong_language=None)
    prompts = workdir.table("prompts", "eng_Latn", parts=PARTS)
    for part in prompts:
        rows = [(f"{part.number:02}{i:02}", f"question {part.number} {i}") for i in range(ROWS)]
        content = [
            {
                "prompt_id": f"{key:0>16}",
                "language": "eng_Latn",
                "prompt": [{"role": "user", "content": text}],
            }
            for key, text in rows
        ]
        part.write(rows_to_frame(content, "prompts"), "prompts", "k", 0)
    out = workdir.table("completions", "eng_Latn", parts=PARTS)
    make = partial(complete_prompts, 1, engine.name, filters)
    return [
        PartTask(part, "completions", (source,), "x", make) for part, source in zip(out, prompts, strict=True)
    ]


def engine(server: OpenAIServer, **fields: Any) -> HttpEngine:
    return HttpEngine(
        HttpGenerator(kind="http", base_url=server.url, model="m", concurrency=4, **fields), "m"
    )


def reply(body: dict[str, Any]) -> str:
    return f"An answer to {body['messages'][-1]['content']}, as long as one may want it to be."


def test_a_node_that_is_lost_half_way_loses_nothing_and_the_table_is_that_of_a_run_here(
    tmp_path: Path, nodes: Any
) -> None:
    with (
        OpenAIServer(reply, delay=0.1) as server,
        Workdir(tmp_path / "ray") as workdir,
        Workdir(tmp_path / "here") as here,
    ):
        http = engine(server)

        def lose() -> None:
            while len(server.answered) < PARTS * ROWS // 2:
                time.sleep(0.01)
            nodes.remove_node(nodes.workers[0], allow_graceful=False)

        thread = threading.Thread(target=lose)
        thread.start()
        todo = tasks(workdir, http)
        with Progress("ray", PARTS * ROWS) as progress:
            make_parts_on_ray(todo, {"": http}, workdir, Cluster(workers=2), PoolOptions(progress))
        thread.join()
        assert (progress.rows, progress.answers) >= (PARTS * ROWS, PARTS * ROWS // 2)
        repeated = Counter(json.dumps(body) for body in server.calls)
        assert sum(repeated.values()) - len(repeated) <= 4  # what the lost worker had in flight
        assert len(list((tmp_path / "ray/answers").glob(f"{http.fingerprint}.*.jsonl"))) == 2
        local = tasks(here, http)
        with Progress("here", PARTS * ROWS) as progress:
            make_parts(
                local,
                progress,
                lambda: open_pool(http, here.open_log(http.fingerprint), PoolOptions(progress)),
            )
        assert [task.part.path.read_bytes() for task in todo] == [
            task.part.path.read_bytes() for task in local
        ]
        calls = len(server.calls)
        with Progress("again", PARTS * ROWS) as progress:
            make_parts_on_ray(todo, {"": http}, workdir, Cluster(workers=2), PoolOptions(progress))
        with (
            Progress("parts lost, answers kept", PARTS * ROWS) as progress,
            Workdir(tmp_path / "ray", worker="x") as again,
        ):
            for task in todo:
                task.part.path.unlink()
            make_parts(
                todo,
                progress,
                lambda: open_pool(http, again.open_log(http.fingerprint), PoolOptions(progress)),
            )
        assert len(server.calls) == calls
        assert read_parts(task.part for task in todo).height == PARTS * ROWS


def test_workers_hold_all_engines_of_a_stage(tmp_path: Path, nodes: Any) -> None:
    def make(prompts: pl.DataFrame) -> Asking[pl.DataFrame]:
        answers = yield [Request(prompt) for prompt in prompts["prompt"]]
        texts = [answer.text for answer in answers]
        translations = yield [
            Request([{"role": "user", "content": text}], target="deu_Latn", engine="pseudo") for text in texts
        ]
        prompt = [[{"role": "user", "content": answer.text}] for answer in translations]
        return prompts.with_columns(prompt=pl.Series(prompt, dtype=MESSAGES))

    with OpenAIServer(reply, delay=0.02) as server, Workdir(tmp_path) as workdir:
        engines = {"": engine(server), "pseudo": PseudoEngine(PseudoTranslator(kind="pseudo"), "pseudo")}
        inputs = [task.inputs for task in tasks(workdir, engines[""])]
        parts = workdir.table("translated", "deu_Latn", parts=PARTS)
        todo = [
            PartTask(part, "prompts", source, "x", make) for part, source in zip(parts, inputs, strict=True)
        ]
        with Meter(Budget(), workdir) as meter, Progress("ray", PARTS * ROWS) as progress:
            make_parts_on_ray(todo, engines, workdir, Cluster(workers=2), PoolOptions(progress, meter))
        assert progress.answers == 2 * PARTS * ROWS
        spent = json.loads((tmp_path / "spent.json").read_text())["engines"]
        assert {account["name"]: account["calls"] for account in spent.values()} == {"m": 240, "pseudo": 240}
        texts = [prompt[0]["content"] for prompt in read_parts(parts)["prompt"]]
        assert len(texts) == PARTS * ROWS
        assert all(text.startswith("⟦~") and "áñšŵéŕ" in text for text in texts)


def test_a_budget_and_a_wrong_key_stop_a_cluster_too(tmp_path: Path, nodes: Any) -> None:
    with OpenAIServer(reply, delay=0.02) as server, Workdir(tmp_path) as workdir:
        http = engine(server, price=Price(output=1000.0))
        todo = tasks(workdir, http)
        with (
            Meter(Budget(max_cost=1.0), workdir) as meter,
            Progress("t", PARTS * ROWS) as progress,
            pytest.raises(BudgetReached, match=r"budget\.max_cost 1\.0000 is used up"),
        ):
            make_parts_on_ray(todo, {"": http}, workdir, Cluster(workers=2), PoolOptions(progress, meter))
        assert 70 <= len(server.answered) < PARTS * ROWS
        server.fault(status=401, body='{"error": {"message": "expired"}}', times=10_000)
        with (
            Progress("t", PARTS * ROWS) as progress,
            pytest.raises(InputError, match=r"401 for model 'm', key OPENAI_API_KEY: expired"),
        ):
            make_parts_on_ray(todo, {"": http}, workdir, Cluster(workers=2), PoolOptions(progress))


def test_workers_on_object_storage_keep_parts_and_answers_there(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    s3fs = pytest.importorskip("s3fs")
    with s3_server() as access, OpenAIServer(reply, delay=0.02) as server:
        for name, value in access.items():
            monkeypatch.setenv(name, value)
        request.getfixturevalue("nodes")  # whose workers have this environment
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("cluster")
        for _ in range(2):
            with Workdir("s3://cluster/run") as workdir:
                http = engine(server)
                todo = tasks(workdir, http)
                with Progress("s3", PARTS * ROWS) as progress:
                    make_parts_on_ray(todo, {"": http}, workdir, Cluster(workers=2), PoolOptions(progress))
                assert read_parts(task.part for task in todo).height == PARTS * ROWS
            with Workdir("s3://cluster/run") as again:
                assert len(again.open_log(http.fingerprint)) == PARTS * ROWS
        assert len(server.calls) == PARTS * ROWS
