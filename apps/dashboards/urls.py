"""The pages."""

from django.urls import include, path

from apps.dashboards import views

urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("models/", views.models, name="models"),
    path("models/<slug:slug>/", views.model, name="model"),
    path("models/<slug:slug>/tables/<slug:key>.csv", views.model_table, name="model-table"),
    path("runs/<int:run_id>/", views.run, name="run"),
    path("runs/<int:run_id>/evidence.json", views.run_evidence, name="run-evidence"),
    path("runs/<int:run_id>/recompute/", views.run_recompute, name="run-recompute"),
    path("runs/<int:run_id>/recomputed/", views.run_recomputed, name="run-recomputed"),
    path("runs/<int:run_id>/outputs.csv", views.run_table, name="run-table"),
    path("findings/<int:finding_id>/acknowledge/", views.finding_acknowledge, name="finding-acknowledge"),
    path("models/<slug:slug>/findings/acknowledge/", views.findings_acknowledge, name="findings-acknowledge"),
    path("alerts/<int:alert_id>/read/", views.alert_read, name="alert-read"),
    path("health/", views.health, name="health"),
    path("", include("apps.dashboards.approvals.urls")),
    path("", include("apps.dashboards.notifications.urls")),
    path("", include("apps.dashboards.board.urls")),
    path("", include("apps.dashboards.audit.urls")),
    path("", include("apps.dashboards.people.urls")),
    path("", include("apps.dashboards.complaints.urls")),
    path("", include("apps.dashboards.incidents.urls")),
    path("", include("apps.dashboards.overrides.urls")),
    path("", include("apps.dashboards.responses.urls")),
    path("", include("apps.dashboards.reports.urls")),
    path("", include("apps.dashboards.restrictions.urls")),
    path("", include("apps.dashboards.retraining.urls")),
    path("", include("apps.dashboards.vault.urls")),
    path("", include("apps.dashboards.thresholds.urls")),
]
