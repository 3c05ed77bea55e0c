"""``POST /v1/tokenize`` and ``/v1/detokenize``: what a model sees of a message, and what ids say."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request

from sensorium.generate import Assistant
from sensorium.serve.http.reading import JsonRoute
from sensorium.serve.http.replies import DetokenizeReply, SpanItem, TokenizeReply
from sensorium.serve.http.schemas import ContentPart, DetokenizeRequest, TokenizeRequest
from sensorium.serve.http.server import Shared, client_of
from sensorium.serve.http.tool_messages import plain
from sensorium.serve.media.messages import part_to_json
from sensorium.serve.registry import Served
from sensorium.types import Conversation, InputError, Part

router = APIRouter(route_class=JsonRoute)


@router.post("/v1/tokenize")
async def tokenize(body: TokenizeRequest, request: Request, server: Shared) -> TokenizeReply:
    """Ids of a conversation under the model's chat template, and where its media lie in them."""
    served = server.registry.get(body.model)

    async def work() -> TokenizeReply:
        conversation = await server.reader.conversation(plain(body.turns), served, client_of(request), answered=False)
        return await served.at_desk(_tokenized, conversation, served)

    return await server.finish(request, work())


def _tokenized(conversation: Conversation, served: Served) -> TokenizeReply:
    model = served.model
    conversation = model.senses.encode(conversation)
    rendered = model.stream.render(conversation)
    ids = rendered.ids.tolist()
    spans = [
        _span(conversation.messages[piece.message].parts[piece.part], piece.start, piece.stop, model)
        for piece in rendered.pieces
        if not conversation.messages[piece.message].parts[piece.part].is_text
    ]
    return TokenizeReply(ids=ids, tokens=readable(served, ids), spans=spans)


def _span(part: Part, start: int, stop: int, model: Assistant) -> SpanItem:
    assert part.codes is not None and part.codec is not None
    layout = model.vocabulary.layout(part.codec)
    facts = layout.facts
    reconstruction = None
    if facts.use != "read":
        (decoded,) = model.senses.decode([Part(part.modality, codes=part.codes, codec=part.codec)])
        reconstruction = part_to_json(decoded)
    return SpanItem(
        codec=part.codec,
        modality=part.modality,
        start=start,
        stop=stop,
        bits=facts.header_bits + facts.bits_per_frame * (len(part.codes) - layout.header_codes) / facts.codebooks,
        grid=list(facts.grid),
        header=dict(facts.header),
        codebook_sizes=list(facts.codebook_sizes),
        frame_rate_hz=facts.frame_rate_hz,
        codes=part.codes.tolist(),
        reconstruction=reconstruction,
    )


@router.post("/v1/detokenize")
async def detokenize(body: DetokenizeRequest, request: Request, server: Shared) -> DetokenizeReply:
    """Text and media that ids spell; a medium that is cut short comes as the text of its tokens."""
    served = server.registry.get(body.model)

    async def work() -> DetokenizeReply:
        check_ids(body.ids, served.model)
        parts = await served.at_desk(served.model.stream.parse, body.ids)
        media, most = sum(not part.is_text for part in parts), server.settings.max_parts
        if media > most:
            raise InputError(f"the ids spell {media} media, at most {most} are allowed")
        return DetokenizeReply(parts=[await served.at_desk(_told, part, served.model) for part in parts])

    return await server.finish(request, work())


def _told(part: Part, model: Assistant) -> ContentPart:
    """A part of a reply; of a codec that only reads, the codes alone."""
    reads_only = part.codec is not None and model.codecs[part.codec].facts.use == "read"
    return part_to_json(part) if reads_only else part_to_json(*model.senses.decode([part]))


def check_ids(ids: Sequence[int], model: Assistant) -> None:
    """InputError unless the model has every id."""
    if ids and max(ids) >= model.vocabulary.size:
        raise InputError(f"id {max(ids)} is not one of this model's, which end at {model.vocabulary.size - 1}")


def readable(served: Served, ids: Sequence[int]) -> list[str]:
    """The text of each id; of special tokens and codes, their names."""
    tokenizer = served.model.tokenizer
    tokens = tokenizer.convert_ids_to_tokens(list(ids))
    return [
        token if id_ in served.named_ids else tokenizer.convert_tokens_to_string([token])
        for id_, token in zip(ids, tokens, strict=True)
    ]
