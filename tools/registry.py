"""The tools a plan can name. A tool is a plain function elsewhere; here it gets a name, typed arguments and inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..core.conditions import Attribute, Comparison, Condition, CountTest, Pick, Summary, Unit
from ..core.errors import UsageError
from ..core.plan import describe_faults
from ..core.protocols import Describer, Grounder, Segmenter
from ..core.regions import CandidateSet
from .bands import CRISP, Bands
from .values import Value

if TYPE_CHECKING:
    from ..core.scene import Scene


@dataclass(frozen=True)
class Context:
    """What a run offers to its tools."""

    scene: Scene
    grounder: Grounder
    segmenter: Segmenter
    bands: Bands = CRISP
    describer: Describer | None = None


class Arguments(BaseModel):
    """Base of every tool's arguments: plain data, a key that isn't known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoArguments(Arguments):
    """For tools that need their inputs only."""


class GroundArguments(Arguments):
    """What to look for; several phrases form a union."""

    phrases: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)


class VerifyArguments(GroundArguments):
    """What the regions were found as; several phrases form a union."""


class SelectArguments(Arguments):
    """The condition to judge."""

    condition: Condition


class PickArguments(Arguments):
    """The ranks to take."""

    pick: Pick


class ChooseArguments(Arguments):
    """The words that speak of one thing, which one it is when that was answered, and what to do when it was not."""

    what: str = Field(min_length=1)
    answer: str | None = None
    otherwise: Literal["ask", "error"] = "ask"


class MeasureArguments(Arguments):
    """What to measure, and the unit asked for (None: metres when known, else pixels)."""

    attribute: Attribute
    unit: Unit | None = None
    summary: Summary | None = None


class GivenArguments(Arguments):
    """Boxes that a person points at: id -> x0, y0, x1, y1 in pixels."""

    boxes: dict[str, tuple[float, float, float, float]] = Field(min_length=1)


class DistanceArguments(Arguments):
    """The unit asked for (None: metres when known, else pixels), and the one number for the set, if any."""

    unit: Unit | None = None
    summary: Summary | None = None


class JudgeArguments(Arguments):
    """The condition in words, as it would stand behind "those that are"."""

    condition: str = Field(min_length=1)


class QuestionArguments(Arguments):
    """The question."""

    question: str = Field(min_length=1)


class ClassesArguments(Arguments):
    """The classes to choose from."""

    classes: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=2)


class CountArguments(Arguments):
    """Whether groups or rows are counted instead of regions."""

    per: Literal["group", "row"] | None = None


class DifferenceArguments(Arguments):
    """What both sets are called."""

    names: tuple[str, str]


class CheckArguments(Arguments):
    """The test of how many, and the words of the conditions that the question is about (the others are taken for
    granted)."""

    test: CountTest
    asked: tuple[str, ...] = ()


class CompareArguments(Arguments):
    """Which way `a` is compared with `factor` times `b`."""

    op: Comparison
    factor: float = 1.0


Inputs = Mapping[str, Value]


