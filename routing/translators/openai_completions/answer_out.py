"""A whole answer as a legacy completion (pure)."""

from typing import Any

import orjson

from routing.conversation import Answer, Choice, FinishReason, Reasoning, Refusal, Text
from routing.translators import openai_usage
from routing.translators.base import Answering, Bill
from routing.translators.openai_completions import pieces_out


def encode_answer(answer: Answer, *, answering: Answering, bill: Bill) -> bytes:
    """Write a whole answer: its text, which is all that this form holds."""
    body = pieces_out.head(answering)
    choices = answer.choices or (Choice(),)
    body["choices"] = [_choice(choice, index, answering) for index, choice in enumerate(choices)]
    body["usage"] = openai_usage.usage(bill, is_platform=answering.is_platform)
    return orjson.dumps(body)


def _choice(choice: Choice, index: int, answering: Answering) -> dict[str, Any]:
    text = "".join(part.text for part in choice.parts if isinstance(part, (Text, Refusal)))
    written: dict[str, Any] = {
        "index": index,
        "text": text,
        "logprobs": pieces_out.logprobs(choice.logprobs, offset=0) if choice.logprobs else None,
        "finish_reason": pieces_out.FINISHES[choice.finish or FinishReason.STOP],
    }
    if answering.is_platform:
        thoughts = "".join(part.text for part in choice.parts if isinstance(part, Reasoning))
        written["native_finish_reason"] = choice.native_finish or None
        written["reasoning"] = thoughts or None
    return written
