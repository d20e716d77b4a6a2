"""Papers as files to be saved."""

from django.http import HttpResponse

_TYPES = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}


def download(body: bytes, name: str) -> HttpResponse:
    """Return a file under a name of ours, whose ending tells its type."""
    response = HttpResponse(body, content_type=_TYPES[name.rpartition(".")[2]])
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