@dataclass(frozen=True)
class Tool:
    """A tool as the graph sees it.

    Args:
        name: what a plan calls it.
        inputs: names of the inputs it must get, each a candidate set.
        args: pydantic model of the arguments.
        run: (context, inputs, args) -> value; use `call`, which checks first.
        doc: one sentence for a person.
        gives: the type that comes back, by name.
        references: whether it takes further inputs: candidate sets of references, named by the references' words.
        about: the whole help text, where there is more than `doc`.
        origin: where it comes from: "surveyor", or the user's function with a digest of its source.
    """

    name: str
    inputs: tuple[str, ...]
    args: type[Arguments]
    run: Callable[[Context, Inputs, Any], Value]
    doc: str
    gives: Literal["CandidateSet", "Count", "Truth", "Measurements", "Text"]
    references: bool = False
    about: str = ""
    origin: str = "surveyor"

    def checked(self, inputs: Mapping[str, object], args: Mapping[str, Any]) -> Arguments:
        """The typed arguments. For a plan that has not run, `inputs` may map to anything (step ids).

        Raises:
            UsageError: lists every fault of names and arguments.
        """
        faults = [f"it needs the input {name!r}" for name in self.inputs if name not in inputs]
        if not self.references:
            faults += [f"it takes no input {name!r}" for name in inputs if name not in self.inputs]
        parsed = None
        try:
            parsed = self.args.model_validate(dict(args))
        except ValidationError as error:
            faults.append(describe_faults(error))
        if self.references and parsed is not None:
            faults += [
                f"it needs the input {name!r}, the regions that its condition refers to"
                for name in _references(parsed)
                if name not in inputs
            ]
        if faults or parsed is None:
            raise UsageError(f"the tool {self.name!r} cannot run: " + "; ".join(faults))
        return parsed

    def call(self, context: Context, inputs: Inputs, args: Mapping[str, Any]) -> Value:
        """Runs the tool on plain-data arguments. Raises UsageError listing every fault of inputs and arguments."""
        parsed = self.checked(inputs, args)
        wrong = [
            f"the input {name!r} must be a set of candidates, not {type(value).__name__}"
            for name, value in inputs.items()
            if not isinstance(value, CandidateSet)
        ]
        if wrong:
            raise UsageError(f"the tool {self.name!r} cannot run: " + "; ".join(wrong))
        return self.run(context, inputs, parsed)


def _references(args: Arguments) -> tuple[str, ...]:
    from .references import needed_references

    node = getattr(args, "condition", None) or getattr(args, "pick", None)
    return () if node is None else tuple(needed_references(node))


def _candidates(inputs: Inputs, name: str = "candidates") -> CandidateSet:
    value = inputs[name]
    if not isinstance(value, CandidateSet):
        raise UsageError(f"the input {name!r} must be a set of candidates, not {type(value).__name__}")
    return value


def _rest(inputs: Inputs) -> dict[str, CandidateSet]:
    return {name: _candidates(inputs, name) for name in inputs if name != "candidates"}


def _ground(context: Context, inputs: Inputs, args: GroundArguments) -> Value:
    from .ground import ground

    return ground(context.scene, args.phrases, grounder=context.grounder)


def _verify(context: Context, inputs: Inputs, args: VerifyArguments) -> Value:
    from .verify import verify

    if context.describer is None:
        raise UsageError("no describer is there to verify with; name one: --models describer=compact")
    return verify(context.scene, _candidates(inputs), args.phrases, describer=context.describer)


def _segment(context: Context, inputs: Inputs, args: NoArguments) -> Value:
    from .segment import segment

    return segment(context.scene, _candidates(inputs), segmenter=context.segmenter)


def _select(context: Context, inputs: Inputs, args: SelectArguments) -> Value:
    from .select import select

    return select(context.scene, _candidates(inputs), args.condition, _rest(inputs), bands=context.bands)


def _pick(context: Context, inputs: Inputs, args: PickArguments) -> Value:
    from .pick import pick

    return pick(context.scene, _candidates(inputs), args.pick, _rest(inputs), bands=context.bands)


def _choose(context: Context, inputs: Inputs, args: ChooseArguments) -> Value:
    from .choose import choose

    return choose(_candidates(inputs), args.what, answer=args.answer, otherwise=args.otherwise)


def _measure(context: Context, inputs: Inputs, args: MeasureArguments) -> Value:
    from .measure import measure

    return measure(context.scene, _candidates(inputs), args.attribute, args.unit, args.summary)


def _given(context: Context, inputs: Inputs, args: GivenArguments) -> Value:
    from .given import given

    return given(context.scene, args.boxes)


def _distance(context: Context, inputs: Inputs, args: DistanceArguments) -> Value:
    from .measure import distance

    reference = _candidates(inputs, "reference")
    return distance(context.scene, _candidates(inputs), reference, args.unit, args.summary)


def _count(context: Context, inputs: Inputs, args: CountArguments) -> Value:
    from .count import count, count_groups

    candidates = _candidates(inputs)
    return count(candidates) if args.per is None else count_groups(candidates, args.per, context.bands)


def _difference(context: Context, inputs: Inputs, args: DifferenceArguments) -> Value:
    from .count import difference

    return difference(_candidates(inputs, "a"), _candidates(inputs, "b"), args.names)


