"""The API described as OpenAPI 3.1, made from the routes and message types that check the requests."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from helpdesk import __version__, errors
from helpdesk.errors import AppError
from helpdesk.messages.tickets import Ticket
from helpdesk.routes import ROUTES, Route
from helpdesk.web.calls import Access, Call, Nothing

_REF = "#/components/schemas/{name}"
_ID_SCHEMA = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}
_ERROR_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "field"],
            "properties": {
                "code": {"enum": sorted(e.code for e in errors.ALL)},
                "message": {"type": "string"},
                "field": {"type": ["string", "null"]},
            },
        }
    },
}
_VERSION_TAG = r'"[1-9][0-9]{0,14}(\.[0-9]{1,18})?"'
_REQUEST_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "If-None-Match": ("The ETag that the client has; 304 while it is the present one", {"type": "string"}),
    "If-Match": (
        "The version that the change was made from; stands in for the field",
        {"type": "string", "pattern": rf"^{_VERSION_TAG}(, {_VERSION_TAG})*$"},
    ),
    "Last-Event-ID": ("The last entry seen; what came after it is sent first", {"type": "string"}),
    "Idempotency-Key": (
        "1 to 255 printable ASCII characters; the same request with the same key is done once",
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~][ -~]{0,253}[!-~]?$"},
    ),
    "X-Request-Id": (
        "1 to 64 of A-Z a-z 0-9 . _ - to find the request in the server's log; another is made otherwise",
        {"type": "string"},
    ),
}
_RESPONSE_HEADERS = {
    "X-Request-Id": "Finds the request in the server's log",
    "RateLimit-Policy": 'The bucket: "user";q=60;w=60, or "address" when not signed in',
    "RateLimit": 'What is left in it: "user";r=59;t=1',
    "Retry-After": "Seconds to wait",
    "ETag": "The ticket's version, a dot, and its newest visible timeline entry",
    "Location": "Where the new thing is",
    "Allow": "The methods that are possible here",
    "WWW-Authenticate": "The scheme to sign in with (RFC 6750)",
    "Idempotent-Replayed": "true when an earlier request did the work",
}


def document() -> bytes:
    """The whole description, as JSON."""
    calls = [call for route in ROUTES for _, _, call in route.calls()]
    types = {t for call in calls for t in (call.params, call.body, call.answer) if t not in (None, Nothing, str)}
    ordered = sorted(types, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    schema_of = dict(zip(ordered, schemas, strict=True))
    components |= {"Error": _ERROR_SCHEMA, "Conflict": _conflict_schema(components)}
    paths = {
        route.path: {
            verb.lower(): _operation(route, verb, access, call, schema_of, components)
            for verb, access, call in route.calls()
        }
        for route in ROUTES
    }
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "HelpDesk Mini",
                "version": __version__,
                "description": "Tickets with SLA clocks, threaded comments, search and live updates.",
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _conflict_schema(components: dict[str, Any]) -> dict[str, Any]:
    return {
        "allOf": [{"$ref": _REF.format(name="Error")}],
        "type": "object",
        "required": ["error", "current", "changed"],
        "properties": {
            "current": {"$ref": _REF.format(name=Ticket.__name__)},
            "changed": {"type": "array", "items": {"type": "string"}},
        },
    }


def _operation(
    route: Route,
    verb: str,
    access: Access,
    call: Call,
    schema_of: dict[Any, dict[str, Any]],
    components: dict[str, Any],
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route, verb),
        "summary": call.summary,
        "description": f"For {access.value}.",
        "tags": [_tag(route)],
        "parameters": [*_path_parameters(route), *_query_parameters(call, components), *_headers(verb, access, call)],
        "responses": _responses(verb, access, call, schema_of),
    }
    if access.needs_actor:
        operation["security"] = [{"token": []}]
    if call.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[call.body]}},
        }
    return operation


def _operation_id(route: Route, verb: str) -> str:
    words = re.sub(r"[^a-z]+", "_", route.path.lower()).strip("_").removeprefix("api_")
    return f"{verb.lower()}_{words}"


def _tag(route: Route) -> str:
    parts = route.path.strip("/").split("/")
    return parts[1] if parts[0] == "api" and parts[1] in ("auth", "me", "users", "tickets", "reports") else "server"


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    if "{id}" not in route.path:
        return []
    return [{"name": "id", "in": "path", "required": True, "schema": _ID_SCHEMA}]


def _query_parameters(call: Call, components: dict[str, Any]) -> list[dict[str, Any]]:
    if call.params is Nothing:
        return []
    properties = components[call.params.__name__]["properties"]
    return [_query_parameter(name, schema) for name, schema in properties.items()]


def _query_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    # A parameter that is left out is not null: the schema in the message type allows for both.
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    shown = dict(options[0]) if options else {}
    parameter: dict[str, Any] = {"name": name, "in": "query", "schema": shown}
    if "description" in shown:
        parameter["description"] = str(shown.pop("description")).capitalize()
    if schema.get("default") is not None:
        shown["default"] = schema["default"]
    if shown.get("type") == "array":
        shown["minItems"] = 1
        parameter |= {"style": "form", "explode": True}
    return parameter


def _headers(verb: str, access: Access, call: Call) -> list[dict[str, Any]]:
    names = [*call.headers, *(["Idempotency-Key"] if verb in ("POST", "PATCH") else []), "X-Request-Id"]
    return [
        {
            "name": name,
            "in": "header",
            "description": _REQUEST_HEADERS[name][0],
            "schema": _REQUEST_HEADERS[name][1],
        }
        for name in names
    ]


def _responses(verb: str, access: Access, call: Call, schema_of: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    counted = access is not Access.FREE
    names = ["X-Request-Id", *(["RateLimit-Policy", "RateLimit"] if counted else []), *call.returns_headers]
    if verb in ("POST", "PATCH"):
        names.append("Idempotent-Replayed")
    success: dict[str, Any] = {"description": "Done", "headers": _described(names)}
    if call.answer is not None:
        schema = {"type": "string"} if call.answer is str else schema_of[call.answer]
        success["content"] = {call.media_type: {"schema": schema}}
    responses: dict[str, Any] = {str(call.status): success}
    if "If-None-Match" in call.headers:
        responses["304"] = {"description": "The client has it already", "headers": _described(["ETag"])}
    for status, kinds in sorted(_errors(verb, access, call).items()):
        responses[str(status)] = _refusal(kinds)
    if call.answers_503:
        responses["503"] = success | {"description": "The store does not answer"}
    return responses


def _errors(verb: str, access: Access, call: Call) -> dict[int, list[type[AppError]]]:
    """Which errors a call can answer with: those of its own, and those of all calls of its kind."""
    kinds: list[type[AppError]] = [
        *call.errors,
        errors.InvalidParam,
        errors.PayloadTooLarge,
        errors.HostNotAllowed,
        errors.MethodNotAllowed,
        errors.Internal,
        errors.Unavailable,
        errors.RateLimited,  # of free calls too: for too many connections
        errors.BadJson,  # for a body where none belongs
        errors.UnknownField,
        errors.UnsupportedMediaType,
    ]
    if access.needs_actor:
        kinds += [errors.Unauthenticated, errors.InvalidToken, errors.InvalidHeader]
    if access in (Access.STAFF, Access.ADMIN) or verb in ("POST", "PATCH"):
        kinds.append(errors.Forbidden)
    if verb in ("POST", "PATCH"):
        kinds += [errors.InvalidHeader, errors.IdempotencyKeyReused, errors.NotFound]
    if call.body is not None:
        kinds += [errors.FieldRequired, errors.InvalidField]
    kinds.append(errors.NotFound)
    by_status: dict[int, list[type[AppError]]] = {}
    for kind in dict.fromkeys(kinds):
        by_status.setdefault(kind.status, []).append(kind)
    return by_status


def _refusal(kinds: list[type[AppError]]) -> dict[str, Any]:
    names = {
        errors.RateLimited: "Retry-After",
        errors.Unavailable: "Retry-After",
        errors.MethodNotAllowed: "Allow",
        errors.Unauthenticated: "WWW-Authenticate",
    }
    conflict = any(kind in (errors.VersionMismatch, errors.PreconditionFailed) for kind in kinds)
    only_conflicts = conflict and all(kind in (errors.VersionMismatch, errors.PreconditionFailed) for kind in kinds)
    return {
        "description": ", ".join(sorted(kind.code for kind in kinds)),
        "headers": _described(["X-Request-Id", *(names[kind] for kind in kinds if kind in names)]),
        "content": {
            "application/json": {"schema": {"$ref": _REF.format(name="Conflict" if only_conflicts else "Error")}}
        },
    }


def _described(names: list[str]) -> dict[str, Any]:
    return {
        name: {"description": _RESPONSE_HEADERS[name], "schema": {"type": "string"}} for name in dict.fromkeys(names)
    }
