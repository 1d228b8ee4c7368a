"""The register of restrictions."""

from django.urls import path

from apps.dashboards.restrictions import views

urlpatterns = [
    path("restrictions/", views.register, name="restrictions"),
    path("restrictions/register.csv", views.register_csv, name="restrictions-csv"),
]
