"""The task queue of the control plane."""

from celery import Celery

app = Celery("bananarouter")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
