"""Files that are written whole, and by several writers at once."""

import os
from pathlib import Path

import pytest

from polypref.files import write_atomically


def test_a_file_replaces_the_old_one_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.json"
    for content in ("first", "second"):
        with write_atomically(path) as temporary:
            temporary.write_text(content)
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == content
    assert os.listdir(path.parent) == ["a.json"]


def test_after_an_error_the_old_file_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail_half_way() -> None:
        with write_atomically(path) as temporary:
            temporary.write_text("half of the n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert (os.listdir(tmp_path), path.read_text()) == (["a.json"], "old")


def test_a_folder_is_written_whole_as_well(tmp_path: Path) -> None:
    for fails in (True, False):
        try:
            with write_atomically(tmp_path / "model") as temporary:
                temporary.mkdir()
                (temporary / "weights").write_text("w")
                if fails:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            assert os.listdir(tmp_path) == []
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "weights"]


def test_two_writers_of_one_file_do_not_share_a_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with write_atomically(path) as slow:
        slow.write_text("slow")
        with write_atomically(path) as quick:
            quick.write_text("quick")
        assert (path.read_text(), slow.read_text()) == ("quick", "slow")
    assert path.read_text() == "slow"
