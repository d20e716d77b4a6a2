"""POST /v1/chat/completions and /v1/completions."""

from routing import relay
from routing.api.base import ProxyView
from routing.dialects.base import PathParts
from routing.exchange import Exchange
from routing.gateway import Request
from routing.streaming import Reply, Stream
from routing.surfaces import Surface


class RelayView(ProxyView):
    """A surface whose model stands in the body: one call, to the relay."""

    async def post(self, exchange: Exchange, request: Request) -> Reply | Stream:
        """Relay the request."""
        path = PathParts(query=request.fields, is_platform=exchange.is_platform)
        return await relay.run(exchange, request=request, path=path)


class ChatCompletions(RelayView):
    """OpenAI's chat completions."""

    surface = Surface.CHAT


class Completions(RelayView):
    """OpenAI's legacy completions: for every model, by way of its chat."""

    surface = Surface.COMPLETIONS
