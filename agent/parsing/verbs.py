"""The closed vocabulary of requests: what to do, and polite openings."""

from __future__ import annotations

from .tokens import PhraseTable

_DETECT = (
    "detect find show locate highlight list identify select mark get display spot return search point give "
    "pick localize localise map provide take".split()
)
VERBS: PhraseTable[str] = PhraseTable(
    dict.fromkeys(_DETECT, "detect")
    | {f"{verb} {me}": "detect" for verb in ("show", "give", "get", "find", "tell", "list") for me in ("me", "us")}
    | dict.fromkeys(
        ("look for", "search for", "point out", "point to", "pick out", "point at", "i am looking for"), "detect"
    )
    | dict.fromkeys(
        (
            "i want",
            "i want to see",
            "i would like to see",
            "i need",
            "let me see",
            "draw boxes around",
            "we need",
            "we want",
            "we look for",
            "i look for",
            "we are looking for",
            "we search for",
            "i only want",
            "i just want",
            "i only need",
            "we only need",
            "we only want",
            "i just need",
            "we just need",
            "we want to see",
            *(f"{may} {who} have" for may in ("could", "can", "may") for who in ("i", "we")),
            *("i would like", "we would like", "i am hunting for", "hunting for", "box"),
        ),
        "detect",
    )
    | dict.fromkeys(("give me the location of", "give me the locations of", "the location of"), "detect")
    | {
        f"{show}{the}{places} of": "detect"
        for show in ("", "give me ", "show me ", "what are ", "what is ", "get ", "list ", "find ", "return ")
        for the in ("the ", "")
        for places in ("coordinates", "position", "positions", "whereabouts", "bounding box", "bounding boxes")
    }
    | dict.fromkeys(("where is", "where are", "what are", "what is"), "detect")
    | dict.fromkeys(
        ("segment", "outline", "mask", "extract", "delineate", "trace", "cut out", "segment out", "mask out"), "segment"
    )
    | {
        f"{verb} {shape} {of}": "segment"
        for verb in (
            "draw",
            "extract",
            "get",
            "give",
            "give me",
            "show",
            "show me",
            "trace",
            "return",
            "create",
            "find",
            "provide",
            "produce",
        )
        for shape in (
            "masks",
            "a mask",
            "the mask",
            "the masks",
            "outlines",
            "the outline",
            "the outlines",
            "the contours",
            "polygons",
            "the polygons",
            "contours",
        )
        for of in ("of", "for", "around", "round", "on")
    }
    | dict.fromkeys(("where can i find", "where can we find", "where do you see", "where can i see"), "detect")
    | {
        f"{verb} {boxes} {of}": "detect"
        for verb in ("draw", "get", "give", "give me", "show", "show me", "put", "return", "create", "produce")
        for boxes in ("boxes", "a box", "the boxes", "bounding boxes", "the bounding boxes", "a bounding box")
        for of in ("of", "for", "around", "on", "round")
    }
    | dict.fromkeys(("finding", "showing", "locating", "listing", "highlighting", "identifying"), "detect")
    | dict.fromkeys(("showing me", "giving me", "telling me"), "detect")
    | dict.fromkeys(("outlining", "segmenting"), "segment")
    | dict.fromkeys(("count", "count up", "tally", "tally up", "counting"), "count")
    | dict.fromkeys(("number of", "the number of", "total number of", "the total number of"), "count")
    | {
        f"{verb} the {total}number of": "count"
        for verb in ("give", "give me", "tell me", "what is", "count", "determine", "find", "report")
        for total in ("", "total ")
    }
    | dict.fromkeys(("measure", "calculate", "compute", "determine", "estimate"), "measure")
    | dict.fromkeys(("describe", "tell me about", "give a description of", "give me a description of"), "describe")
)
_OPENINGS = """could you|can you|would you|will you|could we|i want you to|i would like you to|i want to|
i would like to|i am trying to|let us|help me|help me to|could you tell me|can you tell me|tell me|
be so kind as to|be so kind and|i would be grateful if you could|i would appreciate it if you could|sorry to bother you|
i need to know|we need to know|i want to know|i would like to know|please tell me|but|in this satellite image|
in this aerial image|in this image|in the image|in the picture|in this picture|in this scene|in this photo|
do you know|hello|hi|hey|hi there|hello there|hey there|good morning|good afternoon|good evening|dear all|ok|also|then|
now|next|just|thank you|thanks|can u|could u|would you mind telling me|would you mind|need to know|want to know|
want to see|would like to know|would like to see|would like to|if so|in that case|wondering|i wonder|i am wondering|
i was wondering|we were wondering|we are wondering|what i am after is|what i want is|what i need is|what we need is|
what we want is|all i need is|all we need is|what i would like is|i am after|we are after|i am interested in|
we are interested in|would you kindly|could you kindly|can you kindly|basically|simply|essentially|actually|
is it possible to|would it be possible to|i am asked to|we are asked to|i have to|we have to|my task is to|
our task is to|the task is to|your task is to|i hope you can|maybe you can|perhaps you could|it is important to know|
it would be good to know|would you say|it would help to know|it would be useful to know|it would be nice to know"""
_KIND = ("helpful", "great", "nice", "good", "lovely", "useful", "wonderful", "kind", "fantastic", "awesome")
OPENINGS = PhraseTable(
    dict.fromkeys((phrase.strip() for phrase in _OPENINGS.split("|")), True)
    | {
        f"it would be {very}{kind} if you {could}": True
        for very in ("", "really ", "very ", "so ", "most ")
        for kind in _KIND
        for could in ("could", "can", "would", "were able to")
    }
)
# Questions about the whole image, or about a place in it
WHOLE_IMAGE: PhraseTable[str] = PhraseTable(
    dict.fromkeys(("what is", "what is there", "what are", "what can be seen", "what can be found"), "needs a place")
    | dict.fromkeys(
        ("what do you see", "what can you see", "what can i see", "what can we see", "what do we see"), "may have one"
    )
    | dict.fromkeys(
        (
            "what does this image show",
            "what does the image show",
            "what does this picture show",
            "what does the picture show",
            "what does this scene show",
            "what does the scene show",
            "what does this image contain",
            "what does the image contain",
            "caption this image",
            "caption the image",
            "caption this",
            "summarise the image",
            "summarize the image",
            "summarise the scene",
            "summarize the scene",
            "give a caption",
            "what kind of scene is this",
            "what kind of place is this",
            "what sort of place is this",
            "what is this",
            "what is shown",
            "what is shown here",
            "what am i looking at",
            "what are we looking at",
        ),
        "complete",
    )
)
# Words for any class at all; the lexicon takes "object" for every class that a model knows.
EVERYTHING = frozenset("object objects thing things everything anything something item items".split())
