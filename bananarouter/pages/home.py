"""The public home page: what this is, in five seconds."""

from typing import Any

from django.views.generic import TemplateView

from bananarouter.pages import first_call
from bananarouter.pages.shell import origin


class Home(TemplateView):
    """Say what the product is and show the three base URLs of this very host."""

    template_name = "home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            origin=origin(self.request), is_demo=first_call.has_demo_vendor(), **kwargs
        )
