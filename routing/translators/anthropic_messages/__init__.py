"""Anthropic's messages, as a client and as a vendor speak them (pure)."""

from routing.translators.anthropic_messages.answer_in import decode_answer
from routing.translators.anthropic_messages.answer_out import encode_answer
from routing.translators.anthropic_messages.request_in import decode_request
from routing.translators.anthropic_messages.request_out import encode_request
from routing.translators.anthropic_messages.stream_in import stream_decoder
from routing.translators.anthropic_messages.stream_out import stream_encoder

__all__ = [
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_request",
    "stream_decoder",
    "stream_encoder",
]
