from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.dashboard.access import users
from telemetry_quality.dashboard.access.identity import address_of
from telemetry_quality.dashboard.access.users import ACCOUNT_FAILURES, ADDRESS_FAILURES, STRANGERS_FAILURES
from telemetry_quality.dashboard.api_errors import ApiError
from telemetry_quality.storage.staff.sign_ins import SignIn, SignInOutcome
from telemetry_quality_tests.dashboard.access.house import (
    ADDRESS,
    FORM_COOKIE,
    KNOWN_COOKIE,
    NAME,
    PASSWORD,
    SESSION_COOKIE,
    House,
    form_token,
    give,
    has_entered,
    hash_of,
    house_of,
    is_refused,
    sign_in,
)

if TYPE_CHECKING:
    from starlette.testclient import TestClient

WRONG = "three green kettles snore"


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, str]]:
    """The passwords that were hashed, without the real work, for tests that only count."""
    seen: list[tuple[str | None, str]] = []

    def matches(password_hash: str | None, text: str) -> bool:
        seen.append((password_hash, text))
        return password_hash is not None and text == PASSWORD

    monkeypatch.setattr(users, "matches", matches)
    return seen


def _outcomes(house: House) -> list[SignInOutcome]:
    return [attempt.outcome for attempt in reversed(house.staff.sign_ins())]


def test_somebody_who_knows_name_and_password_is_signed_in_and_recorded(house: House) -> None:
    browser = house.stranger()

    response = sign_in(browser, name="Ada", next="/health/snapshots/?page=2")

    assert has_entered(response)
    assert response.headers["location"] == "/health/snapshots/?page=2"
    assert browser.get("/health/account/").status_code == 200
    assert browser.get("/health/sign-in/").status_code == 303
    assert house.staff.sign_ins() == [SignIn(house.clock(), NAME, ADDRESS, "password", SignInOutcome.SIGNED_IN)]


def test_a_wrong_password_opens_nothing(house: House) -> None:
    browser = house.stranger()

    for password in (WRONG, "", f"{PASSWORD} ", "x" * 60_000):
        response = sign_in(browser, password=password)
        assert response.status_code == 403, password
        assert not password or password not in response.text
    assert SESSION_COOKIE not in browser.cookies
    assert _outcomes(house) == [SignInOutcome.WRONG_PASSWORD] * 4


def test_a_disabled_account_is_not_let_in(house: House) -> None:
    house.staff.disable(NAME, house.clock())

    assert sign_in(house.stranger()).status_code == 403
    assert _outcomes(house) == [SignInOutcome.DISABLED]


def test_an_account_without_a_password_is_not_let_in_by_any_password(house: House) -> None:
    house.add_account("bob", None)

    assert sign_in(house.stranger(), name="bob", password="").status_code == 403
    assert sign_in(house.stranger(), name="bob").status_code == 403


def test_unknown_and_known_accounts_get_the_same_response_after_the_same_work(
    house: House, tried: list[tuple[str | None, str]]
) -> None:
    def answer_for(name: str) -> tuple[int, str]:
        response = sign_in(house.stranger(), name=name, password=WRONG)
        return response.status_code, re.sub(r'value="[^"]*"', "", response.text)

    house.add_account("bob")
    house.staff.disable("bob", house.clock())

    assert answer_for(NAME) == answer_for("nobody") == answer_for("bob")
    assert [text for _, text in tried] == [WRONG] * 3


def test_a_new_hashing_cost_is_applied_at_the_next_sign_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    account = house.staff.account(NAME)
    assert account is not None
    monkeypatch.setattr(users, "needs_rehash", lambda _: True)

    assert has_entered(sign_in(house.stranger()))

    renewed = house.staff.account(NAME)
    assert renewed is not None
    assert renewed.password_hash != account.password_hash
    monkeypatch.undo()
    assert has_entered(sign_in(house.stranger()))


# Session fixation


def test_a_session_from_before_signing_in_is_never_reused(house: House) -> None:
    planted = house.member().cookies[SESSION_COOKIE]
    browser = house.stranger()
    page = browser.get("/health/sign-in/")
    give(browser, SESSION_COOKIE, planted)

    response = browser.post(
        "/health/sign-in/", data={"csrf_token": form_token(page), "name": NAME, "password": PASSWORD}
    )

    assert has_entered(response)
    fresh = re.search(rf"{SESSION_COOKIE}=([^;]+)", response.headers["set-cookie"])
    assert fresh
    assert fresh[1] != planted
    other = house.stranger()
    give(other, SESSION_COOKIE, planted)
    assert is_refused(other.get("/health/account/"))


