"""Binds Celery to Django and refuses to start on a configuration that would only fail later."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register


class BiasgovConfig(AppConfig):
    name = "biasgov"

    def ready(self) -> None:
        from biasgov.celery import app

        app.set_default()
        register(check_configuration, Tags.security)


def check_configuration(**_: Any) -> list[CheckMessage]:
    """Every process of a side has its database, its broker and its keys before it serves anything."""
    from django.conf import settings

    from biasgov.environment import ConfigurationError

    found: list[CheckMessage] = []
    if not settings.DATABASE_URL:
        found.append(
            Error(
                f"No database is configured for the {settings.SIDE} side.",
                hint="Set DATABASE_URL (web), COMPUTE_DATABASE_URL (compute) or OWNER_DATABASE_URL (migrations), "
                "or start the embedded services: python -m biasgov.local start.",
                id="biasgov.E001",
            )
        )
    if not settings.REDIS_URL and settings.SIDE != "owner":
        found.append(Error("No broker is configured.", hint="Set REDIS_URL.", id="biasgov.E002"))
    if problem := _webhook_problem(settings.NOTIFICATION_URLS, settings.WEBHOOK_SECRET):
        hint = "Set WEBHOOK_SECRET or WEBHOOK_SECRET_FILE to 24 random bytes or more as base64."
        found.append(Error(problem, hint=hint, id="biasgov.E004"))
    for name in settings.KEYRING.paths:
        needless = {"django_secret": bool(settings.SECRET_KEY), "key_encryption": settings.KEY_ENCRYPTION != "file"}
        if settings.SIDE == "test" or needless.get(name, False):
            continue
        try:
            settings.KEYRING.path(name)
        except ConfigurationError as error:
            found.append(Error(str(error), id="biasgov.E003"))
    return found


def _webhook_problem(urls: list[str], secret: str) -> str:
    """Why signed webhooks could not be signed; "" where nothing stands in their way."""
    from biasgov.client.webhooks import WebhookError, secret_bytes

    if not any(url.lower().startswith("signed+") for url in urls):
        return ""
    if not secret:
        return "NOTIFICATION_URLS has a signed webhook, and no secret to sign with is configured."
    try:
        secret_bytes(secret)
    except WebhookError as error:
        return f"WEBHOOK_SECRET cannot be used. {error}"
    return ""
