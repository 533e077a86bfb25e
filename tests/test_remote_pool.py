"""Requests to servers that are slow, busy, broken, away or lying; several servers behind one client."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fault_server import Answer, FaultServer, Script, busy, said, serving
from hypothesis import given
from hypothesis import strategies as st
from surveyor.core.budget import Budget, Meter, metering
from surveyor.core.errors import BudgetExceeded, Cancelled, ModelOutputError, ToolFailed, UsageError
from surveyor.tools.models.remote import transport
from surveyor.tools.models.remote.adapter import RemoteModel
from surveyor.tools.models.remote.address import Address, read_address
from surveyor.tools.models.remote.chat import RemoteChat
from surveyor.tools.models.remote.pool import Patience, Pool
from surveyor.tools.models.remote.transport import Answered

BODY = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
QUICK = Patience(timeout_s=5, pause_s=0.002, rest_s=0.02, longest_rest_s=0.1, health_s=2)
SECRET = "sk-this-is-a-secret-0123456789"


def pool(*servers: FaultServer | str, patience: Patience = QUICK, **more: Any) -> Pool:
    urls = tuple(one if isinstance(one, str) else one.url for one in servers)
    return Pool(Address("m", urls), patience, **more)


def text_of(reply: Any) -> str:
    text = reply["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    assert isinstance(port, int)
    return port


# ---- addresses


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "m",
        "m@",
        "@http://x/v1",
        "m@ftp://x/v1",
        "m@http://",
        "m@http://x:port/v1",
        "m@http://x:99999/v1",
        "m@http://[::1/v1",
        "m@http://x/v1#part",
        "m@http://x/v1,",
        "m@http://x/v1,y",
        "m@http://x/v1,http://x/v1/",
        "m@http://x/v1?concurrency",
        "m@http://x/v1?concurrency=",
        "m@http://x/v1?concurrency=2&concurrency=3",
    ],
)
def test_addresses_that_are_none(argument: str) -> None:
    with pytest.raises(UsageError):
        read_address(argument, "chat", ["concurrency"])


@pytest.mark.parametrize(
    "argument",
    [
        f"m@http://me:{SECRET}@host/v1",
        f"m@http://{SECRET}@host/v1",
        f"m@ftp://me:{SECRET}@host/v1",
        f"m@http://host/v1?api_key={SECRET}",
        f"m@http://host/v1?{SECRET}",
        f"m@http://host/v1,http://me:{SECRET}@host:port/v1",
        f"m@me:{SECRET}@host/v1",
    ],
)
def test_what_may_be_a_key_in_an_address_is_refused_and_not_shown(argument: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_address(argument, "grounder", ["dialect"])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "tail", ["dialct=native", "Dialect=native", "max_token=5", "dialect=native&colour=red", "api-version=1", "dialct"]
)
def test_a_setting_that_there_is_not_is_named_and_those_there_are_are_listed(tail: str) -> None:
    name = tail.rpartition("&")[2].partition("=")[0]
    with pytest.raises(UsageError, match=f"there is no setting '{name}'.* there are: dialect, max_tokens$") as caught:
        read_address(f"m@http://me:{SECRET}@host/v1?{tail}", "grounder", ["dialect", "max_tokens"])
    assert "environment" not in str(caught.value) and SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "query",
    [f"{name}={SECRET}" for name in ("key", "token", "api_key", "X-Api-Key", "client_secret")] + [SECRET, "openSesame"],
)
def test_what_looks_like_a_key_is_sent_to_the_environment(query: str) -> None:
    for tail in (query, f"dialct=native&{query}", f"{query}&dialct=native"):
        with pytest.raises(UsageError, match="give a key in the environment as SURVEYOR_CHAT_API_KEY") as caught:
            read_address(f"m@http://host/v1?{tail}", "grounder", ["dialect", "max_tokens"])
        assert SECRET not in str(caught.value) and "openSesame" not in str(caught.value)


@given(
    st.text(st.characters(codec="ascii", categories=["L", "N", "P"], exclude_characters="&?"), min_size=21),
    st.sampled_from(["{}", "{}=", "{}=x", "x={}", "dialect=native&{}"]),
)
def test_long_text_behind_an_address_is_never_shown(text: str, form: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_address(f"m@http://host/v1?{form.format(text)}", "grounder", ["dialect"])
    assert text not in str(caught.value)


@pytest.mark.parametrize("argument", ["m", "m@localhost:18912/v1", "m@"])
def test_what_is_proposed_for_an_address_that_is_none_can_be_written(argument: str) -> None:
    for role, make in (("grounder", RemoteModel.at), ("chat", RemoteChat.at)):
        with pytest.raises(UsageError, match=r"https?://") as caught:
            make(argument)
        proposed = str(caught.value).rpartition("write e.g. ")[2]
        assert proposed.startswith(f"{role}=openai:") and "vision" not in str(caught.value)
        assert "qwen" not in proposed or role == "chat", "a text model sees nothing"
        assert make(proposed.removeprefix(f"{role}=openai:")).name == proposed.removeprefix(f"{role}=")


@given(
    model=st.from_regex(r"[A-Za-z0-9_./:-]{1,20}", fullmatch=True),
    hosts=st.lists(st.from_regex(r"[a-z][a-z0-9]{0,8}(:[1-9][0-9]{1,3})?", fullmatch=True), min_size=1, unique=True),
)
def test_an_address_survives_its_name(model: str, hosts: list[str]) -> None:
    address = Address(model, tuple(f"http://{host}/v1" for host in hosts), {"concurrency": "2"})
    again = read_address(address.name.removeprefix("openai:"), "chat", ["concurrency"])
    assert again == address


# ---- one server


FAILURES: dict[str, tuple[Script, type[Exception], str]] = {
    "429 for ever": ([busy()], ToolFailed, "failed 3 times, at last with 429: slow down"),
    "500 for ever": ([Answer(500, b"boom")], ToolFailed, "failed 3 times, at last with 500: boom"),
    "no word": ([Answer(0)], ToolFailed, "broke off"),
    "cut in the body": ([said("hello", cut_after=20)], ModelOutputError, "broke off its reply"),
    "cut before the body": ([said("hello", cut_after=0)], ToolFailed, "broke off"),
    "garbage": ([Answer(body=b"\xff\xfe\x00{")], ModelOutputError, "sent no JSON"),
    "html": (
        [Answer(body=b"<html><h1>Welcome</h1></html>")],
        ModelOutputError,
        "check that this is the address of its /v1$",
    ),
    "truncated json": ([Answer(body=b'{"choices": [{"mess')], ModelOutputError, "sent no JSON"),
    "deep json": ([Answer(body=b"[" * 200_000)], ModelOutputError, "sent no JSON"),
    "long number": ([Answer(body=b"1" * 20_000)], ModelOutputError, "sent no JSON"),
    "empty": ([Answer()], ModelOutputError, "sent no JSON"),
    "huge": ([Answer(body=b" " * 300_000)], ModelOutputError, "sent more than"),
    "wrong key": ([Answer(401, {"error": {"message": "bad key"}})], UsageError, "set SURVEYOR_CHAT_API_KEY in"),
    "forbidden": ([Answer(403)], UsageError, "wants a key"),
    "wrong name": ([Answer(404, {"error": "no model m"})], UsageError, "check the model's name"),
    "too large": ([Answer(413)], UsageError, "smaller max_pixels"),
    "redirect": ([Answer(307, headers={"Location": "http://127.0.0.1:9/x"})], UsageError, "refuses the request .307"),
    "not implemented": ([Answer(501)], UsageError, "refuses the request .501"),
    "html error": ([Answer(502, b"<html><b>Bad</b> gateway</html>")], ToolFailed, "502: Bad gateway"),
    "asks for an hour": ([busy("3600")], ToolFailed, "failed 1 time, .* asks to be left alone for 3600 s"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_told_by_who_must_act(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script, error, message = FAILURES[name]
    monkeypatch.delenv("SURVEYOR_CHAT_API_KEY", raising=False)
    monkeypatch.setattr("surveyor.tools.models.remote.transport.fetch.__kwdefaults__", {"key": "", "limit": 200_000})
    with serving(script) as server, pytest.raises(error, match=message) as caught:
        pool(server).ask(BODY)
    assert not isinstance(caught.value, ModelOutputError) or len(caught.value.raw) <= 2000


def test_a_text_that_was_cut_off_is_kept() -> None:
    with serving([said("hello", cut_after=60)]) as server, pytest.raises(ModelOutputError) as caught:
        pool(server).ask(BODY)
    assert caught.value.raw == json.dumps(said("hello").body)[:60]


MENDED: dict[str, list[Answer]] = {
    "429 then fine": [busy(), said("yes")],
    "429 with 0 s": [busy("0"), said("yes")],
    "429 with nonsense": [busy("soon"), said("yes")],
    "500 then fine": [Answer(500), Answer(503), said("yes")],
    "cut then fine": [said("yes", cut_after=9), Answer(0), said("yes")],
    "too early": [Answer(425), Answer(408), said("yes")],
}


@pytest.mark.parametrize("name", MENDED)
def test_passing_failures_are_tried_again(name: str) -> None:
    script = MENDED[name]
    with serving(script) as server:
        assert text_of(pool(server).ask(BODY)) == "yes"
    assert len(server.seen) == len(script)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which take no time here."""
    pauses: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: 100.0 + sum(pauses), sleep=pauses.append)
    monkeypatch.setattr("surveyor.tools.models.remote.pool.time", clock)
    return pauses


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_kept_to(form: str, slept: list[float]) -> None:
    header = "7" if form == "seconds" else formatdate(time.time() + 8, usegmt=True)
    with serving([busy(header), said("yes")]) as server:
        pool(server, draw=lambda: 0.5, patience=Patience(pause_s=1.0)).ask(BODY)
    assert 6.4 < sum(slept) - 0.5 < 8.1