def test_an_invented_session_is_never_accepted(house: House) -> None:
    planted = "abc.9999999999.AAAA"
    browser = house.stranger()
    give(browser, SESSION_COOKIE, planted)

    response = sign_in(browser)

    assert has_entered(response)
    assert planted not in [
        value.partition(";")[0].partition("=")[2] for value in response.headers.get_list("set-cookie")
    ]


def test_every_sign_in_has_its_own_session_id(house: House) -> None:
    assert len({house.member().cookies[SESSION_COOKIE] for _ in range(5)}) == 5


def test_signing_out_ends_the_session_not_only_the_cookie(house: House) -> None:
    browser = house.member()
    value = browser.cookies[SESSION_COOKIE]
    token = form_token(browser.get("/health/account/"))

    response = browser.post("/health/sign-out/", data={"csrf_token": token})

    assert (response.status_code, response.headers["location"]) == (303, "/health/sign-in/")
    assert "Max-Age=0" in response.headers["set-cookie"]
    thief = house.stranger()
    give(thief, SESSION_COOKIE, value)
    assert is_refused(thief.get("/health/account/"))
    assert _outcomes(house) == [SignInOutcome.SIGNED_IN, SignInOutcome.SIGNED_OUT]


# Where signing in leads


ELSEWHERE = (
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/health/\\evil.example",
    "https:evil.example",
    "https://evil.example/health/",
    "https:/evil.example",
    "HTTPS://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "%2f%2fevil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/health/\r\nSet-Cookie: a=b",
    "/health/\x00",
    "/health/\u2028",
    "/health@evil.example",
    "/health.evil.example/",
    ".evil.example",
    "@evil.example",
    "/",
    "",
    "health/",
    "/health/" + "x" * 3000,
    "/health/sign-in/oidc/",
    "/health/é",
)


def test_signing_in_leads_only_to_the_dashboards_own_pages(house: House, tried: list[tuple[str | None, str]]) -> None:
    for wanted in ELSEWHERE:
        browser = house.stranger()
        shown = browser.get("/health/sign-in/", params={"next": wanted})
        posted = sign_in(browser, next=wanted)
        again = browser.get("/health/sign-in/", params={"next": wanted})

        assert 'name="next" value="/health/"' in shown.text, wanted
        assert [posted.headers["location"], again.headers["location"]] == ["/health/", "/health/"], wanted
        assert "evil" not in shown.text, wanted


# Cross-site


def test_a_sign_in_form_of_another_site_is_refused(house: House, tried: list[tuple[str | None, str]]) -> None:
    """Otherwise an attacker could sign somebody in to the attacker's account."""
    browser = _opened(house)

    for token in ("", "0" * 64, "é"):
        response = browser.post("/health/sign-in/", data={"csrf_token": token, "name": NAME, "password": PASSWORD})
        assert response.status_code == 403, token
    assert SESSION_COOKIE not in browser.cookies
    assert tried == []


def test_a_sign_in_form_of_another_browser_is_refused(house: House, tried: list[tuple[str | None, str]]) -> None:
    token = form_token(house.stranger().get("/health/sign-in/"))
    for cookies in ({}, dict(_opened(house).cookies), {FORM_COOKIE: "made.up.AAAA"}):
        browser = house.stranger()
        browser.cookies.update(cookies)

        response = browser.post("/health/sign-in/", data={"csrf_token": token, "name": NAME, "password": PASSWORD})

        assert response.status_code == 403
    assert tried == []


def _opened(house: House) -> TestClient:
    browser = house.stranger()
    browser.get("/health/sign-in/")
    return browser


def test_a_sign_in_from_another_site_is_refused_even_with_the_right_token(
    house: House, tried: list[tuple[str | None, str]]
) -> None:
    browser = _opened(house)
    fields = {"csrf_token": form_token(browser.get("/health/sign-in/")), "name": NAME, "password": PASSWORD}

    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert browser.post("/health/sign-in/", data=fields, headers=headers).status_code == 403, headers
    assert tried == []


