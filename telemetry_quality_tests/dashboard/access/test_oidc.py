"""Signing in at a provider that runs on loopback and, in most tests, lies."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from telemetry_quality.settings import OidcSettings
from telemetry_quality.storage.staff.sign_ins import SignInOutcome
from telemetry_quality_tests.dashboard.access.house import (
    FORM_COOKIE,
    NAME,
    PASSWORD,
    SESSION_COOKIE,
    URL,
    Clock,
    House,
    give,
    has_entered,
    hash_of,
    house_of,
    is_refused,
    make_settings,
    serving,
)
from telemetry_quality_tests.dashboard.access.provider import CLIENT_ID, CLIENT_SECRET, FakeProvider, new_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpx2 import Response
    from starlette.testclient import TestClient

pytestmark = pytest.mark.slow

CALLBACK = "/health/sign-in/oidc/callback/"


@pytest.fixture(scope="module")
def running() -> Iterator[FakeProvider]:
    provider = FakeProvider()
    with serving(provider.app()) as address:
        provider.issuer = address
        yield provider


@pytest.fixture
def provider(running: FakeProvider) -> FakeProvider:
    """The provider, reset to be honest."""
    issuer = running.issuer
    running.__init__()  # type: ignore[misc]
    running.issuer = issuer
    return running


@contextmanager
def _house(folder: Path, issuer: str, claim: str = "email") -> Iterator[House]:
    oidc = OidcSettings(
        issuer=issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, claim=claim, button="Sign in at work"
    )
    with house_of(make_settings(folder, oidc=oidc)) as house:
        house.add_account(NAME, None)
        yield house


@pytest.fixture
def house(tmp_path: Path, provider: FakeProvider) -> Iterator[House]:
    with _house(tmp_path, provider.issuer) as house:
        yield house


def _visit_provider(browser: TestClient, **query: str) -> str:
    """Start a sign-in and let the provider respond; the address to which it sends the browser back."""
    start = browser.get("/health/sign-in/oidc/", params=query)
    assert start.status_code == 303, start.text
    response = httpx2.get(start.headers["location"], trust_env=False)
    back = response.headers["location"]
    assert back.startswith(f"{URL}{CALLBACK}?")
    return str(back.removeprefix(URL))


def _sign_in(browser: TestClient, **query: str) -> Response:
    response: Response = browser.get(_visit_provider(browser, **query))
    return response


def _last(house: House) -> tuple[str, str, SignInOutcome]:
    attempt = house.staff.sign_ins()[0]
    return attempt.account_name, attempt.method, attempt.outcome


def _assert_refused(house: House, response: Response, browser: TestClient) -> None:
    assert response.status_code in {403, 502}
    assert not has_entered(response)
    assert is_refused(browser.get("/health/account/"))
    assert _last(house)[1:] == ("oidc", SignInOutcome.REFUSED)
    assert 'role="alert"' in response.text


def test_somebody_whom_provider_and_store_know_is_signed_in(house: House, provider: FakeProvider) -> None:
    browser = house.stranger()
    assert "Sign in at work" in browser.get("/health/sign-in/").text

    response = _sign_in(browser, next="/health/incidents/")

    assert has_entered(response)
    assert response.headers["location"] == "/health/incidents/"
    assert browser.get("/health/account/").status_code == 200
    assert _last(house) == (NAME, "oidc", SignInOutcome.SIGNED_IN)
    account = house.staff.account(NAME)
    assert account is not None
    assert (account.oidc_issuer, account.oidc_subject) == (provider.issuer, "person-1")
    asked = provider.asked[0]
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert asked["redirect_uri"] == f"{URL}{CALLBACK}"
    assert len(asked["state"]) > 20
    assert len(asked["nonce"]) >= 20
    assert "tq_oidc_3001" not in browser.cookies


def test_the_same_person_can_sign_in_again(house: House, provider: FakeProvider) -> None:
    assert has_entered(_sign_in(house.stranger()))
    assert has_entered(_sign_in(house.stranger()))


def test_somebody_else_who_was_given_the_address_is_not_let_in(house: House, provider: FakeProvider) -> None:
    assert has_entered(_sign_in(house.stranger()))
    provider.claims["sub"] = "person-2"
    browser = house.stranger()

    _assert_refused(house, _sign_in(browser), browser)


def test_an_account_that_the_store_does_not_have_is_never_created(house: House, provider: FakeProvider) -> None:
    provider.claims["email"] = "mallory@evil.example"
    browser = house.stranger()

    _assert_refused(house, _sign_in(browser), browser)

    assert _last(house)[0] == "mallory@evil.example"
    assert [account.name for account in house.staff.accounts()] == [NAME]


def test_a_disabled_account_stays_out_though_the_provider_knows_it(house: House) -> None:
    house.staff.disable(NAME, house.clock())
    browser = house.stranger()

    _assert_refused(house, _sign_in(browser), browser)


WRONG_CLAIMS: tuple[dict[str, Any], ...] = (
    {"email_verified": False},
    {"email_verified": None},
    {"email_verified": "true"},
    {"email_verified": 1},
    {"email": None},
    {"email": ""},
    {"email": ["ada"]},
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "another client"},
    {"aud": "another client", "azp": CLIENT_ID},
    {"aud": None},
    {"iss": "https://evil.example"},
    {"iss": None},
    {"sub": None},
    {"sub": ""},
    {"exp": 1_000_000_000},
    {"exp": None},
    {"azp": "another client"},
)


def test_a_wrong_claim_lets_nobody_in_and_each_attempt_is_recorded(house: House, provider: FakeProvider) -> None:
    for number, claims in enumerate(WRONG_CLAIMS, 1):
        provider.claims = claims
        house.clock.move(minutes=1)
        browser = house.stranger()

        _assert_refused(house, _sign_in(browser), browser)
        assert len(provider.redeemed) == len(house.staff.sign_ins()) == number, claims


@pytest.mark.parametrize(("algorithm", "key_name"), [("none", "first"), ("HS256", "first"), ("RS256", "another")])
def test_a_wrong_signature_lets_nobody_in(house: House, provider: FakeProvider, algorithm: str, key_name: str) -> None:
    new_key(key_name)
    provider.algorithm, provider.key_name = algorithm, key_name
    browser = house.stranger()

    _assert_refused(house, _sign_in(browser), browser)
    assert provider.redeemed


def test_another_claim_needs_no_verified_address(tmp_path: Path, provider: FakeProvider) -> None:
    provider.claims.update({"preferred_username": NAME, "email_verified": False})
    with _house(tmp_path, provider.issuer, claim="preferred_username") as house:
        assert has_entered(_sign_in(house.stranger()))


@pytest.mark.parametrize("claim", [NAME.upper(), f" {NAME}", f"{NAME} ", f"{NAME[:-1]}\uff41", f"{NAME}\u200b"])
def test_a_claim_that_is_not_exactly_the_name_of_an_account_lets_nobody_in(
    tmp_path: Path, provider: FakeProvider, claim: str
) -> None:
    provider.claims["preferred_username"] = claim
    with _house(tmp_path, provider.issuer, claim="preferred_username") as house:
        browser = house.stranger()
        _assert_refused(house, _sign_in(browser), browser)


def test_an_account_with_a_password_is_not_taken_over_through_the_provider(
    house: House, provider: FakeProvider
) -> None:
    house.staff.set_password(NAME, hash_of(PASSWORD), house.clock())
    browser = house.stranger()

    _assert_refused(house, _sign_in(browser), browser)

    assert house.staff.require_account(NAME).oidc_subject is None


def test_an_account_that_is_bound_keeps_its_sign_in_when_it_gets_a_password(
    house: House, provider: FakeProvider
) -> None:
    assert has_entered(_sign_in(house.stranger()))
    house.staff.set_password(NAME, hash_of(PASSWORD), house.clock())
    assert has_entered(_sign_in(house.stranger()))


def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(house: House, provider: FakeProvider) -> None:
    provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]

    assert has_entered(_sign_in(house.stranger()))


def test_a_response_that_this_browser_did_not_ask_for_is_refused(house: House) -> None:
    """An attacker may send their own response as a link, to sign somebody in to the attacker's account."""
    back = _visit_provider(house.stranger())
    victim, other = house.stranger(), house.stranger()
    _visit_provider(other)

    _assert_refused(house, victim.get(back), victim)
    _assert_refused(house, other.get(back), other)


