"""The audit log."""

from django.urls import path

from apps.dashboards.audit import views

urlpatterns = [
    path("audit/", views.log, name="audit"),
    path("audit/<int:entry_id>/", views.entry, name="audit-entry"),
    path("audit/<int:entry_id>/proof/", views.entry_export, name="audit-entry-export"),
    path("audit/export/", views.export, name="audit-export"),
    path("audit/check/", views.check, name="audit-check"),
    path("audit/key.pem", views.key, name="audit-key"),
    path("audit/tree-heads.jsonl", views.tree_heads, name="audit-tree-heads"),
]
