"""Programs that this project starts, and what hooks start, do not inherit its secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest

from crawler.config import settings as configuration
from crawler.config.children import program_environment, secrets_inherited, withdraw_secrets
from crawler.secret_refs import SECRET_PREFIX

pytest_plugins = ["tests.site.fixture"]

SECRETS = {
    "CRAWLER_SECRET_PROXY": "http://a:canary@proxy.example",
    "CRAWLER_REDIS_URL": "redis://:canary@127.0.0.1:1/0",
    "CRAWLER_API_TOKENS": "canary-canary-canary-canary",
}
#: Secrets of the project that our process belongs to.
OTHERS = {"DATABASE_URL": "postgres://a:canary@db", "SENTRY_DSN": "canary", "AWS_TOKEN": "canary"}

DEFINITION = """
import json, os, subprocess, sys
from pathlib import Path
import psutil
from crawler import Crawl

key = "${{CRAWLER_SECRET_KEY}}"
shop = Crawl(name="shop", url={url!r}, robots=False, page_limit=1, headers={{"X-Key": key}})

@shop.extract
def extract(page):
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    child = subprocess.run([sys.executable, "-c", show], capture_output=True, check=True)
    seen = {{"hook": json.loads(child.stdout)}}
    ours = {{process.pid for process in psutil.Process().children(recursive=True)}}
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            # a Chrome that processes share is nobody's child; its folder names their worker
            shared = "chrom" in words and f"-{{os.getppid()}}-" in words
            if shared or process.pid in ours:
                seen[f"{{process.name()}} {{process.pid}}"] = process.environ()
        except psutil.Error:
            pass
    Path("seen.json").write_text(json.dumps(seen))
    return {{"title": page.title}}
"""


@pytest.fixture
def _secrets(monkeypatch):
    for name, value in (SECRETS | OTHERS).items():
        monkeypatch.setenv(name, value)
    yield
    from crawler.config.settings import withdrawn

    withdrawn.clear()


@pytest.mark.usefixtures("_secrets")
def test_a_program_gets_what_it_needs_and_no_secret(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://me:canary@proxy.example:3128")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    given = program_environment(TMPDIR="/x")
    assert "canary" not in json.dumps(given)
    assert given["https_proxy"] == "http://proxy.example:3128"
    assert (given["PATH"], given["LC_ALL"], given["TMPDIR"]) == (
        os.environ["PATH"],
        "C.UTF-8",
        "/x",
    )
    assert not any(name.startswith("CRAWLER_") for name in given)


@pytest.mark.usefixtures("_secrets")
def test_secrets_are_known_after_they_left_the_environment():
    before, secrets = configuration.load(), configuration.secrets(SECRET_PREFIX)
    withdraw_secrets(SECRET_PREFIX)
    assert not SECRETS.keys() & os.environ.keys()
    # what is the project's own stays
    assert os.environ["DATABASE_URL"] == OTHERS["DATABASE_URL"]
    assert configuration.load() == before
    assert configuration.secrets(SECRET_PREFIX) == secrets
    assert configuration.load(redis_url="redis://other:1/0").redis_url == "redis://other:1/0"
    with secrets_inherited():
        assert {name: os.environ[name] for name in SECRETS} == SECRETS
    assert not SECRETS.keys() & os.environ.keys()


@pytest.mark.browser
@pytest.mark.slow
def test_no_child_of_a_real_crawl_has_our_secrets(folder, site):
    # Given a crawl with a secret, in an environment with others
    (folder.path / "shop.py").write_text(DEFINITION.format(url=site.url("/ok")))
    ours = {"CRAWLER_SECRET_KEY": "canary-key-of-the-shop", "CRAWLER_API_TOKENS": "canary-" * 4}
    folder.environ |= ours | OTHERS
    done = folder.run("start", "shop.py")
    assert done.returncode == 0, done.stderr
    seen = json.loads((folder.path / "seen.json").read_text())
    # Then a hook's child has what belongs to the project, and Chrome and its driver nothing
    hook = seen.pop("hook")
    assert not ours.keys() & hook.keys()
    assert hook["DATABASE_URL"] == OTHERS["DATABASE_URL"]
    assert any("chrom" in name for name in seen)
    assert "canary" not in json.dumps(seen)


@pytest.mark.usefixtures("_secrets")
def test_a_private_redis_has_no_secret(tmp_path: Path):
    from crawler.local.embedded import PrivateRedis

    with PrivateRedis(tmp_path / "redis") as server:
        assert server.process is not None
        assert "canary" not in json.dumps(psutil.Process(server.process.pid).environ())
