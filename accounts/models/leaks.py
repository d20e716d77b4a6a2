"""Where keys were found that everybody could read."""

from django.db import models

from accounts.models.api_keys import ApiKey


class LeakedKey(models.Model):
    """One public place where a key of ours was found; the key's text is never kept."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="leaks")
    # GitHub's word for the kind of place ("content", "gist_comment"), and its public address.
    source = models.CharField(max_length=40, blank=True)
    url = models.CharField(max_length=500, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "url"], name="leaked_key_place_unique"),
        ]

    def __str__(self) -> str:
        return f"leak {self.pk} of key {self.api_key_id}"
