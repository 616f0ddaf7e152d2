"""Every error this project raises on purpose.

    TelemetryQualityError            one sentence: what was required, what was found, the remedy
    ├── SettingsError                telemetry.toml or the environment is wrong
    ├── RequestError                 a day, source or incident was requested that does not exist
    ├── SourceError                  events could not be read; carries a stable reason code
    │   └── SourceUnavailableError   ... but perhaps in a moment: the only failure that is retried
    │       └── SourceSilentError    ... and it was waited for as long as allowed: not retried at once
    ├── StoreError                   the quality store is missing, outdated or unreadable
    └── DeliveryError                a message was not accepted by its receiver; carries a stable reason code

A bug in this project raises none of these and is never reported as bad data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class TelemetryQualityError(Exception):
    """Base of all errors that a user can cause and fix; its text is a sentence for that user."""


class SettingsError(TelemetryQualityError):
    """A setting is missing, unknown or invalid.

    Attributes:
        further: Sentences about further mistakes in the same file.
    """

    def __init__(self, sentence: str, further: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.further = tuple(further)


class RequestError(TelemetryQualityError):
    """A request does not fit the settings or the store, such as a day that a source does not have."""


class SourceError(TelemetryQualityError):
    """Events could not be read, and trying again will not help.

    Attributes:
        reason_code: A stable upper-case identifier, such as ``FILE_CORRUPT``; pages group by it.
        further: Further mistakes of the same settings, for those who want to mend all of them at once.
    """

    def __init__(self, reason_code: str, sentence: str, further: Sequence[SourceError] = ()) -> None:
        super().__init__(sentence)
        self.reason_code = reason_code
        self.further = tuple(further)


class SourceUnavailableError(SourceError):
    """Events could not be read right now; the same call may succeed in a moment."""


class SourceSilentError(SourceUnavailableError):
    """The source did not answer within its limits, so it was waited for long enough.

    Trying again at once would take as long again; an outage is what it is nevertheless.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__("SOURCE_SILENT", sentence)


class DeliveryError(TelemetryQualityError):
    """A message could not be delivered; it is sent again later. Neither text nor code holds anything secret.

    Attributes:
        reason_code: A stable upper-case identifier, such as ``RECEIVER_SILENT``.
    """

    def __init__(self, reason_code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason_code = reason_code


class StoreError(TelemetryQualityError):
    """The quality store cannot be opened, has not been migrated, or was tampered with."""
