"""Debug mode of a running deployment, switched on and off as its pages do."""

import uuid

# Every worker knows by then that it was switched on, or off.
HEARD_S_MAX = 1.0
ON = """
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from accounts import keys
from logs import debug, debug_consent
key = keys.find({key!r})
if {seconds!r}:
    import datetime as dt
    began = timezone.now() - dt.timedelta(minutes=1) + dt.timedelta(seconds={seconds!r})
    debug.start(key=key, user=key.created_by, minutes=1, agreed_to=debug_consent.VERSION, now=began)
client = Client(headers={{"host": "localhost"}})
client.force_login(key.created_by)
if not {seconds!r}:
    said = {{"minutes": "60", "agreed_to": debug_consent.VERSION, "agrees": "on"}}
    assert client.post(reverse("key_debug", args=[key.pk]), said).status_code == 302
key.refresh_from_db()
print(key.pk, key.debug_session, client.cookies["session"].value)
"""
OFF = """
from django.test import Client
from django.urls import reverse
from accounts import keys
key = keys.find({key!r})
client = Client(headers={{"host": "localhost"}})
client.force_login(key.created_by)
assert client.post(reverse("key_debug_stop", args=[key.pk])).status_code == 302
print("off")
"""


class Debugged:
    """Debug mode of one key, and its owner's browser."""

    def __init__(self, place, key, *, seconds=0):
        """Switch it on by the page; with `seconds` so that it ends in so many."""
        self.place, self.key = place, key
        words = self._shell(ON.format(key=key, seconds=seconds))
        self.key_id, self.session_id, self.cookie = words[-3:]

    def _shell(self, code):
        told = self.place.gateway.manage("shell", "--no-imports", "-c", code)
        return told.stdout.split()

    def stop(self):
        self._shell(OFF.format(key=self.key))

    def get(self, path):
        """Open a page as the owner."""
        return self.place.ask("GET", path, headers={"cookie": f"session={self.cookie}"})

    def kept(self):
        """How many captures the database holds."""
        return self.place.rows("SELECT count(*) FROM logs_debugcapture")[0][0]

    def latest(self):
        """The id of the request that was captured last."""
        query = "SELECT request_id FROM logs_debugcapture ORDER BY request_id DESC LIMIT 1"
        return uuid.UUID(str(self.place.rows(query)[0][0]))

    @property
    def key_file(self):
        data = self.place.gateway.folder / "data"
        return data / "debug-keys" / f"{self.session_id}.key"
