"""What people say of two dates: how it is read, said again, and refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.agent.coverage import coverage
from surveyor.agent.parser import parse
from surveyor.agent.parsing.changes import in_one_form
from surveyor.agent.parsing.reserved import RESERVED
from surveyor.agent.parsing.tokens import tokenize
from surveyor.core.changes import changed_thing, earlier_thing, of_changed
from surveyor.core.conditions import Changed, Request, Selection, conjuncts, walk
from surveyor.core.errors import QueryError
from surveyor.core.wording import words

READ = {
    "which buildings north of the road are new?": "detect all new buildings above the road",
    "new buildings": "detect all new buildings",
    "changed buildings": "detect all changed buildings",
    "buildings that changed": "detect all changed buildings",
    "which buildings changed?": "detect all changed buildings",
    "which buildings near the road changed between these two images?": "detect all changed buildings near the road",
    "what changed?": "detect all changes",
    "segment changed areas in the left half": "segment all changed areas in the left half",
    "which areas changed?": "detect all changes",
    "segment the areas that have changed near the river": "segment all changes near the river",
    "what has changed in the top left corner?": "detect all changes in the top left corner",
    "what is different between the two dates?": "detect all changes",
    "what is new?": "detect all new changes",
    "what was demolished near the river?": "detect all gone changes near the river",
    "compare these two": "detect all changes",
    "compare these two images": "detect all changes",
    "find the differences between the two images": "detect all changes",
    "are the two images different?": "check whether there are any changes",
    "are these images identical?": "check whether there are exactly zero changes",
    "did anything change?": "check whether there are any changes",
    "how much has changed?": "measure the total area of all changes",
    "houses that were demolished": "detect all gone houses",
    "buildings no longer there": "detect all gone buildings",
    "which houses have disappeared?": "detect all gone houses",
    "ships that arrived": "detect all new ships",
    "planes that are no longer there": "detect all gone planes",
    "has any building been demolished?": "check whether there are any gone buildings",
    "where were buildings built?": "detect all new buildings",
    "buildings built between the two dates": "detect all new buildings",
    "how many buildings were built since the first image?": "count all new buildings",
    "new or gone buildings": "detect all changed buildings that are new or gone",
    (TWICE := "new buildings, and demolished buildings"): "detect all changed buildings that are new or gone",
    "changed buildings that are not new": "detect all changed buildings that are not new",
    "newly built houses on the east side of the river": "detect all new houses on the east side of the river",
    "total area of the new buildings": "measure the total area of all new buildings",
    "the largest new building": "detect the largest new building",
    "new buildings near the river in the first image": "detect all new buildings near the earlier river",
    "how many planes are in the first image?": "count all earlier planes",
    "buildings next to a new road": "detect all buildings next to new roads",
    "are there more new houses than gone houses?": "check whether there are more new houses than gone houses",
    "new buildings between the two rivers": "detect all new buildings between the two rivers",
    "new ships at least 2 times as long as the bridge": "detect all new ships at least 2 times as long as the bridge",
    "houses that were built along the river": "detect all new houses next to the river",
    "compare the images": "detect all changes",
    "extended buildings": "detect all altered buildings",
    "changes larger than 500 m2 in the top half": "detect all changes larger than 500 m2 and in the top half",
}


@pytest.mark.parametrize(("query", "meant"), READ.items(), ids=list(READ))
def test_words_of_change_are_read_said_again_and_covered(query: str, meant: str) -> None:
    request = parse(query)
    assert words(request) == meant
    assert parse(meant) == request
    if query != TWICE:  # one class in the tree, said twice
        assert coverage(query, request).complete


def test_what_came_or_went_is_a_class_and_its_direction_a_condition() -> None:
    target = parse("which buildings near the road are new?").outputs[0].target
    assert target.phrases == ("changed building",)
    assert conjuncts(target.where)[0] == Changed(word="new")


@pytest.mark.parametrize(
    "query",
    ["buildings that are not new", "which buildings are red or new?", "is the largest building new?"],
)
def test_what_stayed_cannot_be_asked_for(query: str) -> None:
    with pytest.raises(QueryError, match="not what stayed"):
        parse(query)


@pytest.mark.parametrize("query", ["new and gone buildings", "buildings that are new and demolished"])
def test_new_and_gone_exclude_each_other(query: str) -> None:
    with pytest.raises(QueryError, match="nothing can be both"):
        parse(query)


@pytest.mark.parametrize(
    "query", ["planes in the second image", "planes in the new image", "ships in the last picture"]
)
def test_an_image_is_not_dropped_where_no_change_is_spoken_of(query: str) -> None:
    with pytest.raises(QueryError):
        parse(query)


def test_what_is_built_somewhere_stands_there() -> None:
    assert words(parse("houses built along the river")) == words(parse("houses along the river"))


def test_a_condition_is_not_dropped_beside_a_change() -> None:
    with pytest.raises(QueryError) as trouble:
        parse("which buildings made of brick changed between these two images?")
    assert "brick" in trouble.value.pointer() or "made" in str(trouble.value)


@pytest.mark.parametrize("query", ["planes longer than 40 m", "ships near the bridge", "the two largest storage tanks"])
def test_queries_about_one_image_keep_their_tokens(query: str) -> None:
    tokens = tokenize(query)
    assert in_one_form(tokens) == tokens


@pytest.mark.parametrize("query", ["anything different?", "changed objects", "all changed things", "different objects"])
def test_all_that_changed_is_read_and_said(query: str) -> None:
    request = parse(query)
    assert request.outputs[0].target.phrases == ("changed object",)
    assert parse(words(request)) == request


@pytest.mark.parametrize("query", ["that images", "detect the pictures", "how many images are there?"])
def test_an_image_is_no_thing_in_it(query: str) -> None:
    with pytest.raises(QueryError, match="not understood as the name of a thing"):
        parse(query)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "has any building been demolished? which buildings near the road changed between these two images?",
            "check whether there are any gone buildings; detect all changed buildings near the road",
        ),
        (
            "what was demolished near the demolished bridge and what was built near the road?",
            "detect all gone changes near the gone bridge; detect all new changes near the road",
        ),
        ("how many planes are there in the second image? what changed?", "count all planes; detect all changes"),
        ("Here are two images of my town. What changed?", "detect all changes"),
        ("These are two images of the same place. Which houses were demolished?", "detect all gone houses"),
        ("compare these two images. which buildings are new?", "detect all new buildings"),
        ("Compare the two images and tell me what is new.", "detect all new changes"),
        ("Could you compare the two images and tell me what is gone?", "detect all gone changes"),
        ("Using these two images, find the new buildings", "detect all new buildings"),
        ("Which ships are new and which are gone?", "detect all new ships; detect all gone ships"),
        ("How many houses are new? How many are gone?", "count all new houses; count all gone houses"),
        (
            "Count the new houses near the river. Count the demolished ones near the road.",
            "count all new houses near the river; count all gone houses near the road",
        ),
        ("I have two images. Which houses were demolished between them?", "detect all gone houses"),
        ("which houses were demolished between the two?", "detect all gone houses"),
        (
            "Find the river. Which houses near it were demolished?",
            "detect the river; detect all gone houses near the river",
        ),
        ("Compare the images: what was built?", "detect all new changes"),
        ("compare both images, then count the new buildings", "count all new buildings"),
        ("In the second image, which buildings are new?", "detect all new buildings"),
        ("Please look at both images. What differences do you see?", "detect all changes"),
        ("segment what changed near the road", "segment all changes near the road"),
        ("tell me how much has changed", "measure the total area of all changes"),
        (
            "Show me the new buildings. Then count the demolished ones.",
            "detect all new buildings; count all gone buildings",
        ),
        ("new buildings between the two rivers built", "detect all new buildings between the two new rivers"),
    ],
)
def test_every_sentence_is_read(query: str, said: str) -> None:
    request = parse(query)
    assert words(request) == said
    assert parse(said) == request


@pytest.mark.parametrize(
    ("query", "trouble"),
    [
        ("which of the new vehicles are cars?", "'car'"),  # a change is found as what was asked for, no finer
        ("all changes except new buildings", "'building'"),
        ("how many ships are in the harbour in the first image?", "in the first"),
        ("are there more ships than planes in the first image?", "in the first"),
        ("ships in the later image but not in the earlier image", "later image"),
        ("new buildings in the first image", "earlier"),
        ("Look at the first image. Count the ships.", "look"),
        ("Look at the harbour in the picture: which ships are new?", "look"),
        ("Here are two photos. Focus on the north. Which ships are new?", "focus"),
        ("Which houses have collapsed?", "collapsed"),
        ("Which houses were destroyed by the flood?", "destroyed"),
        ("houses built within two years", "years"),
        ("new buildings in winter", "winter"),
        ("which ships were in the harbour before?", "before"),
        ("compare ships in the first image with ships in the second image", "compare"),
        ("Find the road and the river, and what changed between the two.", "between"),
        ("which houses between the two are new?", "between"),
        ("white planes near the terminal and the red ones near the hangar", "of which set"),
        ("road and building changes", "building changes"),
        ("find unchanged buildings", "unchanged"),
        ("newly planted trees", "newly"),
    ],
)
def test_what_would_be_misread_is_refused_with_its_words(query: str, trouble: str) -> None:
    with pytest.raises(QueryError) as error:
        parse(query)
    assert any(word in str(error.value) for word in trouble.split("|")), str(error.value)


@pytest.mark.parametrize("query", ["how many houses were built between 2019 and 2021?", "what was built since 2019?"])
def test_years_are_refused_by_name(query: str) -> None:
    with pytest.raises(QueryError, match="years are not known") as trouble:
        parse(query)
    assert "2019" in trouble.value.query[slice(*trouble.value.spans[0])]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("list the 2000 largest trees", "detect the 2000 largest trees"),
        ("the climate change monument", "detect the climate change monument"),
        ("find the former airport", "detect the former airport"),
        ("find still water", "detect all still water"),
        ("clock pictures", "detect all clock pictures"),
        ("find the built area", "detect the built area"),
        ("which ponds have reed?", "detect all ponds containing reeds"),
        (
            "white or red planes. count the green ones",
            "detect all planes that are white or red; count all green planes",
        ),
        (
            "white ships inside the harbour. count the red ones near the pier",
            "detect all white ships inside the harbour; count all ships inside the harbour and red and near the pier",
        ),
    ],
)
def test_one_image_is_read_as_ever(query: str, said: str) -> None:
    assert words(parse(query)) == said


def test_numbers_like_years_may_be_sizes() -> None:
    assert words(parse("buildings larger than 2000 m2")) == "detect all buildings larger than 2000 m2"
    assert parse("buildings between 2000 and 2100 m2").outputs[0].target.where is not None


def test_other_ones_are_of_the_same_class() -> None:
    said = words(parse("Show me the white planes in the north. Then count the red ones."))
    assert said == "detect all white planes in the top half; count all planes in the top half and red"


def test_a_photo_that_is_told_of_asks_nothing_but_a_place_in_it_might() -> None:
    assert words(parse("This is an aerial photo of Berlin. How many planes are there?")) == "count all planes"
    with pytest.raises(QueryError):
        parse("this is a satellite image of the east bank. find planes")


@pytest.mark.parametrize("query", ["the river newly changed built", "changed buildings that are not buildings"])
def test_a_verb_of_change_is_no_part_of_a_name_and_nothing_is_left_out_whole(query: str) -> None:
    with pytest.raises(QueryError):
        parse(query)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("buildings and new buildings that changed", "detect all changed buildings"),  # some of them and all of them
        ("buildings, extended buildings extended", "detect all altered buildings"),
        ("buildings that are new or changed", "detect all changed buildings"),
        ("new buildings between the two largest rivers", "detect all new buildings between the two largest rivers"),
        ("new or gone buildings or gone buildings", "detect all changed buildings that are new or gone"),
        ("Were any houses built near the river?", "check whether there are any new houses near the river"),
        ("Where were houses built near the river?", "detect all new houses near the river"),
        ("houses built near the river between the two images", "detect all new houses near the river"),
        ("where are the new houses?", "detect all new houses"),
        ("Did any houses disappear?", "check whether there are any gone houses"),
        ("has the river changed?", "check whether there are any changed rivers"),
        ("In the first image, how many ships are there?", "count all earlier ships"),
        ("which residential areas are new?", "detect all new residential areas"),
        ("which areas are new?", "detect all new changes"),
        ("what happened at the airport?", "detect all changes near the airport"),
        ("show me all building changes", "detect all changed buildings"),
        ("a river change", "detect all changed rivers"),
        ("new houses near the former river", "detect all new houses near the earlier river"),
        (
            "what was built or demolished near the river?",
            "detect all changes that are (new or gone) and near the river",
        ),
        ("what is new or changed near the bridge?", "detect all changes near the bridge"),
        ("which houses have been newly built?", "detect all new houses"),
        ("which demolished houses are near the river?", "detect all gone houses near the river"),
        ("houses that have changed roofs", "detect all houses containing changed roofs"),
        ("changed houses near the river and boats", "detect all changed houses near the river, and the boats"),
        ("which buildings in the first image were demolished?", "detect all gone buildings"),
        ("the largest red demolished house", "detect the largest gone red house"),
        ("changed houses near the road and all cars", "detect all changed houses near the road, and the cars"),
        ("red ships, the river and large planes", "detect all red ships, and the rivers, and large planes"),
        ("changed ships and buildings", "detect all changed ships and buildings"),
        ("changed ships and the buildings", "detect all changed ships and the buildings"),
        ("buildings and changed ships", "detect all buildings and changed ships"),
        ("new ships and changed buildings", "detect all changed ships that are new, and changed buildings"),
        ("large ships and changed buildings", "detect all ships that are large, and changed buildings"),
        ("planes and ships in the first image", "detect all earlier planes and ships"),
        ("how many planes were there in the first image?", "count all earlier planes"),
        ("changed buildings and new ships", "detect all changed buildings, and new ships"),
        (
            "is the largest new building inside the stadium?",
            "check whether there are any new buildings that are among the largest and inside the stadium",
        ),
        ("which new buildings changed?", "detect all new buildings"),  # what is new has changed
        ("changed buildings that are new or gone", "detect all changed buildings that are new or gone"),
    ],
)
def test_classes_that_changed_and_what_holds_of_them(query: str, said: str) -> None:
    request = parse(query)
    assert words(request) == said
    assert parse(said) == request


def test_changed_before_a_list_holds_for_all_of_it() -> None:
    assert parse("changed ships and buildings").outputs[0].target.phrases == ("changed ship", "changed building")
    assert parse("changed ships and the buildings").outputs[0].target.phrases == ("changed ship", "building")
    assert parse("the two changed ships and buildings").outputs[0].target.phrases == (
        "changed ship",
        "changed building",
    )


def names_of(request: Request) -> set[str]:
    """The words of the classes of a request, without those that tell a date."""
    phrases = [phrase for each in walk(request) if isinstance(each, Selection) for phrase in each.phrases]
    return {word for each in phrases for word in each.removeprefix("changed ").removeprefix("earlier ").split()}


@given(st.lists(st.sampled_from([*" ".join(READ).split(), "12", ",", "m", "?"]), max_size=14))
@settings(deadline=None, max_examples=300)
def test_any_mixture_of_such_words_is_read_or_refused(some: list[str]) -> None:
    text = " ".join(some)
    try:
        tokens = tokenize(text)
    except QueryError:
        return
    for token in in_one_form(tokens):
        assert 0 <= token.start <= token.stop <= len(text)
    try:
        request = parse(text)
    except QueryError as error:
        assert all(0 <= start <= stop <= len(text) for start, stop in error.spans)
        return
    if not names_of(request) & RESERVED:  # "built corners": a name that ends in a word of the grammar
        assert parse(words(request)) == request


@pytest.mark.parametrize(
    ("phrase", "changed", "earlier"),
    [("changed building", "building", None), ("changes", "change", None), ("earlier ships", None, "ship"),
     ("changed area", "change", None), ("building", None, None)],
)  # fmt: skip
def test_names_of_changes(phrase: str, changed: str | None, earlier: str | None) -> None:
    assert (changed_thing(phrase), earlier_thing(phrase)) == (changed, earlier)
    assert changed_thing(of_changed(phrase)) is not None
