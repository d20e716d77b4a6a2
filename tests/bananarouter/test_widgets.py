"""Fields drawn in Python are to the letter what Django draws by its templates."""

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates

from bananarouter.pages.widgets import Renderer

EVIL = "<b>\"'&"
CHOICES = [("", "All"), ("a", "A & <b>"), (7, 1_234), (EVIL, EVIL)]
WIDGETS = [
    *(getattr(forms, name)(attrs={"class": EVIL, "required": True, "disabled": False, "max": 5})
      for name in ("TextInput", "NumberInput", "EmailInput", "URLInput", "PasswordInput",
                   "HiddenInput", "DateInput", "CheckboxInput", "Textarea")),
    forms.PasswordInput(render_value=True), forms.Select(choices=CHOICES),
    forms.Select(choices=[("G", CHOICES[1:])]), forms.SelectMultiple(choices=CHOICES),
    forms.RadioSelect(choices=CHOICES), forms.FileInput(),
]  # fmt: skip


@pytest.mark.parametrize("value", [None, "", "a", EVIL, 7, True, ["a", 7]], ids=repr)
@pytest.mark.parametrize("widget", WIDGETS, ids=lambda one: type(one).__name__)
def test_a_field_is_drawn_as_django_draws_it(widget, value):
    told = [widget.render("n" + EVIL, value, attrs={"id": "x"}, renderer=renderer())
            for renderer in (Renderer, DjangoTemplates)]  # fmt: skip
    assert told[0] == told[1]
