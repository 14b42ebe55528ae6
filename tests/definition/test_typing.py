"""Readers and type checkers know each field of a crawl, and no other name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from crawler import Crawl
from crawler.definition.fields import Fields

ROOT = Path(__file__).resolve().parents[2]
RIGHT = """
from typing import assert_type
from crawler import Crawl

crawl = Crawl(name="books", url="https://books.toscrape.com/")
assert_type(crawl.depth_limit, int | None)
assert_type(crawl.url, tuple[str, ...])
assert_type(crawl.delay, float)

@crawl.after
def save(result: object) -> int:
    return 3

assert_type(save(None), int)
"""
WRONG = """
from crawler import Crawl

crawl = Crawl(name="books", url="https://books.toscrape.com/")
print(crawl.sedes)
"""


#: As an author's; the libraries behind the package take it twice as long as the package itself.
CONFIGURATION = """
[mypy]
strict = True
follow_imports = silent
[mypy-pydantic.*,pydantic_core.*,parsel.*,urllib3.*,selenium.*,redis.*,tldextract.*]
follow_imports = skip
"""


def test_a_crawl_has_each_field_with_its_type():
    # extract is the decorator on a crawl, so only Fields has the table of this name
    fields = get_type_hints(Fields)
    expected = {name: fields[name] for name in Fields.model_fields if name != "extract"}
    hints = get_type_hints(Crawl)
    assert {name: hints.get(name) for name in expected} == expected
    assert hints.keys() == expected.keys()


@pytest.mark.slow
def test_mypy_knows_the_fields_and_refuses_a_misspelt_one(tmp_path):
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "mypy.ini").write_text(CONFIGURATION)
    mypy = [sys.executable, "-m", "mypy", "--config-file=mypy.ini", f"--cache-dir={tmp_path}"]
    done = subprocess.run(
        [*mypy, "right.py", "wrong.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT)},
    )
    assert done.stdout.splitlines() == [
        'wrong.py:5: error: "Crawl" has no attribute "sedes"; maybe "seeds"?  [attr-defined]',
        "Found 1 error in 1 file (checked 2 source files)",
    ], done.stderr
