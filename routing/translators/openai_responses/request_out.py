"""Our request in a vendor's Responses (pure)."""

from typing import Any, Final

from routing.conversation import OutputFormat, Request
from routing.dialects import openai
from routing.dialects.base import Outbound, Quirks
from routing.translators import arguments, effort
from routing.translators.base import Encoded, Target
from routing.translators.drops import Drops
from routing.translators.names import Names
from routing.translators.openai_responses import tools_out
from routing.translators.openai_responses.items_out import Items
from routing.translators.openai_responses.request_in import ENCRYPTED, LOGPROBS

Body = dict[str, Any]

# What a budget of thinking is measured by when nobody names a limit of the output.
_OUTPUT_TOKENS: Final = 16_384
_TIERS: Final = {"standard": "default"}
# Fields that Responses lacks: our word, and the client's.
_NO_WORD: Final = (
    ("top_k", "top_k"),
    ("min_p", "min_p"),
    ("top_a", "top_a"),
    ("frequency_penalty", "frequency_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("repetition_penalty", "repetition_penalty"),
    ("seed", "seed"),
    ("logit_bias", "logit_bias"),
    ("stop", "stop"),
)


def encode_request(request: Request, target: Target) -> Encoded:
    """Write a request. Raises: RelayError (400) naming the client's need that has no word."""
    drops = Drops(request, "OpenAI Responses")
    quirks = target.quirks
    _refuse_wordless(request, drops)
    names = Names((tool.name for tool in request.tools), legal="A-Za-z0-9_-")
    instructions = _instructions(request, drops)
    items = Items(request, target=target, names=names, drops=drops).write(request.turns)
    if not (items or instructions):
        drops.refuse_empty()
    body: Body = {"model": target.upstream_name}
    if instructions:
        body["instructions"] = instructions
    body["input"] = items
    body |= tools_out.write(request, quirks=quirks, names=names, drops=drops)
    body |= _limits(request, target)
    body |= _text(request, quirks, drops)
    body |= _reasoning(request, target, drops)
    body |= _sampling(request, quirks, drops)
    body |= _rest(request, quirks, drops)
    include = [ENCRYPTED] if quirks.reasoning else []
    if "top_logprobs" in body:
        include.append(LOGPROBS)
    if include:
        body["include"] = include
    _tag(body, quirks.account_field, target.account_tag)
    return Encoded(
        outbound=Outbound(
            path="responses",
            body=arguments.as_text(body).encode(),
            headers=openai.JSON,
            query=quirks.extra_query,
        ),
        dropped=tuple(dict.fromkeys((*request.dropped, *drops.names))),
        tool_names=names.back,
    )


def _refuse_wordless(request: Request, drops: Drops) -> None:
    if request.requires_all and request.dropped:
        drops.refuse(request.dropped[0])
    if request.sampling.choices > 1:
        drops.refuse("n")
    if request.audio_out is not None or any(word != "text" for word in request.modalities):
        drops.refuse("modalities")


def _instructions(request: Request, drops: Drops) -> str:
    marked = any(text.cache is not None for text in request.instructions)
    if marked or request.cache is not None:
        drops.note("cache_control")
    return "\n\n".join(text.text for text in request.instructions if text.text)


def _limits(request: Request, target: Target) -> Body:
    limits = (request.output_tokens_max, target.output_limit)
    told = [limit for limit in limits if limit is not None]
    return {"max_output_tokens": min(told)} if told else {}


def _text(request: Request, quirks: Quirks, drops: Drops) -> Body:
    text: Body = {}
    if request.output_format is not None:
        text["format"] = _format(request.output_format, quirks, drops)
    if request.verbosity:
        text["verbosity"] = request.verbosity
    return {"text": text} if text else {}


def _format(form: OutputFormat, quirks: Quirks, drops: Drops) -> Body:
    if form.schema is None:
        if not quirks.takes_json_mode:
            drops.refuse("response_format")
        return {"type": "json_object"}
    if not quirks.takes_json_schema:
        drops.refuse("response_format")
    written: Body = {
        "type": "json_schema",
        "name": form.name or "response",
        "schema": form.schema,
    }
    if form.description:
        written["description"] = form.description
    if quirks.takes_strict:
        written["strict"] = bool(form.is_strict)
    else:
        drops.drop_if("strict", given=form.is_strict)
    return written


def _reasoning(request: Request, target: Target, drops: Drops) -> Body:
    wish, quirks = request.reasoning, target.quirks
    if not quirks.reasoning:
        if wish.effort not in ("", "none") or wish.budget or wish.is_on or wish.summary:
            drops.drop("reasoning")
        return {}
    written: Body = {}
    wanted = _effort(request, target)
    if wanted == "none" and not quirks.reasoning_stops:
        drops.drop("reasoning")
        wanted = "minimal"
    if wanted:
        written["effort"] = effort.nearest(wanted, quirks.efforts.split())
    if wish.summary or wish.shows:
        written["summary"] = wish.summary or "auto"
    return {"reasoning": written} if written else {}


def _effort(request: Request, target: Target) -> str:
    """Return the effort that is wished for; "" where it is the model's choice."""
    wish = request.reasoning
    if wish.effort or wish.is_on is False:
        return wish.effort or "none"
    if wish.budget is None or wish.budget < 0:
        return ""
    limit = request.output_tokens_max or target.output_limit or target.output_tokens_max
    return effort.effort_of(wish.budget, limit=limit or _OUTPUT_TOKENS, shares=target.effort_shares)


def _sampling(request: Request, quirks: Quirks, drops: Drops) -> Body:
    sampling = request.sampling
    for name, word in _NO_WORD:
        drops.drop_if(word, given=getattr(sampling, name))
    written: Body = {}
    for name in ("temperature", "top_p"):
        value = getattr(sampling, name)
        if value is not None and quirks.takes_sampling:
            written[name] = value
        elif value is not None:
            drops.drop(name)
    if sampling.has_logprobs:
        if quirks.takes_logprobs:
            written["top_logprobs"] = sampling.top_logprobs or 0
        else:
            drops.drop("logprobs")
    return written


def _rest(request: Request, quirks: Quirks, drops: Drops) -> Body:
    written: Body = {}
    if request.service_tier:
        written["service_tier"] = _TIERS.get(request.service_tier, request.service_tier)
    if request.cache_key and quirks.takes_cache_key:
        written["prompt_cache_key"] = request.cache_key
    elif request.cache_key:
        drops.note("prompt_cache_key")
    if quirks.forces_store_false:
        written["store"] = False
    if request.is_stream:
        written["stream"] = True
    return written


def _tag(body: Body, where: str, tag: str) -> None:
    """Put the account's tag into its field, which may stand inside an object."""
    if not where or not tag:
        return
    *path, name = where.split(".")
    for step in path:
        body = body.setdefault(step, {})
    body[name] = tag
