from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("crawler_store", "0002_longer_page_ids"),)

    operations = (
        migrations.AddField(
            model_name="storedresult",
            name="route",
            field=models.CharField(
                blank=True,
                default="",
                help_text="The route that the page took; empty: none.",
                max_length=40,
            ),
        ),
    )
