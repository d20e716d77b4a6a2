"""Our wishes as generationConfig (pure)."""

from collections.abc import Sequence
from typing import Final

from routing.conversation import OutputFormat, Request, Sampling
from routing.dialects.base import Quirks
from routing.translators.base import Target
from routing.translators.drops import Drops
from routing.translators.effort import budget_of, effort_of, nearest
from routing.translators.gemini_generate import schema_out
from routing.translators.gemini_generate.writing import Json

STOPS_MAX: Final = 5  # of stopSequences ([mem], 2026-11)
_OTHERS_STOPS_MAX: Final = Quirks().stops_max  # of chat completions: no word about Gemini
# XHIGH is of newer models only: their rows say so.
_LEVELS: Final = ("minimal", "low", "medium", "high")
# What budgets are shares of when neither the client nor the row sets a limit (Gemini 2.5, 2026).
_LIMIT_DEFAULT: Final = 65_536


def write(request: Request, target: Target, drops: Drops, *, details: Sequence[str]) -> Json:
    """Write everything but what the contents and tools say. Raises: RelayError (400)."""
    config = _sampling(request.sampling, target.quirks, drops)
    limit = _limit(request, target)
    if limit is not None:
        config["maxOutputTokens"] = limit
    config |= _format(request, target.quirks, drops)
    thinking = _thinking(request, target, drops)
    if thinking:
        config["thinkingConfig"] = thinking
    config |= _modalities(request, drops)
    return config | _resolution(target.quirks, drops, details)


def _limit(request: Request, target: Target) -> int | None:
    told = [n for n in (request.output_tokens_max, target.output_limit) if n is not None]
    return min(told) if told else None


def _sampling(sampling: Sampling, quirks: Quirks, drops: Drops) -> Json:
    config: Json = {}
    for name, word, value in (
        ("temperature", "temperature", sampling.temperature),
        ("top_p", "topP", sampling.top_p),
        ("top_k", "topK", sampling.top_k),
        ("presence_penalty", "presencePenalty", sampling.presence_penalty),
        ("frequency_penalty", "frequencyPenalty", sampling.frequency_penalty),
    ):
        if value is not None and not quirks.takes_sampling:
            drops.drop(name)
        elif value is not None:
            config[word] = value
    if sampling.seed is not None:
        config["seed"] = sampling.seed
    if sampling.choices > 1:
        config["candidateCount"] = sampling.choices
    for name in ("min_p", "top_a", "repetition_penalty", "logit_bias"):
        drops.drop_if(name, given=getattr(sampling, name))
    return config | _stop(sampling, quirks, drops) | _logprobs(sampling, quirks, drops)


def _stop(sampling: Sampling, quirks: Quirks, drops: Drops) -> Json:
    if not sampling.stop:
        return {}
    most = STOPS_MAX if quirks.stops_max >= _OTHERS_STOPS_MAX else quirks.stops_max
    if not quirks.takes_stop or len(sampling.stop) > most:
        drops.refuse("stop")
    return {"stopSequences": list(sampling.stop)}


def _logprobs(sampling: Sampling, quirks: Quirks, drops: Drops) -> Json:
    if not sampling.has_logprobs:
        return {}
    if not quirks.takes_logprobs:
        drops.drop("logprobs")
        return {}
    told: Json = {"responseLogprobs": True}
    if sampling.top_logprobs is not None:
        told["logprobs"] = sampling.top_logprobs
    return told


def _format(request: Request, quirks: Quirks, drops: Drops) -> Json:
    wanted = request.output_format
    if wanted is None:
        return {}
    if request.tools and not quirks.takes_schema_with_tools:
        drops.refuse("response_format")
    mime: Json = {"responseMimeType": "application/json"}
    if wanted.schema is None:
        if not quirks.takes_json_mode:
            drops.refuse("response_format")
        return mime
    return mime | _schema(wanted, quirks, drops)


def _schema(wanted: OutputFormat, quirks: Quirks, drops: Drops) -> Json:
    if not quirks.takes_json_schema or wanted.schema is None:
        drops.refuse("response_format")
    schema = dict(wanted.schema)
    if wanted.description and "description" not in schema:
        schema["description"] = wanted.description
    if quirks.takes_json_schema_tools:
        return {"responseJsonSchema": schema}
    downgraded, lost = schema_out.to_openapi(schema, "response_format")
    for word in lost:
        drops.drop(f"response_format.{word}" if word.isalnum() else "response_format.schema")
    return {"responseSchema": downgraded}


def _thinking(request: Request, target: Target, drops: Drops) -> Json:
    wish, quirks = request.reasoning, target.quirks
    effort = "none" if wish.is_on is False or wish.budget == 0 else wish.effort
    budget = None if wish.budget in (0, -1) else wish.budget
    shows = wish.shows if wish.shows is not None else bool(wish.summary) or None
    if quirks.reasoning not in ("budget", "level"):
        wanted = effort not in ("", "none") or budget is not None or shows
        drops.drop_if("reasoning", given=wanted)
        return {}
    limit = _limit(request, target) or target.output_tokens_max or _LIMIT_DEFAULT
    told: Json = {}
    if quirks.reasoning == "level":
        if budget is not None and not effort:
            effort = effort_of(budget, limit=limit, shares=target.effort_shares)
        known = tuple(quirks.efforts.split()) or _LEVELS
        if effort:
            told["thinkingLevel"] = nearest(effort, known).upper()
    else:
        found = _budget(effort, budget, limit, target, drops)
        if wish.budget == -1 and not effort:
            found = -1
        if found is not None:
            told["thinkingBudget"] = found
    if shows is not None and effort != "none":
        told["includeThoughts"] = shows
    return told


def _budget(
    effort: str, budget: int | None, limit: int, target: Target, drops: Drops
) -> int | None:
    """Return the tokens to think; None leaves it to the model."""
    quirks = target.quirks
    if effort == "none":
        if quirks.reasoning_stops:
            return 0
        drops.drop("reasoning")
        return None
    most = min(quirks.budget_max or limit, limit - 1)
    if budget is None:
        if not effort:
            return None
        is_all = effort == "max" and quirks.budget_max
        budget = most if is_all else budget_of(effort, limit=limit, shares=target.effort_shares)
    budget = max(min(budget, most), quirks.budget_min)
    if budget > most:  # the least that the model can think is more than the answer may have
        return 0 if quirks.reasoning_stops else None
    return budget


def _modalities(request: Request, drops: Drops) -> Json:
    told: Json = {}
    if "audio" in request.modalities:
        told["responseModalities"] = ["AUDIO"]  # no Gemini speaks and writes ([mem], 2026-11)
    elif request.modalities:
        told["responseModalities"] = [word.upper() for word in request.modalities]
    voice = request.audio_out
    if voice is None:
        return told
    if voice.voice:
        told["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice.voice}}}
    if voice.format not in ("", "pcm16"):
        drops.drop("audio.format")  # Gemini's sound is bare samples
    return told


def _resolution(quirks: Quirks, drops: Drops, details: Sequence[str]) -> Json:
    """Write the one resolution of all pictures, where parts have none of their own."""
    wanted = [detail for detail in details if detail]
    if not wanted or quirks.reasoning == "level":
        return {}
    if len(details) > 1:
        drops.drop("image_url.detail")
    highest = "MEDIA_RESOLUTION_HIGH"
    return {"mediaResolution": highest if highest in wanted else wanted[0]}
