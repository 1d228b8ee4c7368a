"""Django settings: one file for every process; BIASGOV_SIDE says on which side of the house it runs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF

from biasgov import environment, keyring, local, openid

BASE_DIR = Path(__file__).resolve().parent.parent

SIDE = environment.text("BIASGOV_SIDE", "web")
HOME = local.home()
DEBUG = environment.flag("DEBUG")
TESTING = SIDE == "test"

KEYRING = keyring.locate(HOME, side=SIDE)
SECRET_KEY = KEYRING.django_secret

_DATABASE_VARIABLES = {
    "web": "DATABASE_URL",
    "compute": "COMPUTE_DATABASE_URL",
    "owner": "OWNER_DATABASE_URL",
    "test": "TEST_DATABASE_URL",
}
if SIDE not in _DATABASE_VARIABLES:
    raise environment.ConfigurationError(f"BIASGOV_SIDE={SIDE!r} is none of {', '.join(_DATABASE_VARIABLES)}.")


def _addresses() -> tuple[str, str]:
    """This side's database and the broker; the embedded services' state is opened only if one is not given."""
    database, redis = environment.secret(_DATABASE_VARIABLES[SIDE]) or "", environment.secret("REDIS_URL") or ""
    if not (database and redis) and (running := local.running(HOME)):
        embedded = running.environment()
        return database or embedded.get(_DATABASE_VARIABLES[SIDE], ""), redis or embedded["REDIS_URL"]
    return database, redis


DATABASE_URL, REDIS_URL = _addresses()
_role = "biasgov_owner" if SIDE == "owner" else ""
DATABASES = (
    {"default": environment.database(DATABASE_URL, role=_role, application=f"biasgov-{SIDE}")} if DATABASE_URL else {}
)

ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")
PUBLIC_URL = environment.text("PUBLIC_URL", f"http://localhost:{environment.whole('PORT', 8000)}")
SECURE = PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    "biasgov.apps.BiasgovConfig",
    "apps.common",
    "apps.accounts",
    "apps.audit",
    "apps.registry",
    "apps.approvals",
    "apps.vault",
    "apps.inference",
    "apps.overrides",
    "apps.retraining",
    "apps.monitoring",
    "apps.thresholds",
    "apps.responses",
    "apps.board",
    "apps.incidents",
    "apps.pipeline",
    "apps.api",
    "apps.dashboards",
    "apps.demo",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "guardian",
    "axes",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.accounts.middleware.IdleTimeout",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "apps.accounts.replays.OnceOnly",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "biasgov.urls"
WSGI_APPLICATION = "biasgov.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.dashboards.context.navigation",
            ],
        },
    }
]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = (
    ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if TESTING
    else [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]
)
ANONYMOUS_USER_NAME = None
GUARDIAN_RAISE_403 = False
AXES_FAILURE_LIMIT = 6
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = "apps.accounts.throttle.lockout_parameters"
AXES_CLIENT_IP_CALLABLE = "apps.accounts.throttle.client_address"
AXES_LOCKOUT_TEMPLATE = "accounts/locked.html"
AXES_ENABLED = not TESTING or environment.flag("BIASGOV_TEST_AXES")

SIGNERS_NEED_SECOND_FACTOR = environment.flag("SIGNERS_NEED_SECOND_FACTOR", default=not TESTING)
BEHIND_PROXY = environment.flag("BEHIND_PROXY")
OPENID = openid.provider()

ACCOUNT_ADAPTER = "apps.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_TIMEOUT = 5 * 60
# Guesses are counted by django-axes, in the database and for all processes alike.
ACCOUNT_RATE_LIMITS = False
MFA_RATE_LIMITS = False
MFA_ADAPTER = "apps.accounts.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "apps.accounts.forms.CodeForm",
    "activate_totp": "apps.accounts.forms.AuthenticatorAppForm",
    "add_webauthn": "apps.accounts.forms.PasskeyForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_TOLERANCE = 1
MFA_TOTP_ISSUER = "biasgov"
# `requires_confirmation` stands before these pages.
MFA_REAUTHENTICATION_REQUIRED = False
SOCIALACCOUNT_ADAPTER = "apps.accounts.adapters.IdentityAdapter"
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_PROVIDERS = openid.allauth_providers(OPENID)

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "inbox"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_AGE = 60 * 60
SESSION_SAVE_EVERY_REQUEST = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = SECURE
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = SECURE
CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF, *([OPENID.origin] if OPENID else [])],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "apps.dashboards.assets.PlotlyFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING or DEBUG
        else "apps.dashboards.assets.HashedStaticFiles"
    },
}
WHITENOISE_USE_FINDERS = TESTING or DEBUG
WHITENOISE_MAX_AGE = 0 if TESTING or DEBUG else 3600

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"

DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
AUDIT_TREE_HEADS = Path(environment.text("BIASGOV_TREE_HEADS", str(HOME / "audit" / "tree-heads.jsonl")))
AUDIT_TREE_HEAD_SECONDS = environment.whole("BIASGOV_TREE_HEAD_SECONDS", 300)
TIME_STAMP_URL = environment.text("TIME_STAMP_URL")
TIME_STAMP_ROOTS = environment.text("TIME_STAMP_ROOTS")
TIME_STAMP_SECONDS = environment.whole("TIME_STAMP_SECONDS", 3600)
DATA_KEY_DAYS = environment.whole("BIASGOV_DATA_KEY_DAYS", 30)
KEY_ENCRYPTION = environment.text("BIASGOV_KEY_ENCRYPTION", "file")
TRANSIT_URL = environment.text("BIASGOV_TRANSIT_URL")
TRANSIT_MOUNT = environment.text("BIASGOV_TRANSIT_MOUNT", "transit")
TRANSIT_KEY = environment.text("BIASGOV_TRANSIT_KEY")
TRANSIT_TOKEN_FILE = environment.text("BIASGOV_TRANSIT_TOKEN_FILE")
TRANSIT_CA_FILE = environment.text("BIASGOV_TRANSIT_CA_FILE")
KMS_KEY = environment.text("BIASGOV_KMS_KEY")
STATUS_VALID_SECONDS = environment.whole("BIASGOV_STATUS_SECONDS", 300)
API_RATE_PER_MINUTE = environment.whole("API_RATE_PER_MINUTE", 6000)

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "governance"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 240,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 10,
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Both sides share the broker: nobody may stop or question the other side's workers through it.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"

DATA_PROTECTION_CONTACT = environment.text("BIASGOV_DATA_PROTECTION_CONTACT")
NOTIFICATION_URLS = environment.words("NOTIFICATION_URLS")
WEBHOOK_SECRET = environment.secret("WEBHOOK_SECRET") or ""
HEARTBEAT_URLS = environment.words("HEARTBEAT_URLS")
DIGEST_HOUR = environment.whole("DIGEST_HOUR", 7)
DIGEST_TIME_ZONE = environment.text("DIGEST_TIME_ZONE", "UTC")
EMAIL_HOST = environment.text("EMAIL_HOST")
EMAIL_PORT = environment.whole("EMAIL_PORT", 587)
EMAIL_HOST_USER = environment.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = environment.secret("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = environment.flag("EMAIL_USE_TLS", default=True)
EMAIL_TIMEOUT = 10
EMAIL_CONFIGURED = bool(EMAIL_HOST)
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_CONFIGURED else 'dummy'}.EmailBackend"
EMAIL_SUBJECT_PREFIX = "[biasgov] "
DEFAULT_FROM_EMAIL = environment.text("EMAIL_FROM", "biasgov@localhost")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "filters": {"pattern": {"()": "biasgov.logs.PatternForPath"}},
    "root": {"handlers": ["console"], "level": environment.text("LOG_LEVEL", "INFO")},
    "loggers": {"axes": {"level": "WARNING"}, "django.request": {"filters": ["pattern"]}},
}
