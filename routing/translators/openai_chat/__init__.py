"""OpenAI's Chat Completions, and the many who speak it, towards clients and vendors."""

from routing.translators.openai_chat.answer_in import decode_answer
from routing.translators.openai_chat.answer_out import encode_answer
from routing.translators.openai_chat.request_in import decode_request
from routing.translators.openai_chat.request_out import encode_request
from routing.translators.openai_chat.stream_in import stream_decoder
from routing.translators.openai_chat.stream_out import stream_encoder

__all__ = [
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_request",
    "stream_decoder",
    "stream_encoder",
]
