"""OpenAI's images, sound and moderations, and reranking."""

from typing import Any

from bananarouter.openapi import schema
from bananarouter.openapi.openai_schemas import COST, MODEL, STREAM
from bananarouter.openapi.operation import (
    EVENTS,
    FORM,
    JSON,
    Example,
    Kind,
    Operation,
    Operations,
    Tag,
)
from bananarouter.openapi.schema import Json, array, flag, integer, maybe, number, obj, ref, text
from routing.api import media
from routing.dialects.openai_audio import SPEED_MAX, SPEED_MIN
from routing.dialects.openai_images import IMAGES_MAX, PARTIAL_IMAGES_MAX

PLAIN = "text/plain"
SOUND = "audio/*"

_FILE = text("The file itself: a link is refused, since its cost has no bound.", format="binary")
_IMAGE_FIELDS: Json = {
    "model": MODEL,
    "n": integer("How many images.", minimum=1, maximum=IMAGES_MAX, default=1),
    "size": text(examples=["1024x1024"]),
    "response_format": text(enum=["url", "b64_json"]),
    "user": text("Replaced by a hash of your account at vendors that want one."),
}
_PICTURE_FIELDS: Json = {
    **_IMAGE_FIELDS,
    "prompt": text("What the image shall show."),
    "quality": text(examples=["low"]),
    "background": text(),
    "output_format": text(),
    "stream": STREAM,
    "partial_images": integer(minimum=0, maximum=PARTIAL_IMAGES_MAX),
}
_LISTEN_FIELDS: Json = {
    "model": MODEL,
    "file": _FILE,
    "prompt": text(),
    "response_format": text(enum=["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]),
    "temperature": number(minimum=0, maximum=1),
}
_USAGE = obj(
    {"input_tokens": integer(), "output_tokens": integer(), "total_tokens": integer(),
     "cost": COST},
    description="Absent where the vendor counts nothing.",
)  # fmt: skip

SCHEMAS: dict[str, Json] = {
    "ImageRequest": obj(_PICTURE_FIELDS, required=("model", "prompt")),
    "ImageEditForm": obj(
        {**_PICTURE_FIELDS, "image": _FILE, "mask": _FILE}, required=("model", "prompt", "image")
    ),
    "ImageEditRequest": obj(
        {
            **_PICTURE_FIELDS,
            "images": array(
                obj({"image_url": text("A data URL or a link.")}, required=("image_url",)),
                minItems=1,
            ),
        },
        required=("model", "prompt", "images"),
    ),
    "ImageVariationForm": obj({**_IMAGE_FIELDS, "image": _FILE}, required=("model", "image")),
    "Images": obj(
        {
            "created": integer(),
            "data": array(obj({"b64_json": maybe(text()), "url": maybe(text())})),
            "usage": _USAGE,
        },
        required=("created", "data"),
    ),
    "ImageEvent": obj(
        {
            "type": text(
                "`image_generation.partial_image`, `image_generation.completed`; of edits "
                "`image_edit.*`."
            ),
            "b64_json": text(),
            "usage": _USAGE,
        },
        required=("type",),
    ),
    "SpeechRequest": obj(
        {
            "model": MODEL,
            "input": text("The text to speak.", minLength=1),
            "voice": text(examples=["alloy"]),
            "instructions": text("How to speak."),
            "response_format": text(examples=["mp3"], default="mp3"),
            "speed": number(minimum=SPEED_MIN, maximum=SPEED_MAX, default=1),
            "stream_format": text(enum=["audio", "sse"], default="audio"),
        },
        required=("model", "input"),
    ),
    "SpeechEvent": obj(
        {
            "type": text("`speech.audio.delta` or `speech.audio.done`."),
            "audio": text("Base64."),
            "usage": _USAGE,
        },
        required=("type",),
    ),
    "TranscriptionForm": obj(
        {
            **_LISTEN_FIELDS,
            "language": text("Of the sound, as ISO 639-1.", examples=["en"]),
            "stream": flag("A model that cannot answers whole.", default=False),
        },
        required=("model", "file"),
    ),
    "TranslationForm": obj(_LISTEN_FIELDS, required=("model", "file")),
    "Transcript": obj({"text": text(), "usage": schema.anything("")}, required=("text",)),
    "TranscriptEvent": obj(
        {
            "type": text("`transcript.text.delta` or `transcript.text.done`."),
            "delta": text(),
            "text": text(),
        },
        required=("type",),
    ),
    "ModerationRequest": obj(
        {
            "model": {**MODEL, "default": "omni-moderation-latest"},
            "input": schema.either(
                text(), array(schema.either(text(), schema.anything("A text or a picture.")))
            ),
        },
        required=("input",),
    ),
    "Moderation": obj(
        {
            "id": text(),
            "model": text(),
            "results": array(
                obj(
                    {
                        "flagged": flag(),
                        "categories": schema.anything("Which apply."),
                        "category_scores": schema.anything("From 0 to 1."),
                    },
                    required=("flagged",),
                )
            ),
        },
        required=("results",),
    ),
    "RerankRequest": obj(
        {
            "model": MODEL,
            "query": text("The text to compare the documents with.", minLength=1),
            "documents": array(
                schema.either(text(), schema.anything("A document in fields.")), minItems=1
            ),
            "top_n": integer("How many to return.", minimum=1),
        },
        required=("model", "query", "documents"),
    ),
    "Ranking": obj(
        {
            "id": text(),
            "model": text(),
            "results": array(
                obj(
                    {"index": integer("In your list."), "relevance_score": number()},
                    required=("index", "relevance_score"),
                ),
                "The best first. Voyage calls it `data`.",
            ),
            "usage": schema.anything("Tokens or search units, as the vendor counts."),
        }
    ),
}


def _operation(id_: str, summary: str, **told: Any) -> dict[str, Operation]:
    """Return the one method of an operation that OpenAI's vendors serve."""
    operation = Operation(id=id_, tag=Tag.OPENAI, kind=Kind.RELAYED, summary=summary, **told)
    return {"post": operation}


OPERATIONS: Operations = {
    media.Generations: _operation(
        "createImage",
        "Image",
        request={JSON: ref("ImageRequest")},
        answers={JSON: ref("Images"), EVENTS: ref("ImageEvent")},
        answer_text="The images.",
        examples=(
            Example(
                name="image",
                summary="An image",
                model="image",
                body={"model": "{model}", "prompt": "A banana on a desk", "quality": "low"},
                sdk="client.images.generate",
            ),
        ),
    ),
    media.Edits: _operation(
        "editImage",
        "Image edit",
        text="Takes a form, or JSON with `images`.",
        request={FORM: ref("ImageEditForm"), JSON: ref("ImageEditRequest")},
        answers={JSON: ref("Images"), EVENTS: ref("ImageEvent")},
        answer_text="The images.",
        examples=(
            Example(
                name="edit",
                summary="A picture changed",
                model="image",
                body={"model": "{model}", "prompt": "Make it green"},
                files={"image": "picture.png"},
                sdk="client.images.edit",
            ),
        ),
    ),
    media.Variations: _operation(
        "createImageVariation",
        "Image variation",
        request={FORM: ref("ImageVariationForm")},
        answers={JSON: ref("Images")},
        answer_text="The images.",
        examples=(
            Example(
                name="variation",
                summary="A picture varied",
                model="image",
                body={"model": "{model}"},
                files={"image": "picture.png"},
                sdk="client.images.create_variation",
            ),
        ),
    ),
    media.Speech: _operation(
        "createSpeech",
        "Speech",
        text="The sound comes in the vendor's bytes and content type.",
        request={JSON: ref("SpeechRequest")},
        answers={SOUND: {}, EVENTS: ref("SpeechEvent")},
        answer_text="The sound.",
        examples=(
            Example(
                name="speech",
                summary="A text spoken",
                model="voice",
                body={"model": "{model}", "input": "Hello", "voice": "alloy"},
                sdk="client.audio.speech.create",
                output="speech.mp3",
            ),
        ),
    ),
    media.Transcriptions: _operation(
        "createTranscription",
        "Transcription",
        text="Wav, mp3, aac, flac, ogg, webm, mp4 and m4a are measured before; of any other "
        "file a byte is held for as a second.",
        request={FORM: ref("TranscriptionForm")},
        answers={JSON: ref("Transcript"), PLAIN: text(), EVENTS: ref("TranscriptEvent")},
        answer_text="The transcript, in the format asked for.",
        examples=(
            Example(
                name="transcription",
                summary="A recording written down",
                model="ears",
                body={"model": "{model}"},
                files={"file": "speech.wav"},
                sdk="client.audio.transcriptions.create",
            ),
        ),
    ),
    media.Translations: _operation(
        "createTranslation",
        "Translation into English",
        request={FORM: ref("TranslationForm")},
        answers={JSON: ref("Transcript"), PLAIN: text()},
        answer_text="The transcript in English.",
        examples=(
            Example(
                name="translation",
                summary="A recording written down in English",
                model="ears",
                body={"model": "{model}"},
                files={"file": "speech.wav"},
                sdk="client.audio.translations.create",
            ),
        ),
    ),
    media.Moderations: _operation(
        "createModeration",
        "Moderation",
        request={JSON: ref("ModerationRequest")},
        answers={JSON: ref("Moderation")},
        answer_text="A judgment for each input.",
        examples=(
            Example(
                name="moderation",
                summary="A text judged",
                model="moderator",
                body={"model": "{model}", "input": "I like bananas."},
                sdk="client.moderations.create",
            ),
        ),
    ),
    media.Rerank: _operation(
        "rerank",
        "Rerank",
        text="As Cohere, Jina, Voyage and OpenRouter take it.",
        request={JSON: ref("RerankRequest")},
        answers={JSON: ref("Ranking")},
        answer_text="The documents by relevance.",
        examples=(
            Example(
                name="rerank",
                summary="Three documents compared",
                model="rerank",
                body={
                    "model": "{model}",
                    "query": "yellow fruit",
                    "documents": ["a banana is yellow", "an apple", "a car"],
                    "top_n": 2,
                },
            ),
        ),
    ),
}
