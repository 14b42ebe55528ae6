from django.contrib.auth.decorators import permission_required
from django.http import JsonResponse
from django.views.decorators.http import require_POST

from crawler.client import client


@require_POST
@permission_required("crawler.operate_crawl", raise_exception=True)
def refresh(request):  # noqa: ARG001 - Django passes it
    """Fetch the books again, as soon as this request's transaction is committed."""
    start = client.start("books", if_exists="restart")
    return JsonResponse(start.record())
