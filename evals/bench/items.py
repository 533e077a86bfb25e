"""An item of a benchmark, and the file that holds them. Plain data, one JSON object a line; the first is the header.

`Item` is of the conditional benchmarks. GeoRSMLLM section II-C names their tasks (conditional referring comprehension
CREC, segmentation CRES, referring change detection RCD). Its truth is a condition tree, not a text, and it is admitted
only when the tree is true or false of every object.

`FieldItem` is of the tasks that the field publishes: one expression, question, caption or class of scene with what a
dataset says is right. It is as good as its dataset: nothing of it is checked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from ...core.conditions import Node, Request
from ...core.errors import UsageError
from ...core.plan import describe_faults
from .writing import write_whole

SCHEMA_VERSION = 1
Task = Literal["CREC", "CRES", "RCD"]
FieldTask = Literal["REC", "RES", "GCG", "VQA", "CAPTION", "SCENE"]
FIELD_TASKS: tuple[str, ...] = get_args(FieldTask)


class Image(Node):
    """Which pixels are looked at.

    Attributes:
        path: of the file, relative to the benchmark's data root.
        size_wh: of the crop, px.
        crop_xyxy: x0, y0, x1, y1 in the file's px; None for the whole file. All coordinates of the item are in px of
            the crop.
        family: leakage family.
        gsd_m: ground sample distance; None where not known, and where it is not to be used.
        source: dataset.
    """

    path: str = Field(min_length=1)
    size_wh: tuple[int, int]
    crop_xyxy: tuple[int, int, int, int] | None = None
    family: str = Field(min_length=1)
    gsd_m: float | None = None
    source: str = ""


class Truth(Node):
    """One object of the scene, px of the crop.

    Attributes:
        id: unique in the item.
        label: class.
        hbb: x0, y0, x1, y1.
        obb: four corners, canonical; None where only upright boxes are annotated.
        rle: COCO run-length encoding; None without masks.
    """

    id: str
    label: str
    hbb: tuple[float, float, float, float]
    obb: tuple[tuple[float, float], ...] | None = None
    rle: dict[str, Any] | None = None


class Made(Node):
    """Where an item comes from.

    Attributes:
        version: of the builder.
        seed: of the build.
        template: of the expression.
    """

    version: int
    seed: int
    template: str = ""


class Item(Node):
    """One question with its truth.

    Attributes:
        id: unique in the file.
        task: "CREC" (boxes), "CRES" (masks), "RCD" (changed pixels).
        image: the scene; for RCD the earlier one.
        after: the later scene of RCD.
        expression: the question as asked.
        paraphrases: other wordings; each parses to the same tree.
        request: the condition tree, which is the truth.
        sub_instructions: the steps in words, one condition each.
        objects: all objects that play a part: the head class, references, ignored ones.
        answer_ids: those that are right; empty for a zero-match item.
        universe_ids: those of the head class that are judged.
        ignored_ids: too small, cut or difficult: a prediction on one counts neither way.
        asked_rle: RCD: the pixels of the asked region; None for the whole scene.
        answer_rle: RCD: the pixels that changed and are asked for.
        tags: kinds of conditions and the like, for tables: "P1", "R3", "hops:2", "answers:1".
        twin: id of the item with the other truth (positive and zero-match); None without one.
        distractors: how many of the same class are wrong, and how many answers each condition removes.
        made: by what.
    """

    id: str = Field(min_length=1)
    task: Task
    image: Image
    after: Image | None = None
    expression: str = Field(min_length=1)
    paraphrases: tuple[str, ...] = ()
    request: Request
    sub_instructions: tuple[str, ...] = ()
    objects: tuple[Truth, ...] = ()
    answer_ids: tuple[str, ...] = ()
    universe_ids: tuple[str, ...] = ()
    ignored_ids: tuple[str, ...] = ()
    asked_rle: dict[str, Any] | None = None
    answer_rle: dict[str, Any] | None = None
    tags: tuple[str, ...] = ()
    twin: str | None = None
    distractors: dict[str, int] = Field(default_factory=dict)
    made: Made

    @property
    def is_zero_match(self) -> bool:
        """Whether nothing is right."""
        return not self.answer_ids and self.answer_rle is None

    @property
    def answers(self) -> tuple[Truth, ...]:
        """The objects that are right, in the order of `answer_ids`."""
        by_id = {each.id: each for each in self.objects}
        return tuple(by_id[each] for each in self.answer_ids)


class FieldItem(Node):
    """One question as the field asks it, with what its dataset says is right.

    Attributes:
        id: unique in the file.
        task: "REC" (one box), "RES" (a mask), "GCG" (a caption whose phrases have masks), "VQA", "CAPTION", "SCENE".
        image: the scene; for captions of changes the earlier one.
        after: the later scene of a pair.
        text: the expression or the question; "" where the task alone says what is asked.
        type: of a question, as it is scored ("presence"); of others as the dataset calls it.
        answers: right texts: one for VQA, SCENE (the class) and GCG (the caption), all references for CAPTION.
        objects: REC: what the expression names, mostly one. RES: likewise, where single things are masked.
        rle: RES: the right pixels.
        ignored_rle: RES: pixels that are not annotated and count neither way.
        phrases: GCG: right phrases, in the caption's order.
        masks: GCG: the pixels of each phrase.
        options: SCENE: the classes to choose from. In a file they stand once, in the header.
        is_unique: REC: the only object of its class (VRSBench); None where the dataset does not say.
        group: the question that this is one rotation of (FIT-RSRC); None for all others.
        split: as published.
        tags: for tables: "split:test", "ambiguous", "image-disjoint", "type:count".
    """

    id: str = Field(min_length=1)
    task: FieldTask
    image: Image
    after: Image | None = None
    text: str = ""
    type: str = ""
    answers: tuple[str, ...] = ()
    objects: tuple[Truth, ...] = ()
    rle: dict[str, Any] | None = None
    ignored_rle: dict[str, Any] | None = None
    phrases: tuple[str, ...] = ()
    masks: tuple[dict[str, Any], ...] = ()
    options: tuple[str, ...] = ()
    is_unique: bool | None = None
    group: str | None = None
    split: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What kind of images it is on, such as "aid" or "dior": the first part of the leakage family."""
        return self.image.family.partition(":")[0]


