"""The digest of a crawl: 16 hexadecimal digits that tell two versions of its definition apart."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ..hooks import hook_name
from ..model import Json
from ..redaction import password_of
from .derived import once_per_crawl
from .field_errors import SECRETS
from .item_models import is_model, models_within, table_of
from .pattern_texts import text_of

if TYPE_CHECKING:
    from .crawl import Crawl

#: Rounds of hashing that make a password slow to guess by a digest: about 0.1 s for each field,
#: once per process.
GUESS_ROUNDS = 200_000


@once_per_crawl
def digest_of(crawl: Crawl) -> str:
    """Return the digest of the crawl's fields and of the source of its hooks. It is the same in
    every process.

    Raises:
        DefinitionError: the definition is wrong.
    """
    fields = changed_fields(crawl)
    fields.pop("examples", None)  # they say what is expected, not what is done
    secrets = SECRETS | ({"url"} if any(map(password_of, crawl.url)) else set())
    if "routes" in fields:
        if any("steps" in table for table in crawl.routes.values()):
            secrets |= {"routes"}
        tables = fields["routes"].items()  # their order matters
        fields["routes"] = [[name, without_examples(table)] for name, table in tables]
    # people see the digest: no password must be guessed by it
    for name in secrets & fields.keys():
        secret = json.dumps(fields[name], sort_keys=True).encode("utf-8", "surrogatepass")
        salt = f"{crawl.name}:{name}".encode()
        fields[name] = hashlib.pbkdf2_hmac("sha256", secret, salt, GUESS_ROUNDS).hex()
    hooks = {step: source_of(hook) for step, hook in sorted(crawl.hooks.items())}
    text = json.dumps({"fields": fields, "hooks": hooks}, sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def without_examples(table: Mapping[str, Json]) -> dict[str, Json]:
    """Return the options of a route without its examples."""
    return {option: value for option, value in table.items() if option != "examples"}


def changed_fields(crawl: Crawl) -> dict[str, Json]:
    """Return the fields that differ from their defaults, as JSON."""
    fields = crawl.fields
    return {
        name: as_plain_json(value)
        for name, field in type(fields).model_fields.items()
        if (value := getattr(fields, name)) != field.default
    }


def as_plain_json(value: Any) -> Json:
    """Return ``value`` as JSON that means the same in another process; code as its source."""
    match value:
        case re.Pattern():
            return text_of(value)
        case Mapping():
            return {str(name): as_plain_json(inner) for name, inner in value.items()}
        case list() | tuple():
            return [as_plain_json(inner) for inner in value]
        case type() if is_model(value):
            return [as_plain_json(table_of(value)), *map(source_of, models_within(value))]
        case None | str() | int() | float():
            return value
    return source_of(value)


def source_of(code: Any) -> str:
    """Return the source of ``code`` (a function, mostly); its byte code where there is no
    source.
    """
    if isinstance(code, partial):
        return f"{source_of(code.func)} {code.args!r} {sorted(code.keywords.items())!r}"
    code = inspect.unwrap(code)
    compiled = getattr(code, "__code__", None)
    names = f"{compiled.co_varnames!r} {compiled.co_names!r}" if compiled else hook_name(code)
    has_source = inspect.isroutine(code) or inspect.isclass(code)
    try:
        source = inspect.getsource(code if has_source else type(code))
    except (OSError, TypeError):
        return f"{compiled.co_code.hex()} {names}" if compiled else names
    # several lambdas may stand on one line
    return f"{source} {names}" if hook_name(code).endswith("<lambda>") else source