def _check(context: Context, inputs: Inputs, args: CheckArguments) -> Value:
    from .count import check

    return check(_candidates(inputs), args.test, args.asked)


def _compare(context: Context, inputs: Inputs, args: CompareArguments) -> Value:
    from .count import compare

    return compare(_candidates(inputs, "a"), _candidates(inputs, "b"), args.op, args.factor)


def _describe(context: Context, inputs: Inputs, args: NoArguments) -> Value:
    from .describe import describe

    return describe(context.scene, _candidates(inputs))


def _judge(context: Context, inputs: Inputs, args: JudgeArguments) -> Value:
    from .sight import judge, reader_of

    return judge(context.scene, _candidates(inputs), args.condition, reader=reader_of(context.grounder))


def _answer(context: Context, inputs: Inputs, args: QuestionArguments) -> Value:
    from .sight import answer, reader_of

    return answer(context.scene, args.question, reader=reader_of(context.grounder))


def _caption(context: Context, inputs: Inputs, args: NoArguments) -> Value:
    from .sight import caption, reader_of

    return caption(context.scene, reader=reader_of(context.grounder))


def _classify(context: Context, inputs: Inputs, args: ClassesArguments) -> Value:
    from .sight import classify, reader_of

    return classify(context.scene, args.classes, reader=reader_of(context.grounder))


def _locate(context: Context, inputs: Inputs, args: NoArguments) -> Value:
    from .sight import locate, reader_of

    return locate(context.scene, reader=reader_of(context.grounder))


_SET = ("candidates",)

TOOLS: tuple[Tool, ...] = (
    Tool("ground", (), GroundArguments, _ground, "Finds everything that the phrases name.", "CandidateSet"),
    Tool("given", (), GivenArguments, _given, "Takes boxes that a person points at.", "CandidateSet"),
    Tool("verify", _SET, VerifyArguments, _verify, "Asks what each region is; drops none.", "CandidateSet"),
    Tool("select", _SET, SelectArguments, _select, "Judges one condition on each candidate.", "CandidateSet", True),
    Tool("pick", _SET, PickArguments, _pick, "Takes ranks of the ordered set.", "CandidateSet", True),
    Tool("choose", _SET, ChooseArguments, _choose, "Takes the one that is meant, of several.", "CandidateSet"),
    Tool("segment", _SET, NoArguments, _segment, "Adds masks and outlines to open candidates.", "CandidateSet"),
    Tool("measure", _SET, MeasureArguments, _measure, "Measures an attribute of those that are kept.", "Measurements"),
    Tool(
        "distance",
        (*_SET, "reference"),
        DistanceArguments,
        _distance,
        "Measures how far those that are kept are from the nearest of another set.",
        "Measurements",
    ),
    Tool("count", _SET, CountArguments, _count, "Counts those that are kept.", "Count"),
    Tool("check", _SET, CheckArguments, _check, "Tests how many are kept.", "Truth"),
    Tool("compare", ("a", "b"), CompareArguments, _compare, "Compares how many two sets keep.", "Truth"),
    Tool("difference", ("a", "b"), DifferenceArguments, _difference, "Tells how many two sets keep.", "Text"),
    Tool("describe", _SET, NoArguments, _describe, "Describes those that are kept in words.", "Text"),
    Tool("judge", _SET, JudgeArguments, _judge, "Asks the model which open candidates are so.", "CandidateSet"),
    Tool("answer", (), QuestionArguments, _answer, "Asks the model a question about the scene.", "Text"),
    Tool("caption", (), NoArguments, _caption, "Asks the model to describe the scene.", "Text"),
    Tool("classify", (), ClassesArguments, _classify, "Asks the model which class of scene it is.", "Text"),
    Tool("locate", (), NoArguments, _locate, "Asks the model where on Earth the scene is.", "Text"),
)


def tool_named(name: str) -> Tool:
    """The tool of that name.

    Raises:
        UsageError: there is none; the message lists the names.

    Example:
        >>> tool_named("count").gives
        'Count'
    """
    for tool in TOOLS:
        if tool.name == name:
            return tool
    raise UsageError(f"there is no tool {name!r}; the tools are: {', '.join(tool.name for tool in TOOLS)}")
