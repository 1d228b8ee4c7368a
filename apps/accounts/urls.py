"""Where people sign in and out, confirm that it is them, and look after their own account.

django-allauth finds some of these pages by name; of its own pages none is reachable.
"""

from django.urls import path

from apps.accounts.views import confirming, invitation, own_account, signing_in

urlpatterns = [
    path("sign-in/", signing_in.SignIn.as_view(), name="account_login"),
    path("sign-in/", signing_in.SignIn.as_view(), name="login"),
    path("sign-in/second-factor/", signing_in.SecondFactor.as_view(), name="mfa_authenticate"),
    path("sign-in/passkey/", signing_in.PasskeySignIn.as_view(), name="mfa_login_webauthn"),
    path("sign-in/with/<slug:provider_id>/", signing_in.openid_sign_in, name="openid_connect_login"),
    path("sign-in/with/<slug:provider_id>/return/", signing_in.openid_return, name="openid_connect_callback"),
    path("sign-out/", signing_in.SignOut.as_view(), name="logout"),
    path("invitation/<str:token>/", invitation.invitation, name="invitation"),
    path("account/", own_account.account, name="account"),
    path("account/", own_account.account, name="mfa_index"),
    path("account/confirm/", confirming.Confirm.as_view(), name="confirm"),
    path("account/password/", own_account.PasswordChange.as_view(), name="password_change"),
    path("account/app/", own_account.app_add, name="mfa_activate_totp"),
    path("account/app/remove/", own_account.app_remove, name="mfa_deactivate_totp"),
    path("account/passkeys/", own_account.passkey_add, name="mfa_add_webauthn"),
    path("account/passkeys/<int:pk>/remove/", own_account.passkey_remove, name="mfa_remove_webauthn"),
    path("account/codes/", own_account.codes_show, name="mfa_view_recovery_codes"),
    path("account/codes/new/", own_account.codes_make, name="mfa_generate_recovery_codes"),
]
