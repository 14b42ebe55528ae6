"""The house: each module lies on a floor and imports downwards; importing changes nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: The house, from the roof to the ground. A module imports what lies on lower floors, and what lies
#: in its own room.
HOUSE = """
    cli        contrib
    loadtest
    api        tasks        observe.metrics
    services
    api.jobs
    api.job
    run        client      drafts
    browser
    definition frontier     output
    net
    urls       storage      local       observe
    model      secret_refs  profile
    version    errors       redaction   hooks       text
"""
#: Rooms that reach a neighbour on their own floor, or that lie on another floor than their folder.
EXCEPTIONS = {
    "api.job": "the names and words of jobs, for those who only show them",
    "api.jobs": "an order is a crawl, which the composition root sweeps; HTTP comes above it",
    "observe.metrics": "reads workers, frontier and browsers; logs and traces need none of them",
}
#: The rooms that may read the settings.
READERS = ("services", "client", "local", "api", "loadtest", "tasks", "cli", "contrib")
#: Modules in the longest chain of imports, each of which imports the next.
CHAIN_MAX = 9
#: Modules that lie in no folder of the package.
LOOSE_MAX = 8
#: Words in the name of a test.
WORDS_MAX = 12

FLOORS = [line.split() for line in reversed(HOUSE.strip().splitlines())]


class Module:
    """A module of ours: its ``name`` in the package ("tasks.app"), and its text, parsed."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.is_package = name, path.name == "__init__.py"
        self.tree = ast.parse(path.read_text(), str(path))

    def imports(self, *, at_import: bool = False) -> Iterator[str]:
        """Yield the modules of ours that this one imports: wherever in its text, or only those that
        are loaded when it is imported.
        """
        for node in self.tree.body if at_import else ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
                yield from (_inside(name) for name in names if name.split(".")[0] == "crawler")
            elif isinstance(node, ast.ImportFrom) and (source := self._source(node)) is not None:
                for alias in node.names:
                    whole = f"{source}.{alias.name}".strip(".")
                    yield whole if whole in MODULES else source

    def _source(self, node: ast.ImportFrom) -> str | None:
        """Return the module that an import takes names from; None if it is none of ours."""
        name = node.module or ""
        if not node.level:
            return _inside(name) if name.split(".")[0] == "crawler" else None
        folders = self.name.split(".") if self.name else []
        base = folders[: len(folders) - node.level + self.is_package]
        return ".".join([*base, *name.split(".")]).strip(".")


def _inside(name: str) -> str:
    return name.removeprefix("crawler").strip(".")


