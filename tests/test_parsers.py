"""Grammar and language model behind one door: who reads what, what is checked, asked again, refused, and recorded."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import surveyor
from hypothesis import given
from hypothesis import strategies as st
from strategies import requests
from surveyor.agent.llm_parser import MAX_ATTEMPTS, ParseRefused, parse_with_model, tree_faults
from surveyor.agent.parser import parse
from surveyor.agent.parsers import parse_request
from surveyor.core.conditions import Request
from surveyor.core.errors import ModelOutputError, QueryError, ToolFailed, UsageError
from surveyor.core.trace import Trace
from surveyor.core.tree_text import read_tree, tree_json, tree_schema
from surveyor.prompts import Prompt, load
from surveyor.tools.models.fakes import FakeChatModel, FakeGrounder, FakeSegmenter
from surveyor.tools.models.remote.chat import RemoteChat
from surveyor.tools.models.spec import Models, load_models

QUERY = "kindly fetch the jets that stretch beyond 40 m, red ones only"
TREE = tree_json(parse("red jets longer than 40 m"))
FORGETFUL = tree_json(parse("jets longer than 40 m"))


# ---- the tree as text ------------------------------------------------------------------------------------------


@given(requests(depth=1))
def test_tree_is_read_back(request_: Request) -> None:
    assert read_tree(f"Here it is:\n```json\n{tree_json(request_)}\n```") == request_


@given(st.text() | st.text(alphabet='{}[]":,outpsverb '))
def test_any_text_is_a_tree_or_a_model_error(text: str) -> None:
    try:
        assert isinstance(read_tree(text), Request)
    except ModelOutputError as error:
        assert error.raw == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no JSON object"),
        ("I cannot do that.", "holds no JSON object"),
        ('{"outputs": [', "not readable JSON"),
        ("{" * 5000, "nested too deeply"),
        ('{"outputs":[{"verb":"find","target":{"phrases":["plane"]}}]}', "outputs.0.verb"),
        ('<think>{"a": 1}</think> none', "holds no JSON object"),
    ],
)
def test_unreadable_reply_is_named(text: str, message: str) -> None:
    with pytest.raises(ModelOutputError, match=re.escape(message)):
        read_tree(text)


def test_schema_holds_what_decoders_share() -> None:
    for every in (False, True):
        text = json.dumps(tree_schema(every_field=every))
        assert not re.search(r'"(oneOf|discriminator|default|title)":', text)
    pick = tree_schema(every_field=True)["$defs"]["Pick"]
    assert pick["required"] == list(pick["properties"])
    assert tree_schema()["$defs"]["Pick"]["required"] == ["kind", "by", "order"]


# ---- prompts ---------------------------------------------------------------------------------------------------


def test_examples_of_the_prompt_are_what_the_grammar_says() -> None:
    shown = re.findall(r"^Request: (.+)\nTree: (.+)$", load("parse_request").render(), flags=re.MULTILINE)
    assert len(shown) >= 10
    for query, tree in shown:
        assert read_tree(tree) == parse(query)
        assert tree_json(parse(query)) == tree


def test_prompt_names_every_condition_and_relation() -> None:
    text = load("parse_request").text
    conditions = tree_schema()["$defs"]
    kinds = {d["properties"]["kind"]["const"] for d in conditions.values() if "kind" in d.get("properties", {})}
    relations = set(conditions["Relation"]["properties"]["relation"]["enum"])
    missing = {word for word in kinds | relations if not re.search(rf"\b{word}\b", text)}
    assert missing <= {"among"}, "say in prompts/parse_request.md what they are"


def test_prompt_needs_its_values() -> None:
    prompt = Prompt("p", "Hello $name, $$5")
    assert prompt.render(name="Ada") == "Hello Ada, $5"
    for values in ({}, {"name": "Ada", "more": "x"}):
        with pytest.raises(UsageError, match="needs the values"):
            prompt.render(**values)
    with pytest.raises(UsageError, match=r"expected one of: .*parse_again"):
        load("nothing_like_that")
    with pytest.raises(UsageError):
        load("../README")
    assert len(prompt.digest()) == 16


# ---- the loop --------------------------------------------------------------------------------------------------


def test_first_good_tree_is_taken() -> None:
    chat = FakeChatModel([TREE])
    found = parse_with_model(QUERY, chat)
    assert found.request == parse("red jets longer than 40 m") and len(found.attempts) == 1
    (messages, schema) = chat.calls[0]
    assert isinstance(messages, tuple) and QUERY in messages[1] and schema == tree_schema()


def test_forgotten_condition_is_named_and_asked_again() -> None:
    chat = FakeChatModel([FORGETFUL, "{}", TREE])
    found = parse_with_model(QUERY, chat)
    assert [attempt.raw for attempt in found.attempts] == [FORGETFUL, "{}", TREE]
    assert "'red'" in (found.attempts[0].fault or "")
    second = chat.calls[1][0]
    assert isinstance(second, tuple) and "'red'" in second[3] and second[2] == FORGETFUL


def test_refused_after_the_bound_with_the_words_and_the_text() -> None:
    chat = FakeChatModel([FORGETFUL])
    with pytest.raises(ParseRefused, match="asked 3 times") as caught:
        parse_with_model(QUERY, chat)
    assert chat.call_count == MAX_ATTEMPTS and caught.value.raw == FORGETFUL
    assert [QUERY[a:b] for a, b in caught.value.spans] == ["red"]
    assert isinstance(caught.value, QueryError) and "^^^" in caught.value.pointer()


def test_text_cut_off_is_asked_again() -> None:
    chat = FakeChatModel([TREE], failure=ModelOutputError("cut off", '{"out'), failures=1)
    assert [one.raw for one in parse_with_model(QUERY, chat).attempts] == ['{"out', TREE]


def test_model_is_not_asked_what_cannot_be_checked() -> None:
    chat = FakeChatModel([TREE])
    for query in ("", "trouve tous les avions", "x" * 1001, "найди самолёты"):
        with pytest.raises(QueryError):
            parse_with_model(query, chat)
    assert chat.call_count == 0


@pytest.mark.parametrize(
    ("kind", "parts", "fault"),
    [
        ("and", [{"kind": "colour", "word": "red"}, {"kind": "colour", "word": "blue"}], "nothing can be both 'red'"),
        ("or", [{"kind": "class", "phrase": "car"}, {"kind": "colour", "word": "blue"}], "another does not"),
        ("or", [{"kind": "class", "phrase": "car"}, {"kind": "class", "phrase": "bus"}], "must be the same"),
    ],
)
def test_faults_of_valid_trees(kind: str, parts: list[dict[str, str]], fault: str) -> None:
    target = {"phrases": ["car"], "where": {"kind": kind, "conditions": parts}}
    request = read_tree(json.dumps({"outputs": [{"verb": "detect", "target": target}]}))
    assert fault in "; ".join(tree_faults(request))


# ---- the door --------------------------------------------------------------------------------------------------


def test_auto_asks_the_model_only_when_the_grammar_refuses() -> None:
    chat = FakeChatModel([TREE])
    assert parse_request("planes", "auto", chat).parser == "grammar" and chat.call_count == 0
    found = parse_request(QUERY, "auto", chat)
    assert found.parser == "llm" and chat.call_count == 1 and found.refused
    with pytest.raises(QueryError):
        parse_request(QUERY, "auto")
    with pytest.raises(QueryError):
        parse_request(QUERY, "grammar", chat)
    assert parse_request("red jets longer than 40 m", "llm", chat).parser == "llm"


def test_auto_tells_both_reasons() -> None:
    with pytest.raises(ParseRefused, match=r"did not understand.*Then the language model 'fake'"):
        parse_request(QUERY, "auto", FakeChatModel(["no"]))


def test_parser_names_and_missing_model() -> None:
    with pytest.raises(UsageError, match="expected one of: auto, grammar, llm"):
        parse_request("planes", "best")
    with pytest.raises(UsageError, match="--models chat="):
        parse_request("planes", "llm")


def test_ask_records_how_the_request_was_read() -> None:
    scene = surveyor.draw_scene("harbour", seed=3)
    chat = FakeChatModel([FORGETFUL, TREE])
    models = Models(FakeGrounder((), ["jet"]), FakeSegmenter(), chat=chat)
    answer = surveyor.ask(scene.image_rgb, QUERY, models=models)
    parsing = answer.trace.parsing
    assert parsing is not None and (parsing.parser, parsing.model, len(parsing.attempts)) == ("llm", "fake", 2)
    assert parsing.prompt_digest == load("parse_request").digest() and parsing.grammar_refused
    assert Trace.from_json(answer.trace.to_json()).parsing == parsing
    assert answer.trace.models["chat"] == "fake"
    assert answer.notes[0] == "The question was read by fake as: detect all red jets longer than 40 m."
    plain = surveyor.ask(scene.image_rgb, "jets", models=models).trace.parsing
    assert plain is not None and plain.parser == "grammar" and plain.attempts == ()


@pytest.mark.parametrize(
    ("query", "asides"),
    [
        ("For my thesis, count the ships", ("For my thesis",)),
        ("Hello! I am a pilot. For my report, count the ships", ("I am a pilot", "For my report")),
        ("Good morning, count the ships, thanks", ()),
        ("count the ships", ()),
    ],
)
def test_what_stands_before_a_request_is_told(query: str, asides: tuple[str, ...]) -> None:
    found = parse_request(query)
    assert found.request == parse("count the ships")
    assert found.asides == asides
    assert found.record().notes == tuple(f"Not part of the request: {aside!r}." for aside in asides)


@pytest.mark.parametrize("query", ["I only care about the north, count the ships", "For my thesis"])
def test_what_could_narrow_a_request_is_no_aside_and_an_aside_alone_no_request(query: str) -> None:
    with pytest.raises(QueryError):
        parse_request(query)


def test_asides_stand_in_the_notes_of_the_answer() -> None:
    scene = surveyor.draw_scene("harbour", seed=3)
    models = Models(FakeGrounder((), ["ship"]), FakeSegmenter())
    answer = surveyor.ask(scene.image_rgb, "For my thesis, count the ships", models=models)
    assert answer.notes[0] == "Not part of the request: 'For my thesis'."
    assert answer.trace.parsing is not None and answer.trace.parsing.notes == answer.notes[:1]
    assert Trace.from_json(answer.trace.to_json()).parsing == answer.trace.parsing
    plain = surveyor.ask(scene.image_rgb, "count the ships", models=models)
    assert not any("Not part" in note for note in plain.notes)


def test_plan_takes_the_parser() -> None:
    models = Models(FakeGrounder(), FakeSegmenter(), chat=FakeChatModel([TREE]))
    steps = surveyor.plan(QUERY, parser="llm", models=models).steps
    assert [step.instruction for step in steps] == ["detect all jets", "select those that are red", "select those longer than 40 m"]  # fmt: skip  # noqa: E501


# ---- servers ---------------------------------------------------------------------------------------------------


def reply(text: str, **more: Any) -> tuple[int, Any]:
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}], **more}


@contextmanager
def serving(answers: list[tuple[int, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that gives these answers in turn (the last one again and again), and what it was sent."""
    seen: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
            status, data = answers[min(len(seen), len(answers)) - 1]
            payload = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_server_is_asked_for_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-you")
    monkeypatch.setenv("SURVEYOR_CHAT_API_KEY", "k3y")
    with serving([reply(TREE, usage={"total_tokens": 12})]) as (url, seen):
        found = parse_request(QUERY, "llm", load_models(f"chat=openai:org/some:8b@{url}").chat)
    assert found.request == parse("red jets longer than 40 m")
    (sent,) = seen
    assert (sent["path"], sent["model"], sent["key"]) == ("/v1/chat/completions", "org/some:8b", "Bearer k3y")
    described = sent["response_format"]["json_schema"]
    assert described["strict"] is True and described["schema"] == tree_schema(every_field=True)
    assert "k3y" not in found.record().model_dump_json()


