"""A question put together in Python: sets, conditions and outputs as handles, checked as they are built.

The builder makes the same typed tree (`core.conditions`) and the same plan that the parser and planner make for the
request in words; the only thing that words cannot say is a step of a tool of one's own.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..core.boxes import box_phrase
from ..core.changes import ANY_CHANGE, of_changed
from ..core.conditions import Node, Output, Request, Selection, walk
from ..core.errors import UsageError
from ..core.plan import Plan
from ..core.plan_views import mermaid, steps_html
from ..core.wording import words
from ..tools.custom import ToolLike, tool_of
from ..tools.registry import Tool
from ..tools.toolbox import Toolbox
from . import builder_terms as terms
from .builder_outputs import Asking, Wanted
from .builder_plan import Call, CallingDraft, GraphRecord, instruction_of
from .builder_sets import RegionSet
from .builder_values import shown, some_text, whole
from .class_names import adopt_class_names
from .parser import parse

if TYPE_CHECKING:
    from .answer import Answer
    from .run import ImageLike


class Graph(Asking):
    """A question put together step by step.

    Args:
        tools: tools of your own: functions decorated with `surveyor.tool`. They are known to this graph alone.

    Example:
        >>> from surveyor import Graph, plan
        >>> g = Graph()
        >>> planes, river = g.ground("plane"), g.the("river")
        >>> g.answer(g.segment(planes.side_of(river, "east").where("length > 40 m")))
        Graph('segment all planes on the east side of the river and longer than 40 m')
        >>> g.plan() == plan(g.words)
        True
    """

    def __init__(self, *, tools: Iterable[ToolLike] = ()) -> None:
        self.toolbox = Toolbox.of(tools)
        self.calls: dict[str, Call] = {}
        self.outputs: tuple[Output | str, ...] = ()

    # ---- sets ----

    def ground(self, *phrases: str) -> RegionSet:
        """Everything of a class, or of one of several: `g.ground("plane")`, `g.ground("plane", "ship")`.

        Which classes there are is the model's to say, so an unknown one is an error of `run`.

        Example:
            >>> Graph().ground("Storage Tanks", "ship").words
            'storage tanks and ships'
        """
        if not phrases:
            raise UsageError("ground needs at least one class name, such as 'plane'")
        return RegionSet(self, Selection(phrases=tuple(dict.fromkeys(map(terms.class_name, phrases)))))

    def changes(self, *things: str) -> RegionSet:
        """What changed between two dates: `g.changes("building")`; without names, changes of any kind.

        Run it on two images: `g.answer(...).run(before, after=later)`.

        Example:
            >>> Graph().changes("building").changed("new").near("road").words
            'new buildings near roads'
        """
        return (
            self.ground(*(of_changed(terms.class_name(thing)) for thing in things))
            if things
            else self.ground(ANY_CHANGE)
        )

    def the(self, phrase: str, count: int = 1) -> RegionSet:
        """As `ground`, with a promise of how many there are: `g.the("river")`, `g.the("storage tank", 2)`.

        Example:
            >>> Graph().the("river").words
            'the river'
        """
        expected = whole(count, "how many there are", "g.the('storage tank', 2)")
        return RegionSet(self, Selection(phrases=(terms.class_name(phrase),), expected=expected))

    def find(self, text: str) -> RegionSet:
        """A set in words: `g.find("the two largest ships in the harbour")`.

        Raises:
            QueryError: words that are not understood; `pointer()` shows them.

        Example:
            >>> Graph().find("the building nearest to the bridge").selection.picks[0].by
            'distance'
        """
        return RegionSet(self, terms.set_in_words(text))

    def box(self, x0: float, y0: float, x1: float, y1: float) -> RegionSet:
        """A box that you point at, in pixels of the scene: `g.ground("plane").near(g.box(100, 200, 300, 400))`.

        Example:
            >>> Graph().box(100, 200, 300, 400).words
            'the [100 200 300 400] box'
        """
        corners = (x0, y0, x1, y1)
        numeric = all(isinstance(each, numbers.Real) and not isinstance(each, bool) for each in corners)
        if not numeric or not all(map(math.isfinite, corners)) or not (x0 < x1 and y0 < y1):
            raise UsageError(f"a box is four numbers in pixels, x0 < x1 and y0 < y1, not {shown(corners)}")
        return RegionSet(self, Selection(phrases=(box_phrase((x0, y0, x1, y1)),), expected=1))

    def use(
        self, tool: str | ToolLike, *sets: RegionSet | str, name: str = "", instruction: str = "", **arguments: Any
    ) -> RegionSet:
        """The set that a tool makes, to go on with: `g.use(isolated, planes, gap_m=30)`.

        Args:
            tool: a tool that gives a `CandidateSet`: its name, or the function (which this graph then knows).
            sets: its inputs, in the order of the function's parameters; they may also be given by name.
            name: what one of its regions is called in the words of later steps; the tool's name when not given.
            instruction: what the step does, in the plan and the trace.
            arguments: its literals.

        Raises:
            UsageError: no such tool, inputs or arguments that don't fit, or it gives no set.
        """
        made = self._call(tool, sets, name, instruction, arguments)
        if made[1].gives != "CandidateSet":
            raise UsageError(f"{made[1].name!r} gives {made[1].gives}, not a set; say g.answer(g.compute(...))")
        return RegionSet(self, Selection(phrases=(made[0],)))

    def compute(
        self, tool: str | ToolLike, *sets: RegionSet | str, name: str = "", instruction: str = "", **arguments: Any
    ) -> Wanted:
        """What a tool makes, as something to ask for: `g.answer(g.compute(seats, planes))`. Arguments as in `use`."""
        return Wanted(self, self._call(tool, sets, name, instruction, arguments)[0])

    # ---- outputs ----

    def answer(self, *wanted: Wanted | RegionSet) -> Graph:
        """Sets what is asked for: one thing or several; a set alone is detected. Called again, it replaces.

        Example:
            >>> g = Graph()
            >>> tanks = g.ground("storage tank")
            >>> g.answer(g.count(tanks), g.segment(tanks.largest()))
            Graph('count all storage tanks; segment the largest storage tank')
        """
        if not wanted:
            raise UsageError("answer needs at least one thing to ask for, e.g. g.answer(g.count(planes))")
        outputs = []
        for each in wanted:
            if not isinstance(each, Wanted | RegionSet):
                raise UsageError(f"answer takes sets and g.count(...), g.segment(...) and the like, not {shown(each)}")
            self.check_same(each)
            outputs.append(self.detect(each).output if isinstance(each, RegionSet) else each.output)
        self.outputs = tuple(dict.fromkeys(outputs))
        return self

    # ---- what it amounts to ----

    @property
    def words(self) -> str:
        """The request in the canonical English."""
        return "; ".join(self.words_of(output) for output in self._asked())

    @property
    def request(self) -> Request | None:
        """The typed tree; None where a tool of one's own is part of it, which no tree can say."""
        outputs = [output for output in self._asked() if isinstance(output, Output)]
        alone = len(outputs) == len(self.outputs) and not any(self._calls_in(output) for output in outputs)
        return Request(outputs=tuple(outputs)) if alone else None

    def plan(self, classes: Iterable[str] | None = None) -> Plan:
        """The plan: what the planner makes for the same request in words, whose words it holds as its query.

        Args:
            classes: the grounder's class names, as `run` knows them: "large" + "vehicle" becomes the class of that name
                where there is one. None leaves the words as they are.

        Raises:
            UsageError: nothing is asked for yet.
        """
        draft = CallingDraft(self.calls, None if classes is None else tuple(classes))
        outputs = tuple(draft.asked(output) for output in self._asked())
        made = Plan(query=self.words, steps=tuple(draft.steps), outputs=outputs)
        made.levels()
        return made

    def run(self, image: ImageLike, **options: Any) -> Answer:
        """The answer for one image.

        Args:
            image: path, `Scene` or RGB array; the earlier one of two, with the option `after`.
            options: as in `surveyor.ask`: models, after, gsd, out, bands, max_seconds, watch, progress and so on.

        Example:
            >>> import surveyor
            >>> scene = surveyor.draw_scene("harbour", seed=3)
            >>> g = surveyor.Graph()
            >>> g.answer(g.count("ships")).run(scene.image_rgb).count >= 0
            True
        """
        from ..tools.models.spec import Models, load_models
        from .run import run

        models = options.pop("models", None)
        loaded = models if isinstance(models, Models) else load_models(models)
        classes, request = loaded.grounder.knows(), self.request
        request = None if request is None else adopt_class_names(request, classes)
        tools = self.toolbox.given
        return run(self.plan(classes), image, models=loaded, tools=tools, request=request, **options)

    def draw(self) -> str:
        """The steps as a flowchart in Mermaid's language.

        Example:
            >>> g = Graph()
            >>> print(g.answer(g.count("planes")).draw().splitlines()[0])
            flowchart TD
        """
        return mermaid(self.plan())

    def to_yaml(self) -> str:
        """The question as YAML, to keep or to edit; `from_yaml` reads it back.

        Example:
            >>> g = Graph()
            >>> text = g.answer(g.count(g.ground("plane").where("length > 40 m"))).to_yaml()
            >>> Graph.from_yaml(text).plan() == g.plan()
            True
        """
        return GraphRecord(calls=self.calls, outputs=self._asked()).to_yaml()

    @classmethod
    def from_yaml(cls, text: str, *, tools: Iterable[ToolLike] = ()) -> Graph:
        """The question that `to_yaml` wrote. Raises UsageError that lists every fault."""
        record = GraphRecord.from_yaml(text)
        made = cls(tools=tools)
        for call in record.calls.values():
            made.toolbox(call.tool).checked(call.inputs, call.args)
        made.calls, made.outputs = dict(record.calls), record.outputs
        return made

    @classmethod
    def from_words(cls, query: str, *, tools: Iterable[ToolLike] = ()) -> Graph:
        """The question that a query asks, to go on from.

        Raises:
            QueryError: words that are not understood.

        Example:
            >>> Graph.from_words("how many ships are in the harbour?")
            Graph('count all ships inside the harbour')
        """
        made = cls(tools=tools)
        made.outputs = parse(some_text(query, "a query", "planes longer than 40 m")).outputs
        return made

    # ---- inside ----

    def check_same(self, other: RegionSet | Wanted) -> None:
        """Raises UsageError when a handle of another graph brings a tool that this one doesn't know."""
        if other.graph is not self and any(self.calls.get(name) != call for name, call in other.graph.calls.items()):
            raise UsageError(
                f"{other!r} is of another Graph, whose tools this one does not know; make it with this one"
            )

    def check_grounded(self, found: RegionSet) -> None:
        """Raises UsageError for a set that a tool makes: it has no class names to make a union of."""
        made = [phrase for phrase in found.selection.phrases if phrase in self.calls]
        if made:
            raise UsageError(f"{made[0]!r} comes from a tool, and a union needs class names; answer each by itself")

    def preview(self, found: RegionSet) -> str:
        """HTML of the steps that find a set."""
        draft = CallingDraft(self.calls, None)
        last = draft.selection(found.selection)
        return steps_html(Plan(query=found.words, steps=tuple(draft.steps), outputs=(last,)))

    def words_of(self, output: Output | str) -> str:
        """One output in words."""
        return words(output) if isinstance(output, Output) else self.calls[output].instruction

    def __repr__(self) -> str:
        return f"Graph({self.words if self.outputs else 'nothing asked for yet'!r})"

    def _repr_html_(self) -> str:
        return steps_html(self.plan()) if self.outputs else "<p>nothing asked for yet: g.answer(...)</p>"

    def _asked(self) -> tuple[Output | str, ...]:
        if not self.outputs:
            raise UsageError("nothing is asked for yet; say e.g. g.answer(g.count(planes))")
        return self.outputs

    def _selection(self, target: RegionSet | str) -> Selection:
        if isinstance(target, str):
            return terms.set_in_words(target)
        if not isinstance(target, RegionSet):
            raise UsageError(f"a set is made by g.ground('plane') or said in words, not {shown(target)}")
        self.check_same(target)
        return target.selection

    def _calls_in(self, node: Node) -> bool:
        return any(isinstance(each, Selection) and each.phrases[0] in self.calls for each in walk(node))

    def _call(
        self,
        tool: str | ToolLike,
        sets: tuple[RegionSet | str, ...],
        name: str,
        instruction: str,
        arguments: Mapping[str, Any],
    ) -> tuple[str, Tool]:
        """Checks a call and keeps it under a name; returns the name and the tool."""
        instruction = some_text(instruction, "an instruction", "keep those in the shade")
        if not isinstance(tool, str):
            self.toolbox = Toolbox.of((*self.toolbox.given, tool))
        found = self.toolbox(tool if isinstance(tool, str) else tool_of(tool).name)
        if found.references:
            raise UsageError(f"{found.name!r} is what .where(...) and the ranks of a set make; use those")
        if len(sets) > len(found.inputs):
            takes = "1 set" if len(found.inputs) == 1 else f"{len(found.inputs)} sets"
            raise UsageError(f"the tool {found.name!r} takes {takes}, not {len(sets)}")
        inputs = dict(zip(found.inputs, map(self._selection, sets), strict=False))
        given = {key: value for key, value in arguments.items() if key in found.inputs}
        twice = sorted(set(inputs) & set(given))
        if twice:
            raise UsageError(f"the tool {found.name!r} gets {twice[0]!r} twice")
        inputs |= {key: self._selection(value) for key, value in given.items()}
        literals = {key: value for key, value in arguments.items() if key not in found.inputs}
        args = found.checked(inputs, literals).model_dump(mode="json", exclude_unset=True)
        call = Call(
            tool=found.name, inputs=inputs, args=args, instruction=instruction or instruction_of(found, inputs, args)
        )
        return self._kept(name or re.sub(r"[_-]+", " ", found.name), call), found

    def _kept(self, name: str, call: Call) -> str:
        plain = terms.plain_name(name)
        free, number = plain, 1
        while self.calls.get(free, call) != call:
            number += 1
            free = f"{plain} no {number}"
        self.calls[free] = call
        return free
