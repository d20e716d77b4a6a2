"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.organization import accepting, founding, inviting, people, stating

SETTINGS = "settings/organization"
_INVITATION = f"{SETTINGS}/invitations/<int:invitation_id>"
_MEMBER = f"{SETTINGS}/members/<int:member_id>"

urlpatterns: list[URLPattern] = [
    path("organizations/new", founding.New.as_view(), name="organization_new"),
    path(SETTINGS, people.Organization.as_view(), name="organization"),
    path(f"{SETTINGS}/name", people.Rename.as_view(), name="organization_rename"),
    path(f"{SETTINGS}/territory", stating.Territory.as_view(), name="organization_territory"),
    path(f"{SETTINGS}/leave", people.Leave.as_view(), name="organization_leave"),
    path(_MEMBER, people.Member.as_view(), name="member"),
    path(f"{_MEMBER}/remove", people.Remove.as_view(), name="member_remove"),
    path(f"{_MEMBER}/hand-over", people.HandOver.as_view(), name="member_hand_over"),
    path(f"{SETTINGS}/invite", inviting.Invite.as_view(), name="invite"),
    path(f"{_INVITATION}/resend", inviting.Resend.as_view(), name="invitation_resend"),
    path(f"{_INVITATION}/revoke", inviting.Revoke.as_view(), name="invitation_revoke"),
    path("invitations/<slug:token>", accepting.Accept.as_view(), name="invitation"),
]
