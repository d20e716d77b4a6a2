"""The exceptions of the comparison: each has a name and its reason in the dialects' mapping."""

RULES = {
    "citations_to_messages": "2.1: without `encrypted_index` a citation cannot be replayed to"
    " Anthropic, so its sources are dropped there",
    "citations_without_span": "2.1: the vendor tells no offsets, so the address alone is compared",
    "media_out": "1.7: no place for this medium in answers of the dialect",
    "logprobs": "1.7: Anthropic has no log probabilities",
    "bill_of_tool": "1.7: the image is an item of a server tool, which no other dialect asks for"
    " and which the prices of the suite do not name",
    "usage_estimated": "2.4: the vendor told no usage, ours is estimated",
    "usage_reasoning": "2.4: Anthropic's usage need not tell thinking apart from output",
    "system_as_user": "1.1: a model whose row says that it knows no such role",
    "system_joined": "1.1: blocks of instructions may be joined with white space",
    "texts_joined": "1.1: neighboring texts of one turn may be joined with white space",
    "reasoning_share": "1.6: an effort stands for a share of the output limit, or for the nearest"
    " effort below it",
    "thinking_off": "2.2: without the seal of its history Anthropic's thinking goes off",
    "thinking_sampling": "1.6: with Anthropic's thinking on, temperature 1 goes without saying",
    "tools_of_history": "1.3: Anthropic wants the tools of earlier calls told, none to be called",
    "media_after_result": "1.4: Chat's tool messages hold text, so images follow in a message",
    "reasoning_unfollowed": "1.4: of reasoning that led to a vendor's own tool only the last has"
    " its follower, which Responses wants",
    "late_error": "3.3: an error after the finish comes too late: the answer was complete",
    "refused_media": "1.2: the vendor's dialect has no such part, so the request is refused",
    "max_tokens_raised": "1.6: Anthropic's limit counts the thinking budget, too",
    "sentinel": "2.2: Google's documented word for a signature that never existed",
}
