from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("crawler_store", "0001_initial"),)

    operations = (
        migrations.AlterField(
            model_name="storedresult",
            name="page",
            field=models.CharField(
                help_text="The page's id: it stands for its canonical URL.", max_length=32
            ),
        ),
    )
