from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.storage.staff.changes import ChangeKind
from telemetry_quality.storage.staff.sign_ins import SignInOutcome
from telemetry_quality_tests.dashboard.access.house import (
    ADDRESS,
    NAME,
    PASSWORD,
    SESSION_COOKIE,
    House,
    form_token,
    has_entered,
    is_refused,
    sign_in,
)

if TYPE_CHECKING:
    from httpx2 import Response
    from starlette.testclient import TestClient

NEW = "four blue kettles whistle"


def _post(browser: TestClient, action: str, **fields: str) -> Response:
    token = form_token(browser.get("/health/account/"))
    response: Response = browser.post(f"/health/account/{action}", data={"csrf_token": token, **fields})
    return response


def _made(response: Response) -> str:
    found = re.search(r'id="new-token">(tq_[\w-]{43})<', response.text)
    assert found
    return found[1]


def test_a_token_is_shown_once_and_works_until_it_is_revoked(house: House) -> None:
    browser = house.member()

    token = _made(_post(browser, "tokens/", label="<b>feed</b> reader", days="30", scope_json="on", current=PASSWORD))

    assert house.machine(token).get("/api/health/version/").status_code == 200
    page = browser.get("/health/account/").text
    assert token not in page
    assert "&lt;b&gt;feed&lt;/b&gt; reader" in page
    account = house.staff.account(NAME)
    assert account is not None
    (kept,) = house.staff.tokens(account.id)
    assert token[3:] not in repr(kept)
    assert _post(browser, f"tokens/{kept.id}/revoke/").status_code == 303
    assert house.machine(token).get("/api/health/version/").status_code == 401
    assert _post(browser, f"tokens/{kept.id}/revoke/").status_code == 404


@pytest.mark.parametrize(
    ("fields", "readable"),
    [({"scope_json": "on"}, (200, 403)), ({"scope_exports": "on"}, (403, 200)), ({}, None)],
)
def test_a_token_reads_what_its_boxes_say(
    house: House, fields: dict[str, str], readable: tuple[int, int] | None
) -> None:
    response = _post(house.member(), "tokens/", label="x", days="30", current=PASSWORD, **fields)
    if readable is None:
        assert (response.status_code, "requires a scope" in response.text) == (422, True)
    else:
        machine = house.machine(_made(response))
        paths = ("/api/health/version/", "/health/snapshots.csv")
        assert tuple(machine.get(path).status_code for path in paths) == readable


def test_a_token_takes_the_password_which_cannot_be_guessed_that_way(house: House) -> None:
    browser = house.member()
    for _ in range(5):
        assert _post(browser, "tokens/", label="x", days="1", scope_json="on", current="x").status_code == 403
    assert _post(browser, "tokens/", label="x", days="1", scope_json="on", current=PASSWORD).status_code == 429
    assert house.staff.tokens() == []


@pytest.mark.parametrize(("minutes", "status_code"), [(9.9, 200), (10, 200), (10.1, 403)])
def test_without_a_password_a_token_takes_a_fresh_sign_in(house: House, minutes: float, status_code: int) -> None:
    house.add_account("bob", None)
    browser = house.member("bob")
    house.clock.move(minutes=minutes)
    assert _post(browser, "tokens/", label="x", days="1", scope_json="on").status_code == status_code


def test_nobody_revokes_the_token_of_somebody_else(house: House) -> None:
    house.add_account("bob", None)
    token, number = house.add_token()

    assert _post(house.member("bob"), f"tokens/{number}/revoke/").status_code == 404

    assert house.machine(token).get("/api/health/version/").status_code == 200


def test_the_days_of_a_token_are_a_number_from_1_to_365(house: House) -> None:
    browser = house.member()

    for days, status_code in {
        "0": 422,
        "1": 200,
        "365": 200,
        "366": 422,
        "-1": 422,
        "x": 422,
        "": 422,
        "٣": 422,
    }.items():
        assert (
            _post(browser, "tokens/", label="x", days=days, scope_json="on", current=PASSWORD).status_code
            == status_code
        ), days
    assert _post(browser, "tokens/", label=" ", days="1", scope_json="on", current=PASSWORD).status_code == 422


def test_changing_the_password_needs_the_current_one_and_ends_all_other_sessions(house: House) -> None:
    browser, other = house.member(), house.member()
    before = browser.cookies[SESSION_COOKIE]

    refused = _post(browser, "password/", current="something else", new=NEW, again=NEW)
    changed = _post(browser, "password/", current=PASSWORD, new=NEW, again=NEW)

    assert refused.status_code == 403
    assert changed.status_code == 303
    assert browser.cookies[SESSION_COOKIE] != before
    assert browser.get("/health/account/").status_code == 200
    assert is_refused(other.get("/health/account/"))
    assert not has_entered(sign_in(house.stranger()))
    assert has_entered(sign_in(house.stranger(), password=NEW))


def test_the_current_password_cannot_be_guessed_through_a_stolen_session(house: House) -> None:
    browser = house.member()
    for _ in range(5):
        assert _post(browser, "password/", current="x", new=NEW, again=NEW).status_code == 403

    assert _post(browser, "password/", current=PASSWORD, new=NEW, again=NEW).status_code == 429


@pytest.mark.parametrize(("new", "again"), [("short", "short"), (NEW, f"{NEW}x"), ("", ""), ("x" * 2000, "x" * 2000)])
def test_a_new_password_that_is_unacceptable_is_refused_and_not_repeated(house: House, new: str, again: str) -> None:
    response = _post(house.member(), "password/", current=PASSWORD, new=new, again=again)

    assert response.status_code == 422
    assert not new or f'value="{new}"' not in response.text
    assert has_entered(sign_in(house.stranger()))


def test_signing_out_everywhere_ends_every_session_of_the_account_and_no_other(house: House) -> None:
    house.add_account("bob", None)
    browser, other, bob = house.member(), house.member(), house.member("bob")

    assert _post(browser, "sign-out-everywhere/").headers["location"] == "/health/sign-in/"

    assert is_refused(browser.get("/health/account/"))
    assert is_refused(other.get("/health/account/"))
    assert bob.get("/health/account/").status_code == 200
    assert house.staff.sign_ins()[0].outcome is SignInOutcome.SIGNED_OUT


def test_a_user_who_signs_in_only_at_the_provider_is_offered_no_password_form(house: House) -> None:
    house.add_account("bob", None)

    assert 'name="current"' in house.member().get("/health/account/").text
    assert 'name="current"' not in house.member("bob").get("/health/account/").text


def test_what_people_change_about_their_own_account_is_recorded_as_theirs(house: House) -> None:
    browser = house.member()
    _made(_post(browser, "tokens/", label="feed", days="30", scope_json="on", current=PASSWORD))
    assert _post(browser, "tokens/1/revoke/").status_code == 303
    assert _post(browser, "password/", current=PASSWORD, new=NEW, again=NEW).status_code == 303
    changes = house.staff.account_changes(3)
    assert [change.change for change in changes] == [
        ChangeKind.PASSWORD_CHANGED,
        ChangeKind.TOKEN_REVOKED,
        ChangeKind.TOKEN_CREATED,
    ]
    assert {(change.account_name, change.changed_by, change.address) for change in changes} == {(NAME, NAME, ADDRESS)}
