"""What errors of object stores mean, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.walking import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class _Answer:
    """A failure of a store, recognized by exception classes or error codes, and how it is reported."""

    reason_code: str
    sentence: str
    kinds: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    error: type[SourceError] = SourceError


_ANSWERS = (
    _Answer(
        "CREDENTIALS_MISSING",
        "the store requires credentials, but none were found in the environment, the store's own configuration or an "
        "instance's role; provide them there.",
        kinds=frozenset(
            {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"}
        ),
    ),
    _Answer(
        "CREDENTIALS_REFUSED",
        "the store refuses the credentials ({found}); renew them where they come from.",
        codes=frozenset(
            {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired"}
        ),
    ),
    _Answer(
        "BUCKET_MISSING",
        "there is no such bucket; check the path and the endpoint.",
        codes=frozenset({"NoSuchBucket"}),
    ),
    _Answer(
        "OBJECT_ARCHIVED",
        "it is archived ({found}); restore it from the archive.",
        codes=frozenset({"InvalidObjectState"}),
    ),
    _Answer(
        "ACCESS_DENIED",
        "the store denies access ({found}); allow these credentials to list the bucket and to read its objects.",
        kinds=frozenset({"PermissionError"}),
        codes=frozenset({"AccessDenied", "403"}),
    ),
    _Answer(
        "OBJECT_CHANGED",
        "an object was replaced or removed while it was read; the next attempt lists the objects again.",
        kinds=frozenset({"FileNotFoundError"}),
        codes=frozenset({"NoSuchKey", "404", "PreconditionFailed", "412"}),
        error=SourceUnavailableError,
    ),
    _Answer(
        "SOURCE_UNREADABLE",
        "the store refuses the request ({found}); check the path, the region and the endpoint.",
        codes=frozenset({"301", "307", "400", "405", "409", "416", "501"}),
    ),
    _Answer(
        "STORE_UNAVAILABLE",
        "the store must answer, but did not ({found}); check the endpoint and the network.",
        # OSError is the base class of network errors, ClientError that of botocore's 5xx errors.
        kinds=frozenset({"ConnectionError", "HTTPClientError", "ClientError", "OSError"}),
        error=SourceUnavailableError,
    ),
)
"""The first match counts."""


_OF_ONE_OBJECT = frozenset({"OBJECT_ARCHIVED", "ACCESS_DENIED"})
"""What says nothing about other objects."""


def source_error(url: str, error: Exception) -> SourceError:
    """The sentence for a store's error at a URL, without the store's own words, which may quote a key."""
    answer, found = _answer(error)
    if answer is None:
        return SourceError("SOURCE_UNREADABLE", f"{url} cannot be read ({found}); check the path.")
    return answer.error(answer.reason_code, f"{url} cannot be read: {answer.sentence.format(found=found)}")


def problem_of_one_object(error: Exception) -> Problem | None:
    """Why an object cannot be read; None if the error says something about the whole store."""
    answer, found = _answer(error)
    if answer is None or answer.reason_code not in _OF_ONE_OBJECT:
        return None
    what, _, remedy = answer.sentence.format(found=found).rstrip(".").partition("; ")
    return Problem(answer.reason_code, f"cannot be read: {what}", f"{remedy}, or move it away")


def _answer(error: Exception) -> tuple[_Answer | None, str]:
    """How an error is reported, and the codes that were found in it."""
    causes = list(_chain(error))
    codes = {code for cause in causes for code in _codes(cause)} - {""}
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    found = ", ".join(sorted(codes)) or type(error).__name__
    return next((each for each in _ANSWERS if kinds & each.kinds or codes & each.codes), None), found


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _codes(error: BaseException) -> Iterator[str]:
    """The codes by which stores report errors: S3's error name, or the HTTP status."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        yield str(answer.get("Error", {}).get("Code", ""))
        yield str(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    for name in ("code", "status", "status_code"):
        if isinstance(getattr(error, name, None), int):
            yield str(getattr(error, name))
