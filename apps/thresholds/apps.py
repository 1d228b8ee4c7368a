from django.apps import AppConfig


class ThresholdsConfig(AppConfig):
    name = "apps.thresholds"
    label = "thresholds"

    def ready(self) -> None:
        from apps.approvals import kinds
        from apps.thresholds import proposals, reviews

        kinds.register(proposals.KIND)
        kinds.register(reviews.KIND)