def test_pauses_double_and_are_drawn_from_zero_on(slept: list[float]) -> None:
    draws = iter([1.0, 1.0, 0.0, 0.5])
    patience = Patience(timeout_s=5, tries=5, pause_s=1.0, longest_pause_s=3.0)
    with serving([Answer(500)] * 4 + [said("yes")]) as server:
        pool(server, patience=patience, draw=lambda: next(draws)).ask(BODY)
    assert sum(slept) == pytest.approx(1.0 + 2.0 + 0.0 + 0.5 * 3.0)


def test_a_server_that_asked_to_be_left_alone_is_not_hurried_by_the_next_request(slept: list[float]) -> None:
    with serving([busy("7"), said("yes")]) as server:
        one = pool(server, draw=lambda: 0.0, patience=Patience(tries=1))
        with pytest.raises(ToolFailed):
            one.ask(BODY)
        assert not slept
        one.ask(BODY)
    assert sum(slept) == pytest.approx(7.0)


@pytest.mark.parametrize("answer", [said("x", delay_s=5), Answer(body=b" " * 500, drip_s=0.02)], ids=["silent", "drip"])
def test_one_reply_has_a_bounded_time(answer: Answer) -> None:
    with serving([answer]) as server:
        begun = time.monotonic()
        with pytest.raises(ToolFailed, match=r"no reply within 0\.4 s"):
            pool(server, patience=Patience(timeout_s=0.4)).ask(BODY)
        assert time.monotonic() - begun < 4
    assert len(server.seen) == 1 and server.hung_up == 1  # a whole timeout is not spent three times


