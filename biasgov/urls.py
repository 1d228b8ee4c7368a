"""All addresses: people's pages, the HTTP API, and what an orchestrator probes."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("apps.api.urls")),
    path("", include("apps.api.probes")),
    path("", include("apps.accounts.urls")),
    path("", include("apps.dashboards.urls")),
]
