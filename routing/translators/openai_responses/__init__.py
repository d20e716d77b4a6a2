"""The translator of OpenAI's Responses: towards clients and towards vendors (pure)."""

from routing.translators.openai_responses.answer_in import decode_answer
from routing.translators.openai_responses.answer_out import encode_answer
from routing.translators.openai_responses.request_in import decode_request
from routing.translators.openai_responses.request_out import encode_request
from routing.translators.openai_responses.stream_in import stream_decoder
from routing.translators.openai_responses.stream_out import stream_encoder

__all__ = [
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_request",
    "stream_decoder",
    "stream_encoder",
]
