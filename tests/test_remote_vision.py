"""Vision models behind servers: what is sent, in which frame the reply is read, what is asked again, what is given up.

The server here looks at the image that it was sent and says where the bright things are, in the dialect that it was
told to speak: so a wrong frame anywhere on the way shows as a wrong region.
"""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
from fault_server import Answer, Script, busy, said, serving
from hypothesis import given
from hypothesis import strategies as st
from surveyor.core.budget import Budget, Meter, metering
from surveyor.core.codec import Pointed, dialect
from surveyor.core.errors import BudgetExceeded, Cancelled, ModelOutputError, ToolFailed, UsageError
from surveyor.core.geometry import box_iou_matrix, box_to_corners, canonical_corners
from surveyor.core.progress import listening, noting
from surveyor.core.protocols import ChangeDetector, Describer, Grounder
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.tools.models.remote.adapter import RemoteModel
from surveyor.tools.models.remote.address import Address, read_address
from surveyor.tools.models.remote.chat import RemoteChat
from surveyor.tools.models.remote.client import Client, Guided, Reply, _tokens
from surveyor.tools.models.remote.images import FACTORS, Sizes, data_url, fit_image
from surveyor.tools.models.remote.pool import Patience, Pool
from surveyor.tools.models.remote.settings import SETTINGS, Settings
from surveyor.tools.models.sizes import smart_resize

DIALECTS = ("native", "qwen2-vl", "qwen2.5-vl", "qwen3-vl")
BOXES = ((40, 30, 100, 60), (300, 200, 340, 290), (500, 40, 560, 100))
SIZE_WH = (640, 400)
QUICK = Patience(timeout_s=20, pause_s=0.002, rest_s=0.02)


