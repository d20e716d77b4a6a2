"""The queue's tasks: each one that beat starts is there, and does its work when nothing is due."""

import pytest

from bananarouter.celery import app
from bananarouter.schedule import BEAT


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(BEAT))
def test_each_task_that_is_due_exists_and_bears_an_empty_database(name):
    app.loader.import_default_modules()
    assert name in app.tasks
    assert app.tasks[name]() == 0
