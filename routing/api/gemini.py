"""POST /v1beta/models/{model}:{operation}."""

from typing import Any

from routing import relay
from routing.api.base import ProxyView
from routing.dialects.base import PathParts
from routing.exchange import Exchange
from routing.gateway import Request
from routing.streaming import Reply, Stream
from routing.surfaces import Surface


class _GeminiView(ProxyView):
    is_stream = False

    async def post(self, exchange: Exchange, request: Request, model: str) -> Reply | Stream:
        """Relay the request; the URL names model and operation."""
        path = PathParts(model=model, is_stream=self.is_stream, query=request.fields)
        return await relay.run(exchange, request=request, path=path)


class Generate(_GeminiView):
    """Gemini's generateContent."""

    surface = Surface.GENERATE


class StreamGenerate(_GeminiView):
    """Gemini's streamGenerateContent."""

    surface = Surface.GENERATE
    is_stream = True


class Count(_GeminiView):
    """Gemini's token count: the vendor's own or an estimate, free of charge."""

    surface = Surface.GEMINI_COUNT


class Embed(_GeminiView):
    """Gemini's embedContent."""

    surface = Surface.GEMINI_EMBED


class BatchEmbed(_GeminiView):
    """Gemini's batchEmbedContents."""

    surface = Surface.GEMINI_BATCH_EMBED


OPERATIONS: dict[str, Any] = {
    "generateContent": Generate.as_view(),
    "streamGenerateContent": StreamGenerate.as_view(),
    "countTokens": Count.as_view(),
    "embedContent": Embed.as_view(),
    "batchEmbedContents": BatchEmbed.as_view(),
}
