"""The playground: chat with models from the browser; what is said stays in the browser."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from accounts import roles, session_keys
from bananarouter.pages import first_call
from bananarouter.pages.shell import Page, Private, of

# The list that the field offers; any other name can be typed.
MODELS_MAX = 2_000


class Playground(Page):
    """The page: models to choose from; all the rest happens in the browser."""

    template_name = "playground/page.html"
    nav = "playground"
    needs = roles.may_make_keys

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        return super().get_context_data(
            models=first_call.chat_models(self.account, now=now)[:MODELS_MAX],
            model=first_call.model_for(self.account, now=now),
            **kwargs,
        )


class Key(Private):
    """Make the short-lived key that the page calls the API with; its text is only in the answer."""

    http_method_names = ["post"]
    needs = roles.may_make_keys

    def post(self, request: HttpRequest) -> JsonResponse:
        _, text = session_keys.mint(account=self.account, user=of(request).user, now=timezone.now())
        return JsonResponse({"key": text, "lifetime_s": int(session_keys.LIFETIME.total_seconds())})
