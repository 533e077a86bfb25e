"""The condition tree as a language model writes it: compact JSON, its schema, and the way back.

Nothing here knows the taxonomy: the schema is made from the pydantic nodes, so a new condition is in it at once.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from .conditions import Request
from .errors import ModelOutputError
from .plan import describe_faults

MAX_TREE_DEPTH = 40
"""Of brackets in a reply; real trees stay below twenty."""
_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
_NOT_FOR_MODELS = ("title", "description", "default", "discriminator", "minLength")


def tree_json(request: Request) -> str:
    """A request on one line of JSON, without fields that have their default.

    Example:
        >>> from surveyor.core.conditions import Output, Request, Selection
        >>> tree_json(Request(outputs=(Output(verb="count", target=Selection(phrases=("plane",))),)))
        '{"outputs":[{"verb":"count","target":{"phrases":["plane"]}}]}'
    """
    return json.dumps(_plain(request), separators=(",", ":"), ensure_ascii=False)


def read_tree(text: str) -> Request:
    """The request in a model's reply: one JSON object, with or without a code fence or words around it.

    Raises:
        ModelOutputError: no JSON there, or JSON that is no request; the message names every fault with its place.

    Example:
        >>> read_tree('{"outputs":[{"verb":"count","target":{"phrases":["plane"]}}]}').outputs[0].verb
        'count'
    """
    answer = _THINKING.sub("", text)
    start = answer.find("{")
    if start < 0:
        raise ModelOutputError("the reply holds no JSON object; write the tree and nothing else", text)
    if _depth(answer) > MAX_TREE_DEPTH:
        raise ModelOutputError("the tree is nested too deeply; write only what the request says", text)
    try:
        data, _ = json.JSONDecoder().raw_decode(answer, start)
    except json.JSONDecodeError as error:
        raise ModelOutputError(f"the reply is not readable JSON: {error.msg} at character {error.pos}", text) from None
    try:
        return Request.model_validate(data)
    except ValidationError as error:
        raise ModelOutputError(f"the tree has faults: {describe_faults(error)}", text) from None


@cache
def _schema_text(every_field: bool) -> str:
    return json.dumps(_for_models(Request.model_json_schema(), every_field))


def tree_schema(*, every_field: bool = False) -> dict[str, Any]:
    """The JSON schema of a request, in the part of JSON schema that constrained decoders share.

    Args:
        every_field: each field must be written, also where it is null or empty: OpenAI's strict structured outputs
            ask for that. Else a field with a default may be left out, which keeps replies short.
    """
    found: dict[str, Any] = json.loads(_schema_text(every_field))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {
            name: _plain(getattr(value, name))
            for name, field in fields.items()
            if name == "kind" or field.is_required() or getattr(value, name) != field.default
        }
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _for_models(schema: Any, every_field: bool) -> Any:
    """The schema without what decoders do not know: `oneOf` with a discriminator is `anyOf`, defaults go."""
    if isinstance(schema, list):
        return [_for_models(item, every_field) for item in schema]
    if not isinstance(schema, dict):
        return schema
    properties = schema.get("properties")
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties" or key == "$defs":
            found[key] = {name: _for_models(inner, every_field) for name, inner in value.items()}
        elif key not in _NOT_FOR_MODELS:
            found["anyOf" if key == "oneOf" else key] = _for_models(value, every_field)
    if isinstance(properties, dict):
        needed = (
            properties if every_field else [n for n in properties if n in schema.get("required", ()) or n == "kind"]
        )
        found["required"] = list(needed)
    return found


def _depth(text: str) -> int:
    """How deep brackets are nested in the reply; those inside strings count too, which does no harm."""
    depth = deepest = 0
    for char in text:
        if char in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "}]":
            depth -= 1
    return deepest