def test_no_server_is_told_at_once_but_one_that_went_away_is_a_failure() -> None:
    gone = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(UsageError, match=r"there is no server at .*; check that it is running$"):
        pool(gone).ask(BODY)
    with pytest.raises(UsageError, match=r"no server at .* or .*; check that one of them is running$"):
        pool(gone, f"http://127.0.0.1:{free_port()}/v1").ask(BODY)
    with serving([said("yes")]) as server:
        one = pool(server)
        one.ask(BODY)
    with pytest.raises(ToolFailed, match="cannot be reached any more"):
        one.ask(BODY)


def test_unknown_host_is_no_server() -> None:
    with pytest.raises(UsageError, match=r"there is no server at 'http://no-such-host.invalid/v1'"):
        pool("http://no-such-host.invalid/v1").ask(BODY)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    what = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1".split()
    made = [openssl, *what, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", path.with_suffix(".crt")]
    subprocess.run(made, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


def test_https_is_spoken_and_certificates_are_checked(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVEYOR_CHAT_API_KEY", SECRET)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serving([said("safe"), said("late", delay_s=5)], tls=tls) as server:
        with pytest.raises(UsageError, match=r"there is no server at .*certificate verify failed"):
            pool(server).ask(BODY)
        assert not server.seen
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
        assert text_of(pool(server).ask(BODY)) == "safe"
        with pytest.raises(ToolFailed, match="no reply within"):
            pool(server, patience=Patience(timeout_s=0.6)).ask(BODY)
        assert [sent["key"] for sent in server.seen] == [f"Bearer {SECRET}"] * 2


def test_https_to_a_server_that_speaks_http_is_told() -> None:
    with serving([said("x")]) as server, pytest.raises(UsageError, match=r"there is no server at 'https.*SSL"):
        pool(server.url.replace("http:", "https:")).ask(BODY)


def test_a_server_that_speaks_something_else_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            for _ in range(2):
                one, _address = other.accept()
                with one:
                    one.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                    one.recv(1 << 16)

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(ToolFailed, match=r"broke off: BadStatusLine SSH-2\.0"):
            pool(f"http://127.0.0.1:{other.getsockname()[1]}/v1", patience=Patience(tries=2, pause_s=0.001)).ask(BODY)
        thread.join()


# ---- the run's bounds


def test_calls_are_charged_each_time_they_are_made() -> None:
    with serving([busy(), busy(), said("yes")]) as server:
        with metering(Meter(Budget(max_model_calls=3))) as meter:
            pool(server).ask(BODY)
        assert meter.calls == 3
        with metering(Meter(Budget(max_model_calls=0))), pytest.raises(BudgetExceeded):
            pool(server).ask(BODY)
    assert len(server.seen) == 3


@pytest.mark.parametrize("answer", [said("late", delay_s=30), busy("25")], ids=["waiting for a reply", "between tries"])
def test_a_cancelled_run_stops_waiting(answer: Answer) -> None:
    stop = threading.Event()

    def script(_sent: dict[str, Any], _number: int) -> Answer:
        threading.Timer(0.15, stop.set).start()
        return answer

    with serving(script) as server:
        begun = time.monotonic()
        with metering(Meter(cancelled=stop.is_set)), pytest.raises(Cancelled):
            pool(server, patience=Patience(timeout_s=60)).ask(BODY)
        assert time.monotonic() - begun < 10
    assert server.hung_up == (1 if answer.delay_s else 0)  # so that a server stops generating


def test_waiting_for_a_place_can_be_cancelled() -> None:
    with serving([said("late", delay_s=1.0)]) as server:
        one = pool(server, concurrency=1)
        with ThreadPoolExecutor(1) as other:
            first = other.submit(one.ask, BODY)
            while not server.seen:
                time.sleep(0.005)
            with metering(Meter(Budget(max_seconds=0.1))), pytest.raises(BudgetExceeded):
                one.ask(BODY)
            assert text_of(first.result()) == "late"
    assert len(server.seen) == 1


# ---- several servers


def test_the_least_loaded_server_is_asked() -> None:
    held = threading.Event()

    def slow(_sent: dict[str, Any], _number: int) -> Answer:
        held.wait(5)
        return said("slow")

    with serving(slow) as first, serving([said("quick")]) as second:
        one = pool(first, second)
        with ThreadPoolExecutor(8) as threads:
            blocked = threads.submit(one.ask, BODY)
            while not first.seen:
                time.sleep(0.005)
            assert [text_of(one.ask(BODY)) for _ in range(5)] == ["quick"] * 5
            held.set()
            assert text_of(blocked.result()) == "slow"
    assert (len(first.seen), len(second.seen)) == (1, 5)


def test_idle_servers_take_turns_and_one_image_stays_with_one_server() -> None:
    with serving([said("a")]) as a, serving([said("b")]) as b, serving([said("c")]) as c:
        one = pool(a, b, c)
        assert sorted(text_of(one.ask(BODY)) for _ in range(6)) == ["a", "a", "b", "b", "c", "c"]
        for image in ("image 1", "image 2", "image 3"):
            assert len({text_of(one.ask(BODY, affinity=image)) for _ in range(4)}) == 1
        assert len({text_of(one.ask(BODY, affinity=f"image {n}")) for n in range(30)}) == 3


def test_concurrency_is_bounded_over_all_servers() -> None:
    answers = [said("x", delay_s=0.03)]
    with serving(answers) as a, serving(answers) as b:
        one = pool(a, b, concurrency=3)
        with ThreadPoolExecutor(12) as threads:
            list(threads.map(lambda _: one.ask(BODY), range(18)))
    assert len(a.seen) + len(b.seen) == 18
    assert a.at_once <= 3 and b.at_once <= 3 and a.at_once + b.at_once >= 3
    assert all(server.in_flight == 0 for server in one.servers)


def test_a_dead_server_is_left_out_and_comes_back() -> None:
    port = free_port()
    dead = f"http://127.0.0.1:{port}/v1"
    patience = Patience(timeout_s=5, pause_s=0.002, rest_s=0.2, longest_rest_s=0.2, health_s=2)
    with serving([said("alive")]) as alive:
        one = pool(dead, alive, patience=patience)
        assert [text_of(one.ask(BODY)) for _ in range(6)] == ["alive"] * 6
        assert one.servers[0].failures == 1, "it was tried once and then left out"
        time.sleep(0.25)
        assert text_of(one.ask(BODY)) == "alive", "a look at it showed that it is still away"
        assert one.servers[0].failures == 2
        with serving([said("back")], port=port) as again:
            time.sleep(0.25)
            assert {text_of(one.ask(BODY)) for _ in range(4)} == {"alive", "back"}
            assert again.looks == 1 and one.servers[0].failures == 0


def test_a_failing_server_costs_one_try_each_and_no_pause() -> None:
    with serving([Answer(500)]) as bad, serving([said("good")]) as good:
        one = pool(bad, good, patience=Patience(timeout_s=5, pause_s=60.0, rest_s=30.0))
        begun = time.monotonic()
        assert [text_of(one.ask(BODY)) for _ in range(5)] == ["good"] * 5
        assert time.monotonic() - begun < 5
    assert len(bad.seen) == 1


@pytest.mark.parametrize("up", [200, 401, 404, 500])
@pytest.mark.parametrize("down", [502, 503, 504])
def test_a_server_that_is_ill_is_looked_at_before_it_is_used_again(up: int, down: int) -> None:
    with serving([Answer(500), said("well")]) as ill, serving([said("good")]) as good:
        ill.health = down
        one = pool(ill, good, patience=Patience(timeout_s=5, pause_s=0.002, rest_s=0.01, longest_rest_s=0.01))
        for _ in range(6):
            assert text_of(one.ask(BODY)) == "good"
            time.sleep(0.015)
        assert len(ill.seen) == 1 and ill.looks >= 1
        ill.health = up
        time.sleep(0.05)
        assert {text_of(one.ask(BODY)) for _ in range(4)} == {"good", "well"}


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks() -> None:
    with serving([busy("20"), said("later")]) as tired, serving([said("good")]) as good:
        one = pool(tired, good)
        begun = time.monotonic()
        assert [text_of(one.ask(BODY)) for _ in range(5)] == ["good"] * 5
        assert time.monotonic() - begun < 5
    assert len(tired.seen) == 1


def test_a_slow_server_gives_way_to_another() -> None:
    with serving([said("late", delay_s=5)]) as slow, serving([said("good")]) as good:
        one = pool(slow, good, patience=Patience(timeout_s=0.6, rest_s=30))
        assert [text_of(one.ask(BODY)) for _ in range(3)] == ["good"] * 3
    assert len(slow.seen) == 1 and slow.hung_up == 1


def test_when_all_fail_the_number_of_tries_is_bounded() -> None:
    with serving([Answer(500)]) as a, serving([Answer(503)]) as b:
        with pytest.raises(ToolFailed, match="failed 4 times"):
            pool(a, b).ask(BODY)
        assert len(a.seen) + len(b.seen) == 4


def test_a_refusal_is_not_carried_from_server_to_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SURVEYOR_CHAT_API_KEY", raising=False)
    with serving([Answer(401)]) as a, serving([Answer(401)]) as b:
        with pytest.raises(UsageError, match="wants a key"):
            pool(a, b).ask(BODY)
        assert len(a.seen) + len(b.seen) == 1


def test_what_a_server_refuses_as_it_is_goes_back_to_the_caller() -> None:
    with serving([Answer(400, {"error": "no schemas here"})]) as server, pytest.raises(Answered) as caught:
        pool(server).ask(BODY)
    assert (caught.value.status, caught.value.said) == (400, "no schemas here")


# ---- keys


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("key", ["", SECRET], ids=["none set", "one set"])
def test_a_key_that_is_missing_is_told_apart_from_one_that_is_refused(
    key: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURVEYOR_CHAT_API_KEY", key)
    with serving([Answer(status, {"error": {"message": "bad key"}})]) as server:
        with pytest.raises(UsageError) as caught:
            pool(server).ask(BODY)
        said_of = str(caught.value).partition(server.url)[2]
    assert said_of == (
        f" refuses the key ({status}: bad key); set SURVEYOR_CHAT_API_KEY in the environment to one that it takes"
        if key
        else f" wants a key, and none is set ({status}: bad key); set SURVEYOR_CHAT_API_KEY in the environment"
    )
    assert server.seen[0]["key"] == (f"Bearer {SECRET}" if key else None)


def test_key_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVEYOR_CHAT_API_KEY", SECRET)

    def echo(sent: dict[str, Any], number: int) -> Answer:
        told = f"your header was {sent['key']}"
        return [
            Answer(401, {"error": {"message": told}}),
            Answer(400, told.encode()),
            Answer(body=told.encode()),
            Answer(body={"choices": told}),
            Answer(500, told.encode()),
            Answer(404, told.encode()),
            said(told, cut_after=120),
            said(told),
        ][min(number, 7)]

    with serving(echo) as server:
        one = pool(server, patience=Patience(timeout_s=5, tries=1))
        shown = [repr(one), one.address.name, repr(one.address)]
        for _ in range(7):
            try:
                shown.append(repr(one.ask(BODY)))
            except Exception as error:
                frame: BaseException | None = error
                while frame is not None:
                    shown += [str(frame), repr(vars(frame))]
                    frame = frame.__cause__ or frame.__context__
        shown.append(json.dumps(one.ask(BODY)))
    assert {sent["key"] for sent in server.seen} == {f"Bearer {SECRET}"}
    assert not [text for text in shown if SECRET in text]
    assert "your header was Bearer [key]" in shown[-1]


@pytest.mark.parametrize("key", [f"{SECRET}\nX-More: 1", f"{SECRET} {SECRET}", f"{SECRET}é"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVEYOR_CHAT_API_KEY", key)
    with serving([said("x")]) as server, pytest.raises(UsageError, match="SURVEYOR_CHAT_API_KEY") as caught:
        pool(server).ask(BODY)
    assert SECRET not in str(caught.value) and not server.seen


def test_redirects_carry_nothing_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVEYOR_CHAT_API_KEY", SECRET)
    with serving([said("stolen")]) as thief:
        for status in (301, 302, 303, 307, 308):
            there = {"Location": thief.url + "/chat/completions"}
            with serving([Answer(status, headers=there)]) as server, pytest.raises(UsageError, match=str(status)):
                pool(server).ask(BODY)
        assert not thief.seen and not thief.looks


@given(st.binary(max_size=300))
def test_any_error_text_becomes_a_line(data: bytes) -> None:
    said_back = transport._words(data.decode("utf-8", "replace"))
    assert isinstance(said_back, str)


@given(st.one_of(st.none(), st.text(max_size=30)))
def test_any_retry_after_is_seconds_or_nothing(header: str | None) -> None:
    seconds = transport._seconds(header)
    assert seconds is None or seconds >= 0
