"""Errors of commands: those of this package, and those that others write with its decorators."""

from __future__ import annotations

import socket
import stat
import subprocess
import urllib.request
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from crawler.cli.click_errors import clear_errors, mend_of, with_fallback
from crawler.cli.metrics import PORT
from crawler.cli.start_services import find_services
from crawler.client.client import Client
from crawler.config.settings import Settings
from crawler.errors import FrontierUnavailable, PortTaken, SetupError, UnknownCrawl
from crawler.redaction import masked
from crawler.storage.errors import NO_ANSWER
from tests.support.folder import CRAWLER, Folder

URL = "http://127.0.0.1/"


def invoke(function: object, *words: str, **options: str) -> Result:
    """Run a command of somebody's own, whose option ``--port`` is 80 by default."""
    command = click.command()(click.option("--port", type=int, default=80, envvar="PORT")(function))
    return CliRunner().invoke(command, words, **options)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRAWLER_STATE_DIR", str(tmp_path / "state"))


def test_an_error_of_the_library_is_one_line():
    @clear_errors
    def command(port: int) -> None:
        raise SetupError(f"nothing listens on redis://ann:secret@there:{port}\x1b[2J: start it")

    done = invoke(command)
    assert done.exit_code == 2
    assert done.stderr == "Error: nothing listens on redis://ann:***@there:80\\u001b[2J: start it\n"


def test_a_programming_error_is_one_line_and_a_private_file(tmp_path):
    @clear_errors
    def command(port: int) -> None:  # noqa: ARG001
        masked(None)  # type: ignore[arg-type]

    done = invoke(command)
    (file,) = (tmp_path / "state" / "faults").iterdir()
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: a fault of celery-crawler: TypeError: ")
    assert done.stderr.endswith(f"report it with {file}, which has the traceback\n")
    assert done.stderr.count("\n") == 1
    text = file.read_text()
    assert "Traceback (most recent call last)" in text
    assert "masked(None)" in text
    assert "Python 3" in text.splitlines()[0]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_error_of_another_command_is_not_called_ours():
    @clear_errors
    def command(port: int) -> None:
        {}[port]

    line = invoke(command).stderr
    assert line.startswith("Error: a fault of the command: KeyError: 80 (test_click_errors.py, ")


