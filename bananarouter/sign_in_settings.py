"""Settings of users, log-in, sign-up and second factors (Django's and allauth's)."""

from bananarouter import env

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "overview"
ACCOUNT_SIGNUP_REDIRECT_URL = "welcome"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "phone"]
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.signup_fields.SignUpFields"
ACCOUNT_FORMS = {
    "login": "accounts.forms.LogIn",
    "signup": "accounts.forms.SignUp",
    "add_email": "accounts.forms.AddEmail",
    "change_password": "accounts.forms.ChangePassword",
    "set_password": "accounts.forms.SetPassword",
    "reset_password": "accounts.forms.ResetPassword",
    "reset_password_from_key": "accounts.forms.NewPassword",
    "reauthenticate": "accounts.forms.Reauthenticate",
    "request_login_code": "accounts.forms.RequestLoginCode",
    "confirm_login_code": "accounts.forms.ConfirmLoginCode",
    "confirm_email_verification_code": "accounts.forms.ConfirmEmail",
    "confirm_password_reset_code": "accounts.forms.ConfirmPasswordReset",
    "verify_phone": "accounts.forms.ConfirmPhone",
    "change_phone": "accounts.forms.ChangePhone",
}
ACCOUNT_EMAIL_VERIFICATION = env.text("EMAIL_VERIFICATION", "mandatory")
# allauth sends codes only where they are mandatory, else links.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = ACCOUNT_EMAIL_VERIFICATION == "mandatory"
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_PHONE_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_PHONE_VERIFICATION_CODE_FORMAT = {"numeric": True, "length": 6, "dashed": False}
ALLAUTH_USER_CODE_FORMAT = {"numeric": True, "length": 8, "dashed": True}
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Not "strict": that makes several users of one address where addresses need no proof.
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 5 * 60
ACCOUNT_SESSION_REMEMBER = True
# How long a log-in of staff counts as fresh for what moves money (accounts.step_up).
STAFF_CONFIRM_MINUTES = env.number("STAFF_CONFIRM_MINUTES", 15, low=1, high=480)
# Counted in the cache. `key` is the address or name that was typed, `user` who is logged in.
ACCOUNT_RATE_LIMITS = {
    "signup": "20/h/ip",
    "login": "30/m/ip",
    "login_failed": "20/h/ip,5/15m/key",
    "request_login_code": "20/h/ip,5/h/key",
    "reset_password": "20/h/ip,5/h/key",
    "verify_phone": "1/30s/key,10/h/ip",
    "change_phone": "10/h/user",
}
MFA_ADAPTER = "accounts.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "BananaRouter"
MFA_FORMS = {
    "authenticate": "accounts.mfa_forms.Authenticate",
    "reauthenticate": "accounts.mfa_forms.Reauthenticate",
    "activate_totp": "accounts.mfa_forms.ActivateTOTP",
    "add_webauthn": "accounts.mfa_forms.AddPasskey",
    "edit_webauthn": "accounts.mfa_forms.RenamePasskey",
}
# Staff need a second factor where others reach the pages: behind TLS, or under a name that is not
# this machine's own.
_HOSTS = set(env.words("ALLOWED_HOSTS")) - {"localhost", "127.0.0.1", "[::1]"}
_IS_REACHED = env.flag("HTTPS", default=False) or bool(_HOSTS)
STAFF_SECOND_FACTOR = env.flag(
    "STAFF_SECOND_FACTOR", default=_IS_REACHED and not env.flag("DEBUG", default=False)
)
