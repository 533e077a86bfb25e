"""Every line that an error of the conversation suggests is itself understood."""

from __future__ import annotations

import re

import pytest
from surveyor.agent.chat_commands import COMMANDS
from surveyor.agent.followup import understand
from surveyor.agent.followup_checks import subject_of
from surveyor.agent.followup_mentions import Known, Setting
from surveyor.agent.parser import parse
from surveyor.core.errors import QueryError

KEPT, OTHERS = ("plane-1", "plane-2", "plane-5"), ("plane-3", "plane-4")
LABELS = dict.fromkeys((*KEPT, *OTHERS), "plane") | {"river-1": "river"}


def setting(*queries: str, images: tuple[str, ...] = ("a.jpg", "b.jpg"), current: int = 1) -> Setting:
    turns = []
    for number, query in enumerate(queries, start=1):
        request = parse(query)
        about = subject_of(query, request, parse)
        turns.append(Known(number, 1, request, KEPT, OTHERS, LABELS, None, about, () if about is None else KEPT))
    return Setting(images, current, tuple(turns))


SETTINGS = {
    "nothing": setting(),
    "planes": setting("planes"),
    "long": setting("planes longer than 20 m"),
    "half": setting("how many planes are in the top half?"),
    "red": setting("how many red planes are near the river and inside the harbour?"),
    "check": setting("planes", "are the planes blue?"),
    "two sets": setting("count the tanks and segment the largest ship"),
    "compared": setting("are there more ships than planes?"),
    "elsewhere": setting("planes", current=2),
    "one image": setting("planes", images=("a.jpg",)),
    "three images": setting("planes", images=("a.jpg", "b.jpg", "c.jpg")),
    "picked": setting("the two largest planes", "the largest plane"),
}
LINES = """
and in the bottom half? | what about the bottom half? | in the bottom half | and in the bottom half | and near a bridge?
shorter than 10 m | and shorter than 10 m | what about the white ones? | and the white ones? | white
not longer than 20 m | and longer than 50 m? | what about inside a building? | and blue | blue | the blue ones | not red
is it red? | segment it | that plane | describe it | those ships | one of those | one of them | the rest | the others
yes | no | please | | also | also them | what else is like it? | what else is like a ship? | what else is like those?
what else is like the first two? | why | why? | why not that? | why which? | why the seventh one? | why plane-44?
describe plane-44 | describe region 44 | segment the seventh one | the same for | the same for count them
what about segment them? | and in the other image? | in both images | in image 7 | and in the next image?
how long is plane-3 in image 2? | describe plane-3 in both images | planes near [1, 2, 3] | planes near [3, 2, 1, 4]
segment them | how many are there? | which is the largest? | of those, the lngest | only the lnger than 50 m | remove it
leave out the red ones | leave out | undo it | why was plane-4 painted blue? | is it the largest? | which ones aren't?
""".replace("\n", "|").split("|")

_SUGGESTS = re.compile(r"(?:\b(?:say|ask|e\.g\.|as in|add|Say|Ask)\b)(?P<rest>.*)", re.DOTALL)
_QUOTED = re.compile(r"(?<![\w])'([^']+(?:'\w[^']*)*)'(?!\w)")


def suggested(message: str) -> list[tuple[str, str]]:
    """The lines that a message tells to say, with the word before: "add" is said behind the line itself."""
    found = []
    for clause in re.split(r"[;.] (?=\D)", message):
        match = _SUGGESTS.search(clause)
        for quoted in _QUOTED.findall(match["rest"] if match else ""):
            found.append(("add" if " add " in f" {clause}" else "say", quoted))
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_what_an_error_suggests_is_understood(name: str) -> None:
    before = SETTINGS[name]
    refused = {}
    for line in dict.fromkeys(each.strip() for each in LINES):
        try:
            understand(line, before)
        except QueryError as error:
            refused[line] = str(error)
    assert len(refused) > 8, "most of these lines are to be refused"
    wrong = []
    for line, message in refused.items():
        for how, suggestion in suggested(message):
            told = f"{line} {suggestion}" if how == "add" and not suggestion.startswith("/") else suggestion
            if told.startswith("/"):
                if told[1:].split()[0] not in COMMANDS:
                    wrong.append((line, message, told))
                continue
            try:
                understand(told, before)
            except QueryError as error:
                wrong.append((line, message, told, str(error)))
    assert not wrong


def test_suggestions_are_found_in_messages() -> None:
    assert suggested("did not understand 'x'; say 'of those, the red ones'") == [("say", "of those, the red ones")]
    assert suggested("add 'in image 1' or 'in image 2'") == [("add", "in image 1"), ("add", "in image 2")]
    assert suggested("'it' could be any of 3; say 'them', or one of plane-1, plane-2") == [("say", "them")]