AnyItem = Item | FieldItem
_ANY: TypeAdapter[AnyItem] = TypeAdapter(Annotated[AnyItem, Field(discriminator="task")])


class Header(Node):
    """What the file is: its own provenance.

    Attributes:
        schema_version: of this file's format.
        task: of all items.
        command: that made it.
        seed: of the build.
        sources: dataset -> licence.
        admitted: how many items there are.
        rejected: reason -> how many candidates were not admitted.
        surveyor: version of the program.
        options: SCENE: kind of images -> classes to choose from; see `FieldItem.kind`.
    """

    schema_version: int = SCHEMA_VERSION
    task: Task | FieldTask
    command: str
    seed: int
    sources: dict[str, str]
    admitted: int
    rejected: dict[str, int] = Field(default_factory=dict)
    surveyor: str = ""
    options: dict[str, tuple[str, ...]] = Field(default_factory=dict)


def write_items(path: str | Path, header: Header, items: Iterable[AnyItem]) -> None:
    """Writes the file: the header, then one item a line. It is there as a whole or not at all.

    Args:
        path: of the file; its folder exists.
        header: its `admitted` is how many items there are.
        items: any number of them; they are written as they come.
    """
    lines = chain((header_line(header),), (item_line(item, header.options) for item in items))
    write_whole(path, (line.encode() for line in lines))


def header_line(header: Header) -> str:
    """The first line of a file."""
    left_out = set() if header.options else {"options"}  # files of the other tasks stay as they were
    return json.dumps({"header": header.model_dump(mode="json", exclude=left_out)}, ensure_ascii=False) + "\n"


