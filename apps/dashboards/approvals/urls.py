"""Requests for signature."""

from django.urls import path

from apps.dashboards.approvals import views

urlpatterns = [
    path("approvals/", views.approvals, name="approvals"),
    path("approvals/<int:approval_id>/", views.approval, name="approval"),
    path("approvals/<int:approval_id>/sign/", views.sign, name="approval-sign"),
    path("approvals/<int:approval_id>/reject/", views.reject, name="approval-reject"),
    path("approvals/<int:approval_id>/submit/", views.submit, name="approval-submit"),
    path("approvals/<int:approval_id>/withdraw/", views.withdraw, name="approval-withdraw"),
    path("approvals/<int:approval_id>/remark/", views.remark, name="approval-remark"),
]
