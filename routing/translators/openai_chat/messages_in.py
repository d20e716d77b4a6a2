"""A client's messages as instructions and turns (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from routing.conversation import (
    Audio,
    Image,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from routing.dialects import fields
from routing.readers.answer import dicts, mapping, word
from routing.translators import arguments, media
from routing.translators.openai_chat.details import Details, sealed
from routing.translators.openai_chat.parts_in import cache_mark, parts
from routing.translators.openai_chat.pieces_in import google_seal
from routing.translators.openai_options import refuse_value


def conversation(
    messages: list[Any], *, seal_key: bytes
) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
    """Read all messages: what the leading ones instruct, then the turns.

    Raises: RelayError (400) naming the field.
    """
    reader = _Conversation(seal_key)
    for index, message in enumerate(messages):
        reader.take(fields.entry(message, f"messages[{index}]"), f"messages[{index}]")
    return tuple(reader.instructions), tuple(reader.turns)


class _Conversation:
    """What the messages so far said."""

    def __init__(self, seal_key: bytes) -> None:
        self.instructions: list[Text] = []
        self.turns: list[Turn] = []
        self._seal_key = seal_key
        self._names: dict[str, str] = {}  # of the functions called, by the call's id
        self._old_ids: dict[str, str] = {}  # of `function_call`, by the function's name

    def take(self, message: Mapping[str, Any], where: str) -> None:
        role = message.get("role")
        if role in ("system", "developer"):
            self._system(message, where)
        elif role == "user":
            said = self._content(message, where)
            heard = [part for part in said if not isinstance(part, (Reasoning, Refusal))]
            self._add(Role.USER, heard, message, where)
        elif role == "assistant":
            self._add(Role.ASSISTANT, self._assistant(message, where), message, where)
        elif role in ("tool", "function"):
            self._result(message, where, is_old=role == "function")
        else:
            refuse_value(f"{where}.role", "system, developer, user, assistant, tool")

    def _add(
        self, role: Role, found: Sequence[Part], message: Mapping[str, Any], where: str
    ) -> None:
        name = fields.text(message, "name", f"{where}.") or ""
        self.turns.append(Turn(role=role, parts=tuple(found), name=name))

    def _content(self, message: Mapping[str, Any], where: str) -> list[Part]:
        content = message.get("content")
        if content is None:
            fields.refuse_missing(f"{where}.content", "what is said")
        return self._marked(parts(content, f"{where}.content"), message, where)

    def _marked(self, found: list[Part], message: Mapping[str, Any], where: str) -> list[Part]:
        """Put the mark that stands on a message onto its last part."""
        mark = cache_mark(message, f"{where}.")
        if mark is not None and found and hasattr(found[-1], "cache"):
            found[-1] = msgspec.structs.replace(found[-1], cache=mark)
        return found

    def _system(self, message: Mapping[str, Any], where: str) -> None:
        texts: list[Text] = []
        for index, part in enumerate(self._content(message, where)):
            if not isinstance(part, Text):
                refuse_value(f"{where}.content[{index}].type", "text")
            texts.append(part)
        if self.turns:
            self.turns.append(Turn(role=Role.SYSTEM, parts=tuple(texts)))
        else:
            self.instructions += texts

    def _result(self, message: Mapping[str, Any], where: str, *, is_old: bool) -> None:
        name = fields.text(message, "name", f"{where}.") or ""
        if is_old:
            call_id = self._old_ids.get(name, "")
        else:
            found = fields.text(message, "tool_call_id", f"{where}.")
            if found is None:
                fields.refuse_missing(f"{where}.tool_call_id", "the call that it answers")
            call_id = found
        content = message.get("content")
        result = ToolResult(
            call_id=call_id,
            name=name or self._names.get(call_id, ""),
            parts=() if content is None else tuple(parts(content, f"{where}.content")),
            cache=cache_mark(message, f"{where}."),
        )
        latest = self.turns[-1] if self.turns else None
        if latest is not None and latest.role is Role.TOOL:
            self.turns[-1] = Turn(role=Role.TOOL, parts=(*latest.parts, result))
        else:
            self.turns.append(Turn(role=Role.TOOL, parts=(result,)))

    def _assistant(self, message: Mapping[str, Any], where: str) -> list[Part]:
        content = message.get("content")
        said = [] if content is None else parts(content, f"{where}.content")
        calls = self._calls(message, where)
        details = Details(message.get("reasoning_details"), seal_key=self._seal_key)
        thoughts: list[Part] = list(details.reasoning) or _plain_reasoning(message)
        if thoughts:  # the same is not told twice
            said = [part for part in said if not isinstance(part, Reasoning)]
        refusal = fields.text(message, "refusal", f"{where}.")
        if refusal:
            said.append(Refusal(text=refusal))
        if calls:
            said = [part for part in said if not (isinstance(part, Text) and not part.text)]
        found = self._marked([*thoughts, *said, *_media(message)], message, where)
        return sealed(found + calls, details.seals) or [Text(text="")]

    def _calls(self, message: Mapping[str, Any], where: str) -> list[Part]:
        found: list[Part] = []
        for index, told in enumerate(fields.array(message, "tool_calls", f"{where}.")):
            param = f"{where}.tool_calls[{index}]"
            found.append(self._call(fields.entry(told, param), param))
        old = fields.mapping(message, "function_call", f"{where}.")
        if old.get("name"):
            made = f"call_{len(self.turns)}"  # any will do, if it is the same each time
            call = _call(old, f"{where}.function_call", call_id=made, custom=False)
            self._old_ids[call.name] = made
            self._names[made] = call.name
            found.append(call)
        return found

    def _call(self, told: Mapping[str, Any], param: str) -> ToolCall:
        is_custom = told.get("type") == "custom"
        key = "custom" if is_custom else "function"
        call = _call(
            fields.entry(told.get(key), f"{param}.{key}"),
            f"{param}.{key}",
            call_id=fields.text(told, "id", f"{param}.") or "",
            custom=is_custom,
        )
        self._names[call.id] = call.name
        return msgspec.structs.replace(
            call, cache=cache_mark(told, f"{param}."), seal=google_seal(told)
        )


def _call(function: Mapping[str, Any], param: str, *, call_id: str, custom: bool) -> ToolCall:
    name = fields.text(function, "name", f"{param}.")
    if not name:
        fields.refuse_missing(f"{param}.name", "the name of the tool that was called")
    field = "input" if custom else "arguments"
    given = function.get(field)
    if given is not None and type(given) not in (str, dict):
        fields.refuse_type(given, "a string", f"{param}.{field}")
    text = given if type(given) is str else arguments.as_text(given or {})
    return ToolCall(id=call_id, name=name, arguments=text, is_custom=custom)


def _plain_reasoning(message: Mapping[str, Any]) -> list[Part]:
    text = word(message.get("reasoning_content")) or word(message.get("reasoning"))
    return [Reasoning(text=text)] if text else []


def _media(message: Mapping[str, Any]) -> list[Part]:
    """Read what an assistant drew and said; clients echo both back with its message."""
    found: list[Part] = []
    for item in dicts(message.get("images")):
        inline = media.split(word(mapping(item.get("image_url")).get("url")))
        if inline is not None:
            found.append(Image(mime=inline[0], data=inline[1]))
    transcript = word(mapping(message.get("audio")).get("transcript"))
    if transcript:
        found.append(Audio(transcript=transcript))
    return found
