"""The complaints register."""

from django.urls import path

from apps.dashboards.complaints import views

urlpatterns = [
    path("complaints/", views.register, name="complaints"),
    path("complaints/register.csv", views.register_csv, name="complaints-csv"),
    path("complaints/views/", views.view_save, name="complaint-view-save"),
    path("complaints/views/<int:view_id>/forget/", views.view_forget, name="complaint-view-forget"),
    path("complaints/new/", views.new, name="complaint-new"),
    path("complaints/<int:number>/", views.complaint, name="complaint"),
    path("complaints/<int:number>/<slug:verb>/", views.act, name="complaint-act"),
]