def scene_of(boxes: Any = BOXES, size_wh: tuple[int, int] = SIZE_WH, name: str = "scene.png") -> Scene:
    pixels = np.full((size_wh[1], size_wh[0], 3), 60, np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = 250
    return Scene.from_array(pixels, name=name)


def images_of(sent: dict[str, Any]) -> list[np.ndarray]:
    """(H, W, 3) RGB of each image of a request, as the server decodes it."""
    found = []
    for part in sent["messages"][-1]["content"]:
        if part["type"] == "image_url":
            head, data = part["image_url"]["url"].split(",", 1)
            assert head in ("data:image/png;base64", "data:image/jpeg;base64")
            coded = np.frombuffer(base64.b64decode(data, validate=True), np.uint8)
            found.append(cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
    return found


def text_of(sent: dict[str, Any]) -> str:
    (text,) = [part["text"] for part in sent["messages"][-1]["content"] if part["type"] == "text"]
    assert isinstance(text, str)
    return text


def bright(image: np.ndarray) -> list[np.ndarray]:
    """(2, 2) upright boxes of what is bright."""
    mask = (image.mean(axis=2) > 155).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return [np.array([[x, y], [x + w, y + h]], np.float64) for x, y, w, h, area in stats[1:] if area > 4]


def eyes(name: str, label: str = "plane") -> Callable[[dict[str, Any], int], Answer]:
    """A server that sees what is bright and says it in a dialect."""
    speak = dialect(name)

    def look(sent: dict[str, Any], _number: int) -> Answer:
        image = images_of(sent)[-1]
        height, width = image.shape[:2]
        if name in FACTORS:  # what the server's own processor does to it
            assert smart_resize((width, height), FACTORS[name], 56 * 56, 12_845_056) == (width, height)
        kind = "obb" if name == "native" else "box"
        things = [Pointed(kind, box_to_corners(box.ravel()) if kind == "obb" else box, label=label) for box in bright(image)]  # fmt: skip  # noqa: E501
        return said(speak.encode(things, (width, height)))

    return look


def model_at(url: str, **settings: Any) -> RemoteModel:
    return RemoteModel(Address("m", (url,)), Settings(**settings), QUICK)


def assert_found(regions: tuple[Region, ...], boxes: Any, tolerance_px: float) -> None:
    assert len(regions) == len(boxes)
    for box in boxes:
        nearest = min(np.abs(region.box_px - box).max() for region in regions)
        assert nearest <= tolerance_px, (box, [region.box_px.tolist() for region in regions])


# ---- frames


@pytest.mark.parametrize("name", DIALECTS)
def test_regions_come_back_where_they_are(name: str) -> None:
    with serving(eyes(name)) as server:
        model = model_at(server.url, dialect=name)
        found = model.ground(scene_of(), "plane")
    assert isinstance(model, Grounder)
    assert_found(found, BOXES, 2.0)
    assert {region.label for region in found} == {"plane"} and len({region.id for region in found}) == 3
    assert all(region.score is None and region.source == model.name for region in found)
    for region in found:
        np.testing.assert_allclose(region.corners_px, canonical_corners(region.corners_px))


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("budget", [120_000, 40_000])
def test_images_that_do_not_fit_their_bytes_keep_their_frame(name: str, budget: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 130, (*SIZE_WH[::-1], 3), dtype=np.uint8)  # does not compress
    for x0, y0, x1, y1 in BOXES:
        pixels[y0:y1, x0:x1] = 255
    notes: list[str] = []
    with serving(eyes(name)) as server, noting(notes):
        model = model_at(server.url, dialect=name, max_bytes=budget, min_pixels=56 * 56)
        found = model.ground(Scene.from_array(pixels), "plane")
    for sent in server.seen:
        (part, _) = sent["messages"][0]["content"]
        assert len(part["image_url"]["url"]) <= budget and part["image_url"]["url"].startswith("data:image/jpeg")
    assert notes
    if name == "qwen2.5-vl" and budget == 40_000:  # its pixels are those that were told: more views, none made smaller
        assert len(server.seen) > 1
    assert_found(found, BOXES, 8.0)


def test_an_image_that_fits_no_bytes_is_told() -> None:
    scene = Scene.from_array(np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8))
    with serving([said("[]")]) as server:
        with pytest.raises(UsageError, match="fits 3000 bytes; set a larger max_bytes"):
            model_at(server.url, dialect="qwen2.5-vl", max_bytes=3000).ground(scene, "plane")
        assert not server.seen


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("views", ["tiles", "adaptive", "whole", "auto"])
def test_large_scenes_are_shown_in_views(name: str, views: str) -> None:
    rng = np.random.default_rng(3)
    boxes = [(x + dx, y + dy, x + dx + 40, y + dy + 26) for x in range(60, 1900, 310) for y in range(60, 1100, 310)
             for dx, dy in [rng.integers(0, 60, 2).tolist()]]  # fmt: skip
    with serving(eyes(name)) as server:
        model = model_at(server.url, dialect=name, views=views, max_pixels=448 * 448, overlap=64, min_pixels=3136)
        found = model.ground(scene_of(boxes, (2000, 1200)), "plane")
        shapes = {image.shape[:2] for sent in server.seen for image in images_of(sent)}
    assert (len(server.seen) > 1) == (views != "whole")
    assert all(h * w <= 448 * 448 for h, w in shapes)
    assert_found(found, boxes, 12.0)


@pytest.mark.parametrize("size_wh", [(2, 2), (2, 500), (900, 2), (1500, 5), (27, 29)])
@pytest.mark.parametrize("name", DIALECTS)
def test_scenes_of_any_shape_can_be_asked_about(size_wh: tuple[int, int], name: str) -> None:
    scene = Scene.from_array(np.full((size_wh[1], size_wh[0], 3), 250, np.uint8))
    with serving(eyes(name)) as server:
        found = model_at(server.url, dialect=name).ground(scene, "plane")
    assert found
    for region in found:
        assert (region.box_px >= -1e-6).all() and (region.box_px <= [*size_wh, *size_wh]).all()


def test_nothing_found_is_an_empty_set() -> None:
    for name, text in [("native", "none"), ("qwen2-vl", "none"), ("qwen2.5-vl", "[]"), ("qwen3-vl", "[]")]:
        with serving([said(text)]) as server:
            assert model_at(server.url, dialect=name).ground(scene_of(), "plane") == ()


def test_key_points_and_polygons_reach_the_scene() -> None:
    text = "[(0,0),(500,1000)] keypoints [(250,500),(0,1000)]"
    with serving([said(text)]) as server:
        (region,) = model_at(server.url, ground="seg").ground(scene_of(), "plane")
        assert text_of(server.seen[0]).startswith("[seg]")
    assert region.box_px.tolist() == [0, 0, 320, 400]
    assert region.keypoints_px is not None and region.keypoints_px.tolist() == [[160, 200], [0, 400]]


@given(
    name=st.sampled_from(sorted(FACTORS)),
    size_wh=st.tuples(st.integers(1, 3000), st.integers(1, 3000)).filter(lambda wh: max(wh) <= 200 * min(wh)),
    most=st.integers(70_000, 3_000_000),
)
def test_the_servers_own_resizing_changes_nothing(name: str, size_wh: tuple[int, int], most: int) -> None:
    sizes = Settings(dialect=name, max_pixels=most).sizes
    size = sizes.of(size_wh)
    assert smart_resize(size, FACTORS[name], sizes.min_pixels, max(most, size[0] * size[1])) == size


# ---- images


@given(
    size_wh=st.tuples(st.integers(1, 400), st.integers(1, 400)).filter(lambda wh: max(wh) <= 200 * min(wh)),
    factor=st.sampled_from([None, 28, 32]),
    budget=st.integers(80_000, 400_000),
    noisy=st.booleans(),
)
def test_images_fit_their_budget_or_are_refused(
    size_wh: tuple[int, int], factor: int | None, budget: int, noisy: bool
) -> None:
    def read(wh: tuple[int, int]) -> np.ndarray:
        rng = np.random.default_rng(1)
        return rng.integers(0, 256 if noisy else 2, (wh[1], wh[0], 3), dtype=np.uint8)

    sent = fit_image(read, size_wh, Sizes(factor), budget)
    assert len(sent.url) <= budget
    coded = np.frombuffer(base64.b64decode(sent.url.split(",")[1]), np.uint8)
    assert cv2.imdecode(coded, cv2.IMREAD_COLOR).shape == (sent.size_wh[1], sent.size_wh[0], 3)
    assert factor is None or (sent.size_wh[0] % factor == sent.size_wh[1] % factor == 0)


def test_small_images_are_sent_without_loss_in_the_right_colours() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (56, 84, 3), dtype=np.uint8)
    coded = base64.b64decode(data_url(pixels).split(",")[1])
    back = cv2.cvtColor(cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(back, pixels)


def test_a_budget_below_any_image_is_refused() -> None:
    with pytest.raises(UsageError, match="set a larger max_bytes"):
        fit_image(lambda wh: np.zeros((wh[1], wh[0], 3), np.uint8), (100, 100), Sizes(28), 50)
    with pytest.raises(UsageError, match="uint8"):
        data_url(np.zeros((4, 4)))
    with pytest.raises(UsageError, match="exclude each other"):
        Sizes(28, 10_000, 5_000)
    with pytest.raises(UsageError, match="no pixels"):
        Sizes(None).of((0, 3))


# ---- what is asked


def test_request_holds_the_instruction_the_image_and_nothing_else() -> None:
    with serving([said("none")]) as server:
        model_at(server.url).ground(scene_of(name="/secret/place/harbour.tif"), "white  plane")
    (sent,) = server.seen
    assert set(sent) == {"path", "key", "model", "messages", "temperature", "max_tokens", "structured_outputs", "logprobs"}  # fmt: skip  # noqa: E501
    assert sent["path"] == "/v1/chat/completions" and sent["temperature"] == 0
    assert [part["type"] for part in sent["messages"][0]["content"]] == ["image_url", "text"]
    assert text_of(sent) == "[det] Detect every white plane."
    assert sent["structured_outputs"]["grammar"].startswith("start:")
    assert "harbour" not in json.dumps(sent) and "secret" not in json.dumps(sent)


def test_stock_models_that_write_json_are_held_to_a_schema() -> None:
    with serving([said("[]")]) as server:
        model_at(server.url, dialect="qwen2.5-vl").ground(scene_of(), "plane")
    (sent,) = server.seen
    schema = sent["response_format"]["json_schema"]["schema"]
    assert schema["items"]["required"] == ["bbox_2d", "label"] and "structured_outputs" not in sent


def test_what_a_server_refuses_is_left_out_and_said_aloud_in_every_run() -> None:
    def picky(sent: dict[str, Any], _number: int) -> Answer:
        for field in ("structured_outputs", "skip_special_tokens", "logprobs", "temperature"):
            if field in sent:
                return Answer(422, {"detail": f"Unexpected fields in the request: {{'{field}'}}"})
        if "max_tokens" in sent:
            told = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
            return Answer(400, {"error": {"message": told}})
        return said("none")

    with serving(picky) as server:
        model = model_at(server.url, dialect="qwen2-vl")
        for asked in (6, 7):
            notes: list[str] = []
            with noting(notes):
                assert model.ground(scene_of(), "plane") == ()
            assert len(server.seen) == asked
            assert len(notes) == 5
            assert any("structured_outputs grammar" in one and "only checked" in one for one in notes)
            assert any("logprobs" in one and "no scores" in one for one in notes)
    assert set(server.seen[-1]) == {"path", "key", "model", "messages", "max_completion_tokens"}


def test_a_refusal_of_something_else_is_a_usage_error() -> None:
    with serving([Answer(400, {"error": "this model takes no images"})]) as server:
        with pytest.raises(UsageError, match=r"refuses the request \(400: this model takes no images\)"):
            model_at(server.url).ground(scene_of(), "plane")
        assert len(server.seen) == 1
    too_large = Answer(400, {"error": "'max_tokens' is too large: 2048"})
    with serving([too_large]) as server, pytest.raises(UsageError, match="too large"):
        model_at(server.url).ground(scene_of(), "plane")


@pytest.mark.parametrize(
    ("guided", "field", "value"),
    [
        (Guided(regex="[0-9]+"), "structured_outputs", {"regex": "[0-9]+"}),
        (Guided(grammar='start: "a"'), "structured_outputs", {"grammar": 'start: "a"'}),
    ],
)
def test_guidance_is_asked_for_as_vllm_takes_it(guided: Guided, field: str, value: Any) -> None:
    refusal = Answer(400, {"error": {"message": "structured_outputs: Invalid grammar specification."}})
    with serving([said("1"), refusal, said("2")]) as server:
        client = Client(Pool(Address("m", (server.url,)), QUICK))
        texts = [client.reply([{"role": "user", "content": "x"}], guided).text for _ in range(3)]
    assert texts == ["1", "2", "2"]
    assert [sent.get(field) for sent in server.seen] == [value, value, None, None]


@pytest.mark.parametrize("given_fields", [{}, {"schema": {}, "regex": "x"}])
def test_guidance_is_one_thing(given_fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected one of"):
        Guided(**given_fields)


# ---- replies that cannot be read


UNREADABLE = ["I cannot see any image.", "[(1,2),(3", "[(1,2),(5000,3)]", '[{"bbox_2d": [1,2,3]}]', "(1,2)", "[[[["]


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable_replies_are_asked_again_warmer_and_then_given_up(text: str) -> None:
    with serving([said(text)]) as server:
        with pytest.raises(ModelOutputError) as caught:
            model_at(server.url).ground(scene_of(), "plane")
        assert caught.value.raw == text
    assert [sent["temperature"] for sent in server.seen] == [0, 0.7, 1.4]


def test_a_readable_second_reply_is_taken() -> None:
    cut = Answer(body={"choices": [{"message": {"content": "[(1,2"}, "finish_reason": "length"}]})
    with serving([cut, said("[(0,0),(1000,0),(1000,1000),(0,1000)]")]) as server:
        (region,) = model_at(server.url).ground(scene_of(), "plane")
    assert region.box_px.tolist() == [0, 0, *SIZE_WH]


MALFORMED = [
    {}, [], None, 3, "x", {"choices": None}, {"choices": []}, {"choices": [None]}, {"choices": [{}]},
    {"choices": [{"message": None}]}, {"choices": [{"message": "x"}]}, {"choices": [{"message": {"content": None}}]},
    {"choices": [{"message": {"content": ["x"]}}]}, {"choices": {"0": 1}},
    {"choices": [{"message": {"content": " ", "refusal": "no"}}]},
]  # fmt: skip


@pytest.mark.parametrize("data", MALFORMED, ids=json.dumps)
def test_replies_without_text_are_model_output_errors(data: Any) -> None:
    with serving([Answer(body=data)]) as server:
        client = Client(Pool(Address("m", (server.url,)), QUICK))
        with pytest.raises(ModelOutputError):
            client.reply([{"role": "user", "content": "x"}])


@pytest.mark.parametrize("usage", [{"total_tokens": 12}, {"total_tokens": None}, {"total_tokens": -5}, "many", None])
def test_tokens_are_charged_where_they_are_told(usage: Any) -> None:
    with serving([said("yes", usage=usage)]) as server, metering(Meter()) as meter:
        Client(Pool(Address("m", (server.url,)), QUICK)).reply([{"role": "user", "content": "x"}])
    assert meter.tokens == (12 if usage == {"total_tokens": 12} else 0)


# ---- scores


def test_scores_are_the_mean_log_probability_of_a_regions_own_tokens() -> None:
    tokens = [("[(0,0),(500,0),", -0.1), ("(500,500),(0,500)]", -0.3), ("\n", -9.0)]
    tokens += [("[(600,600),(900,600),(900,900),(600,900)]", -0.02), ("<|im_end|>", -5.0)]
    content = [{"token": text, "logprob": value, "bytes": list(text.encode())} for text, value in tokens]
    text = "".join(text for text, _ in tokens)
    with serving([said(text, logprobs={"content": content})]) as server:
        best, other = model_at(server.url).ground(scene_of(), "plane")
    assert (best.score, other.score) == (pytest.approx(math.exp(-0.02)), pytest.approx(math.exp(-0.2)))
    assert best.box_px[0] > other.box_px[0], "best first"


@pytest.mark.parametrize(
    "logprobs",
    [
        None, "x", {}, {"content": None}, {"content": []}, {"content": [3]}, {"content": [{"token": "a"}]},
        {"content": [{"token": "a", "logprob": "0"}]}, {"content": [{"token": "a", "logprob": float("nan")}]},
        {"content": [{"token": "a", "logprob": True}]}, {"content": [{"token": "a", "logprob": 0, "bytes": [999]}]},
    ],
)  # fmt: skip
def test_log_probabilities_that_are_none_give_no_score(logprobs: Any) -> None:
    assert _tokens(logprobs) is None
    assert Reply("a", True, None).arrays() == (None, None)


def test_characters_spread_over_tokens_and_texts_that_differ() -> None:
    content = [{"token": "?", "logprob": -1.0, "bytes": [0xC3]}, {"token": "?", "logprob": -3.0, "bytes": [0xA9]}]
    tokens = _tokens({"content": content})
    assert tokens == (("", -1.0), ("é", -3.0))
    assert [each.tolist() for each in Reply("é", True, tokens).arrays() if each is not None] == [[-1, -3], [0, 1]]
    logprobs, stops = Reply("something else", True, (("a", -1.0),)).arrays()
    assert logprobs is not None and stops is None


@given(st.lists(st.tuples(st.text(max_size=4), st.floats(-20, 0)), max_size=8), st.text(max_size=3))
def test_every_character_of_a_reply_is_written_by_one_token(tokens: list[tuple[str, float]], before: str) -> None:
    text = "".join(text for text, _ in tokens)
    _, stops = Reply(text, True, ((before, -1.0), *tokens)).arrays()
    if stops is not None:
        assert stops[-1] == len(text) and (np.diff(stops, prepend=0) >= 0).all()


# ---- many views


def test_views_are_asked_side_by_side_within_the_limit_and_progress_is_told() -> None:
    heard: list[tuple[str, int, int]] = []
    look = eyes("native")

    def slow(sent: dict[str, Any], number: int) -> Answer:
        answer = look(sent, number)
        return Answer(body=answer.body, delay_s=0.05)

    with serving(slow) as server, listening(lambda *told: heard.append(told)):
        model = model_at(server.url, views="tiles", max_pixels=200 * 200, overlap=40, concurrency=4)
        found = model.ground(scene_of(), "plane")
        assert 2 <= server.at_once <= 4
        total = len(server.seen)
    assert_found(found, BOXES, 2.0)
    assert heard[0] == ("grounding", 0, total) and heard[-1] == ("grounding", total, total)


def test_one_failing_view_stops_the_others() -> None:
    def script(_sent: dict[str, Any], number: int) -> Answer:
        return Answer(404, {"error": "gone"}) if number == 1 else said("none", delay_s=5)

    with serving(script) as server:
        model = model_at(server.url, views="tiles", max_pixels=100 * 100, overlap=10, concurrency=2)
        with pytest.raises(UsageError, match="gone"):
            model.ground(scene_of(), "plane")
        assert len(server.seen) <= 4


def test_cancelling_stops_all_views() -> None:
    stop = threading.Event()

    def script(_sent: dict[str, Any], number: int) -> Answer:
        if number == 2:
            stop.set()
        return said("none", delay_s=20)

    with serving(script) as server:
        model = model_at(server.url, views="tiles", max_pixels=100 * 100, overlap=10, concurrency=3)
        with metering(Meter(cancelled=stop.is_set)), pytest.raises(Cancelled):
            model.ground(scene_of(), "plane")
    assert len(server.seen) == server.hung_up == 3


def test_the_runs_calls_are_bounded() -> None:
    with serving([said("none")]) as server, metering(Meter(Budget(max_model_calls=5))) as meter:
        model = model_at(server.url, views="tiles", max_pixels=100 * 100, overlap=10)
        with pytest.raises(BudgetExceeded):
            model.ground(scene_of(), "plane")
        assert len(server.seen) == meter.calls == 5


def test_small_finds_are_looked_at_again() -> None:
    thing = (301, 203, 311, 209)
    first = threading.Event()

    def blurry(sent: dict[str, Any], number: int) -> Answer:
        if first.is_set():
            return eyes("native")(sent, number)
        first.set()
        return said("[(464,500),(490,500),(490,530),(464,530)]")

    with serving(blurry) as server:
        (region,) = model_at(server.url, second_look=32).ground(scene_of([thing]), "plane")
        assert len(server.seen) == 2
    assert np.abs(region.box_px - thing).max() <= 1


def test_many_threads_may_ask_one_grounder() -> None:
    with serving(eyes("native")) as server:
        model = model_at(server.url)
        with ThreadPoolExecutor(6) as threads:
            answers = list(threads.map(lambda _: model.ground(scene_of(), "plane"), range(6)))
    for found in answers:
        assert [r.box_px.tolist() for r in found] == [r.box_px.tolist() for r in answers[0]]


def test_any_phrase_may_be_asked_and_nothing_is_kept_for_later_runs() -> None:
    model = model_at("http://127.0.0.1:9/v1")
    assert model.knows() is None and model.resolve("any thing") == ("any thing",)
    assert getattr(model, "version", None) is None


# ---- describer and change detector


@pytest.mark.parametrize("name", DIALECTS)
def test_describer_shows_each_region_with_its_place(name: str) -> None:
    speak = dialect(name)

    def script(sent: dict[str, Any], _number: int) -> Answer:
        image = images_of(sent)[0]
        height, width = image.shape[:2]
        things = bright(image)
        kind = "obb" if name == "native" else "box"
        for number, box in enumerate(things):  # says how wide the thing is that it was pointed at
            shown = Pointed(kind, box_to_corners(box.ravel()) if kind == "obb" else box)
            numbers = [int(n) for n in _numbers(speak.encode([shown], (width, height)))]
            if np.abs(np.array(numbers) - [int(n) for n in _numbers(text_of(sent))][-len(numbers) :]).max() <= 12:
                return said(f"thing {number} of {len(things)}, {'wide' if np.ptp(box[:, 0]) > np.ptp(box[:, 1]) else 'high'}")  # fmt: skip  # noqa: E501
        return said("nothing there")

    regions = [Region(str(n), "plane", box_to_corners(np.array(box)), np.array(box, float)) for n, box in enumerate(BOXES[:2])]  # fmt: skip  # noqa: E501
    with serving(script) as server:
        model = model_at(server.url, dialect=name)
        first, second = model.describe(scene_of(), regions)
        assert model.describe(scene_of(), []) == ()
    assert isinstance(model, Describer)
    assert first.text.endswith("wide") and second.text.endswith("high")
    assert (first.label, first.score, first.names) == (None, None, None)


def _numbers(text: str) -> list[str]:
    import re

    return re.findall(r"\d+", text.replace("bbox_2d", ""))


@pytest.mark.parametrize("name", DIALECTS)
def test_changes_are_found_between_two_images(name: str) -> None:
    speak = dialect(name)

    def script(sent: dict[str, Any], _number: int) -> Answer:
        before, after = images_of(sent)
        new = bright(np.where(before > 155, 0, after))
        height, width = after.shape[:2]
        kind = "polygon" if name == "native" else "box"
        shapes = [box_to_corners(box.ravel()) if kind == "polygon" else box for box in new]
        return said(speak.encode([Pointed(kind, shape, label="building") for shape in shapes], (width, height)))

    with serving(script) as server:
        model = model_at(server.url, dialect=name, views="tiles", max_pixels=90_000, min_pixels=3136, overlap=100)
        found = model.changes(scene_of(BOXES[:1]), scene_of(BOXES), "building")
        assert len(server.seen) > 1
    assert isinstance(model, ChangeDetector)
    assert_found(found, BOXES[1:], 3.0)
    assert all((region.polygon_px is not None) == (name == "native") for region in found)


def test_scenes_of_different_sizes_are_no_pair() -> None:
    model = model_at("http://127.0.0.1:9/v1")
    with pytest.raises(UsageError, match="bring both to one grid"):
        model.changes(scene_of(), scene_of(size_wh=(10, 10), boxes=()), "building")


# ---- specs


def test_a_spec_names_servers_and_settings() -> None:
    model = RemoteModel.at("qwen:7b@https://a/v1/,https://b:8000/v1?dialect=qwen2.5-vl&max_pixels=602112&guided=no")
    assert model.name == "openai:qwen:7b@https://a/v1,https://b:8000/v1?dialect=qwen2.5-vl&max_pixels=602112&guided=no"
    assert model.answerer.settings == Settings(dialect="qwen2.5-vl", max_pixels=602_112, guided=False)
    assert repr(model) == f"RemoteModel({model.name!r})"
    assert RemoteChat.at("m@http://a/v1,http://b/v1?concurrency=2&timeout=30").timeout_s == 30


@pytest.mark.parametrize(
    "tail",
    [
        "dialect=klingon", "max_pixels=0", "max_pixels=many", "guided=perhaps", "colour=red", "views=some", "ground=x",
        "min_pixels=5000000", "dialect=qwen3-vl&max_pixels=900", "concurrency=0", "tries=0",
    ],
)  # fmt: skip
def test_settings_that_are_none_are_refused(tail: str) -> None:
    with pytest.raises(UsageError):
        RemoteModel.at(f"m@http://a/v1?{tail}")


def test_every_setting_can_be_given() -> None:
    values = {**vars(Settings()), "min_pixels": 5000, "max_tokens": 9, "second_look": 5}
    tail = "&".join(f"{name}={str(value).lower()}" for name, value in values.items())
    assert Settings.of(read_address(f"m@http://a/v1?{tail}", "grounder", SETTINGS).options) == Settings(**values)
    assert set(SETTINGS) == set(values)


@pytest.mark.parametrize(
    ("health", "models", "words"),
    [
        (200, {"data": [{"id": "m"}]}, "answers and has the model"),
        (200, {"data": [{"id": "a"}, {"id": "b"}]}, "answers, but lists other models: a, b"),
        (200, {"data": []}, "lists other models: none"),
        (200, {"data": 3}, "does not list its models"),
        (200, b"<html>", "does not list its models"),
        (200, {"detail": "none"}, "answers, but does not list its models"),
        (401, {"error": "key"}, "answers 401 when it is asked for its models: key"),
        (404, b"Not Found", "up; does not list its models (404)"),
        (500, b"Internal Server Error", "up; does not list its models (500)"),  # transformers serve, pinned to a folder
        (503, b"no worker", "answers 503 when it is asked for its models: no worker"),
    ],
)
def test_what_servers_say_is_reported(health: int, models: Any, words: str) -> None:
    with serving([said("x")]) as server:
        server.health, server.models = health, models
        report = RemoteModel.at(f"m@{server.url},http://127.0.0.1:9/v1?dialect=qwen2.5-vl").check_report()
        assert RemoteChat("m", server.url).check_report() == {"server 1": report["server 1"]}
    assert report["server 1"].startswith(server.url) and report["server 1"].endswith(words)
    assert report["server 2"].startswith("http://127.0.0.1:9/v1 does not answer: ")
    assert (report["dialect"], report["coordinates"]) == ("qwen2.5-vl", "pixels of the resized image")


def test_a_busy_pool_of_servers_answers_a_whole_scene() -> None:
    def sometimes(sent: dict[str, Any], number: int) -> Answer:
        return [busy("0"), eyes("native")(sent, number), Answer(0), eyes("native")(sent, number)][number % 4]

    with serving(sometimes) as a, serving(eyes("native")) as b:
        address = Address("m", (a.url, b.url))
        settings = Settings(views="tiles", max_pixels=200 * 200, overlap=100)
        model = RemoteModel(address, settings, Patience(timeout_s=20, tries=8, pause_s=0.002, rest_s=0.005))
        assert_found(model.ground(scene_of(), "plane"), BOXES, 2.0)
    assert a.seen and b.seen


def test_trouble_reaches_the_caller_with_its_own_kind() -> None:
    scripts: list[tuple[Script, type[Exception]]] = [([Answer(500)], ToolFailed), ([Answer(401)], UsageError)]
    for script, error in scripts:
        with serving(script) as server, pytest.raises(error):
            model_at(server.url).ground(scene_of(), "plane")


def test_boxes_in_the_tests_are_apart() -> None:
    boxes = np.array(BOXES, float)
    assert (box_iou_matrix(boxes, boxes) == np.eye(len(boxes))).all()
