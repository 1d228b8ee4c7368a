"""The register of overridden decisions."""

from django.urls import path

from apps.dashboards.overrides import views

urlpatterns = [
    path("models/<slug:slug>/overrides/", views.overrides, name="overrides"),
    path("models/<slug:slug>/overrides.csv", views.overrides_csv, name="overrides-csv"),
]
