"""When a request left for its vendor; indexes for the filters of the list of requests.

On PostgreSQL each index is made on every partition under a lock that writes wait for, since
CONCURRENTLY does not know partitioned tables: the recorder keeps its rows in memory meanwhile.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("logs", "0004_service_hours")]

    operations = [
        migrations.AddField(
            model_name="requestlog",
            name="sent_ms",
            field=models.IntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name="requestlog",
            index=models.Index(fields=["api_key_id", "-request_id"], name="request_log_by_key"),
        ),
        migrations.AddIndex(
            model_name="requestlog",
            index=models.Index(
                fields=["account_id", "tag", "-request_id"],
                name="request_log_by_tag",
                condition=models.Q(tag__isnull=False),
            ),
        ),
        migrations.AddIndex(
            model_name="requestlog",
            index=models.Index(
                fields=["account_id", "end_user", "-request_id"],
                name="request_log_by_end_user",
                condition=models.Q(end_user__isnull=False),
            ),
        ),
        migrations.AddIndex(
            model_name="requestlog",
            index=models.Index(
                fields=["account_id", "-request_id", "status"],
                name="request_log_failed",
                condition=models.Q(status__gte=400),
            ),
        ),
    ]
