"""`manage.py token_create` and `token_revoke`."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.api.models import ApiToken
from apps.audit.models import AuditEntry
from apps.registry.spec import ModelSpec
from tests.apps.api.door import Caller, problem


def create(*arguments: str) -> str:
    out = StringIO()
    call_command("token_create", *arguments, stdout=out)
    return out.getvalue()


def test_token_alone_is_printed_and_it_works(spec: ModelSpec) -> None:
    printed = create("--name", "feed", "--scopes", "read,events:write", "--model", "hiring", "--days", "7")
    assert len(printed.split()) == 1
    assert Caller(printed.strip()).get("models/hiring").status_code == 200
    stored = ApiToken.objects.get(name="feed")
    assert (stored.expires_at - stored.created_at).days in (6, 7)
    assert AuditEntry.objects.filter(action="token.issued", subject="token:feed").count() == 1


def test_default_life_is_thirty_days(db: None) -> None:
    create("--name", "feed", "--scopes", "admin")
    stored = ApiToken.objects.get(name="feed")
    assert round((stored.expires_at - stored.created_at).total_seconds() / 86_400) == 30


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--scopes", "everything"], "scopes"),
        (["--scopes", " , "], "scopes"),
        (["--scopes", "read", "--model", "nothing"], "model"),
        (["--scopes", "read", "--days", "0"], "days"),
        (["--scopes", "read", "--days", "9999"], "days"),
    ],
)
def test_mistake_is_named_by_its_option(db: None, arguments: list[str], option: str) -> None:
    with pytest.raises(CommandError, match=f"--{option}"):
        create("--name", "feed", *arguments)
    assert not ApiToken.objects.exists()


def test_name_is_taken_once(db: None) -> None:
    create("--name", "feed", "--scopes", "read")
    with pytest.raises(CommandError, match="already a token"):
        create("--name", "feed", "--scopes", "read")


def test_scope_that_was_not_given_is_not_there(spec: ModelSpec) -> None:
    secret = create("--name", "feed", "--scopes", "events:write").strip()
    problem(Caller(secret).get("models"), 403)


def test_a_revoked_token_ends_and_only_once(spec: ModelSpec) -> None:
    secret = create("--name", "feed", "--scopes", "read").strip()
    call_command("token_revoke", "--name", "feed", stdout=StringIO())
    problem(Caller(secret).get("models"), 401)
    assert AuditEntry.objects.filter(action="token.revoked", subject="token:feed").count() == 1
    with pytest.raises(CommandError, match="no live token"):
        call_command("token_revoke", "--name", "feed")
