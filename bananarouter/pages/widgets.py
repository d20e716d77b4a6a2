"""Fields of forms drawn as Django draws them, in a tenth of the time.

Django draws each field and each option of a list by templates that include each other: a page with
a few lists spent a third of its time there. The HTML is Django's own, to the letter
(tests/bananarouter/test_widgets.py compares); what is not known here, Django draws.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

_FOLDER = "django/forms/widgets/"
_INPUTS = ("checkbox", "date", "email", "hidden", "number", "password", "text", "url")
_OPTION = f"{_FOLDER}select_option.html"


class Renderer(DjangoTemplates):
    """Draws inputs, lists and areas of text in Python (FORM_RENDERER names it)."""

    def render(
        self, template_name: str, context: Mapping[str, Any], request: HttpRequest | None = None
    ) -> SafeString:
        draw = _DRAWN.get(template_name)
        found = draw(context["widget"]) if draw else None
        if found is not None:
            return mark_safe(found)  # noqa: S308 - its parts are escaped
        return mark_safe(super().render(template_name, dict(context), request))  # noqa: S308


def _text(value: object) -> str:
    """Write a value as templates do: safe text as it is, everything else escaped."""
    return conditional_escape(value if isinstance(value, str) else str(value))


def _attributes(attrs: Mapping[str, object]) -> str:
    return "".join(
        f" {_text(name)}" if value is True else f' {_text(name)}="{_text(value)}"'
        for name, value in attrs.items()
        if value is not False
    )


def _input(widget: Mapping[str, Any]) -> str:
    value = widget["value"]
    shown = "" if value is None else f' value="{_text(value)}"'
    kind, name = widget["type"], _text(widget["name"])
    return f'<input type="{kind}" name="{name}"{shown}{_attributes(widget["attrs"])}>'


def _area(widget: Mapping[str, Any]) -> str:
    value = widget["value"]
    name, shown = _text(widget["name"]), _label(value) if value else ""
    return f'<textarea name="{name}"{_attributes(widget["attrs"])}>\n{shown}</textarea>'


def _label(value: object) -> str:
    return _text(localize(value))


def _select(widget: Mapping[str, Any]) -> str | None:
    drawn = []
    for group, options, _ in widget["optgroups"]:
        if group or any(option["template_name"] != _OPTION for option in options):
            return None
        drawn += [
            f'\n  <option value="{_text(option["value"])}"{_attributes(option["attrs"])}>'
            f"{_label(option['label'])}</option>\n"
            for option in options
        ]
    name, attributes = _text(widget["name"]), _attributes(widget["attrs"])
    return f'<select name="{name}"{attributes}>{"".join(drawn)}\n</select>'


_DRAWN: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    **{f"{_FOLDER}{name}.html": _input for name in _INPUTS},
    f"{_FOLDER}textarea.html": _area,
    f"{_FOLDER}select.html": _select,
}
