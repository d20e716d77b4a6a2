"""A whole Responses answer to a client (pure)."""

import orjson

from routing.conversation import Answer
from routing.translators import folding
from routing.translators.base import Answering, Bill
from routing.translators.openai_responses import stream_out


def encode_answer(answer: Answer, *, answering: Answering, bill: Bill) -> bytes:
    """Write a whole answer: the object that a stream of it would end with."""
    return orjson.dumps(stream_out.encodes(folding.unfold(answer), answering, bill))
