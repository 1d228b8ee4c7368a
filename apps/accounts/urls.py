"""Where people sign in and out."""

from django.urls import path

from apps.accounts import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="login"),
    path("sign-out/", views.SignOut.as_view(), name="logout"),
    path("account/confirm/", views.Confirm.as_view(), name="confirm"),
    path("account/password/", views.PasswordChange.as_view(), name="password_change"),
]