def test_what_click_says_itself_stays_as_it_is():
    @clear_errors
    def command(port: int) -> None:
        raise click.UsageError(f"not {port}")

    done = invoke(command)
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (2, "Error: not 80")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["strt"], "No such command 'strt'. Did you mean 'start'? (see "),
        (["--vresion"], "No such option '--vresion'. Did you mean '--version'? (see "),
        (["metrics", "--prt", "3"], "No such option '--prt'. Did you mean '--port'? (see "),
        (["metrics", "--port", "-1"], "Invalid value for '--port': -1 is not in the range"),
        (["completion", "csh"], "'csh' is not one of 'bash', 'zsh', 'fish' (see "),
        (["health", "--live", "--ready"], "--only, --live and --ready exclude each other (see "),
        (["serve", "--host", ""], "is empty (0.0.0.0 is every address of this machine)"),
        (["serve", "--host", "a" * 300], " is no address of this machine: "),
        (["validate"], "Missing argument 'CRAWL' (see "),
        (["validate", "."], "'.' is no reference to a crawl"),
        (["validate", "folder.toml"], "folder.toml is a folder"),
        (["validate", "a" * 5_000 + ".toml"], "cannot be read: File name too long"),
        (["validate", "a" * 5_000], "there is no module aaa"),
        (["validate", "gone.toml"], "there is no file gone.toml"),
        (["run", "http://127.0.0.1/", "--set", "x"], "Error: x: is no change of a field"),
        (["start", "http://127.0.0.1/", "--item-limit", "9" * 20], " is too large, at most 1e+14"),
    ],
)
def test_a_command_line_that_means_nothing_is_one_line(folder: Folder, words, line):
    (folder.path / "folder.toml").mkdir()
    done = folder.here(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_redis_that_does_not_answer_is_mended_in_the_same_line(folder: Folder, monkeypatch):
    unset = "correct CRAWLER_REDIS_URL, or unset it for a private one"
    monkeypatch.setitem(folder.environ, "CRAWLER_REDIS_URL", "redis://127.0.0.1:1/0")
    for words, end in (("info", "shop"), unset), (("start", URL), f"{unset}, as --local does"):
        done = folder.here(*words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith("Error: Redis does not answer: ")
        assert done.stderr.endswith(f"refused; start it, {end}\n")
    # where none was named
    for variable in ("CRAWLER_REDIS_URL", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.delenv(variable, raising=False)
    assert "the private one has ended" in mend_of(FrontierUnavailable(f"{NO_ANSWER}: gone"))
    assert mend_of(FrontierUnavailable("Redis cannot do it now: LOADING")) == ""


@pytest.mark.parametrize(
    ("url", "is_named", "expected"),
    [
        (None, False, None),  # nobody says where one is
        ("redis://127.0.0.1:1/0", False, None),  # the project's, as where it is developed
        ("unix:///nowhere/redis.sock", False, None),
        ("redis://192.0.2.1:6379/0", False, Client),  # the project's, where it is deployed
        ("redis://127.0.0.1:1/0", True, Client),
    ],
)
def test_a_private_redis_stands_in_for_a_default_only(
    url, is_named, expected, tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv("CRAWLER_REDIS_URL", raising=False)
    if is_named:
        monkeypatch.setenv("CRAWLER_REDIS_URL", url)
    services = find_services(Settings(redis_url=url, state_dir=tmp_path))
    assert type(services) is (expected or type(None))
    said = capsys.readouterr().err
    if expected:
        assert said == ""
    else:
        first = "no CRAWLER_REDIS_URL; " if url is None else "Redis does not answer: "
        assert said.startswith(first)
        assert f"; a private Redis in {tmp_path}, and workers" in said
        assert said.count("\n") == 1


def test_the_name_of_a_crawl_that_is_nearly_right_is_suggested():
    text = str(UnknownCrawl("boks", ("shop", "books")))
    assert text == "no crawl is named 'boks' (did you mean books? known here: shop, books)"


@pytest.mark.slow
def test_output_that_nobody_takes_ends_a_command_without_a_traceback(folder: Folder):
    """``head`` has gone before much is printed; ``/dev/full`` is a full disk."""
    for words in ("--help", "config --all"):
        script = f"{CRAWLER} {words} | true; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder.path, capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        script = f"{CRAWLER} {words} > /dev/full"
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder.path, capture_output=True, text=True, check=False
        )
        line = "Error: cannot write the output: No space left on device\n"
        assert (done.returncode, done.stderr) == (1, line)


@clear_errors
@with_fallback(PortTaken, "port", 0, "taking any")
def listen(port: int) -> None:
    if port:
        raise PortTaken("here", port, "it is taken")
    click.echo("listening")


def test_a_value_that_fails_is_replaced_once_and_aloud():
    done = invoke(listen)
    assert (done.exit_code, done.stdout) == (0, "listening\n")
    assert done.stderr == "cannot listen on here:80: it is taken; taking any\n"


@pytest.mark.parametrize(("words", "environ"), [(["--port", "80"], {}), ([], {"PORT": "80"})])
def test_a_value_of_the_user_is_never_replaced(words, environ):
    done = invoke(listen, *words, env=environ)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "Error: cannot listen on here:80: it is taken\n"


def test_another_error_calls_nothing_again():
    calls = []

    @with_fallback(PortTaken, "port", 0, "taking any")
    def command(port: int) -> None:
        calls.append(port)
        raise SetupError("no")

    assert isinstance(invoke(command).exception, SetupError)
    assert calls == [80]


@pytest.mark.slow
def test_a_server_whose_usual_port_is_taken_takes_another(folder: Folder, redis_server):
    folder.environ["CRAWLER_REDIS_URL"] = redis_server.url
    with ExitStack() as ending:
        with suppress(OSError):  # something else has it already
            ending.enter_context(closing(socket.create_server(("127.0.0.1", PORT))))
        done = folder.here("metrics", "--port", str(PORT))
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith(f"Error: cannot listen on 127.0.0.1:{PORT}: ")
        server = ending.enter_context(folder.begin("metrics"))
        ending.callback(server.kill)
        url = server.stdout.readline().strip()
        with urllib.request.urlopen(url) as answer:  # noqa: S310, our own
            assert b"crawler_redis_up 1.0" in answer.read()
        assert url != f"http://127.0.0.1:{PORT}/metrics"
        server.kill()
        assert "taking a free port instead" in server.stderr.read()
