"""The JSON API: every address with its parameters, and every response with its fields."""

from __future__ import annotations

import re
from tempfile import TemporaryDirectory
from typing import Any

from telemetry_quality.dashboard.access.permissions import PERMISSIONS
from telemetry_quality.dashboard.app import create_app
from telemetry_quality.settings import Settings
from telemetry_quality_tests.reference.markdown import page, table

OPENING = """\
The dashboard answers machines with JSON, exports and metrics. A machine sends a [token](dashboard.md#the-api) in the
header `Authorization: Bearer TOKEN`; without one, or with the wrong scope, the response is an `ErrorResponse` with
401 or 403. Rates are in percent, times are UTC in ISO 8601, and what could not be read is null, never zero. The same
as OpenAPI 3.1 is at `/api/health/openapi.json` of your dashboard.

```text
curl --header "Authorization: Bearer $TOKEN" https://telemetry.example.org/api/health/summary/
```"""


def schema() -> dict[str, Any]:
    """The OpenAPI schema of the dashboard."""
    with TemporaryDirectory() as folder:
        source = {
            "connector": "parquet", "path": folder, "first_day": "2026-01-01",
            "roles": {name: name for name in ("occurred_at", "event_name", "service_version", "is_error")},
        }  # fmt: skip
        settings = Settings.model_validate({"store": f"sqlite:///{folder}/quality.db", "sources": {"web": source}})
        app = create_app(settings)
        try:
            found: dict[str, Any] = app.openapi()
        finally:
            dashboard = app.state.dashboard
            for part in (dashboard.reader, dashboard.action_store, dashboard.access):
                part.close()
    return found


def written() -> str:
    """The page."""
    found = schema()
    addresses = [
        (f"`{path}`", _address(path, operations["get"]))
        for path, operations in found["paths"].items()
        if "get" in operations
    ]
    models = [
        (name, _model(model)) for name, model in sorted(found["components"]["schemas"].items()) if "properties" in model
    ]
    return re.sub("(?<!`)``(?!`)", "`", page("JSON API", OPENING, [*addresses, *models]))


def _address(path: str, operation: dict[str, Any]) -> str:
    permission = PERMISSIONS.get(path)
    scope = permission.scope if permission else None
    who = f"A token of the scope `{scope.value}`, or somebody who is signed in." if scope else "Everybody."
    parts = [f"{operation.get('description') or operation.get('summary', '')} {who}".strip()]
    rows = [
        (f"`{given['name']}`", _type(given["schema"]), given.get("description", ""))
        for given in operation.get("parameters", [])
        if given["in"] in {"query", "path"}
    ]
    if rows:
        parts.append(table(["parameter", "type", "meaning"], rows))
    answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
    if answer:
        parts.append(f"The response is {_type(answer)}.")
    return "\n\n".join(parts)


def _model(model: dict[str, Any]) -> str:
    rows = [(f"`{name}`", _type(field), field.get("description", "")) for name, field in model["properties"].items()]
    return "\n\n".join(
        part for part in (model.get("description", ""), table(["field", "type", "meaning"], rows)) if part
    )


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})" if name.endswith(_LINKED) else name
    for key in ("anyOf", "oneOf", "allOf"):
        if key in field:
            return " or ".join(_type(option) for option in field[key])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    kind = field.get("type", "anything")
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}"
    if kind == "string" and "format" in field:
        return str(field["format"])
    return str(kind)


_LINKED = ("Response", "Summary", "Line", "Window", "Detail", "Health", "Source")
