"""Administrators see all accounts, change the roles of others and disable them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality.storage.staff.changes import ChangeKind
from telemetry_quality.storage.staff.lookup import Role
from telemetry_quality_tests.dashboard.access.house import ADDRESS, NAME, House, form_token, is_refused

if TYPE_CHECKING:
    from httpx2 import Response
    from starlette.testclient import TestClient


@pytest.fixture
def admin(house: House) -> TestClient:
    house.add_account("eve", role=Role.ADMIN)
    return house.member("eve")


def _post(browser: TestClient, action: str, **fields: str) -> Response:
    token = form_token(browser.get("/health/accounts/"))
    response: Response = browser.post(f"/health/accounts/{action}/", data={"csrf_token": token, **fields})
    return response


def test_an_admin_sees_every_account_and_is_led_there(house: House, admin: TestClient) -> None:
    house.add_account("<b>bob</b>", None, Role.VIEWER)
    house.staff.disable("<b>bob</b>", house.clock())
    page = admin.get("/health/accounts/").text
    assert all(text in page for text in (NAME, "&lt;b&gt;bob&lt;/b&gt;", "disabled", ">you<"))
    assert 'href="/health/accounts/"' in admin.get("/health/account/").text
    assert 'href="/health/accounts/"' not in house.member().get("/health/account/").text


def test_an_admin_changes_the_role_of_somebody_else(house: House, admin: TestClient) -> None:
    response = _post(admin, "role", name=NAME, role="viewer")
    assert (response.status_code, response.headers["location"]) == (303, "/health/accounts/")
    assert house.staff.require_account(NAME).role is Role.VIEWER
    assert "INVALID_ROLE" in _post(admin, "role", name=NAME, role="king").text
    assert _post(admin, "role", name="nobody", role="viewer").status_code == 422


def test_an_admin_disables_somebody_else_at_once(house: House, admin: TestClient) -> None:
    browser = house.member()
    assert _post(admin, "disable", name=NAME).status_code == 303
    assert is_refused(browser.get("/health/account/"))


def test_admins_see_who_changed_what_and_from_where_and_nobody_else_does(house: House, admin: TestClient) -> None:
    house.add_account("<b>bob</b>", None, Role.VIEWER)
    _post(admin, "role", name=NAME, role="viewer")
    _post(admin, "disable", name=NAME)
    disabled, role, *_ = house.staff.account_changes()
    assert (disabled.change, role.change) == (ChangeKind.DISABLED, ChangeKind.ROLE_CHANGED)
    assert {(change.account_name, change.changed_by, change.address) for change in (disabled, role)} == {
        (NAME, "eve", ADDRESS)
    }
    page = admin.get("/health/accounts/").text
    changes = page[page.index('id="changes"') :]
    assert [word in changes for word in ("operator to viewer", "role changed", "&lt;b&gt;bob", ADDRESS)] == [True] * 4
    assert "<b>bob" not in page
    assert is_refused(house.member("<b>bob</b>").get("/health/accounts/"))


@pytest.mark.parametrize(("action", "fields"), [("role", {"role": "viewer"}), ("disable", {})])
def test_an_admin_cannot_lock_out_the_own_account(
    house: House, admin: TestClient, action: str, fields: dict[str, str]
) -> None:
    response = _post(admin, action, name="EVE", **fields)
    assert (response.status_code, "OWN_ACCOUNT" in response.text) == (422, True)
    assert house.staff.require_account("eve").role is Role.ADMIN


def test_viewers_are_shown_no_form_that_they_may_not_send(house: House) -> None:
    house.add_account("bob", None, Role.VIEWER)
    day = "/health/snapshots/web/2026-05-31/"
    assert 'name="mark"' in house.member().get(day).text
    assert 'name="mark"' not in house.member("bob").get(day).text
