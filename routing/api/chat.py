"""POST /v1/chat/completions."""

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
        return await relay.run(exchange, request=request, path=PathParts(query=request.fields))


class ChatCompletions(RelayView):
    """OpenAI's chat completions."""

    surface = Surface.CHAT
