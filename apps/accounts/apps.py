from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        from apps.accounts import receivers, roles

        receivers.connect()
        post_migrate.connect(roles.create_groups, sender=self, dispatch_uid="accounts.create_groups")
