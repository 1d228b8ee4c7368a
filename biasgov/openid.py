"""Sign-in through a company's own identity provider, as the environment describes it (OpenID Connect)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from biasgov.environment import ConfigurationError, secret, text

PROVIDER_ID = "company"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class OpenIdProvider:
    """An identity provider. `name` is what the button on the sign-in page says; `issuer` is the provider's address."""

    name: str
    issuer: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"OpenIdProvider({self.name!r}, {self.issuer!r})"

    @property
    def origin(self) -> str:
        """Scheme, host and port: where the sign-in page's form may lead to."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"


def provider() -> OpenIdProvider | None:
    """The provider named by OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET(_FILE) and OIDC_NAME; None without any.

    Raises
    ------
    ConfigurationError
        Only some of them are set, or the issuer is not https (http is for a provider on this machine).
    """
    given = {
        "OIDC_ISSUER": text("OIDC_ISSUER").rstrip("/"),
        "OIDC_CLIENT_ID": text("OIDC_CLIENT_ID"),
        "OIDC_CLIENT_SECRET": secret("OIDC_CLIENT_SECRET") or "",
    }
    if not any(given.values()):
        return None
    if missing := [name for name, value in given.items() if not value]:
        raise ConfigurationError(f"{', '.join(missing)} must be set as well for sign-in by OpenID Connect.")
    issuer = urlsplit(given["OIDC_ISSUER"])
    if not issuer.hostname or (issuer.scheme != "https" and issuer.hostname not in _LOOPBACK):
        raise ConfigurationError(f"OIDC_ISSUER={given['OIDC_ISSUER']!r} must be an https address.")
    return OpenIdProvider(
        name=text("OIDC_NAME", "your company account"),
        issuer=given["OIDC_ISSUER"],
        client_id=given["OIDC_CLIENT_ID"],
        client_secret=given["OIDC_CLIENT_SECRET"],
    )


def allauth_providers(known: OpenIdProvider | None) -> dict[str, Any]:
    """`known` as django-allauth wants to read it."""
    if known is None:
        return {}
    app = {
        "provider_id": PROVIDER_ID,
        "name": known.name,
        "client_id": known.client_id,
        "secret": known.client_secret,
        "settings": {"server_url": known.issuer, "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app]}}
