"""Instructions and turns as the messages that a vendor takes (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from routing.conversation import (
    Audio,
    Cache,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Request,
    Role,
    SealFormat,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Video,
)
from routing.dialects.base import Quirks
from routing.translators import arguments, media
from routing.translators.drops import Drops
from routing.translators.names import Names, hashed_id, short_id
from routing.translators.openai_chat import details_out


class Messages:
    """Writes the messages of one request."""

    def __init__(self, *, quirks: Quirks, names: Names, drops: Drops) -> None:
        self._quirks = quirks
        self._names = names
        self._drops = drops

    def of(self, request: Request, *, more: str = "") -> list[dict[str, Any]]:
        """Write all of them; `more` is an instruction of ours, after the client's."""
        found: list[dict[str, Any]] = []
        instructions = [*request.instructions, *([Text(text=more)] if more else [])]
        if instructions:
            found.append({"role": self._quirks.system_role, "content": self._texts(instructions)})
        called: dict[str, str] = {}
        for turn in request.turns:
            called.update({part.id: part.name for part in turn.parts if isinstance(part, ToolCall)})
            found += self._turn(turn, called)
        if not found:
            self._drops.refuse_empty()
        return found

    def _turn(self, turn: Turn, called: Mapping[str, str]) -> Iterable[dict[str, Any]]:
        if turn.role is Role.TOOL:
            return self._results(turn, called)
        if turn.role is Role.ASSISTANT:
            return (self._assistant(turn),)
        if turn.role is Role.SYSTEM:
            texts = [part for part in turn.parts if isinstance(part, Text)]
            return ({"role": self._quirks.system_role, "content": self._texts(texts)},)
        content = self._content(turn.parts)
        if not content and not turn.parts:
            return ()
        message: dict[str, Any] = {"role": "user", "content": content}
        if turn.name:
            message["name"] = turn.name
        return (message,)

    def _texts(self, texts: Sequence[Text]) -> Any:
        """Write instructions: one message, since many templates take a system message only once."""
        if self._quirks.takes_cache_control and any(text.cache for text in texts):
            return [self._part(text) for text in texts]
        self._note_marks(texts)
        return "\n\n".join(text.text for text in texts)

    def _content(self, parts: Sequence[Part]) -> Any:
        """Write content: a string where one text is all there is."""
        first = parts[0] if len(parts) == 1 else None
        if isinstance(first, Text) and not (first.cache and self._quirks.takes_cache_control):
            self._note_marks(parts)
            return first.text
        return [
            self._part(part)
            for part in parts
            if isinstance(part, (Text, Image, Audio, Video, Document))
        ]

    def _part(self, part: Text | Image | Audio | Video | Document) -> dict[str, Any]:
        if isinstance(part, Text):
            written = {"type": "text", "text": part.text}
        elif isinstance(part, Image):
            written = self._image(part)
        elif isinstance(part, Audio):
            return self._audio(part)
        elif isinstance(part, Video):
            return self._video(part)
        else:
            written = self._document(part)
        return self._marked(written, part.cache)

    def _image(self, part: Image) -> dict[str, Any]:
        if part.url and not self._quirks.takes_links:
            self._drops.refuse("image_url")
        url = part.url or media.join(part.mime, part.data)
        image = {"url": url, "detail": part.detail} if part.detail else {"url": url}
        return {"type": "image_url", "image_url": image}

    def _audio(self, part: Audio) -> dict[str, Any]:
        if part.transcript and not part.data:
            return {"type": "text", "text": part.transcript}
        if not self._quirks.takes_audio or not part.data:
            self._drops.refuse("input_audio")
        sound = {"data": part.data, "format": media.audio_format(part.mime)}
        return {"type": "input_audio", "input_audio": sound}

    def _video(self, part: Video) -> dict[str, Any]:
        if self._quirks.reasoning != "openrouter":
            self._drops.refuse("video")
        url = part.url or media.join(part.mime, part.data)
        return {"type": "video_url", "video_url": {"url": url}}

    def _document(self, part: Document) -> dict[str, Any]:
        self._drops.drop_if("document.context", given=part.context)
        self._drops.drop_if("document.citations", given=part.wants_citations)
        name = part.name or part.title
        text = part.text or (media.text_of(part.data) if _is_text(part.mime) else None)
        if text is not None and part.mime != "application/pdf" and not part.url:
            # Only PDF is sure to be taken as a file: a text is read best where it stands.
            head = f'<document name="{name}">' if name else "<document>"
            return {"type": "text", "text": f"{head}\n{text}\n</document>"}
        if part.url:
            if self._quirks.reasoning != "openrouter":
                self._drops.refuse("file")
            data = part.url
        else:
            data = media.join(part.mime, part.data)
        file = {"filename": name or media.file_name(part.mime), "file_data": data}
        return {"type": "file", "file": file}

    def _marked(self, written: dict[str, Any], mark: Cache | None) -> dict[str, Any]:
        if mark is None:
            return written
        if not self._quirks.takes_cache_control:
            self._drops.note("cache_control")
            return written
        return {**written, "cache_control": cache_control(mark)}

    def _note_marks(self, parts: Sequence[Part]) -> None:
        if any(isinstance(part, Text) and part.cache for part in parts):
            self._drops.note("cache_control")

    def _assistant(self, turn: Turn) -> dict[str, Any]:
        texts = [part for part in turn.parts if isinstance(part, Text)]
        calls = [part for part in turn.parts if isinstance(part, ToolCall)]
        said = "".join(part.text for part in texts) + "".join(
            part.transcript for part in turn.parts if isinstance(part, Audio)
        )
        message: dict[str, Any] = {"role": "assistant"}
        marked = [text for text in texts if text.cache]
        if marked and self._quirks.takes_cache_control:
            message["content"] = [self._part(text) for text in texts if text.text]
        else:
            self._note_marks(texts)
            message["content"] = said or (None if calls else "")
        refusal = "".join(part.text for part in turn.parts if isinstance(part, Refusal))
        if refusal:
            message["refusal"] = refusal
            message["content"] = message["content"] or None
        self._add_reasoning(message, turn.parts)
        self._add_images(message, turn.parts)
        if calls:
            message["tool_calls"] = [self._call(call) for call in calls]
        return message

    def _add_reasoning(self, message: dict[str, Any], parts: Sequence[Part]) -> None:
        thoughts = [part for part in parts if isinstance(part, Reasoning)]
        if self._quirks.takes_reasoning_details:
            written = details_out.of_parts(parts)
            if written:
                message["reasoning_details"] = written
            return
        text = "".join(part.text for part in thoughts)
        if self._quirks.reasoning_back_field and text:
            message[self._quirks.reasoning_back_field] = text
        elif thoughts:
            self._drops.note("reasoning_details")

    def _add_images(self, message: dict[str, Any], parts: Sequence[Part]) -> None:
        images = [part for part in parts if isinstance(part, Image)]
        if not images:
            return
        if self._quirks.reasoning == "openrouter":
            message["images"] = [self._image(image) for image in images]
        else:
            self._drops.note("images")

    def _call(self, call: ToolCall) -> dict[str, Any]:
        name = self._names.of(call.name)
        if call.is_custom and self._quirks.takes_custom_tools:
            custom = {"name": name, "input": call.arguments}
            return {"id": self._id(call.id), "type": "custom", "custom": custom}
        text = arguments.as_text({"input": call.arguments}) if call.is_custom else call.arguments
        written: dict[str, Any] = {
            "id": self._id(call.id),
            "type": "function",
            "function": {"name": name, "arguments": text or "{}"},
        }
        seal = call.seal
        if seal is not None and self._quirks.seal == seal.format == SealFormat.GOOGLE:
            written["extra_content"] = {"google": {"thought_signature": seal.data}}
        return self._marked(written, call.cache)

    def _id(self, call_id: str) -> str:
        if self._quirks.has_short_call_ids:
            return short_id(call_id)
        # Kimi's own are "functions.name:0" (recorded 2026): they must come back as they are.
        longest = self._quirks.call_id_chars_max
        return hashed_id(call_id) if longest and len(call_id) > longest else call_id

    def _results(self, turn: Turn, called: Mapping[str, str]) -> list[dict[str, Any]]:
        """Write results; what is no text follows after all of them, as a user's message."""
        written: list[dict[str, Any]] = []
        beside: list[Part] = []
        for result in turn.parts:
            if not isinstance(result, ToolResult):
                continue
            written.append(self._result(result))
            others = [
                part
                for part in result.parts
                if isinstance(part, (Image, Audio, Video, Document)) and not _is_plain(part)
            ]
            if others:
                name = result.name or called.get(result.call_id) or "the tool"
                beside += [Text(text=f"Output of {name}:"), *others]
        if beside:
            written.append({"role": "user", "content": self._content(beside)})
        return written

    def _result(self, result: ToolResult) -> dict[str, Any]:
        texts = [_plain(part) for part in result.parts if _is_plain(part)]
        message: dict[str, Any] = {"role": "tool", "tool_call_id": self._id(result.call_id)}
        marks = [result.cache, *(part.cache for part in result.parts if isinstance(part, Text))]
        mark = next((mark for mark in reversed(marks) if mark), None)
        message["content"] = "\n".join(texts)
        if mark is not None and self._quirks.takes_cache_control:
            block = {"type": "text", "text": message["content"]}
            message["content"] = [self._marked(block, mark)]
        elif mark is not None:
            self._drops.note("cache_control")
        return message


def _is_plain(part: Part) -> bool:
    return isinstance(part, Text) or (isinstance(part, Document) and bool(part.text))


def _plain(part: Part) -> str:
    return part.text if isinstance(part, (Text, Document)) else ""


def _is_text(mime: str) -> bool:
    return mime.startswith("text/") or mime == "application/json"


def cache_control(mark: Cache) -> dict[str, str]:
    """Write a cache mark as Anthropic does."""
    return {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}
