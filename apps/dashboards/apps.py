from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    name = "apps.dashboards"
    label = "dashboards"

    def ready(self) -> None:
        from apps.dashboards.approvals.reading import FACTS
        from apps.dashboards.thresholds.proposal import review_facts, signed_facts
        from apps.thresholds.selectors import CHANGE, REVIEW

        FACTS[CHANGE] = signed_facts
        FACTS[REVIEW] = review_facts
