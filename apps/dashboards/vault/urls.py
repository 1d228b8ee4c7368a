"""The vault: what is known about it, what goes in, and who may look."""

from django.urls import path

from apps.dashboards.vault import access, erasures, uploads, views

urlpatterns = [
    path("vault/", views.vault, name="vault"),
    path("vault/uploads/", uploads.uploads, name="vault-uploads"),
    path("vault/uploads/recent/", uploads.recent, name="vault-uploads-recent"),
    path("vault/uploads/<uuid:upload_id>/", uploads.upload, name="vault-upload"),
    path("vault/uploads/<uuid:upload_id>/progress/", uploads.progress, name="vault-upload-progress"),
    path("vault/uploads/<uuid:upload_id>/file/", uploads.receive, name="vault-upload-file"),
    path("vault/uploads/<uuid:upload_id>/withdraw/", uploads.withdraw, name="vault-upload-withdraw"),
    path("vault/reads/", views.reads, name="vault-reads"),
    path("vault/erasures/", erasures.erasures, name="vault-erasures"),
    path("vault/erasures/new/", erasures.erase, name="vault-erase"),
    path("vault/access/", access.accesses, name="vault-accesses"),
    path("vault/access/new/", access.ask, name="vault-access-new"),
    path("vault/access/<int:approval_id>/", access.access, name="vault-access"),
    path("vault/access/<int:approval_id>/state/", access.state, name="vault-access-state"),
    path("vault/access/<int:approval_id>/open/", access.open_values, name="vault-access-open"),
    path("vault/access/<int:approval_id>/look/", access.look, name="vault-access-look"),
    path("vault/access/<int:approval_id>/end/", access.end, name="vault-access-end"),
]