def test_the_form_stays_valid_after_a_mistake(house: House, tried: list[tuple[str | None, str]]) -> None:
    browser = house.stranger()
    page = sign_in(browser, password=WRONG)

    response = browser.post(
        "/health/sign-in/", data={"csrf_token": form_token(page), "name": NAME, "password": PASSWORD}
    )

    assert has_entered(response)


# Guessing


@pytest.mark.parametrize(("failures", "is_in"), [(4, True), (5, False), (6, False)])
def test_five_wrong_passwords_for_an_account_from_an_address_throttle_it_there(
    house: House, tried: list[tuple[str | None, str]], failures: int, is_in: bool
) -> None:
    assert ACCOUNT_FAILURES == 5
    for _ in range(failures):
        sign_in(house.stranger(), name="aDa", password=WRONG)

    response = sign_in(house.stranger())

    assert has_entered(response) is is_in
    assert (response.status_code == 429) is not is_in
    # Throttled attempts are not hashed.
    assert len(tried) == min(failures, 5) + is_in
    assert has_entered(sign_in(house.stranger(address="198.51.100.1")))


def test_strangers_elsewhere_cannot_lock_somebody_out(house: House, tried: list[tuple[str | None, str]]) -> None:
    for number in range(28):
        sign_in(house.stranger(address=f"198.51.100.{number}"), password=WRONG)

    assert has_entered(sign_in(house.stranger()))


@pytest.mark.parametrize(("failures", "is_in"), [(99, True), (100, False), (101, False)])
def test_a_hundred_wrong_passwords_from_anywhere_throttle_all_but_browsers_that_are_known(
    house: House, tried: list[tuple[str | None, str]], failures: int, is_in: bool
) -> None:
    assert STRANGERS_FAILURES == 100
    known = _known_browser(house)
    for number in range(failures):
        house.staff.record(SignIn(house.clock(), NAME, f"{number}", "password", SignInOutcome.WRONG_PASSWORD))

    assert has_entered(sign_in(house.stranger())) is is_in
    assert has_entered(sign_in(known))


@pytest.mark.parametrize(("failures", "is_in"), [(4, True), (5, False), (6, False)])
def test_known_browsers_have_a_budget_of_their_own(
    house: House, tried: list[tuple[str | None, str]], failures: int, is_in: bool
) -> None:
    for _ in range(20):
        house.staff.record(SignIn(house.clock(), "eve", ADDRESS, "password", SignInOutcome.UNKNOWN_ACCOUNT))
    known = _known_browser(house)
    for _ in range(failures):
        sign_in(known, password=WRONG)

    assert has_entered(sign_in(known)) is is_in
    assert has_entered(sign_in(house.stranger(address="198.51.100.1"))), "elsewhere its guesses do not count"


def test_a_browser_is_known_only_to_the_account_that_signed_in_there_and_only_by_its_own_cookie(
    house: House, tried: list[tuple[str | None, str]]
) -> None:
    house.add_account("bob")
    cookie = _known_browser(house).cookies[KNOWN_COOKIE]
    form = house.stranger()
    form.get("/health/sign-in/")
    for name, value in (("bob", cookie), (NAME, cookie[:-1]), (NAME, form.cookies[FORM_COOKIE]), (NAME, "")):
        browser = house.stranger()
        give(browser, KNOWN_COOKIE, value)
        sign_in(browser, name=name, password=WRONG)
        assert house.staff.sign_ins(1)[0].method == "password", (name, value)

    house.clock.move(days=365)
    browser = house.stranger()
    give(browser, KNOWN_COOKIE, cookie)
    sign_in(browser, password=WRONG)
    assert house.staff.sign_ins(1)[0].method == "password", "after a year nobody is known any more"


def test_a_new_password_lifts_the_lockout(house: House, tried: list[tuple[str | None, str]]) -> None:
    for _ in range(6):
        sign_in(house.stranger(), password=WRONG)
    assert sign_in(house.stranger()).status_code == 429

    house.clock.move(seconds=1)
    house.staff.set_password(NAME, hash_of(PASSWORD), house.clock())

    assert has_entered(sign_in(house.stranger()))


def _known_browser(house: House) -> TestClient:
    """A browser in which the account has signed in before, and out again."""
    browser = house.stranger(address="198.51.100.77")
    assert has_entered(sign_in(browser))
    known = house.stranger()
    give(known, KNOWN_COOKIE, browser.cookies[KNOWN_COOKIE])
    return known


