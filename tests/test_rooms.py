"""Imports point one way, from the doors down to the values; only one room reads the environment;
importing opens nothing.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: The floors, from the values up to the commands. A module may import what lies on lower floors, and
#: modules of its own room.
FLOORS = (
    ("version", "errors", "redaction", "hooks"),
    ("model", "secret_refs", "profile"),
    ("urls", "storage", "local", "observe"),
    ("net",),
    ("definition", "frontier", "output"),
    ("browser",),
    ("run", "client"),
    ("api.jobs",),
    ("services",),
    ("api", "tasks", "observe.metrics"),
    ("cli", "contrib"),
)
#: Who may read the settings.
READERS = ("services", "client", "local", "api", "tasks", "cli", "contrib")
#: Rooms on one floor that may use each other, in this direction: from the first to the second.
SIBLINGS = {("profile", "secret_refs")}


def modules() -> dict[str, ast.Module]:
    """Every module of the package, by its name in it ("tasks.app"), parsed."""
    found = {}
    for folder, prefix in (("crawler", ""), ("tasks", "tasks."), ("config", "config.")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = prefix + ".".join(part for part in parts if part != "__init__")
            found[name.rstrip(".")] = ast.parse(path.read_text(), str(path))
    return found


MODULES = modules()


def imports(name: str, tree: ast.AST) -> set[str]:
    """The modules of ours that ``name`` imports, wherever in its text, by their names in the
    package.
    """
    is_package = name == "" or any(other.startswith(f"{name}.") for other in MODULES)
    here = name.split(".") if name else []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("crawler").strip(".")
                for alias in node.names
                if alias.name.split(".")[0] == "crawler"
            }
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                base = here[: len(here) - node.level + is_package]
                module = ".".join([*base, *module.split(".")]).strip(".")
            elif module.split(".")[0] == "crawler":
                module = module.removeprefix("crawler").strip(".")
            else:
                continue
            for alias in node.names:
                whole = f"{module}.{alias.name}".strip(".")
                found.add(whole if whole in MODULES else module)
    return found


def floor(name: str) -> tuple[int, str] | None:
    """The floor of a module, and its room; None for the package itself and config. Of two rooms
    that hold it, the smaller counts.
    """
    rooms = [
        (len(room), number, room)
        for number, rooms in enumerate(FLOORS, 1)
        for room in rooms
        if name == room or name.startswith(f"{room}.")
    ]
    return max(rooms)[1:] if rooms else None


def test_every_module_lies_on_a_floor():
    homeless = [
        name
        for name in MODULES
        if name not in ("", "tasks", "__main__")
        and not name.startswith("config")
        and not floor(name)
    ]
    assert homeless == []


@pytest.mark.parametrize("name", [name for name in MODULES if floor(name)])
def test_a_module_imports_only_from_the_floors_below(name):
    number, room = floor(name)
    for other in imports(name, MODULES[name]):
        below = floor(other)
        if below is None or below[1] == room or (room, below[1]) in SIBLINGS:
            continue
        assert below[0] < number, f"{name} (floor {number}) imports {other} (floor {below[0]})"


def test_frontier_and_browser_never_meet():
    for name, tree in MODULES.items():
        for room, stranger in (("frontier", "browser"), ("browser", "frontier")):
            if name.startswith(room):
                assert not any(other.startswith(stranger) for other in imports(name, tree)), name


def test_config_knows_nothing_of_ours_and_is_read_only_at_the_doors():
    for name, tree in MODULES.items():
        for other in imports(name, tree):
            if name.startswith("config"):
                assert other.startswith("config"), f"{name} imports {other}"
            elif other.startswith("config"):
                assert name.startswith(READERS), f"{name} imports {other}"


def test_tasks_and_config_import_relatively():
    """From the checkout's root they could also be imported as ``tasks`` and ``config``: a relative
    import then fails, loudly.
    """
    for name, tree in MODULES.items():
        if name.startswith(("tasks", "config")):
            absolute = {
                node.module
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and not node.level
            }
            absolute |= {
                alias.name
                for node in ast.walk(tree)
                if isinstance(node, ast.Import)
                for alias in node.names
            }
            assert not {
                module
                for module in absolute
                if module and module.split(".")[0] in ("crawler", "tasks", "config")
            }, name


def test_only_config_reads_the_environment():
    """Elsewhere ``os.environ`` may be handed on whole to a child process, but no variable of it is
    looked at.
    """
    for name, tree in MODULES.items():
        if name.startswith("config"):
            continue
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        handed = [
            keyword.value for call in calls for keyword in call.keywords if keyword.arg == "env"
        ]
        handed += [
            call.args[2]
            for call in calls
            if isinstance(call.func, ast.Attribute) and call.func.attr == "execve"
        ]
        whole = {id(part) for value in handed for part in ast.walk(value)}
        for node in ast.walk(tree):
            read = isinstance(node, ast.Attribute) and node.attr in (
                "environ",
                "environb",
                "getenv",
                "getenvb",
            )
            read |= (
                isinstance(node, ast.ImportFrom)
                and node.module == "os"
                and any("env" in alias.name for alias in node.names)
            )
            assert not read or id(node) in whole, (
                f"{name}, line {node.lineno}: the environment is config's to read"
            )


def python(code: str) -> str:
    """What ``code`` prints in a process of its own, in a folder that holds nothing of ours."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_is_light():
    heavy = ("selenium", "opentelemetry", "celery", "kombu", "redis", "pydantic_settings", "rich")
    assert (
        python(f"import crawler, sys; print([name for name in {heavy} if name in sys.modules])")
        == "[]"
    )


def test_a_trigger_needs_no_browser():
    assert python("import sys; sys.modules['selenium'] = None; import crawler.client") == ""


def test_tasks_are_one_module_under_one_name():
    assert (
        python(
            "import crawler.tasks.app, sys; print('tasks' in sys.modules, 'config' in sys.modules)"
        )
        == "False False"
    )


def test_nobody_opens_a_connection_or_a_process_on_import():
    names = [
        f"crawler.{name}".rstrip(".")
        for name in MODULES
        if name not in ("__main__", "config.flowerconfig") and "contrib" not in name
    ]
    guard = """
import importlib, socket, subprocess, sys
def forbidden(*args, **kwargs): raise SystemExit(f"opened on import of {name}: {args}")
import asyncio, ssl, multiprocessing  # they subclass what is closed off below
socket.socket.connect = forbidden
subprocess.Popen.__init__ = forbidden
for name in sys.argv[1:]:
    importlib.import_module(name)
"""
    done = subprocess.run(
        [sys.executable, "-c", guard, *names], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
