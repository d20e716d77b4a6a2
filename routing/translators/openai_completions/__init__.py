"""OpenAI's legacy completions, towards clients: a prompt in, text out of any chat model."""

from routing.translators.openai_completions.answer_out import encode_answer
from routing.translators.openai_completions.request_in import decode_request
from routing.translators.openai_completions.stream_out import stream_encoder

__all__ = ["decode_request", "encode_answer", "stream_encoder"]
