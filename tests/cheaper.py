"""What the tests would else pay for each time: the same algorithms, as cheap as they go."""

import functools

from django.contrib.auth.hashers import Argon2PasswordHasher
from whitenoise.middleware import WhiteNoiseMiddleware


class Argon2(Argon2PasswordHasher):
    """Argon2id with the least that it takes."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1


class WhiteNoise(WhiteNoiseMiddleware):
    """Looks for the static files once, not with each test's client."""

    def add_files_from_finders(self):
        self.files.update(_found(self.static_prefix))


@functools.cache
def _found(prefix: str) -> dict:
    seeker = WhiteNoiseMiddleware(lambda request: request)
    assert seeker.static_prefix == prefix
    return seeker.files
