"""Records of what is said about a whole image: expressions, captions, regions' captions, questions, classes of scenes.

A text speaks of the whole image ("the largest ship", "on the left"), so these images are never cut to windows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...core.masks import Mask
from ...evals.datasets.geopixeld import phrases, without_number, without_tags
from ...evals.datasets.record import Record, Said, Thing
from ...tools.models.grounded import is_tagged
from ..records.points import in_reading_order
from ..records.record import Instruction, Marked
from ..records.windows import Cutter, Seen
from .shapes import NotTold, box_of_mask, boxed_with_points, oriented, patches
from .things import Sheet, has_outline

_ARTICLE = re.compile(r"(?:the|an?|all|every|each)\s+(?=\S)", re.IGNORECASE)
_TASKS = {"refer": ("rec", "res"), "question": ("vqa",), "dialog": ("vqa",), "caption": ("caption", "gcg")}
"""Kind of a text -> what it makes; of others the task of that name."""
_SHOWN = re.compile(r"<p>([^<>]*)</p>\s*\[SEG\]")
"""A phrase of GeoPixelD that has an outline."""
_FILLED = ("box", "oriented box")
_OWN_BOXES = re.compile(r"[{}]|<\s*-?\d")


def of_texts(sheet: Sheet) -> Iterator[Instruction]:
    """Everything that is said about the image; what no record can hold is counted."""
    record, maker = sheet.record, sheet.maker
    told: set[tuple[str, ...]] = set()
    for said in record.said:
        if said.kind == "place":
            continue
        makers = {
            "refer": _referred, "region": _region, "caption": _caption, "question": _question, "dialog": _question,
            "scene": _scene,
        }  # fmt: skip
        tasks = _TASKS.get(said.kind, (said.kind,))
        if not maker.wants(*tasks):
            continue
        key = (said.kind, said.text, said.answer or "", *said.things)
        if key in told:
            maker.drop(said.kind, "said twice of one image")
        elif record.after is not None:
            maker.drop(said.kind, "said of a pair of images")
        else:
            told.add(key)
            yield from makers[said.kind](sheet, said)
    yield from _phrases(sheet)


def plain_phrase(text: str) -> str:
    """An expression as it goes behind "every": without a leading article and what ends a sentence.

    Example:
        >>> plain_phrase("The white ship on the left. "), plain_phrase("a"), plain_phrase("P-51 parked")
        ('white ship on the left', 'a', 'P-51 parked')
    """
    words = " ".join(text.split()).rstrip(" .!?;,")
    return _ARTICLE.sub("", words, count=1) if _ARTICLE.match(words) else words


def scene_group(record: Record) -> str:
    """Scenes of one dataset have one list of classes; GeoChat-Bench holds several datasets.

    Returns:
        the beginning of the leakage family ("aid").
    """
    return record.family.split(":")[0]


def _whole(sheet: Sheet) -> tuple[int, int, int, int]:
    return (0, 0, *sheet.size_wh)


def _seen(sheet: Sheet, said: Said) -> list[Seen]:
    """The things that a text speaks of; raises NotTold where one is missing or outside the image."""
    by_id = {thing.id: thing for thing in sheet.record.things}
    things = [by_id[id] for id in said.things if id in by_id]
    if len(things) < len(said.things):
        raise NotTold("object that is not annotated")
    cutter = Cutter(things, sheet.size_wh)
    if cutter.outside:
        raise NotTold("object outside its image")
    return cutter.seen(_whole(sheet))


def _referred(sheet: Sheet, said: Said) -> Iterator[Instruction]:
    phrase, maker, window = plain_phrase(said.text), sheet.maker, _whole(sheet)
    if _OWN_BOXES.search(phrase):
        maker.drop("rec", "expression with boxes in the dataset's own writing")
        return
    try:
        seen = _seen(sheet, said)
        masks = [] if said.mask is None else patches(said.mask)[0]
    except NotTold as error:
        maker.drop("rec", str(error))
        return
    if max(len(seen), len(masks)) > maker.options.most:
        maker.drop("rec" if seen else "res", f"expression for more than {maker.options.most} regions")
        return
    if not seen and not masks:
        maker.drop("rec", "expression for nothing that is annotated")
    if seen and maker.wants("rec"):
        yield from sheet.make("rec", said.id, window, phrase=phrase, regions=_sorted(oriented(e, window) for e in seen))
    if maker.wants("res"):
        count = maker.options.key_points
        if masks:
            regions = _sorted(box_of_mask(mask, count) for mask in masks)
            yield from sheet.make("res", said.id, window, phrase=phrase, regions=regions)
        elif seen and all(has_outline(sheet, each) for each in seen):
            try:
                regions = _sorted(boxed_with_points(each, window, count) for each in seen)
            except NotTold as error:
                maker.drop("res", str(error))
                return
            yield from sheet.make("res", said.id, window, phrase=phrase, regions=regions)


def _phrases(sheet: Sheet) -> Iterator[Instruction]:
    """Phrases of a grounded description (GeoPixelD): each that stands for one mask alone."""
    named = [thing for thing in sheet.record.things if "phrase" in thing.attributes and thing.mask is not None]
    if not named or not sheet.maker.wants("res"):
        return
    of_phrase: dict[str, list[Thing]] = {}
    for thing in named:
        of_phrase.setdefault(plain_phrase(thing.label), []).append(thing)
    for phrase, things in of_phrase.items():
        masks = _parts(things[0])
        if things[0].attributes.get("shape") in _FILLED:
            sheet.maker.drop("res", "phrase whose mask is a filled box")
        elif len(things) > 1 or not phrase:
            sheet.maker.drop("res", "phrase that stands for several masks" if phrase else "mask without phrase")
        elif len(masks) > sheet.maker.options.most:
            sheet.maker.drop("res", f"expression for more than {sheet.maker.options.most} regions")
        else:
            regions = _sorted(box_of_mask(mask, sheet.maker.options.key_points) for mask in masks)
            yield from sheet.make("res", f"phrase-{things[0].id}", _whole(sheet), phrase=phrase, regions=regions)


def _parts(thing: Thing) -> list[Mask]:
    """The mask of a thing that was drawn in one piece, else its connected patches."""
    assert thing.mask is not None
    return [thing.mask] if thing.attributes.get("parts", "1") == "1" else patches(thing.mask)[0]


def _sorted(regions: Iterator[Marked]) -> tuple[Marked, ...]:
    return in_reading_order(list(regions))


def _region(sheet: Sheet, said: Said) -> Iterator[Instruction]:
    try:
        seen = _seen(sheet, said)
    except NotTold as error:
        sheet.maker.drop("region", str(error))
        return
    if len(seen) != 1:
        sheet.maker.drop("region", f"caption of {'several regions' if seen else 'no region'}")
        return
    if _unreadable(sheet, "region", said.text):
        return
    region = oriented(seen[0], _whole(sheet)).model_copy(update={"rle": None})
    yield from sheet.make("region", said.id, _whole(sheet), regions=(region,), reply=said.text)


def _caption(sheet: Sheet, said: Said) -> Iterator[Instruction]:
    text = without_tags(said.text) if phrases(said.text) else said.text
    if sheet.maker.wants("caption") and not _unreadable(sheet, "caption", text):
        yield from sheet.make("caption", said.id, _whole(sheet), reply=text)
    if sheet.maker.wants("gcg") and phrases(said.text):
        yield from _grounded(sheet, said)


def _grounded(sheet: Sheet, said: Said) -> Iterator[Instruction]:
    """The caption with the box and key points of each patch behind each phrase."""
    by_id = {thing.id: thing for thing in sheet.record.things}
    things = [by_id[id] for id in said.things if id in by_id]
    tagged, told = told_phrases(said.text), phrases(said.text)
    masked = [thing for thing in things if thing.mask is not None and thing.mask.area_px]
    if not all(told) or len(masked) != len(told) or not is_tagged(tagged):
        sheet.maker.drop("gcg", "caption with a phrase that has no words or no mask, or with brackets")
    elif any(thing.attributes.get("shape") in _FILLED for thing in things):
        sheet.maker.drop("gcg", "phrase whose mask is a filled box")
    else:
        count = sheet.maker.options.key_points
        groups = [_sorted(box_of_mask(mask, count, thing.label) for mask in _parts(thing)) for thing in things]
        regions = tuple(region for group in groups for region in group)
        if len(regions) > sheet.maker.options.most:
            sheet.maker.drop("gcg", f"caption for more than {sheet.maker.options.most} regions")
            return
        counts = tuple(map(len, groups))
        yield from sheet.make("gcg", said.id, _whole(sheet), reply=tagged, regions=regions, grounded=counts, asked="keypoints")  # fmt: skip  # noqa: E501


def told_phrases(description: str) -> str:
    """GeoPixelD's description with tags round the phrases alone, which lose their running numbers.

    A tag without a [SEG] of its own is no phrase that is shown.

    Example:
        >>> told_phrases("The <p> tennis court-1 </p> [SEG] , left of <p> a-2 </p> and <p>two cars-3</p> [SEG] .")
        'The <p>tennis court</p>, left of a-2 and <p>two cars</p>.'
    """
    shown = _SHOWN.sub(lambda match: f"\0{without_number(' '.join(match[1].split()))}\1", description)
    return without_tags(shown).replace("\0", "<p>").replace("\1", "</p>")


def _question(sheet: Sheet, said: Said) -> Iterator[Instruction]:
    if said.answer is None:
        sheet.maker.drop("vqa", "question without answer")
    elif said.things or said.type.startswith("detection") or _OWN_BOXES.search(said.text + said.answer):
        sheet.maker.drop("vqa", "question or answer with boxes in the dataset's own writing")
    else:
        yield from sheet.make("vqa", said.id, _whole(sheet), phrase=said.text, reply=said.answer)


def _scene(sheet: Sheet, said: Said) -> Iterator[Instruction]:
    choices: Sequence[str] = sheet.maker.choices().get(scene_group(sheet.record), ())
    if said.answer is None or len(choices) < 2:
        sheet.maker.drop("scene", "scene without class" if said.answer is None else "dataset of a single class")
        return
    yield from sheet.make("scene", said.id, _whole(sheet), reply=said.answer, choices=tuple(choices))


def _unreadable(sheet: Sheet, task: str, text: str) -> bool:
    if _OWN_BOXES.search(text):
        sheet.maker.drop(task, "text with boxes in the dataset's own writing")
        return True
    return False
