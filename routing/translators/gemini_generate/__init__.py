"""Gemini's generateContent, towards clients and towards vendors (pure)."""

from routing.translators.gemini_generate.answer_out import encode_answer
from routing.translators.gemini_generate.request_in import decode_request
from routing.translators.gemini_generate.request_out import encode_request
from routing.translators.gemini_generate.stream_in import Decoder, decode_answer
from routing.translators.gemini_generate.stream_out import Encoder

__all__ = [
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_request",
    "stream_decoder",
    "stream_encoder",
]

stream_decoder = Decoder
stream_encoder = Encoder
