"""Files that are written whole: which of those that are there they replace."""

from __future__ import annotations

from functools import partial

import pytest

from crawler.errors import SetupError
from crawler.output.files.whole_files import WholeFile, put_text


def test_a_file_of_another_kind_is_not_replaced(tmp_path):
    path, state = tmp_path / "report.json", tmp_path / "state"
    report, rows = WholeFile(path, state, kind="report"), WholeFile(path, state)
    for mine, other in ((report, rows), (rows, report)):
        mine.write(partial(put_text, text=f"{mine.kind} 1"))
        mine.write(partial(put_text, text=f"{mine.kind} 2"))
        with pytest.raises(SetupError, match=r"report\.json exists"):
            other.write(partial(put_text, text=other.kind))
        assert path.read_text() == f"{mine.kind} 2"
        path.unlink()
    # a note of an earlier version is of rows
    rows.write(partial(put_text, text="rows"))
    note = next((state / "exports").glob("*.json"))
    note.write_text(note.read_text().replace('"kind"', '"was"'))
    rows.write(partial(put_text, text="more"))
