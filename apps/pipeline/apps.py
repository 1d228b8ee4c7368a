from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Tags, register


class PipelineConfig(AppConfig):
    name = "apps.pipeline"
    label = "pipeline"

    def ready(self) -> None:
        from apps.pipeline import hardening

        if settings.SIDE == "compute":
            hardening.forbid_core_dumps()
        register(hardening.check_core_dumps, Tags.security)
