"""The description of the API for programs: OpenAPI 3.1, made from the routes and the records once, behind the start."""

from __future__ import annotations

from typing import Any

import msgspec

from securechat.limits import MAX_ROOM_CHARS, MAX_SIGN_CHARS, MAX_TEXT_CHARS, PAGE_ROWS
from securechat.server.api.problems import HTTP_CODES, STATUSES, Problem
from securechat.server.api.records import Stored
from securechat.server.api.routes import DEFAULT_ROWS, OWN_FILES, ROUTES, ApiRoute
from securechat.wire.event_stream import JsonLines, ServerSentEvents

_REFERENCE = "#/components/schemas/{name}"
_SEQ = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
_PARTS: dict[str, dict[str, Any]] = {
    "room": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_ROOM_CHARS,
        "description": "A room's name.",
        "examples": ["lobby"],
    },
    "person": {"type": "string", "minLength": 1, "description": "A sender_id, or a name; @ before a name of digits."},
    "seq": {**_SEQ, "description": "The number of a message.", "examples": [1]},
    "id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The id of a file or an upload."},
    "emoji": {"type": "string", "minLength": 1, "maxLength": MAX_SIGN_CHARS, "description": "The reaction."},
}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "after": {**_SEQ, "description": "Only what is above it, the lowest first."},
    "before": {**_SEQ, "description": "Only what is below it, the highest first."},
    "limit": {"type": "integer", "minimum": 1, "maximum": PAGE_ROWS, "default": DEFAULT_ROWS},
    "q": {"type": "string", "minLength": 1, "maxLength": 500, "description": "As /search takes it in a client."},
}
_ROW = {"type": "string", "description": "A room's name."}
_FILE_NAME = {"type": "string", "minLength": 1, "maxLength": 128, "description": "Of the file.", "examples": ["a.pdf"]}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1},
    "description": "The same key with the same body is the same message for 30 days; with another body it is 422.",
}


def description(version: str, *, has_files: bool = False) -> bytes:
    """Return the description as JSON.

    Uploads in parts are not in it: tus has a description of its own, and its clients read none.

    Args:
        version: of the program.
        has_files: whether the server takes files.
    """
    routes = [route for route in ROUTES if has_files or not route.path.startswith(OWN_FILES)]
    records = {route.makes for route in routes} | {route.takes for route in routes if route.takes is not None}
    ordered = sorted(records | {Problem}, key=lambda record: record.__name__)
    _, components = msgspec.json.schema_components(ordered, ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    if has_files:
        for path, methods in _file_paths().items():
            paths.setdefault(path, {}).update(methods)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "securechat",
                "version": version,
                "description": "Post, read and search messages. Errors are problem documents (RFC 9457).",
            },
            "servers": [{"url": "/api/v1"}],
            "security": [{"token": []}],
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _operation(route: ApiRoute) -> dict[str, Any]:
    parts = route.path.split("/")[1:]
    words = [part.strip("{}") for part in parts]
    parameters = [_parameter(part[1:-1], "path", _PARTS[part[1:-1]]) for part in parts if part[:1] == "{"]
    if route.run is None:
        return _stream(route)
    for name, is_number in route.parameters.items():
        schema = _PARAMETERS[name] if is_number or name == "q" else _ROW
        if name == "after" and route.path == OWN_FILES:
            schema = _PARTS["id"]
        parameters.append(_parameter(name, "query", schema, required=name == "q"))
    if route.is_keyed:
        parameters.append(_KEY)
    operation: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *words]),
        "summary": route.summary,
        "parameters": parameters,
        "responses": {str(route.status): _content("Done.", "application/json", route.makes.__name__), **_errors()},
    }
    if route.takes is not None:
        schema = {"$ref": _REFERENCE.format(name=route.takes.__name__)}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}, "text/plain": {"schema": {"type": "string"}}},
        }
    return operation


def _stream(route: ApiRoute) -> dict[str, Any]:
    """The event stream: its body has no end, and no schema has words for that."""
    rooms = {"type": "string", "minLength": 1, "description": "Names of rooms, commas between them; all without it."}
    cursor = {"type": "string", "pattern": "^[0-9]{1,16}(@[0-9a-f]{1,32})?$"}
    after = {**cursor, "description": "The id of an event, or a seq: what is behind it comes first. Now without it."}
    again = {**cursor, "description": "As after, and before it; readers that connect again send it."}
    types = (ServerSentEvents.content_type, JsonLines.content_type)
    stream = {content_type: {"schema": {"type": "string"}} for content_type in types}
    return {
        "operationId": "get_events",
        "summary": route.summary,
        "parameters": [
            _parameter("rooms", "query", rooms, required=False),
            _parameter("after", "query", after, required=False),
            _parameter("Last-Event-ID", "header", again, required=False),
        ],
        "responses": {"200": {"description": "A stream of events.", "content": stream}, **_errors()},
    }


def _file_paths() -> dict[str, dict[str, Any]]:
    """The paths of `securechat.server.api.files`, whose bodies are bytes."""
    text = {"type": "string", "maxLength": MAX_TEXT_CHARS, "description": "Of the message; none without it."}
    as_file = {"const": "file", "description": "A picture stays as it is, with place and time in it."}
    size = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1, "description": "Of a smaller copy: see its message."}
    stored = _content("The message is stored.", "application/json", Stored.__name__)
    octets: dict[str, Any] = {"application/octet-stream": {}}
    paths: dict[str, dict[str, Any]] = {}
    for root, part in (("rooms", "room"), ("people", "person")):
        paths[f"/{root}/{{{part}}}/files/{{name}}"] = {
            "put": {
                "operationId": f"put_{root}_{part}_files_name",
                "summary": "Sends a file as a message.",
                "parameters": [
                    _parameter(part, "path", _PARTS[part]),
                    _parameter("name", "path", _FILE_NAME),
                    _parameter("text", "query", text, required=False),
                    _parameter("as", "query", as_file, required=False),
                    _KEY,
                ],
                "requestBody": {"required": True, "content": octets},
                "responses": {"201": stored, **_errors()},
            }
        }
    paths["/files/{id}"] = {
        "get": {
            "operationId": "get_files_id",
            "summary": "Reads a file, or a range of it.",
            "parameters": [
                _parameter("id", "path", _PARTS["id"]),
                _parameter("size", "query", size, required=False),
            ],
            "responses": {
                "200": {"description": "The file.", "content": {"*/*": {}}},
                "206": {"description": "A range of it.", "content": {"*/*": {}}},
                "304": {"description": "The client has it already."},
                "416": {"description": "There is no such range."},
                **_errors(),
            },
        }
    }
    return paths


def _parameter(name: str, place: str, schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    schema = dict(schema)
    words = schema.pop("description", "")
    made = {"name": name, "in": place, "required": required, "schema": schema}
    return {**made, "description": words} if words else made


def _errors() -> dict[str, Any]:
    """The statuses of what can be refused, with the codes that they have."""
    codes: dict[int, set[str]] = {}
    for code, status in STATUSES.items():
        codes.setdefault(status, set()).add(code.value)
    for status, word in HTTP_CODES.items():
        codes.setdefault(status, set()).add(word)
    return {
        str(status): _content(f"One of {', '.join(sorted(words))}.", "application/problem+json", Problem.__name__)
        for status, words in sorted(codes.items())
    }


def _content(words: str, content_type: str, record: str) -> dict[str, Any]:
    return {"description": words, "content": {content_type: {"schema": {"$ref": _REFERENCE.format(name=record)}}}}
