from __future__ import annotations

import pytest

from telemetry_quality_tests.dashboard.access.house import NAME, URL, House, form_token

ACTIONS = (
    "/health/sign-out/",
    "/health/account/tokens/",
    "/health/account/tokens/1/revoke/",
    "/health/account/password/",
    "/health/account/sign-out-everywhere/",
    "/health/incidents/web/2026-03-10/actions/",
)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_is_done_without_the_token_of_the_session(house: House, method: str) -> None:
    browser, other = house.member(), house.member()
    another = form_token(other.get("/health/account/"))

    for path in ACTIONS if method == "POST" else ACTIONS[:1]:
        for fields in ({}, {"csrf_token": ""}, {"csrf_token": "0" * 64}, {"csrf_token": another}, {"csrf_token": "é"}):
            assert browser.request(method, path, data=fields).status_code == 403, (path, fields)
        for token in ("", "0" * 64, another):
            assert browser.request(method, path, headers={"x-csrf-token": token}).status_code == 403, (path, token)
    assert browser.get("/health/account/").status_code == 200
    account = house.staff.account(NAME)
    assert account is not None
    assert len(house.staff.sessions(account.id, house.clock())) == 2


FOREIGN = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "https://127.0.0.1:3001"},
    {"origin": f"{URL}.evil.example"},
    {"origin": ""},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": URL, "sec-fetch-site": "cross-site"},
)


def test_nothing_is_done_from_another_site_even_with_the_right_token(house: House) -> None:
    browser = house.member()
    token = form_token(browser.get("/health/account/"))

    for headers in FOREIGN:
        response = browser.post("/health/sign-out/", data={"csrf_token": token}, headers=headers)
        assert response.status_code == 403, headers
        assert "FOREIGN_ORIGIN" in response.text
    assert browser.get("/health/account/").status_code == 200


def test_the_dashboards_own_form_works_and_a_script_may_send_the_token_in_a_header(house: House) -> None:
    for headers in ({"origin": URL}, {}, {"sec-fetch-site": "none"}):
        browser = house.member()
        token = form_token(browser.get("/health/account/"))
        assert browser.post("/health/sign-out/", data={"csrf_token": token}, headers=headers).status_code == 303
    browser = house.member()
    token = form_token(browser.get("/health/account/"))
    assert browser.post("/health/sign-out/", headers={"x-csrf-token": token}).status_code == 303


def test_the_token_does_not_count_in_the_address(house: House) -> None:
    browser = house.member()
    token = form_token(browser.get("/health/account/"))

    assert browser.post(f"/health/sign-out/?csrf_token={token}").status_code == 403


def test_the_token_of_a_form_expires_with_its_session(house: House) -> None:
    browser = house.member()
    token = form_token(browser.get("/health/account/"))
    browser.post("/health/sign-out/", data={"csrf_token": token})

    assert house.member().post("/health/sign-out/", data={"csrf_token": token}).status_code == 403
