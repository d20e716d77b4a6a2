"""Ways out of a sign-up that waits for a code: another address, or no phone."""

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.logout import logout
from allauth.account.internal.stagekit import get_pending_stage
from allauth.account.stages import PhoneVerificationStage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views import View

from accounts import owners
from accounts.adapters import PENDING_PHONE
from accounts.models import User


class StartAgain(View):
    """Forget the sign-up of this session, whose address was mistyped, and show an empty form."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        stage = get_pending_stage(request)
        user = stage.login.user if stage else None
        if isinstance(user, User):
            try:
                owners.undo_sign_up(user)
            except owners.SignUpComplete:
                return redirect("account_login")
        logout(request)
        return redirect("account_signup")


@method_decorator(
    login_stage_required(stage=PhoneVerificationStage.key, redirect_urlname="account_login"),
    name="dispatch",
)
class SkipPhone(View):
    """Go on without a phone number."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        request.session.pop(PENDING_PHONE, None)
        response: HttpResponse = request._login_stage.exit()  # type: ignore[attr-defined]  # noqa: SLF001
        return response
