from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "apps.incidents"
    label = "incidents"

    def ready(self) -> None:
        from apps.approvals.kinds import register
        from apps.board import services as board
        from apps.incidents import boarding
        from apps.incidents.services import CLOSURE_KIND

        register(CLOSURE_KIND)
        board.register(boarding.MATTER)
        board.register_conditions(boarding.condition_take)