def item_line(item: AnyItem, options: Mapping[str, tuple[str, ...]] = MappingProxyType({})) -> str:
    """The line of an item; classes to choose from that the header tells are not told again."""
    if isinstance(item, FieldItem):
        told = {"options"} if options.get(item.kind) == item.options else set()
        return item.model_dump_json(exclude_defaults=True, exclude=told) + "\n"
    return item.model_dump_json(exclude_none=True) + "\n"


def item_from_json(text: str) -> AnyItem:
    """An item alone, of the type that its task says. Raises pydantic's ValidationError."""
    return _ANY.validate_json(text)


def line_faults(error: ValidationError) -> str:
    """What is wrong with a line of JSON that was read."""
    if error.errors()[0]["type"] == "json_invalid":
        return "no whole JSON object stands there"
    return describe_faults(error)


def read_header(path: str | Path) -> Header:
    """The first line of an items file. Raises UsageError where it is none."""
    for number, line in _lines(path):
        return _header(path, number, line)
    raise UsageError(f"{str(path)!r} is empty; expected an items file of surveyor bench build")


def read_items(path: str | Path) -> Iterator[Any]:
    """The items of a file, one by one: `FieldItem` where the header's task is one of `FIELD_TASKS`, else `Item`.

    Raises:
        UsageError: a missing or damaged file; says which line and what is wrong. Behind the last item: when there are
            fewer, or more, than the header says.
    """
    lines = _lines(path)
    for number, line in lines:
        header = _header(path, number, line)
        break
    else:
        raise UsageError(f"{str(path)!r} is empty; expected an items file of surveyor bench build")
    options, kind = header.options, FieldItem if header.task in FIELD_TASKS else Item
    seen: set[str] = set()
    for number, line in lines:
        try:
            item = kind.model_validate_json(line)
        except ValidationError as error:
            raise UsageError(f"{str(path)!r} is damaged at line {number}: {line_faults(error)}") from None
        if item.id in seen:
            raise UsageError(f"{str(path)!r} is damaged at line {number}: a second item is called {item.id!r}")
        seen.add(item.id)
        if isinstance(item, FieldItem) and not item.options and item.kind in options:
            item = item.model_copy(update={"options": options[item.kind]})
        yield item
    if len(seen) != header.admitted:
        raise UsageError(f"{str(path)!r} is damaged: it has {len(seen):,} of {header.admitted:,} items; build it again")


def images_root(
    given: str | Path | None, items_path: str | Path, images: Collection[str], *, first: Iterable[str | Path] = ()
) -> Path:
    """The folder that the images' paths are relative to.

    Args:
        given: by the user; None tries `first`, then the items' folder, then the working one.
        items_path: the items file.
        images: paths as the items have them; any one of them tells the folder.
        first: folders that are tried before the items' own, such as that of an earlier run.

    Raises:
        UsageError: none of the images is there.
    """
    places = [Path(given)] if given is not None else [*map(Path, first), Path(items_path).parent, Path()]
    for place in places:
        if not images or any((place / image).is_file() for image in images):
            return place
    tried = " and ".join(dict.fromkeys(repr(str(place.resolve())) for place in places))
    raise UsageError(f"none of the items' images is in {tried}, such as {next(iter(images))!r}; give their folder with --data")  # fmt: skip  # noqa: E501


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    try:
        with Path(path).open(encoding="utf-8") as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    except OSError as error:
        raise UsageError(f"cannot read the items {str(path)!r}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{str(path)!r} is no items file: it is not text") from None


def _header(path: str | Path, number: int, line: str) -> Header:
    try:
        data = json.loads(line)
        header = Header.model_validate(data["header"])
    except (ValueError, KeyError, TypeError) as error:
        told = describe_faults(error) if isinstance(error, ValidationError) else str(error)
        raise UsageError(f"{str(path)!r} has no header at line {number} ({told}); expected an items file") from None
    if header.schema_version != SCHEMA_VERSION:
        raise UsageError(f"{str(path)!r} has format {header.schema_version}, this program reads {SCHEMA_VERSION}; build it again")  # fmt: skip  # noqa: E501
    return header
