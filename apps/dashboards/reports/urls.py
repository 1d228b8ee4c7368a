"""Reports."""

from django.urls import path

from apps.dashboards.reports import views

urlpatterns = [
    path("reports/", views.coverage, name="reports"),
    path("reports/coverage.csv", views.coverage_csv, name="report-coverage-csv"),
    path("reports/coverage.pdf", views.coverage_pdf, name="report-coverage-pdf"),
]