def test_a_response_counts_once(house: House) -> None:
    browser = house.stranger()
    back = _visit_provider(browser)
    assert has_entered(browser.get(back))
    browser.cookies.delete(SESSION_COOKIE)

    _assert_refused(house, browser.get(back), browser)


@pytest.mark.parametrize(("minutes", "is_in"), [(9.9, True), (10, False), (11, False)])
def test_the_provider_must_answer_within_ten_minutes(house: House, minutes: float, is_in: bool) -> None:
    browser = house.stranger()
    back = _visit_provider(browser)
    assert isinstance(house.clock, Clock)
    house.clock.move(minutes=minutes)

    assert has_entered(browser.get(back)) is is_in


def test_a_changed_cookie_or_another_cookie_is_not_accepted_as_state(house: House) -> None:
    for kind in ("changed", "made up", "another"):
        browser = house.stranger()
        browser.get("/health/sign-in/")
        back = _visit_provider(browser)
        value = browser.cookies["tq_oidc_3001"]
        changed = {"changed": f"A{value[1:]}", "made up": "x", "another": browser.cookies[FORM_COOKIE]}[kind]
        browser.cookies.clear()
        give(browser, "tq_oidc_3001", changed)
        _assert_refused(house, browser.get(back), browser)


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_a_sign_in_at_the_provider_leads_only_to_the_dashboards_own_pages(house: House, wanted: str) -> None:
    assert _sign_in(house.stranger(), next=wanted).headers["location"] == "/health/"


