"""Sends a message in a process of its own, which is ended when its time is up: no receiver can hold up anything else.

What a service's client logs or prints stays there, since it may repeat the address. Settings and message go in by a
pipe, so that no list of processes shows a secret.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.messages.model import Message
from telemetry_quality.errors import DeliveryError, TelemetryQualityError
from telemetry_quality.notifiers import notifier

if TYPE_CHECKING:
    from telemetry_quality.notifiers import NotifierSettings

MODULE = "telemetry_quality.notifications.process"

START_SECONDS = 15.0
"""How long the process may take to start, on a busy machine, in addition to the time that it has for sending."""


def send_in_process(kind: str, settings: NotifierSettings, message: Message, timeout_seconds: float) -> None:
    """Send a message by the notifier ``kind`` in a new process.

    Raises:
        DeliveryError: If it was not accepted, or not within the time.
    """
    _run(kind, settings, message, timeout_seconds)


def check_in_process(kind: str, settings: NotifierSettings) -> None:
    """Check that the notifier ``kind`` could send with these settings, in a new process; nothing is sent.

    Raises:
        DeliveryError: If it could not.
    """
    _run(kind, settings, None, 0.0)


def _run(kind: str, settings: NotifierSettings, message: Message | None, timeout_seconds: float) -> None:
    task = {
        "kind": kind,
        "settings": settings.model_dump(mode="json"),
        "message": message and message.as_json(),
        "timeout_seconds": timeout_seconds,
    }
    process = subprocess.Popen(  # noqa: S603 - this module, and no shell
        [sys.executable, "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,
    )
    try:
        answer, _ = process.communicate(json.dumps(task).encode(), timeout_seconds + START_SECONDS)
    except subprocess.TimeoutExpired:
        _end(process)
        raise DeliveryError(
            "RECEIVER_SILENT", f"No answer came within {timeout_seconds:g} seconds, so that sending was ended."
        ) from None
    except BaseException:
        _end(process)
        raise
    _require_success(answer)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started, which would keep the pipe open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _require_success(answer: bytes) -> None:
    try:
        found: dict[str, str] = json.loads(answer)
    except ValueError:
        found = {"reason_code": "NOTIFIER_FAILED", "sentence": "The process that sends ended without an answer."}
    if found:
        raise DeliveryError(found["reason_code"], found["sentence"])


def run_task(task: dict[str, Any]) -> dict[str, str]:
    """Send the message of a task, or check if there is none; returns why it failed, or nothing."""
    try:
        found = notifier(task["kind"])
        settings = found.settings.model_validate(task["settings"])
        if task["message"] is None:
            found.check(settings)
        else:
            found.send(settings, Message.from_json(task["message"]), task["timeout_seconds"])
    except DeliveryError as error:
        return {"reason_code": error.reason_code, "sentence": str(error)}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a foreign notifier may raise anything
        # Its text may repeat the address; that of our own errors does not.
        reason = str(error) if isinstance(error, TelemetryQualityError) else f"It failed with {type(error).__name__}."
        return {"reason_code": "NOTIFIER_FAILED", "sentence": reason}
    return {}


def main() -> None:
    """Read a task, send its message, and write the answer; nothing else may be written to the pipe."""
    answer = os.dup(sys.stdout.fileno())
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    found = run_task(json.load(sys.stdin))
    with contextlib.suppress(BrokenPipeError):
        os.write(answer, json.dumps(found).encode())


if __name__ == "__main__":
    main()
