"""The fixed forms of a conversation, as patterns; what they mean is in `agent/followup.py`."""

from __future__ import annotations

import re

_ANY_CASE = re.IGNORECASE | re.DOTALL


def _form(*parts: str) -> re.Pattern[str]:
    return re.compile("".join(parts), _ANY_CASE)


def _words(text: str) -> str:
    """Any of the words or phrases of a text, phrases with "_" for a space."""
    return "|".join(word.replace("_", r"\s+") for word in text.split())


_START = r"\s*(?:(?:and|but|now|then|so|ok|okay|please)\b[\s,]*)*"

UNDO = _form(
    r"\s*(?:(?:please|no|oh|oops|wait|sorry|actually)\b[\s,.!]*)*(?:undo|go\s+back|take\s+(?:that|it)\s+back|forget\s+(?:that|it|the\s+last(?:\s+one)?)",
    r"|(?:undo|take\s+back)\s+(?:that|it|this|the\s+last(?:\s+(?:one|turn|answer|question|step))?))\s*[.!]*\s*",
)
WHY = _form(r"\s*(?:and\s+|but\s+|so\s+)?(?:why|how\s+come|explain)\b(.*)")
ABOUT = _form(r"\s*(?:and\s+)?(?:what|how)\s+about(.*)")
WHY_ALL = _form(
    r"[\s?!.]*(?:(?:is|are)\s+(?:there\s+)?)?",
    r"(?:only\s+\w+|",
    _words("not none nothing no so_few so_many that this it empty unknown"),
    r")?[\s?!.]*",
)
FATE = _form(
    r"(?:\s*(?:",
    _words(
        """is are was were isn't isn’t aren't wasn't weren't did_you do_you didn't_you not n't it they also in the
        answer list result results there here kept keep dropped drop rejected reject included include excluded exclude
        left leave in out missing chosen choose selected select undecided unknown found and or one ones , \\? ! \\."""
    ),
    r")(?!\w))+\s*",
)
LIKE = _form(
    r"\s*(?:and\s+|now\s+)?(?:(?:",
    _words(
        """what which who find show list is are there anything everything something all any else other others more
        things? objects? ones? looks? that me please of the do does"""
    ),
    r")(?!\w)|\s)+?\b(?:just\s+)?(?:like|similar\s+to|resembl(?:es?|ing)|the\s+same\s+as)\s+(?P<rest>.+?)\s*[?.!]*\s*",
)
WHAT_ELSE = _form(
    r"\s*(?:(?:what|anything)\s+else|(?:(?:find|show|anything|something|others?|more)\s+)?(?:similar|alike)(?:\s+ones)?)",
    r"(?P<rest>)\s*\??\s*",
)
GOING = _form(
    r"(?:please\s+)?(?:now\s+)?",
    r"(?:(?:switch|go|change|move|turn|return)(?:\s+(?:over|back))?(?:\s+to)?|use|take|open|look(?:\s+at)?)?\W*",
)
AGAIN = _form(
    r"\s*(?:(?:and|now|then|but|also|so|do|ask|run|try|please|ok)\b[\s,]*)*(?:(?:what|how)\s+about\s*)?(?:the\s+)?",
    r"(?:same(?:\s+(?:thing|question|request|again))?|that|it|again|repeat(?:\s+that)?)?(?:\s+again)?[\s?.!,]*",
)
SAYS_AGAIN = _form(r"\b(?:same|again|repeat)\b")
SAME_FOR = _form(
    r"\s*(?:(?:and|now|then|do|ask|please|but)\s+)*(?:the\s+)?same(?:\s+(?:thing|question|request))?\s+",
    r"(?:for|with|of|about|on)\s+(?P<rest>.+)",
)
WHAT_ABOUT = _form(_START, r"(?:what|how)\s+about\s+(?P<rest>.+)")
AND = _form(r"\s*and\s+(?P<rest>(?:the\s+|an?\s+)?[^?]+?)\s*(?P<asks>\?)?\s*")
OF_THOSE = _form(
    _START,
    r"(?:(?:only|just)\s+)?(?:out\s+of|of|among|amongst|from|in)\s+",
    r"(?:(?:all\s+)?(?:of\s+)?(?:those|these|them)(?P<noun>\s+[\w -]{1,40}?)?",
    r"|the\s+(?:last|earlier|previous)\s+(?:ones|answer|result|results))\s*,\s*",
)
LEAD = _form(r"\s*(?:(?:and|now|then|but|so|no|ok|okay|well|yes|also|only|just|rather|instead)\b[\s,]*)+")
ONLY_THE = _form(r"\s*(?:now\s+)?(?:only|just)\s+")
AND_THE = _form(r"\s*and\s+the\b(?!.*\bof\b)")
ONLY = _form(r"\b(?:only|just)\b")
ALSO = _form(r"\s*(?:(?:and|now|then|but|please)\s+)*(?:also|add|plus|include)\s+(?:also\s+)?")
TOO = _form(r"[\s,]*\b(?:too|as\s+well|also)(?=[\s?!.]*$)")
TO_THEM = _form(r"\s+to\s+(?:them|it|that|those|these|the\s+(?:list|answer|result|results))(?=[\s?!.]*$)")
WHAT_AT = _form(
    r"\s*what(?:\s+is|'s|’s|\s+are)?\s*(?:there\s+)?(?P<where>at|in|inside|within|under)\s+(?P<noun>the\s+\w+)[\s?.!]*"
)
WHAT_IS = _form(r"\s*(?:what|who)(?:\s+is|'s|’s|\s+are)\s+(?P<noun>the\s+\w+)[\s?.!]*")
DESCRIBE = _form(r"\s*(?:describe|tell\s+me\s+(?:more\s+)?about)\s+(?P<noun>the\s+\w+)[\s?.!]*")
THEIRS = _form(
    r"\b(?P<whose>their|its)\s+(?P<what>(?:(?:average|mean|median|total|combined|summed)\s+)?",
    r"(?:lengths?|widths?|areas?|sizes?|perimeters?|orientations?|aspect\s+ratios?))\b",
)
WHAT_IS_LEFT = _form(
    _START,
    r"(?:what(?:\s+is|'s)?|which(?:\s+ones?)?(?:\s+(?:is|are))?)\s+(?:left|remains?|remaining)(?:\s+(?:over|now))?",
    r"[\s?!.]*",
)
HOW_MANY = _form(
    _START,
    r"how\s+many\s+(?:is|are|was|were)\s+(?:that|this|it|those|these|they|them|left|remaining)(?:\s+(?:now|in\s+(?:all|total)))?",
    r"[\s?!.]*",
)
_NEAR = _words(
    """near next_to close_to beside around adjacent_to within inside left_of right_of to_the above below north_of
    south_of east_of west_of between in_front_of behind across"""
)
WHAT_NEAR = _form(
    _START,
    r"what(?:'s|’s|\s+is|\s+are|\s+lies|\s+stands)?(?:\s+else)?(?:\s+(?:is|are|lies|stands))?(?:\s+there)?\s+",
    rf"(?P<where>(?:{_NEAR})\b.+)",
)
ELLIPTIC = _form(
    r"(?:not\s+)?(?:(?:within|more\s+than|less\s+than|at\s+least|at\s+most|closer\s+than|further\s+than|beyond)\s+",
    r"(?P<distance>\d[\d.,]*\s*[a-z]+)|on\s+the\s+(?:\w+\s+)?(?:side|bank)|(?:inside|outside)",
    r"|(?:to\s+the\s+)?(?:north|south|east|west|left|right)|above|below)",
)
"""A relation without what it is to, as behind "and": "within 200 m", "on the south side"."""
PLACE = _form(
    r"(?:the\s+)?(?:(?:top|bottom|upper|lower|left|right|middle|cent(?:re|er)|north|south|east|west)(?:ern)?[\s-]*){1,2}",
    r"(?:half|third|quarter|quadrant|corner|part|edge|side|area|of\s+the\s+image)?\s*",
)
"""A place without its preposition, as in "what about the bottom half?"."""
HOW_FAR = _form(_START, r"how\s+far(?:\s+away)?\s+(?:is|are)\s+(?P<whose>it|that|they|those|these)(?:\s+away)?[\s?!.]*")
COMPARATIVE = _form(
    r"\b(?:the\s+)?(?P<word>bigger|larger|smaller|longer|shorter|wider|narrower)\b(?!\s+than)",
    r"(?:\s+of\s+(?:the\s+two|them|both))?",
)
"""Said of two; "which is bigger" is the biggest of them."""
OTHER_END = _form(r"(?:of|to|from)\s+(?P<what>.+)")
NEAREST = _form(r"\b(?P<word>closest|nearest|farthest|furthest)(?:\s+(?:ones?|away|of\s+(?:them|those|all)))*[\s?!.]*$")
BOTH = _form(r"\bboth(?:\s+of\s+(?:them|those|these))?(?=\s*(?:$|[?.!,]))")
MANY = _form(r"\b(?:them|those|these|they)\b")
SINGLE = _form(r"\b(?:it|(?:this|that)\s+(?:one|region|object)|(?:this|that)(?=\s*(?:$|[?.!,])))\b")
ONES = _form(r"\bones\b")
ONE = _form(r"(?<=\s)one\b(?!\s+(?:of\s+(?!the\s|them|those|these)|or\s+more|more))")
BEFORE_ONE = _form(
    rf"(?:\b(?:{_words('the which what a an any each every there another second third fourth fifth last')}",
    r"|\d+(?:st|nd|rd|th))|est|most|ed",
    rf"|\b(?:{_words('red orange yellow green blue purple brown white gr[ea]y black large small big')}))\s$",
)
WHAT_IS_IT = _form(_START, r"what\s+(?:is|are)\s+(?P<it>it|this|that|they|these|those)(?:\s+one)?[\s?!.]*")
DESCRIBE_THAT = _form(_START, r"(?:describe|tell\s+me\s+(?:more\s+)?about)\s+(?:it|them|this|that|those|these)\W*")
"""Without a conversation before, "describe it" is about the whole image."""
REMOVE = _form(
    _START,
    r"(?:(?P<verb>leave\s+out|take\s+(?:out|away)|remove|drop|exclude|omit|skip|ignore|discard|delete)\s+(?P<what>.+?)",
    r"|(?:leave|take)\s+(?P<before>.+?)\s+(?:out|away))(?:\s+(?:again|from\s+(?:them|those|the\s+(?:list|answer))))?[\s.!]*",
)
WHICH_ONES = _form(
    _START,
    r"(?:which(?:\s+ones?)?(?:\s+are\s+(?:they|those|these))?|what\s+ones?|where)(?P<are>\s+(?:is|are|do|does))?(?P<not>\s*(?:n't|n’t|\s+not))?[\s?!.]*",
)
IS_IT_THE = _form(
    _START,
    r"(?:is|are|was|were)\s+(?P<who>it|they|this|that|those|these|the\s+\w+)(?:\s+(?:one|ones))?\s+(?:also\s+)?",
    r"(?P<rank>the\s+[^?]+?)\s*\?*\s*",
)
NEGATED = _form(
    r"\s*(?:(?:is|are|was|were|isn't|isn’t|aren't|aren’t|wasn't|weren't|n't|n’t|it|they|not|one|ones)(?!\w)\s*)+"
)
ONE_OF = _form(r".*\bone\s+of\s+(?:them|those|these)\W*")
AMOUNT_BEFORE = _form(r"(?:than|least|most)\s$")
"""What makes "one" a number: "more than one"."""
EXCEPT = _form(r"(?:not|without|except(?:\s+for)?|but\s+not|excluding|all\s+but)\s+")
