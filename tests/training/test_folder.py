"""The output folder: its lock, foreign files, and a run that fails before anything is saved."""

import json
from pathlib import Path
from typing import Any

import pytest

from polypref.errors import InputError
from polypref.training.folder import begin_training, open_folder, write_facts


def facts(**key: Any) -> dict[str, Any]:
    return {"key": {"method": "dpo", "beta": 0.1, **key}}


def test_one_run_at_a_time(tmp_path: Path) -> None:
    first, second = open_folder(tmp_path / "out"), open_folder(tmp_path / "out")
    with first, pytest.raises(InputError, match="in use by process"), second:
        pass
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_with_foreign_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files that no training wrote"), open_folder(tmp_path):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def fail_in_first_step(output: Path) -> None:
    assert begin_training(output, facts(), overwrite=False)
    (output / "training_log.jsonl").write_text("")
    raise InputError("reward: has 2 outputs")


def test_an_input_error_before_the_first_state_leaves_the_folder_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 2 outputs"), open_folder(tmp_path):
        fail_in_first_step(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_input_error_keeps_the_saved_state(tmp_path: Path) -> None:
    state = tmp_path / "checkpoints" / "checkpoint-3"
    state.mkdir(parents=True)
    (tmp_path / "checkpoints" / ".lock").touch()
    with pytest.raises(InputError, match="has 2 outputs"), open_folder(tmp_path):
        fail_in_first_step(tmp_path)
    assert state.exists()
    assert (tmp_path / "training_log.jsonl").exists()


def test_another_recipe_is_refused_and_leaves_the_finished_checkpoint_alone(tmp_path: Path) -> None:
    write_facts(tmp_path / "training.json", facts())
    (tmp_path / "training_log.jsonl").write_text("{}")
    with pytest.raises(InputError, match="made with another beta, seed; remove it"), open_folder(tmp_path):
        begin_training(tmp_path, facts(beta=0.2, seed=1), overwrite=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["training.json", "training_log.jsonl"]


def test_overwriting_removes_the_other_checkpoint(tmp_path: Path) -> None:
    write_facts(tmp_path / "training.json", facts())
    (tmp_path / "assets").mkdir()
    with open_folder(tmp_path):
        assert begin_training(tmp_path, facts(beta=0.2), overwrite=True)
        assert [file.name for file in tmp_path.iterdir()] == ["checkpoints"]
        begun = json.loads((tmp_path / "checkpoints" / "training.json").read_text("utf-8"))
        assert begun == facts(beta=0.2)


def test_several_processes_cannot_overwrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    write_facts(tmp_path / "training.json", facts())
    with pytest.raises(InputError, match="several processes cannot overwrite"), open_folder(tmp_path):
        begin_training(tmp_path, facts(beta=0.2), overwrite=True)


def test_a_finished_training_does_not_begin_again(tmp_path: Path) -> None:
    write_facts(tmp_path / "training.json", facts())
    with open_folder(tmp_path):
        assert not begin_training(tmp_path, facts(), overwrite=False)
