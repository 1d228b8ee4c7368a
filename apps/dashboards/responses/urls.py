"""What people do on the response ladder of a model."""

from django.urls import path

from apps.dashboards.responses import views

_RESTRICTION = "models/<slug:slug>/restrictions/<int:restriction_id>"

urlpatterns = [
    path(f"{_RESTRICTION}/confirm/", views.confirm, name="restriction-confirm"),
    path(f"{_RESTRICTION}/decline/", views.decline, name="restriction-decline"),
    path("models/<slug:slug>/lift/", views.lift, name="restriction-lift"),
    path("models/<slug:slug>/silence/", views.silence, name="silence"),
    path("models/<slug:slug>/silences/<int:silence_id>/end/", views.silence_end, name="silence-end"),
    path("models/<slug:slug>/gateways/<int:gateway_id>/retire/", views.gateway_retire, name="gateway-retire"),
]
