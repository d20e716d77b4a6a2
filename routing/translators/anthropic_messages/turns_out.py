"""Writes turns as Anthropic's messages, in the order that it demands (pure)."""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from routing.conversation import Role, Text, ToolCall, ToolResult, Turn
from routing.dialects import fields
from routing.errors import Code
from routing.translators import names
from routing.translators.anthropic_messages import parts_out
from routing.translators.anthropic_messages.parts_out import Blocks
from routing.translators.drops import Drops
from routing.translators.names import Names

# Where the vendor wants a turn, and the client said nothing.
_PLACEHOLDER: Final = "."


class Messages:
    """Collects messages: roles alternate, results come first and answer every call."""

    def __init__(
        self, blocks: Blocks, tool_names: Names, drops: Drops, *, takes_system: bool
    ) -> None:
        self._blocks = blocks
        self._names = tool_names
        self._drops = drops
        self._takes_system = takes_system
        self._taken: set[str] = set()  # ids of calls, which may not come twice
        # Calls that wait for results: the client's id -> ids as written, in order.
        self._pending: dict[str, deque[str]] = {}
        self.messages: list[dict[str, Any]] = []

    def write(self, turns: Iterable[Turn]) -> list[dict[str, Any]]:
        """Write all turns. Raises: RelayError (400) for calls and results that do not match."""
        latest = Role.USER
        for turn in turns:
            latest = turn.role
            if turn.name:
                self._drops.drop("name")
            if latest is Role.ASSISTANT:
                self._assistant(turn)
            elif latest is Role.SYSTEM:
                self._system(turn)
            else:
                self._user(turn)
        self._refuse_pending()
        self._end(latest)
        return self.messages

    def _user(self, turn: Turn) -> None:
        results = []
        others = []
        for part in turn.parts:
            if isinstance(part, ToolResult):
                results.append(self._result(part))
            else:
                others += self._blocks.content(part)
        if results:
            content = self._content("user")
            at = sum(block["type"] == "tool_result" for block in content)
            content[at:at] = results
        self._add("user", others)

    def _result(self, part: ToolResult) -> dict[str, Any]:
        waiting = self._pending.get(part.call_id)
        if not waiting:
            _refuse_result(part)
        call_id = waiting.popleft()
        if not waiting:
            del self._pending[part.call_id]
        return self._blocks.result(part, call_id=call_id)

    def _system(self, turn: Turn) -> None:
        texts = [part for part in turn.parts if isinstance(part, Text)]
        content = [block for part in texts for block in self._blocks.text(part)]
        if self._takes_system and content and self.messages and not self._pending:
            self.messages.append({"role": "system", "content": content})
            return
        for block in content:
            block["text"] = f"<system-message>{block['text']}</system-message>"
        self._add("user", content)

    def _assistant(self, turn: Turn) -> None:
        content: list[dict[str, Any]] = []
        calls: list[tuple[str, str]] = []
        for part in turn.parts:
            if isinstance(part, ToolCall):
                call_id = self._new_id(part.id)
                calls.append((part.id, call_id))
                content.append(
                    parts_out.tool_use(part, call_id=call_id, name=self._names.of(part.name))
                )
            else:
                content += self._blocks.said(part)
        if not content:
            return
        if self._role() != "assistant":
            self._refuse_pending()
        self._add("assistant", content)
        for client_id, call_id in calls:
            self._pending.setdefault(client_id, deque()).append(call_id)

    def _new_id(self, call_id: str) -> str:
        """Return a legal id that no call had before; the same history gives the same ids."""
        legal = names.legal_id(call_id)
        found, number = legal, 1
        while found in self._taken:
            number += 1
            found = f"{legal[:56]}_{number}"
        self._taken.add(found)
        return found

    def _role(self) -> str:
        return str(self.messages[-1]["role"]) if self.messages else ""

    def _content(self, role: str) -> list[dict[str, Any]]:
        """Return the content of the last message, made when its role is another."""
        if self._role() != role:
            if role == "assistant" and not self.messages:
                self._hold_place()  # the first turn must be the user's ([mem], 2026-11)
            self.messages.append({"role": role, "content": []})
        content: list[dict[str, Any]] = self.messages[-1]["content"]
        return content

    def _add(self, role: str, content: list[dict[str, Any]]) -> None:
        if content:
            self._content(role).extend(content)

    def _hold_place(self) -> None:
        self._add("user", [{"type": "text", "text": _PLACEHOLDER}])

    def _end(self, latest: Role) -> None:
        if not self.messages or (latest is not Role.ASSISTANT and self._role() == "assistant"):
            self._hold_place()
        if self._role() != "assistant":
            return
        last = self.messages[-1]["content"][-1]
        if last["type"] == "text":  # white space at the very end is refused ([mem], 2026-11)
            last["text"] = last["text"].rstrip()

    def _refuse_pending(self) -> None:
        for client_id in self._pending:
            fields.refuse(
                Code.INVALID_VALUE,
                f"The call `{_shown(client_id)}` has no result: this model's vendor wants one "
                "for each call, in the turn after it. Add the result, or leave the call out.",
                "messages",
            )


def _refuse_result(part: ToolResult) -> NoReturn:
    fields.refuse(
        Code.INVALID_VALUE,
        f"The result of `{_shown(part.call_id)}` has no call in the turn before it. Add the "
        "call, or leave the result out.",
        "messages",
    )


def _shown(call_id: str) -> str:
    """Return an id as an error may show it: the client's own word, cut."""
    return call_id[:64]
