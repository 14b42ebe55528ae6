"""Find the crawl that a reference means (``shop.crawls:books``, ``books.py``, ``books.toml``, a
URL), or that the frontier keeps.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import CrawlerError, DefinitionError, Fault, SetupError, UnknownCrawl
from ..model import DEVICE_NAME, Plan, is_crawl_name
from ..text.encodable import text_of_error, type_of_error
from ..urls.url import InvalidURL, parse_url
from .crawl import Crawl
from .fields import misplaced_fields

#: Characters of a name that an error repeats.
SHOWN_MAX = 80

_URL = re.compile(r"https?://", re.IGNORECASE)
_PY = re.compile(r"(.+\.py)(?::([A-Za-z_]\w*))?")
_MODULE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?::([A-Za-z_]\w*))?")
_NO_CRAWL = "holds no crawl; a crawl is made by: books = Crawl(name=…, url=…)"


def stored(plan: Plan, known: Mapping[str, Crawl]) -> Crawl:
    """Return the crawl that ``plan`` describes, with the code of one of the ``known`` crawls if it
    is a variant.

    Raises:
        UnknownCrawl: its code is not known here.
    """
    if plan.base is not None and plan.base in known:
        return known[plan.base].variant(**plan.definition or {})
    if plan.base is not None or plan.definition is None:
        raise UnknownCrawl(plan.base or plan.name, tuple(known))
    return Crawl(**plan.definition)


def load(reference: str, changes: Iterable[str] = (), crawls: Iterable[str] = ()) -> Crawl:
    """Return the crawl that ``reference`` means, not validated yet. ``changes`` (``field=value``)
    replace fields of a crawl without code.

    A reference is ``module:attribute`` or a file ``path.py:attribute`` (the attribute may be left
    out where there is one crawl), a ``path.toml``, or the URL of a site, which is then crawled with
    the defaults, under the name of its host. If it is none of them, it may be the name of a crawl
    in ``crawls``, which are references, too.

    Raises:
        SetupError: there is no such crawl, or its module does not import; says how to mend it.
        DefinitionError: a file in TOML is not well formed, or a change is not.
    """
    if _URL.match(reference):
        crawl = _from_url(reference)
    else:
        try:
            crawl = _only(reference, _crawls(reference))
        except SetupError:
            known = load_each(crawls)[0]
            if reference not in known:
                raise
            crawl = known[reference]
    changes = tuple(changes)
    if not changes:
        return crawl
    if crawl.has_code:
        raise SetupError(
            f"{reference} has code, which workers load by themselves; change its fields there"
        )
    return crawl.replace(**dict(_change(change) for change in changes))


def load_all(references: Iterable[str]) -> dict[str, Crawl]:
    """Return all crawls that ``references`` (modules, files) hold, validated, by name.

    Raises:
        SetupError: as for :func:`load`.
        DefinitionError: one of them is wrong, or two have one name.
    """
    crawls, faults = load_each(references)
    if faults:
        raise faults[0]
    return crawls


def load_each(references: Iterable[str]) -> tuple[dict[str, Crawl], list[CrawlerError]]:
    """Return the crawls of ``references`` that can be used, by name, and an error for each
    reference or crawl that cannot: for a worker, which does what it can.
    """
    crawls: dict[str, tuple[str, Crawl]] = {}
    faults: list[CrawlerError] = []
    for reference in references:
        try:
            members = _crawls(reference)
        except CrawlerError as error:
            faults.append(error)
            continue
        if not members:
            faults.append(SetupError(f"{reference} {_NO_CRAWL}"))
        for crawl in members.values():
            try:
                crawl.validate()
            except DefinitionError as error:
                faults.append(error)
                continue
            where, known = crawls.setdefault(crawl.name, (reference, crawl))
            if known is not crawl:
                what = f"is taken twice, in {where} and in {reference}"
                fault = Fault("name", what, 'name="books-2"')
                faults.append(DefinitionError(crawl.name, (fault,)))
    return {name: crawl for name, (_, crawl) in crawls.items()}, faults


def module_path(reference: str) -> str:
    """Return ``reference`` in a form by which a worker in another folder loads the same crawl: the
    path of a file is made absolute.
    """
    if match := _PY.fullmatch(reference):
        path, attribute = match.groups()
        return str(Path(path).resolve()) + (f":{attribute}" if attribute else "")
    return str(Path(reference).resolve()) if reference.endswith(".toml") else reference


def _only(reference: str, crawls: dict[str, Crawl]) -> Crawl:
    distinct = {id(crawl): crawl for crawl in crawls.values()}
    if not distinct:
        raise SetupError(f"{reference} {_NO_CRAWL}")
    if len(distinct) > 1:
        raise SetupError(
            f"{reference} holds several crawls; say which: "
            + ", ".join(f"{reference}:{name}" for name in crawls)
        )
    return next(iter(distinct.values()))


def _crawls(reference: str) -> dict[str, Crawl]:
    """Return the crawls of a module or file, by the names that they have there."""
    if reference.endswith(".toml"):
        crawl = _from_toml(_existing(reference))
        return {str(crawl.raw["name"]): crawl}
    if match := _PY.fullmatch(reference):
        path, attribute = match.groups()
        module = _import_file(_existing(path), reference)
    elif match := _MODULE.fullmatch(reference):
        path, attribute = match.groups()
        module = _import_module(path, reference)
    else:
        raise SetupError(
            f"{reference!r} is no reference to a crawl; there are: shop.crawls:books, books.py,"
            " books.toml, https://…"
        )
    crawls = {name: value for name, value in vars(module).items() if isinstance(value, Crawl)}
    if attribute is None:
        return crawls
    value = getattr(module, attribute, None)
    if isinstance(value, Crawl):
        return {attribute: value}
    hint = f"; it holds: {', '.join(crawls)}" if crawls else ""
    raise SetupError(f"{path} has no crawl called {attribute}{hint}")


def _existing(path: str) -> Path:
    try:
        if Path(path).is_dir():
            raise SetupError(f"{path} is a folder")
        with Path(path).open("rb"):
            return Path(path).resolve()
    except (FileNotFoundError, NotADirectoryError):
        raise SetupError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        shown = path if len(path) <= SHOWN_MAX else f"{path[:SHOWN_MAX]}…"
        why = error.strerror if isinstance(error, OSError) else error
        raise SetupError(f"{shown} cannot be read: {why}") from None


def _import_file(path: Path, reference: str) -> ModuleType:
    """Import the file ``path`` as a module, once. Its folder is on ``sys.path`` then, as when it is
    run as a script.
    """
    name = f"crawl_{_short_hash(str(path))}_{path.stem}".replace(".", "_")
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SetupError(f"{reference} is no Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a module of the user raises
        del sys.modules[name]
        raise SetupError(f"{reference} does not import: {_cause(error)}") from error
    return module


def _import_module(name: str, reference: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise SetupError(f"{reference} does not import: {_cause(error)}") from error
        raise SetupError(f"there is no module {name}{_meant(reference)}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a module of the user raises
        raise SetupError(f"{reference} does not import: {_cause(error)}") from error


def _meant(reference: str) -> str:
    """Return a hint at the reference that its author may have meant."""
    stem = reference.partition(":")[0].replace(".", "/")
    for path in (f"{stem}.py", f"{stem}.toml"):
        with suppress(OSError):  # too long a name
            if Path(path).is_file():
                return f"; did you mean {path}?"
    reads_as_host = "." in reference and ":" not in reference
    return f"; for a site, write https://{reference}" if reads_as_host else ""


def _cause(error: BaseException) -> str:
    """Return one line about ``error``: its text, and its place in the author's code."""
    where = ""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} (line {error.lineno} of {error.filename})"
    if error.__traceback__ is not None:
        frames = [
            frame
            for frame in inspect.getinnerframes(error.__traceback__)
            if "importlib" not in frame.filename
        ]
        where = f" (line {frames[-1].lineno} of {frames[-1].filename})" if len(frames) > 1 else ""
    first = text_of_error(error).strip().partition("\n")[0]
    return f"{type_of_error(error)}: {first}{where}"


