"""What people are told, how, and what became of messages that left the house."""

from django.urls import path

from apps.dashboards.notifications import views

urlpatterns = [
    path("messages/", views.notifications, name="notifications"),
    path("messages/read/", views.all_read, name="notifications-read"),
    path("messages/mail/", views.preference, name="mail-preference"),
    path("deliveries/", views.deliveries, name="deliveries"),
    path("deliveries/resend/", views.resend_all, name="messages-resend"),
    path("deliveries/<int:message_id>/resend/", views.resend, name="message-resend"),
]
