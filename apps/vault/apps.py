from django.apps import AppConfig
from django.core.checks import Tags, register


class VaultConfig(AppConfig):
    name = "apps.vault"
    label = "vault"

    def ready(self) -> None:
        from apps.vault.wrapping.choice import check_key_encryption

        register(check_key_encryption, Tags.security)