def _from_toml(path: Path) -> Crawl:
    try:
        fields = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DefinitionError(
            path.stem, (Fault(path.name, f"is no TOML: {error}", 'name = "books"'),)
        ) from error
    if isinstance(seeds := fields.get("seeds"), str) and seeds:
        # other machines may not have the file, but only a start reads it
        fields["seeds"] = str(path.parent / seeds)
    crawl = Crawl(**{"name": path.stem, **fields})
    if faults := misplaced_fields(fields):
        raise DefinitionError(str(crawl.raw["name"]), (*faults, *_other_faults(crawl, faults)))
    return crawl


def _other_faults(crawl: Crawl, known: Iterable[Fault]) -> Iterator[Fault]:
    """Yield the faults of ``crawl`` in fields without one of the ``known`` faults."""
    tables = {re.split(r"[.\[]", fault.field)[0] for fault in known}
    try:
        crawl.validate()
    except DefinitionError as error:
        yield from (one for one in error.faults if re.split(r"[.\[]", one.field)[0] not in tables)


def _from_url(url: str) -> Crawl:
    try:
        name = parse_url(url).lane
    except InvalidURL:
        name = "site"  # validate() says what is wrong with it
    if not is_crawl_name(name):
        device = "site-" if DEVICE_NAME.fullmatch(name) else ""
        name = f"{device}{name[:45]}-{_short_hash(name)}"
    return Crawl(name=name, url=url)


def _short_hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def _change(change: str) -> tuple[str, Any]:
    """Parse ``field=value``, the value as in TOML; a value that is no TOML is a text."""
    name, equals, text = change.partition("=")
    if not equals:
        raise DefinitionError("", (Fault(change, "is no change of a field", "delay=0.5"),))
    try:
        return name.strip(), tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return name.strip(), text
