"""Where an invitation leads: setting the first password, or a new one."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from apps.accounts.forms import FirstPasswordForm
from apps.accounts.invitations import invitation_accept, invited
from apps.common.errors import Refused


@require_http_methods(["GET", "POST"])
@never_cache
@sensitive_post_parameters()
@sensitive_variables("token")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Shows whose password is set and sets it; who holds a link that does not count is told so, and no more."""
    person = invited(token)
    if person is None:
        return _private(render(request, "accounts/invitation_gone.html", status=404))
    form = FirstPasswordForm(person, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            invitation_accept(token=token, password=form.cleaned_data["new_password1"])
        except Refused as refused:
            if refused.code == "gone":
                return _private(render(request, "accounts/invitation_gone.html", status=404))
            form.add_error("new_password1", refused.message)
        else:
            logout(request)
            messages.success(request, "Your password is set. Sign in with it.")
            return redirect("login")
    return _private(render(request, "accounts/invitation.html", {"form": form, "person": person}))


def _private(answer: HttpResponse) -> HttpResponse:
    """The address is a secret: no page that is opened from here learns more of it than the host.

    With "no-referrer" browsers would send the form with the origin "null", which the protection against forged
    requests refuses.
    """
    answer["Referrer-Policy"] = "strict-origin"
    return answer