def _modules() -> dict[str, Module]:
    modules = {}
    for folder, prefix in (("crawler", ""), ("tasks", "tasks."), ("config", "config.")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = (prefix + ".".join(part for part in parts if part != "__init__")).rstrip(".")
            modules[name] = Module(name, path)
    return modules


MODULES: dict[str, Module] = {}
MODULES.update(_modules())
#: The package itself hands names on; the settings stand apart, see READERS.
ROOMED = [
    name for name in MODULES if name not in ("", "__main__") and not name.startswith("config")
]


def place(name: str) -> tuple[int, str] | None:
    """Return the floor of a module, and its room: of two that hold it, the smaller. None: it has no
    room.
    """
    rooms = [
        (len(room), number, room)
        for number, floor in enumerate(FLOORS)
        for room in floor
        if name == room or name.startswith(f"{room}.")
    ]
    return max(rooms)[1:] if rooms else None


@pytest.mark.parametrize("name", ROOMED)
def test_a_module_imports_only_from_the_floors_below(name):
    here = place(name)
    assert here, f"{name} lies in no room"
    for other in MODULES[name].imports():
        there = place(other)
        if there and there[1] != here[1]:
            assert there[0] < here[0], f"{name} imports {other}, which does not lie below it"


def test_there_are_at_most_four_exceptions():
    folders = {room.split(".")[0] for floor in FLOORS for room in floor if "." in room}
    apart = {room for floor in FLOORS for room in floor if "." in room}
    assert folders <= {room for floor in FLOORS for room in floor}
    assert apart == set(EXCEPTIONS)
    assert len(EXCEPTIONS) <= 4


def test_no_modules_import_each_other_in_a_circle():
    for name in MODULES:
        assert not circle(name, ()), circle(name, ())


@cache
def circle(name: str, path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the circle that the imports of ``name`` run into, typing-only ones included; empty if
    there is none.
    """
    if name in path:
        return (*path[path.index(name) :], name)
    if name in _free:
        return ()
    for other in MODULES[name].imports():
        if other in MODULES and other != name and (found := circle(other, (*path, name))):
            return found
    _free.add(name)
    return ()


_free: set[str] = set()


def test_the_longest_chain_of_imports_is_short():
    longest = max((chain(name) for name in MODULES), key=len)
    assert len(longest) <= CHAIN_MAX, " > ".join(longest)


@cache
def chain(name: str) -> tuple[str, ...]:
    """Return the longest chain of modules that are loaded with ``name``, which comes first."""
    others = {other for other in MODULES[name].imports(at_import=True) if other in MODULES}
    return (name, *max((chain(other) for other in others - {name}), key=len, default=()))


def test_few_modules_lie_loose_in_the_package():
    loose = [path.stem for path in (ROOT / "crawler").glob("*.py") if path.stem != "__init__"]
    assert len(loose) <= LOOSE_MAX, loose


def test_frontier_and_browser_never_meet():
    for name, module in MODULES.items():
        for room, stranger in (("frontier", "browser"), ("browser", "frontier")):
            if name.startswith(room):
                assert not any(other.startswith(stranger) for other in module.imports()), name


def test_config_knows_nothing_of_ours_and_few_rooms_read_it():
    for name, module in MODULES.items():
        for other in module.imports():
            if name.startswith("config"):
                assert other.startswith("config"), f"{name} imports {other}"
            elif other.startswith("config"):
                assert name.startswith(READERS), f"{name} imports {other}"


def test_tasks_and_config_import_relatively():
    """From the checkout's root they could also be imported as ``tasks`` and ``config``: a relative
    import then fails, loudly.
    """
    for name, module in MODULES.items():
        if name.startswith(("tasks", "config")):
            nodes = list(ast.walk(module.tree))
            absolute = {
                node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level
            }
            absolute |= {
                alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
            }
            roots = {other.split(".")[0] for other in absolute if other}
            assert not roots & {"crawler", "tasks", "config"}, name


def test_only_config_reads_the_environment():
    """Elsewhere ``os.environ`` may be handed on whole to a child process, but no variable of it is
    looked at.
    """
    for name, module in MODULES.items():
        if name.startswith("config"):
            continue
        calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
        handed = [
            keyword.value for call in calls for keyword in call.keywords if keyword.arg == "env"
        ]
        handed += [
            call.args[2]
            for call in calls
            if isinstance(call.func, ast.Attribute) and call.func.attr == "execve"
        ]
        whole = {id(part) for value in handed for part in ast.walk(value)}
        for node in ast.walk(module.tree):
            allowed = not reads_environment(node) or id(node) in whole
            assert allowed, f"{name}, line {node.lineno}: the environment is config's to read"


def reads_environment(node: ast.AST) -> bool:
    """Whether ``node`` takes something from the environment."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("environ", "environb", "getenv", "getenvb")
    imported = isinstance(node, ast.ImportFrom) and node.module == "os"
    return imported and any("env" in alias.name for alias in node.names)


def test_the_names_of_tests_are_short():
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if len(node.name.removeprefix("test_").split("_")) > WORDS_MAX
    ]
    assert long == []


def python(code: str, *words: str) -> str:
    """Return what ``code`` prints in a process of its own, in a folder that holds nothing of
    ours.
    """
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def importable() -> list[str]:
    """Return all modules of ours that can be imported without a Django project or a Flower."""
    apart = ("__main__", "config.flowerconfig")
    names = [name for name in MODULES if name not in apart and not name.startswith("contrib")]
    return [f"crawler.{name}".rstrip(".") for name in names]


def test_importing_the_package_is_light():
    heavy = ("selenium", "opentelemetry", "celery", "kombu", "redis", "pydantic_settings", "rich")
    code = f"import crawler, sys; print([name for name in {heavy} if name in sys.modules])"
    assert python(code) == "[]"


def test_a_trigger_needs_no_browser():
    assert python("import sys; sys.modules['selenium'] = None; import crawler.client") == ""


def test_tasks_are_one_module_under_one_name():
    code = "import crawler.tasks.app, sys; print('tasks' in sys.modules, 'config' in sys.modules)"
    assert python(code) == "False False"


def test_no_module_takes_the_place_of_a_public_name():
    """Importing a module sets it as an attribute of its package."""
    code = """
import importlib, pkgutil, crawler
before = {name: getattr(crawler, name) for name in crawler.__all__}
for found in pkgutil.iter_modules(crawler.__path__, "crawler."):
    importlib.import_module(found.name)
print([name for name in crawler.__all__ if getattr(crawler, name) is not before[name]])
"""
    assert python(code) == "[]"


def test_importing_opens_no_connection_and_leaves_kombu_and_celery_as_shipped():
    """Modules, classes and tables of theirs hold the same objects before and after. Tasks, and
    receivers of signals, are what they are extended by. And no process is started.
    """
    code = """
import importlib, pkgutil, socket, subprocess, sys
import celery, kombu

def load(package):
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        try:
            importlib.import_module(found.name)
        except BaseException:  # it needs what is not installed here
            continue

def contents():
    held = {}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] not in ("celery", "kombu"):
            continue
        for key, value in list(vars(module).items()):
            held[name, key] = value
            if isinstance(value, type) and value.__module__ == name:
                held.update({(name, key, inner): one for inner, one in vars(value).items()})
            if isinstance(value, type) and isinstance(vars(value).get("data"), dict):
                held.update({(name, key, "data", inner): one for inner, one in value.data.items()})
            if isinstance(value, dict) and key.isupper():
                held.update({(name, key, inner): one for inner, one in value.items()})
    return held

load(kombu); load(celery)
import celery.worker.control
before = contents()
def forbidden(*args, **kwargs): raise SystemExit(f"opened on import of {name}: {args}")
socket.socket.connect = forbidden
subprocess.Popen.__init__ = forbidden
for name in sys.argv[1:]:
    importlib.import_module(name)
after = contents()
lazy = ("__abstractmethods__", "_abc_impl", "__annotations__", "__doc__")
print([key for key, value in before.items() if after.get(key) is not value and key[-1] not in lazy])
"""
    assert python(code, *importable()) == "[]"


def test_users_of_locust_change_a_process_only_when_asked_for():
    code = """
import crawler.contrib.locust as users, importlib, socket, sys
print("gevent" in sys.modules, end=" ")
import locust
def forbidden(*args, **kwargs): raise SystemExit(f"opened on import: {args}")
socket.socket.connect = forbidden
for name in sys.argv[1:]: importlib.import_module(name)
print(all(getattr(users, name) for name in users.__all__))
"""
    names = [f"crawler.{name}" for name in MODULES if name.startswith("contrib.locust")]
    assert python(code, *names) == "False True"
