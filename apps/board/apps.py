from django.apps import AppConfig


class BoardConfig(AppConfig):
    name = "apps.board"
    label = "board"

    def ready(self) -> None:
        from apps.approvals.kinds import register
        from apps.board import matters, requests, rules

        register(rules.KIND)
        matters.register(requests.MATTER)
