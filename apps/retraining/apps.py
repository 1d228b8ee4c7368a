from django.apps import AppConfig


class RetrainingConfig(AppConfig):
    name = "apps.retraining"
    label = "retraining"

    def ready(self) -> None:
        from apps.approvals.kinds import register
        from apps.retraining.services import RELEASE_KIND

        register(RELEASE_KIND)