def test_server_without_schemas_is_asked_for_less_and_noted() -> None:
    refusal = (400, {"error": {"message": "unknown field response_format.json_schema"}})
    no_object = (400, {"error": "response_format is not supported"})
    with serving([refusal, no_object, reply(f"Sure!\n```json\n{TREE}\n```")]) as (url, seen):
        chat = RemoteChat("m", url)
        record = parse_request(QUERY, "llm", chat).record()
        parse_request(QUERY, "llm", chat)
    formats = [one.get("response_format", {}).get("type") for one in seen]
    assert formats == ["json_schema", "json_object", None, None]
    assert len(record.notes) == 2 and "only checked" in record.notes[0]


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        ([(401, {"error": {"message": "bad key"}})], UsageError, "set SURVEYOR_CHAT_API_KEY"),
        ([(404, {"error": "model 'm' not found"})], UsageError, "check the model's name"),
        ([(400, {"error": "context too long"})], UsageError, "refuses the request .400: context too long"),
        ([(503, b"busy")], ToolFailed, "failed 2 times, at last with 503: busy"),
        ([(307, b"")], UsageError, "refuses the request .307"),
        ([(200, b"<html>")], ModelOutputError, "sent no JSON"),
        ([(200, {"choices": []})], ModelOutputError, "no choices"),
        ([reply("")], ModelOutputError, "sent no text"),
        ([(200, {"choices": [{"message": {"content": "{"}, "finish_reason": "length"}]})], ModelOutputError, "cut off"),
    ],
)
def test_trouble_with_a_server_is_told(answers: list[tuple[int, Any]], error: type[Exception], message: str) -> None:
    with serving(answers) as (url, _), pytest.raises(error, match=message):
        RemoteChat("m", url, tries=2, pause_s=0.001).complete([{"role": "user", "content": "x"}])


