"""Training sets."""

from django.urls import path

from apps.dashboards.retraining import views

urlpatterns = [
    path("retraining/", views.checks, name="retraining"),
    path("retraining/<int:check_id>/", views.check, name="retraining-check"),
    path("retraining/<int:check_id>/release/", views.release, name="retraining-release"),
]
