"""Who is calling: chains of tenants, buckets of users, and every way to be refused."""

import pytest

from router.decide.scopes import called_policy, caller
from router.errors import NoRoute, RequestError
from router.plan import Each, Limit
from router.values import Request
from tests.build import PLACE, budget, plan, policy, tenant

EACH_USER = Each(of="user", budgets=(budget("user:acme:*", 10),), limits=(), place=PLACE)
CHILD_LIMIT = Limit(owner="child:acme:*", unit="requests", window_s=60, at_most=5, place=PLACE, text="x")
EACH_CHILD = Each(of="child", budgets=(budget("child:acme:*", 20),), limits=(CHILD_LIMIT,), place=PLACE)

MAIN = policy("main", "openai/a")
OTHER = policy("other", "openai/a")
ACME = tenant("acme", budgets=(budget("tenant:acme", 100),))
SEARCH = tenant("acme/search", "main", budgets=(budget("tenant:acme/search", 50),))
PLAN = plan(MAIN, OTHER, tenants=(ACME, SEARCH))


def request(**fields: str | None) -> Request:
    return Request(id="r", messages=(), **{"policy": "main", **fields})  # type: ignore[arg-type]


def test_every_ancestor_is_charged() -> None:
    owners = [each.owner for each in caller(PLAN, request(tenant="acme/search")).budgets]
    assert owners == ["tenant:acme", "tenant:acme/search"]


def test_without_tenants_in_the_files_anyone_may_call() -> None:
    assert caller(plan(MAIN), request(tenant="whoever")).budgets == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "this call names no tenant"),
        ({"tenant": "acme/serch"}, r"unknown tenant `acme/serch` \(did you mean `acme/search`\?\)"),
        ({"tenant": "acme/search", "policy": "other"}, "tenant `acme/search` may not call policy `other`"),
    ],
)
def test_who_may_not_call_is_told_why(fields: dict[str, str], message: str) -> None:
    with pytest.raises(NoRoute, match=message):
        caller(PLAN, request(**fields))


@pytest.mark.parametrize("path", ["", "/", "acme/", "acme//search", "/acme"])
def test_a_path_with_an_empty_segment_is_no_tenant(path: str) -> None:
    with pytest.raises(RequestError, match="is not a tenant path"):
        caller(PLAN, request(tenant=path))


def test_an_unknown_policy_is_named_with_a_suggestion() -> None:
    with pytest.raises(RequestError, match=r"unknown policy `mian` \(did you mean `main`\?\)"):
        called_policy(PLAN, request(policy="mian"))


def test_each_user_has_a_bucket_and_must_be_named() -> None:
    whole = plan(MAIN, tenants=(tenant("acme", each=(EACH_USER,)), tenant("acme/search")))
    owners = [each.owner for each in caller(whole, request(tenant="acme/search", user="ann")).budgets]
    assert owners == ["user:acme:ann"]
    with pytest.raises(NoRoute, match="needs a user on every call"):
        caller(whole, request(tenant="acme/search"))
    with pytest.raises(RequestError, match="can't be a user"):
        caller(whole, request(tenant="acme/search", user="a/b"))


def test_a_child_in_no_file_needs_a_parent_that_allows_children() -> None:
    open_ = plan(MAIN, tenants=(tenant("acme", each=(EACH_CHILD,)),))
    found = caller(open_, request(tenant="acme/new"))
    assert [each.owner for each in found.budgets] == ["child:acme:new"]
    assert [each.owner for each in found.limits] == ["child:acme:new"]
    assert caller(open_, request(tenant="acme")).budgets == ()
    with pytest.raises(NoRoute, match="unknown tenant `acme/new/deep`"):
        caller(open_, request(tenant="acme/new/deep"))