@pytest.mark.parametrize("breaks", ["token", "keys"])
def test_a_failing_provider_is_reported_in_one_sentence(house: House, provider: FakeProvider, breaks: str) -> None:
    browser = house.stranger()
    back = _visit_provider(browser)
    provider.breaks = breaks

    response = browser.get(back)

    _assert_refused(house, response, browser)
    assert "script" not in response.text


def test_what_the_provider_says_about_an_error_is_not_repeated(house: House) -> None:
    browser = house.stranger()
    _visit_provider(browser)

    response = browser.get(CALLBACK, params={"error": "access_denied", "error_description": "call 555-1234"})

    _assert_refused(house, response, browser)
    assert "555-1234" not in response.text


def test_a_provider_that_is_down_is_reported_in_one_sentence_and_tried_again(
    house: House, provider: FakeProvider
) -> None:
    provider.breaks = "discovery"
    browser = house.stranger()
    response = browser.get("/health/sign-in/oidc/")
    _assert_refused(house, response, browser)
    assert response.status_code == 502

    provider.breaks = ""

    assert has_entered(_sign_in(browser))


def test_a_provider_that_cannot_be_reached_is_reported_in_one_sentence(tmp_path: Path) -> None:
    with _house(tmp_path, "http://127.0.0.1:9") as house:
        browser = house.stranger()
        response = browser.get("/health/sign-in/oidc/")

        _assert_refused(house, response, browser)
        assert response.status_code == 502
        machine = house.stranger(accept="application/json").get("/health/sign-in/oidc/")
        assert machine.json()["error"]["reason_code"] == "PROVIDER_UNREACHABLE"


def test_a_provider_that_names_another_issuer_is_refused(house: House, provider: FakeProvider) -> None:
    provider.metadata["issuer"] = "https://evil.example"
    browser = house.stranger()

    _assert_refused(house, browser.get("/health/sign-in/oidc/"), browser)


def test_without_a_provider_nobody_can_sign_in_there(tmp_path: Path) -> None:
    with house_of(make_settings(tmp_path)) as house:
        browser = house.stranger()

        assert "oidc" not in browser.get("/health/sign-in/").text
        assert browser.get("/health/sign-in/oidc/").status_code == 404
        assert browser.get(CALLBACK).status_code == 404


def test_the_cookie_of_a_sign_in_at_the_provider_is_protected(tmp_path: Path, provider: FakeProvider) -> None:
    oidc = OidcSettings(issuer=provider.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    with house_of(make_settings(tmp_path, url="https://telemetry.example.org", oidc=oidc)) as house:
        cookie = house.stranger().get("/health/sign-in/oidc/").headers["set-cookie"]

    assert cookie.startswith("__Host-tq_oidc=")
    flags = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "path=/", "samesite=lax", "max-age=600"} <= flags


def test_nothing_secret_of_a_sign_in_at_the_provider_is_logged(
    house: House, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(house.app, access_log=True, log_level="trace") as url:
        caplog.set_level(logging.DEBUG, "uvicorn.access")
        browser = house.stranger()
        back = _visit_provider(browser)
        cookies = {"tq_oidc_3001": browser.cookies["tq_oidc_3001"]}
        response = httpx2.get(f"{url}{back}", cookies=cookies, headers={"accept": "text/html"}, trust_env=False)
        assert has_entered(response)

    query = parse_qs(urlsplit(back).query)
    lines = [
        f"{record.getMessage()} {record.args!r}"
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore"))
    ]
    # The provider logs in this process too.
    text = "\n".join(line for line in lines if "GET /authorize" not in line)
    assert CALLBACK in text
    for secret in (CLIENT_SECRET, query["code"][0], query["state"][0], provider.redeemed[0]["code_verifier"]):
        assert secret not in text
    assert "an access token" not in text
    assert provider.redeemed[0]["code_verifier"] not in caplog.text
