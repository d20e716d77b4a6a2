"""Our events as a Responses stream to a client (pure)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from routing import seals
from routing.conversation import FinishReason, Seal, SealFormat
from routing.errors import TABLE, RelayError
from routing.events import (
    AudioDelta,
    Cited,
    Event,
    Finish,
    Logprobs,
    MediaOut,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    SealDelta,
    Start,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.translators.base import Answering, Bill, StreamEncoder
from routing.translators.names import legal_id, made_id
from routing.translators.openai_responses import tools_in, usage_out
from routing.translators.openai_responses.calls_out import Call, CustomCall, KindCall, WrappedCall
from routing.translators.openai_responses.echo import Echo
from routing.translators.openai_responses.message_out import Message
from routing.translators.openai_responses.reasoning_out import Thinking
from routing.translators.openai_responses.request_in import ENCRYPTED, LOGPROBS
from routing.translators.openai_responses.writer import Writer

_INCOMPLETE: Final = {
    FinishReason.LENGTH: "max_output_tokens",
    FinishReason.CONTENT_FILTER: "content_filter",
}
# Whose seals stand bare in the field: on return, nothing else tells whose they are.
_BARE: Final = SealFormat.OPENAI
# Codes that `response.error` may have (SDK 3.54, 2026-11), beside server_error.
_ERROR_CODES: Final = frozenset(
    {
        "rate_limit_exceeded",
        "invalid_prompt",
        "invalid_image",
        "image_too_large",
        "image_too_small",
    }
)
REFUSED: Final = "The model refused to answer."


class Encoder(StreamEncoder):
    """Opens and closes items as the kind of what comes changes; calls may stay open."""

    def __init__(self, answering: Answering) -> None:
        super().__init__(answering)
        self._writer = Writer()
        self._echo = Echo(answering)
        self._origins = tools_in.read(answering.body).origins
        include = answering.body.get("include") or ()
        self._wants_seals = ENCRYPTED in include
        self._wants_logprobs = LOGPROBS in include or bool(answering.body.get("top_logprobs"))
        self._is_started = False
        self._index = 0
        self._message: Message | None = None
        self._thinking: Thinking | None = None
        self._calls: dict[int, Call] = {}
        self._early_logprobs: list[Mapping[str, Any]] = []
        self._text_seals: list[Seal] = []  # they follow the message that they stand on
        self._ids: set[str] = set()
        self._has_refusal = False
        self._finish: Finish | None = None
        self._encoders: dict[type, Callable[[Any], bytes]] = {
            TextDelta: self._text,
            TextEnd: self._text_end,
            ReasoningDelta: self._reason,
            ReasoningEnd: self._reason_end,
            SealDelta: self._seal,
            ToolStart: self._call,
            ToolDelta: self._call_text,
            ToolEnd: self._call_end,
            RefusalDelta: self._refusal,
            MediaOut: self._picture,
            AudioDelta: self._sound,
            Cited: self._cite,
            Logprobs: self._logprobs,
            Finish: self._finished,
        }

    def encode(self, event: Event) -> bytes:
        """Write one event; b"" when it has no form of its own here."""
        if isinstance(event, Start):
            return self._start()
        if event.choice:  # there is one answer here
            return b""
        if self._is_started:
            return self._encoders[type(event)](event)
        return self._start() + self._encoders[type(event)](event)

    def finish(self, bill: Bill) -> bytes:
        """Write the terminal event, with usage and cost."""
        events = self._start()
        reason = self._finish.reason if self._finish is not None else FinishReason.STOP
        events += self._end(reason)
        usage = usage_out.write(bill, is_platform=self.answering.is_platform)
        output = self._writer.output()
        rest: dict[str, Any] = {"usage": usage, "tier": bill.usage.service_tier}
        status = "completed"
        if reason in _INCOMPLETE:
            status, rest["incomplete"] = "incomplete", _INCOMPLETE[reason]
        elif reason is FinishReason.ERROR:
            status = "failed"
            rest["error"] = {"code": "server_error", "message": "The model's answer failed."}
        self.response = self._echo.response(status, output=output, **rest)
        return events + self._writer.event(f"response.{status}", {"response": self.response})

    def fail(self, error: RelayError) -> bytes:
        """Write the error that ends the stream; nothing follows it."""
        if not self._is_started:
            return super().fail(error)
        row = TABLE[error.code]
        code = row.openai_code or error.code.value
        told = {
            "code": code if code in _ERROR_CODES else "server_error",
            "message": error.message,
        }
        response = self._echo.response("failed", output=self._writer.output(), error=told)
        fields: dict[str, Any] = {"response": response}
        if self.answering.is_platform:
            fields["error_type"] = row.error_type
        return self._writer.event("response.failed", fields)

    def _start(self) -> bytes:
        if self._is_started:
            return b""
        self._is_started = True
        response = self._echo.response("in_progress", output=[])
        return b"".join(
            self._writer.event(kind, {"response": response})
            for kind in ("response.created", "response.in_progress")
        )

    def _place(self, prefix: str, item_id: str = "") -> tuple[int, str]:
        """Return the next item's place and id: the vendor's where it must come back."""
        index = self._index
        self._index += 1
        if not item_id or item_id in self._ids or legal_id(item_id) != item_id:
            item_id = f"{prefix}_{self.answering.hex}{index:04x}"
        self._ids.add(item_id)
        return index, item_id

    # Messages

    def _text(self, event: TextDelta) -> bytes:
        message = self._message
        if message is not None:
            return message.text(event.text)
        if not event.text:
            return b""
        opening, message = self._open_message()
        events = opening + message.text(event.text)
        if self._early_logprobs:
            tokens, self._early_logprobs = self._early_logprobs, []
            events += message.logprobs(tokens)
        return events

    def _open_message(self) -> tuple[bytes, Message]:
        """Return the open message, and what its opening wrote."""
        if self._message is not None:
            return b"", self._message
        events = self._close()
        index, item_id = self._place("msg")
        self._message = Message(self._writer, index=index, item_id=item_id)
        return events + self._message.open(), self._message

    def _text_end(self, _: TextEnd) -> bytes:
        return self._message.mark() if self._message is not None else b""

    def _refusal(self, event: RefusalDelta) -> bytes:
        self._has_refusal = True
        opening, message = self._open_message()
        return opening + message.refusal(event.text)

    def _cite(self, event: Cited) -> bytes:
        if not event.citation.url:
            return b""
        opening, message = self._open_message()
        return opening + message.cite(event.citation)

    def _logprobs(self, event: Logprobs) -> bytes:
        if not self._wants_logprobs or not event.tokens:
            return b""
        if self._message is None:  # of a whole answer: they come before its parts
            self._early_logprobs += event.tokens
            return b""
        return self._message.logprobs(event.tokens)

    def _sound(self, event: AudioDelta) -> bytes:
        return self._text(TextDelta(text=event.transcript))

    def _seal(self, event: SealDelta) -> bytes:
        if self._wants_seals:
            self._text_seals.append(event.seal)
        return b""

    # Reasoning

    def _reason(self, event: ReasoningDelta) -> bytes:
        kind = (event.format, event.is_summary)
        thinking = self._thinking
        if thinking is not None and thinking.kind == kind:
            return thinking.text(event.text)
        if not event.text:
            return b""
        events = self._close()
        given = event.id if event.format is _BARE else ""
        index, item_id = self._place("rs", given)
        thinking = Thinking(self._writer, index=index, item_id=item_id, kind=kind)
        self._thinking = thinking
        return events + thinking.open() + thinking.text(event.text)

    def _reason_end(self, event: ReasoningEnd) -> bytes:
        thinking, self._thinking = self._thinking, None
        if thinking is not None:
            return thinking.close(self._sealed(event.seal, thinking.id))
        return self._sealed_item(event.seal) if event.seal is not None else b""

    def _sealed_item(self, seal: Seal) -> bytes:
        """Write a reasoning item that is nothing but its seal."""
        if not self._wants_seals:
            return b""
        events = self._close()
        index, item_id = self._place("rs", seal.id if seal.format is _BARE else "")
        thinking = Thinking(self._writer, index=index, item_id=item_id)
        return events + thinking.open() + thinking.close(self._sealed(seal, item_id))

    def _sealed(self, seal: Seal | None, item_id: str) -> str:
        if seal is None or not self._wants_seals:
            return ""
        # OpenAI opens its own under the id that it gave, or under none.
        if seal.format is _BARE and seal.id in ("", item_id):
            return seal.data
        return seals.wrap(seal, key=self.answering.seal_key)

    def _mark(self, seal: Seal, call_id: str) -> bytes:
        """Write a seal that stands on a call, or on a text: the envelope names the call."""
        marked = Seal(format=seal.format, data=seal.data, id=call_id)
        return self._sealed_item(marked)

    # Calls

    def _call(self, event: ToolStart) -> bytes:
        events = self._close()
        call_id = event.id or made_id(self.answering.hex, event.call)
        if event.seal is not None:
            events += self._mark(event.seal, call_id)
        origin = self._origins.get(event.name) or tools_in.Origin(name=event.name)
        made, prefix = _kind_of(event, origin)
        index, item_id = self._place(prefix)
        call = made(self._writer, index=index, item_id=item_id, call_id=call_id, origin=origin)
        self._calls[event.call] = call
        return events + call.open()

    def _call_text(self, event: ToolDelta) -> bytes:
        call = self._calls.get(event.call)
        return call.text(event.arguments) if call is not None else b""

    def _call_end(self, event: ToolEnd) -> bytes:
        call = self._calls.pop(event.call, None)
        return call.close("completed") if call is not None else b""

    # Pictures and ends

    def _picture(self, event: MediaOut) -> bytes:
        events = self._close()
        index, item_id = self._place("ig")
        item = {
            "id": item_id,
            "type": "image_generation_call",
            "status": "completed",
            "result": event.image.data,
        }
        form = event.image.mime.removeprefix("image/")
        if form in ("png", "webp", "jpeg", "gif"):
            item["output_format"] = form
        added = {**item, "status": "in_progress", "result": None}
        events += self._writer.event(
            "response.output_item.added", {"output_index": index, "item": added}
        )
        return events + self._writer.keep(index, item)

    def _finished(self, event: Finish) -> bytes:
        if self._finish is None:
            self._finish = event
        return b""

    def _end(self, reason: FinishReason) -> bytes:
        """Close all that is open, and say a refusal that nobody said."""
        events = b""
        if reason is FinishReason.REFUSAL and not self._has_refusal:
            events += self._refusal(RefusalDelta(text=REFUSED))
        is_cut = reason in _INCOMPLETE or reason is FinishReason.ERROR
        status = "incomplete" if is_cut else "completed"
        events += self._close(status)
        for call in self._calls.values():
            events += call.close(status)
        self._calls.clear()
        return events

    def _close(self, status: str = "completed") -> bytes:
        """Close the open message or reasoning; what stood on the message follows it."""
        events = b""
        if self._thinking is not None:
            thinking, self._thinking = self._thinking, None
            events += thinking.close()
        if self._message is not None:
            message, self._message = self._message, None
            events += message.close(status)
        if self._text_seals:
            waiting, self._text_seals = self._text_seals, []
            events += b"".join(self._mark(seal, "") for seal in waiting)
        return events


def _kind_of(event: ToolStart, origin: tools_in.Origin) -> tuple[type[Call], str]:
    if origin.kind is not None:
        return KindCall, "fc"
    if event.is_custom:
        return CustomCall, "ctc"
    return (WrappedCall, "ctc") if origin.is_custom else (Call, "fc")


def stream_encoder(answering: Answering) -> StreamEncoder:
    """Make the encoder of one stream."""
    return Encoder(answering)


def encodes(events: Sequence[Event], answering: Answering, bill: Bill) -> dict[str, Any]:
    """Return the Response object that a stream of these events would end with."""
    encoder = Encoder(answering)
    for event in events:
        encoder.encode(event)
    encoder.finish(bill)
    return encoder.response