def test_busy_server_is_asked_again() -> None:
    with serving([(429, b"slow down"), reply("yes")]) as (url, seen):
        assert RemoteChat("m", url, pause_s=0.001).complete([{"role": "user", "content": "x"}]) == "yes"
    assert len(seen) == 2


def test_no_server_and_a_silent_one() -> None:
    with serving([reply("")]) as (url, _):
        pass
    with pytest.raises(UsageError, match="there is no server at"):
        RemoteChat("m", url).complete([{"role": "user", "content": "x"}])
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        chat = RemoteChat("m", f"http://127.0.0.1:{silent.getsockname()[1]}/v1", timeout_s=0.1)
        with pytest.raises(ToolFailed, match=r"no reply within 0\.1 s"):
            chat.complete([{"role": "user", "content": "x"}])


@pytest.mark.parametrize("spec", ["m", "m@ftp://x/v1", "@http://x/v1", "m@http://", "m@http://key:secret@host/v1"])
def test_addresses_that_are_none(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_models(f"chat=openai:{spec}")
    assert "secret" not in str(caught.value) or "MODEL@URL" in str(caught.value)


def test_openai_key_goes_to_openai_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from surveyor.tools.models.remote.address import key_for

    monkeypatch.setenv("OPENAI_API_KEY", "a")
    monkeypatch.delenv("SURVEYOR_CHAT_API_KEY", raising=False)
    assert key_for("https://api.openai.com/v1") == "a"
    assert key_for("https://api.openai.com.example.org/v1") == ""


def test_missing_local_model_is_told_at_once() -> None:
    with pytest.raises(UsageError, match="no language model at"):
        load_models("chat=hf:./nothing/model.gguf")
