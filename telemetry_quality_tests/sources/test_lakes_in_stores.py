"""Delta tables in an object store: the log through deltalake, the files through the store's own package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality.sources.delta import DeltaSource
from telemetry_quality_tests.builders import DAY
from telemetry_quality_tests.sources.test_delta import BARE, WINDOWS, answers, live_file, write_days

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.servers import ObjectServer

pytestmark = pytest.mark.slow


def test_the_live_objects_of_a_day_are_read_and_no_others(objects: ObjectServer, tmp_path: Path) -> None:
    folder = write_days(tmp_path / "t", 5, 6, 7)
    lost, broken = live_file(folder, 1), live_file(folder, 2)
    broken.write_bytes(b"PAR1 no longer")
    bucket = objects.new_bucket()
    objects.put_folder(bucket, tmp_path)
    objects.delete(bucket, lost.relative_to(tmp_path).as_posix())
    options = {"AWS_ENDPOINT_URL": objects.url, "AWS_ALLOW_HTTP": "true"}
    source = DeltaSource(f"s3://{bucket}/t", BARE, storage_options=options)
    assert answers(source) == [5, "FILE_MISSING", "FILE_BROKEN"]
    objects.requests.clear()
    assert source.count_days(WINDOWS[:1]) == {DAY: 5}
    asked = {request.path.rpartition("/")[2] for request in objects.requests if request.path.endswith(".parquet")}
    assert asked == {live_file(folder, 0).name}
