from django.apps import AppConfig


class ResponsesConfig(AppConfig):
    name = "apps.responses"
    label = "responses"

    def ready(self) -> None:
        from apps.approvals.kinds import register
        from apps.responses.lifting import KIND

        register(KIND)
