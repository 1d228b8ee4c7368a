"""The incident register."""

from django.urls import path

from apps.dashboards.incidents import one, views

urlpatterns = [
    path("incidents/", views.register, name="incidents"),
    path("incidents/register.csv", views.register_csv, name="incidents-csv"),
    path("incidents/views/", views.view_save, name="incident-view-save"),
    path("incidents/views/<int:view_id>/forget/", views.view_forget, name="incident-view-forget"),
    path("incidents/new/", one.new, name="incident-new"),
    path("incidents/<int:number>/", one.incident, name="incident"),
    path("incidents/<int:number>/edit/", one.edit, name="incident-edit"),
    path("incidents/<int:number>/evidence/<int:evidence_id>.json", one.evidence_json, name="incident-evidence"),
    path("incidents/<int:number>/evidence/<int:evidence_id>.csv", one.evidence_csv, name="incident-evidence-csv"),
    path("incidents/<int:number>/<slug:verb>/", one.act, name="incident-act"),
]
