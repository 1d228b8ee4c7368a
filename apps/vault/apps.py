from django.apps import AppConfig
from django.core.checks import Tags, register


class VaultConfig(AppConfig):
    name = "apps.vault"
    label = "vault"

    def ready(self) -> None:
        from apps.approvals import kinds
        from apps.vault.access import ACCESS_KIND
        from apps.vault.wrapping.choice import check_key_encryption

        kinds.register(ACCESS_KIND)
        register(check_key_encryption, Tags.security)
