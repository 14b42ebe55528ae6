from django.db import models


class Book(models.Model):
    url = models.URLField(max_length=500, unique=True)
    title = models.CharField(max_length=200)
    price = models.CharField(max_length=40, blank=True)

    def __str__(self):
        return self.title
