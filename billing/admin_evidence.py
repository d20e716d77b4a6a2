"""A paper for staff to hand to a bank that disputes a payment."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone, translation

from billing.admin_tables import AdminBase
from billing.models import Order
from billing.payments import evidence, evidence_sheet, papers

# Who may see orders and what banks say of them.
MAY_READ = ("billing.view_order", "billing.view_dispute")


class LeadsToPack(AdminBase):
    """A table whose rows lead to the evidence pack of their order."""

    change_form_template = "admin/decision_row.html"

    def order_of(self, row: Any) -> Order:
        """Return the order that a row is about."""
        found: Order = row.order
        return found

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        if row is not None and request.user.has_perms(MAY_READ):
            url = reverse("admin:billing_order_evidence", args=[self.order_of(row).pk])
            context["tools"] = [*context.get("tools", ()), ("Evidence pack", url)]
        return super().render_change_form(request, context, *args, **kwargs)


class GivesPack(LeadsToPack):
    """The table of orders, which gives the packs."""

    def order_of(self, row: Any) -> Order:
        found: Order = row
        return found

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.evidence_pack)
        name = "billing_order_evidence"
        return [path("<path:pk>/evidence/", page, name=name), *super().get_urls()]

    def evidence_pack(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Download the evidence pack of an order; the site notes who read it."""
        if not request.user.has_perms(MAY_READ):
            raise PermissionDenied
        order = self.get_object(request, pk)
        if order is None:
            raise Http404
        with translation.override("en"):
            sheet = evidence_sheet.sheet(evidence.pack(order, now=timezone.now()))
            response = HttpResponse(papers.pdf(sheet), content_type="application/pdf")
        name = f"evidence-{order.number}.pdf"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
