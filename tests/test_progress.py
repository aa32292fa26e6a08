"""What a run says of itself: rates, cost, reasons; to a terminal, a log, and another terminal."""

import json
from pathlib import Path

import pytest

from polypref import progress
from polypref.progress import Progress
from polypref.store import status


def test_it_says_what_was_answered_rejected_and_failed(capfd: pytest.CaptureFixture[str]) -> None:
    with Progress("complete strong", 100) as shown:
        shown.at_once = 12
        shown.answered(40, 4000, 0.5)
        shown.failed("timed out")
        shown.advance(40, {"repetition": 3, "too_long": 1}, incomplete=1)
        note = shown.note()
    assert note.startswith("40 answers, ")
    for words in (
        "tokens/s",
        "cost 0.50",
        "12 at once",
        "rejected 4: repetition 3, too_long 1",
        "failed 1: timed out 1",
        "incomplete 1",
    ):
        assert words in note
    assert capfd.readouterr().err.startswith("complete strong: 40 of 100 rows done, ")


def test_without_a_terminal_a_line_comes_when_it_is_due(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SHOW_SECONDS", 0)
    with Progress("t", 10) as shown:
        shown.advance(1, {}, 0)
        monkeypatch.setattr(progress, "LINE_SECONDS", 0)
        shown.show()
        monkeypatch.setattr(progress, "LINE_SECONDS", 60)
        shown.advance(1, {}, 0)
    assert [line.split(",")[0] for line in capfd.readouterr().err.splitlines()] == [
        "t: 1 of 10 rows so far",
        "t: 2 of 10 rows done",
    ]


def test_another_terminal_sees_it_while_it_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SHOW_SECONDS", 0)
    with Progress("complete strong", 10, tmp_path / "progress.json") as shown:
        shown.advance(3, {}, 0)
        status.print_status(tmp_path)
        assert capsys.readouterr().out.startswith("at work: complete strong: 3 of 10 rows so far, ")
        said = json.loads((tmp_path / "progress.json").read_text())
    assert status.running(tmp_path) is None
    (tmp_path / "progress.json").write_text(
        json.dumps(said | {"at": said["at"] - 11})
    )  # killed some time ago
    assert status.running(tmp_path) is None
