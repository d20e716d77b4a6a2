"""What allauth's forms say when they refuse, in our words."""

from django.utils.translation import gettext_lazy as _

ACCOUNT = {
    "account_inactive": _("This user is closed. Write to us if you think that is wrong."),
    "duplicate_email": _("This is your address already."),
    "email_password_mismatch": _("Address and password do not belong together. Check both."),
    "email_taken": _("Another user has this address. Log in with it, or use another one."),
    "enter_current_password": _("This is not your current password."),
    "incorrect_code": _("This is not the code. Look at the latest message, then type it again."),
    "incorrect_password": _("This is not your password."),
    "invalid_login": _("Write your email address or username."),
    "phone_taken": _("Another user has this number."),
    "too_many_login_attempts": _(
        "Too many wrong tries. Wait 15 minutes, or get a code by email instead."
    ),
    "unverified_primary_email": _("Prove your email address first."),
    "username_password_mismatch": _("Username and password do not belong together. Check both."),
    "username_taken": _("Somebody has this username. Choose another one."),
    "same_as_current": _("This is what it is already."),
    "rate_limited": _("That was too often. Wait a minute, then try again."),
}
MFA = {
    "add_email_blocked": _("Turn off two-factor log-in before you change the address."),
    "cannot_delete_authenticator": _("This cannot be removed."),
    "cannot_generate_recovery_codes": _("Set up an authenticator app or a passkey first."),
    "incorrect_code": _("This is not the code. Wait for the next one, then type it."),
    "unverified_email": _("Prove your email address before you set up two-factor log-in."),
}
SOCIAL = {
    "email_taken": _(
        "Another user has this address. Log in with it, then connect %s on the security page."
    ),
    "invalid_token": _("The answer of the other site cannot be read. Try again."),
    "no_password": _("Set a password first: without it you could not log in any more."),
    "no_verified_email": _("Prove an email address first: without it you could not log in."),
    "connected_other": _("This is connected to another user here."),
}
