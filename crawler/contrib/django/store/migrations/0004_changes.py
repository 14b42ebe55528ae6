from typing import Any

import django.utils.timezone
from django.db import migrations, models
from django.db.models import F


def seen_when_stored(apps: Any, _editor: object) -> None:
    """Take the time at which a row was stored for that of its visits: no other is known."""
    apps.get_model("crawler_store", "StoredResult").objects.update(
        first_seen=F("stored"), last_seen=F("stored")
    )


class Migration(migrations.Migration):
    dependencies = (("crawler_store", "0003_route"),)

    operations = (
        migrations.AddField(
            model_name="storedresult",
            name="change",
            field=models.CharField(
                default="",
                help_text="How its item compares with the visit before: new, changed, same.",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="storedresult",
            name="first_seen",
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.AddField(
            model_name="storedresult",
            name="last_seen",
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.AddField(
            model_name="storedresult",
            name="vanished",
            field=models.DateTimeField(help_text="Since when it is gone.", null=True),
        ),
        migrations.AddField(
            model_name="storedcrawl",
            name="compared",
            field=models.CharField(default="", editable=False, max_length=40),
        ),
        migrations.RunPython(seen_when_stored, migrations.RunPython.noop),
    )