@pytest.mark.parametrize(("failures", "is_in"), [(19, True), (20, False), (21, False)])
def test_twenty_wrong_passwords_from_an_address_throttle_it(
    house: House, tried: list[tuple[str | None, str]], failures: int, is_in: bool
) -> None:
    assert ADDRESS_FAILURES == 20
    for number in range(failures):
        attempt = SignIn(house.clock(), f"account{number}", ADDRESS, "password", SignInOutcome.UNKNOWN_ACCOUNT)
        house.staff.record(attempt)

    response = sign_in(house.stranger())

    assert has_entered(response) is is_in
    assert len(tried) == is_in
    assert has_entered(sign_in(house.stranger(address="198.51.100.1")))


@pytest.mark.parametrize(("minutes", "is_in"), [(14.99, False), (15, True), (15.01, True)])
def test_a_throttled_user_may_try_again_after_the_window_has_passed(
    house: House, tried: list[tuple[str | None, str]], minutes: float, is_in: bool
) -> None:
    for _ in range(5):
        sign_in(house.stranger(), password=WRONG)
    house.clock.move(minutes=minutes / 2)
    # Further attempts do not prolong it.
    assert sign_in(house.stranger()).status_code == 429
    house.clock.move(minutes=minutes / 2)

    assert has_entered(sign_in(house.stranger())) is is_in


def test_throttled_attempts_say_when_to_try_again_also_for_unknown_accounts(
    house: House, tried: list[tuple[str | None, str]]
) -> None:
    responses = []
    for name, address in ((NAME, "198.51.100.1"), ("nobody", "198.51.100.2")):
        for _ in range(6):
            response = sign_in(house.stranger(address=address), name=name, password=WRONG)
        responses.append(
            (response.status_code, response.headers["retry-after"], re.sub(r'value="[^"]*"', "", response.text))
        )

    assert responses[0] == responses[1]
    assert responses[0][:2] == (429, "900")


def test_throttled_attempts_are_recorded_but_do_not_fill_the_disk(
    house: House, tried: list[tuple[str | None, str]]
) -> None:
    for _ in range(9):
        sign_in(house.stranger(), password=WRONG)
    assert _outcomes(house) == [SignInOutcome.WRONG_PASSWORD] * 5 + [SignInOutcome.THROTTLED]

    house.clock.move(minutes=1)
    sign_in(house.stranger(), password=WRONG)
    assert _outcomes(house)[-2:] == [SignInOutcome.THROTTLED] * 2


def test_throttled_attempts_from_endless_addresses_are_not_all_remembered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry_quality.dashboard.access.users.MOST_RECORDED", 2)
    access = house.dashboard.access
    for address in ("2001:db8::1", "2001:db8::2", "2001:db8::3"):
        access.record_seldom(NAME, address, "password", SignInOutcome.THROTTLED)
    assert len(_outcomes(house)) == 2
    house.clock.move(minutes=1)
    access.record_seldom(NAME, "2001:db8::3", "password", SignInOutcome.THROTTLED)
    assert len(_outcomes(house)) == 3


def test_simultaneous_guesses_are_counted_one_by_one(house: House, tried: list[tuple[str | None, str]]) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - one test only

    def guess(_: int) -> None:
        with pytest.raises(ApiError):
            house.dashboard.access.try_password(NAME, WRONG, ADDRESS, "password")

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(guess, range(10)))

    assert len(tried) == 5


def test_when_too_many_sign_in_at_once_the_rest_are_asked_to_try_later(
    house: House, tried: list[tuple[str | None, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "MOST_WAITING", 0)
    with house_of(house.dashboard.settings, house.clock) as crowded:
        response = sign_in(crowded.stranger())

    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert tried == []


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_are_counted_by_the_network_that_one_machine_may_own(host: str, counted: str) -> None:
    from starlette.requests import HTTPConnection  # noqa: PLC0415 - one test only

    assert address_of(HTTPConnection({"type": "http", "headers": [], "client": (host, 1)})) == counted


def test_a_forwarded_address_that_nobody_vouches_for_is_not_believed(
    house: House, tried: list[tuple[str | None, str]]
) -> None:
    for number in range(6):
        response = sign_in(house.stranger(**{"x-forwarded-for": f"198.51.100.{number}"}), name=f"n{number}")

    assert response.status_code == 403
    assert {attempt.address for attempt in house.staff.sign_ins()} == {ADDRESS}
