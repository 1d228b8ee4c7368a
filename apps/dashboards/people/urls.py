"""People, what their roles let them do, and the tokens of programs."""

from django.urls import path

from apps.dashboards.people import views

urlpatterns = [
    path("permissions/", views.permissions, name="permissions"),
]
