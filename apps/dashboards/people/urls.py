"""People, what their roles let them do, and the tokens of programs."""

from django.urls import path

from apps.dashboards.people import tokens, views

urlpatterns = [
    path("people/", views.people, name="people"),
    path("people/invite/", views.invite, name="person-invite"),
    path("people/<int:person_id>/", views.person, name="person"),
    path("people/<int:person_id>/link/", views.link, name="person-link"),
    path("people/<int:person_id>/roles/", views.grant, name="person-grant"),
    path("people/<int:person_id>/roles/<slug:role>/revoke/", views.revoke, name="person-revoke"),
    path("people/<int:person_id>/models/", views.own, name="person-own"),
    path("people/<int:person_id>/models/<slug:slug>/end/", views.disown, name="person-disown"),
    path("people/<int:person_id>/<slug:name>/", views.act, name="person-act"),
    path("permissions/", views.permissions, name="permissions"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/new/", tokens.issue, name="token-issue"),
    path("tokens/<int:token_id>/revoke/", tokens.revoke, name="token-revoke"),
]
