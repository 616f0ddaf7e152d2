"""Delta tables written by hand, for what the package deltalake cannot write: its log is lines of JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyroaring import BitMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    Action = Mapping[str, Any]

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def write_log(folder: Path, *commits: Iterable[Action]) -> Path:
    """The folder with a log of these commits."""
    log = folder / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    for version, actions in enumerate(commits):
        (log / f"{version:020}.json").write_text("".join(f"{json.dumps(action)}\n" for action in actions))
    return folder


def protocol(*features: str) -> Action:
    """What a reader must know; without features, what every reader knows."""
    if not features:
        return {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
    known = {"readerFeatures": list(features), "writerFeatures": list(features)}
    return {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **known}}


def field(name: str, type_: Any, **metadata: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, "nullable": True, "metadata": metadata}


def mapped(name: str, type_: Any, number: int, physical: str) -> dict[str, Any]:
    """A field with column mapping."""
    about = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": physical}
    return field(name, type_, **about)


def struct(*fields: Action) -> dict[str, Any]:
    return {"type": "struct", "fields": list(fields)}


def metadata(fields: Sequence[Action], partitioned: Sequence[str] = (), **configuration: str) -> Action:
    return {
        "metaData": {
            "id": "296aaa1e-2c95-4dc7-bac8-1caa28d42ead",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps(struct(*fields)),
            "partitionColumns": list(partitioned),
            "configuration": configuration,
            "createdTime": 1,
        }
    }


def add(file: str, statistics: Action | None = None, size: int = 1, **more: Any) -> Action:
    about = {"path": file, "partitionValues": {}, "size": size, "modificationTime": 1, "dataChange": True}
    known = {} if statistics is None else {"stats": json.dumps(statistics)}
    return {"add": {**about, **known, **more}}


def remove(file: str) -> Action:
    return {"remove": {"path": file, "deletionTimestamp": 1, "dataChange": True}}


def deletion_vector(*rows: int) -> Action:
    """A deletion vector inside the log, as the protocol lays it out: a magic number and a map of bitmaps, in Z85."""
    payload = (1681511377).to_bytes(4, "little") + (1).to_bytes(8, "little") + bytes(4) + BitMap(rows).serialize()
    return {
        "storageType": "i",
        "pathOrInlineDv": _z85(payload),
        "sizeInBytes": len(payload),
        "cardinality": len(rows),
    }


def _z85(content: bytes) -> str:
    padded = content + bytes(-len(content) % 4)
    numbers = (int.from_bytes(padded[place : place + 4], "big") for place in range(0, len(padded), 4))
    return "".join(_Z85[number // 85**power % 85] for number in numbers for power in range(4, -1, -1))
