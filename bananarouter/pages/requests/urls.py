"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.requests import details, disputes, lists

urlpatterns: list[URLPattern] = [
    path("requests", lists.Requests.as_view(), name="requests"),
    path("requests.csv", lists.Download.as_view(), name="requests_csv"),
    path("requests/live", lists.Live.as_view(), name="requests_live"),
    path("requests/end-user", lists.EndUser.as_view(), name="requests_end_user"),
    path("requests/<uuid:request_id>", details.Request.as_view(), name="request"),
    path(
        "requests/<uuid:request_id>/content/<slug:part>",
        details.Content.as_view(),
        name="request_content",
    ),
    path("requests/<uuid:request_id>/dispute", disputes.Dispute.as_view(), name="request_dispute"),
    path(
        "requests/<uuid:request_id>/dispute/withdraw",
        disputes.Withdraw.as_view(),
        name="request_dispute_withdraw",
    ),
]
