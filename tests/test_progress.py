"""The progress of a stage: rows, rates, cost and reasons; in a terminal, a log and another terminal."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from polypref import progress
from polypref.progress import Progress
from polypref.store import status


def test_the_note_counts_answers_rejections_and_failures(capfd: pytest.CaptureFixture[str]) -> None:
    with Progress("complete strong", 100) as shown:
        shown.at_once = 12
        shown.answered(40, 4000, 0.5)
        shown.failed("timed out")
        shown.advance(40, {"repetition": 3, "too_long": 1}, incomplete=1)
        note = shown.note()
    assert re.sub(r"[\d,.]+(/s| tokens/s)", r"N\1", note) == (
        "40 answers (N/s), N tokens/s, cost 0.5000, 12 at once, 4 rejected (repetition 3, too_long 1), "
        "1 failed (timed out 1), 1 incomplete"
    )
    assert capfd.readouterr().err.startswith("complete strong: 40 rows done, ")


def test_at_80_columns_no_count_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOW_SECONDS", 0)
    screen = io.StringIO()
    console = Console(file=screen, width=80, force_terminal=True, color_system=None)
    title = "translate the-answers-of-a-model-with-a-long-name.jsonl"
    reasons = {"repetition": 33_333, "wrong_language": 22_222, "too_long": 11_111, "loop": 555, "empty": 7}
    with Progress(title, 9_876_543, console=console) as shown:
        shown.skip(1_000_000, {})
        shown.at_once = 128
        shown.answered(2_469_134, 345_678_901, 1234.5)
        for _ in range(77):
            shown.failed("500: the server is on fire")
        shown.advance(1_234_567, reasons, incomplete=77)
        monkeypatch.setattr(shown, "_seconds", lambda: 3600.0)
        shown.show()
        shown._live.refresh()
    without_control_codes = re.sub(r"\x1b\[[\d?]*[A-Za-z]|\r", "\n", screen.getvalue())
    lines = [line.rstrip() for line in without_control_codes.splitlines()]
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    # 1,234,567 rows took an hour, and 7,641,976 are left.
    assert "2,234,567 of 9,876,543 rows done, 1:00:00, ETA 6:11:24" in text
    assert (
        "2,469,134 answers (685.9/s), 96,022 tokens/s, cost 1,234.50, 128 at once, 67,228 rejected "
        "(repetition 33,333, wrong_language 22,222, too_long 11,111, loop 555, others 7), "
        "77 failed (500: the server is on fire 77), 77 incomplete" in text
    )
    assert "…" not in text


def test_what_an_earlier_run_has_done_does_not_speed_up_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Progress("t", 100)
    monkeypatch.setattr(shown, "_seconds", lambda: 30.0)
    shown.skip(60, {})
    assert shown.counts("so far") == "60 of 100 rows so far, 30.0 s"
    shown.advance(10, {}, 0)
    assert shown.counts("so far") == "70 of 100 rows so far, 30.0 s, ETA 0:01:30"
    assert shown.counts("stopped") == "70 of 100 rows stopped, 30.0 s"


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
        "t: 2 rows done",
    ]


def test_another_terminal_sees_it_while_it_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SHOW_SECONDS", 0)
    with Progress("complete strong", 10, tmp_path / "progress.json") as shown:
        shown.advance(3, {}, 0)
        status.print_status(tmp_path)
        assert capsys.readouterr().out.startswith("running: complete strong: 3 of 10 rows so far, ")
        said = json.loads((tmp_path / "progress.json").read_text())
    assert status.read_progress(tmp_path) is None
    (tmp_path / "progress.json").write_text(
        json.dumps(said | {"at": said["at"] - 11})
    )  # killed some time ago
    assert status.read_progress(tmp_path) is None
