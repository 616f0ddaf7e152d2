"""The projects in ``examples/`` do what their READMEs say."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from telemetry_quality.core.marks import Mark, mark_days
from telemetry_quality.orchestration.schedules import RANGE_END_TAG, RANGE_START_TAG
from telemetry_quality.storage.migrations import migrate
from telemetry_quality_tests.faults.dagster_dev import wait_until

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent

TRUSTED = {f"2026-02-0{day}" for day in (1, 2, 4, 6, 7)}
UNTAGGED = "2026-02-05"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example, which writes files beside its own."""
    return shutil.copytree(ROOT / "examples" / "trusted_report", tmp_path / "trusted_report")


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.BetaWarning")
@pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.PreviewWarning")
def test_the_report_waits_for_days_that_can_be_trusted(example: Path, quick_instance: dg.DagsterInstance) -> None:
    _load(example / "events.py").main()
    migrate(f"sqlite:///{example / 'quality.db'}")
    defs: dg.Definitions = _load(example / "definitions.py").defs
    job = defs.resolve_job_def("telemetry_quality_web_materialize_day")
    tags = {RANGE_START_TAG: "2026-02-01", RANGE_END_TAG: "2026-02-07"}
    assert job.execute_in_process(instance=quick_instance, tags=tags).success
    report = dg.AssetKey("views_per_page")
    first = dg.evaluate_automation_conditions(defs, quick_instance)
    assert first.get_requested_partitions(report) == TRUSTED

    assert defs.resources is not None
    telemetry = defs.resources["telemetry_quality_telemetry"]
    day = datetime.fromisoformat(UNTAGGED).date()
    telemetry.store().append_marked_days(mark_days("web", (day, day), Mark.ACCEPTED, "ada", datetime.now(UTC)))
    sensor = defs.resolve_sensor_def("telemetry_quality_web_trust_sensor")
    with dg.build_sensor_context(quick_instance, resources=defs.resources) as context:
        (request,) = sensor.evaluate_tick(context).run_requests or ()
    recheck = defs.resolve_job_def(str(request.job_name))
    assert recheck.execute_in_process(instance=quick_instance, tags=request.tags).success
    second = dg.evaluate_automation_conditions(defs, quick_instance, cursor=first.cursor)
    assert second.get_requested_partitions(report) == {UNTAGGED}


@pytest.mark.rare
@pytest.mark.slow
def test_the_commands_of_the_readme_report_exactly_the_trusted_days_through_a_real_daemon(example: Path) -> None:
    (example / ".dagster").mkdir()
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(example / ".dagster")}
    prepare, accept = re.findall(r"```sh\n(.*?)```", (example / "README.md").read_text(), flags=re.DOTALL)
    prepare = prepare.removesuffix("dagster dev -f definitions.py\n")
    subprocess.run(["bash", "-ec", prepare], cwd=example, env=environment, check=True, capture_output=True)

    def reports() -> set[str]:
        return {file.stem for file in (example / "reports").glob("*.txt")}

    with (example / "daemon.log").open("wb") as log:
        command = [str(BIN / "dagster-daemon"), "run", "-f", "definitions.py"]
        daemon = subprocess.Popen(command, cwd=example, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: reports() >= TRUSTED)
        assert reports() == TRUSTED
        subprocess.run(["bash", "-ec", accept], cwd=example, env=environment, check=True, capture_output=True)
        wait_until(lambda: reports() > TRUSTED)
        assert reports() == TRUSTED | {UNTAGGED}
    finally:
        daemon.terminate()
        daemon.wait(timeout=60)
