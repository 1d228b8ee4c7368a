"""The threshold register."""

from django.urls import path

from apps.dashboards.thresholds import importing, proposing, reviewing, views

urlpatterns = [
    path("thresholds/", views.register, name="thresholds"),
    path("thresholds/register.csv", views.register_csv, name="thresholds-csv"),
    path("thresholds/versions/<int:version_id>/", views.version, name="threshold-version"),
    path("thresholds/proposals/<int:approval_id>/", proposing.proposal, name="threshold-proposal"),
    path("thresholds/proposals/<int:approval_id>/edit/", proposing.edit, name="threshold-edit"),
    path("thresholds/proposals/<int:approval_id>/submit/", proposing.submit, name="threshold-submit"),
    path("thresholds/proposals/<int:approval_id>/repeat/", proposing.repeat, name="threshold-repeat"),
    path("thresholds/proposals/<int:approval_id>/back-test.csv", proposing.backtest_csv, name="threshold-backtest-csv"),
    path("thresholds/assessments/<int:assessment_id>/", importing.assessment, name="threshold-assessment"),
    path("thresholds/<slug:slug>/propose/", proposing.propose, name="threshold-propose"),
    path("thresholds/<slug:slug>/review/", reviewing.review, name="threshold-review"),
    path("thresholds/<slug:slug>/assessments/", importing.assessments, name="threshold-assessments"),
]
