"""Asking a model behind a server: what is sent, and one line for whatever comes back instead of an answer."""

import base64
import io
import socket
import threading
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.chat_server import Said, answering, reply
from helpers.photos import GOOD_KINDS, as_bytes, rotated_jpeg, scene
from PIL import Image

from pseudogd.benchmarks.backends.chat_server import ChatServer, api_address, data_url
from pseudogd.benchmarks.backends.served import ServedBackend
from pseudogd.benchmarks.runner import evaluate
from pseudogd.errors import InputError
from pseudogd.store.photos import load_photo

KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("PSEUDOGD_API_KEY", raising=False)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    scene().save(path)
    return path


def refusal(photo, *says, model="m", models=None, **options):
    """The error of asking a server that says this."""
    with answering(*says, models=models) as server, pytest.raises(InputError) as caught:
        ChatServer(server.url, model, **options).reply(photo, "What?", 4)
    text = str(caught.value)
    assert text.startswith(server.url) and "\n" not in text and KEY not in text
    return text


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_the_request_is_a_greedy_chat_completion_of_photo_and_text(photo):
    with answering(reply("  two metres\n")) as server:
        assert ChatServer(server.url, "mine").reply(photo, "How far?", 7) == "two metres"
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    (message,) = asked.body.pop("messages")
    assert asked.body == {
        **{"model": "mine", "max_tokens": 7, "temperature": 0, "frequency_penalty": 0, "stream": False}
    }
    picture, words = message["content"]
    assert message["role"] == "user" and words == {"type": "text", "text": "How far?"}
    head, _, data = picture["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64" and base64.b64decode(data) == photo.read_bytes()
    assert "authorization" not in asked.headers


@pytest.mark.parametrize("given, environment, sent", [(None, KEY, KEY), ("other", KEY, "other"), ("", KEY, None)])
def test_the_key_comes_from_the_argument_or_the_environment(photo, monkeypatch, given, environment, sent):
    monkeypatch.setenv("PSEUDOGD_API_KEY", f"{environment}\n")
    with answering(reply("yes")) as server:
        ChatServer(server.url, "m", api_key=given).reply(photo, "?", 1)
    assert server.asked[0].headers.get("authorization") == (f"Bearer {sent}" if sent else None)


@pytest.mark.parametrize("name", sorted(GOOD_KINDS))
def test_every_kind_of_photo_arrives_as_we_would_read_it(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(GOOD_KINDS[name]())
    head, _, data = data_url(path).partition(",")
    arrived = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head in {"data:image/png;base64", "data:image/jpeg;base64", "data:image/webp;base64"}
    assert arrived.mode == "RGB" and arrived.getexif().get(0x0112, 1) == 1
    assert np.array_equal(np.asarray(arrived), np.asarray(load_photo(path)))


def test_a_plain_photo_is_sent_as_it_is_and_a_turned_one_upright(tmp_path):
    plain, turned = tmp_path / "plain.jpg", tmp_path / "turned.jpg"
    plain.write_bytes(as_bytes(scene(), "JPEG"))
    turned.write_bytes(rotated_jpeg(6)[0])
    assert data_url(plain) == f"data:image/jpeg;base64,{base64.b64encode(plain.read_bytes()).decode()}"
    assert data_url(turned).startswith("data:image/png")


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_what_is_no_photo_is_said_before_anything_is_sent(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with answering(reply("yes")) as server:
        for bad in (path, tmp_path / "missing.png"):
            with pytest.raises(InputError, match=bad.name):
                ChatServer(server.url, "m").reply(bad, "?", 1)
    assert server.asked == []


# --- the address ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, address",
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("https://host/api/v1", "https://host/api/v1"),
        ("http://[::1]:8000/v1/chat/completions", "http://[::1]:8000/v1"),
    ],
)
def test_addresses_in_the_ways_that_people_write_them(given, address):
    assert api_address(given) == address


@pytest.mark.parametrize(
    "bad", ["localhost:8000", "8000", "", "ftp://host", "file:///etc/passwd", "http://", "http://host:x", "http://h h"]
)
def test_what_is_no_address_is_said_with_an_example(bad):
    with pytest.raises(InputError, match="http://localhost:8000"):
        api_address(bad)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(InputError) as caught:
        api_address(f"http://me:{KEY}@host:1")
    assert KEY not in str(caught.value) and "PSEUDOGD_API_KEY" in str(caught.value)


# --- the model's name -----------------------------------------------------------------------------------------------


def unless_named(request):
    return reply(request.body["model"]) if "model" in request.body else Said({"error": "model is required"}, 400)


def test_a_server_may_choose_the_model_itself(photo):
    with answering(reply("mine"), models=["another", "one"]) as server:
        assert ChatServer(server.url).reply(photo, "?", 1) == "mine"
    assert len(server.asked) == 1 and "model" not in server.asked[0].body


def test_a_server_that_wants_a_name_is_asked_for_it_once(photo):
    with answering(unless_named, models=["only"]) as server:
        asking = ChatServer(server.url)
        assert [asking.reply(photo, "?", 1) for _ in range(2)] == ["only", "only"]
    paths = [asked.path.rpartition("/")[2] for asked in server.asked]
    assert paths == ["completions", "models", "completions", "completions"]


def test_of_several_models_one_must_be_named(photo):
    assert "a, b" in refusal(photo, unless_named, model=None, models=["a", "b"])


@pytest.mark.parametrize("models", [None, []])
def test_without_a_list_the_servers_own_words_stay(photo, models):
    assert "model is required" in refusal(photo, unless_named, model=None, models=models)


def test_an_unknown_name_is_told_with_those_there_are(photo):
    gone = Said({"error": {"message": "The model `m` does not exist.", "code": 404}}, 404)
    assert "no model 'm'" in refusal(photo, gone, models=["a", "b"]) and "a, b" in refusal(
        photo, gone, models=["a", "b"]
    )
    assert "does not exist" in refusal(photo, gone)
    assert "has no such model" in refusal(photo, Said(status=404, kind="text/html", text="<h1>Not found</h1>"))


# --- what may come back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, text",
    [(" B ", "B"), ("", ""), (None, None), ([{"type": "text", "text": "A"}, {"type": "text", "text": "B"}], "AB")],
)
def test_contents_of_a_reply(photo, content, text):
    with answering(reply(content)) as server:
        assert ChatServer(server.url, "m").reply(photo, "?", 1) == text


@pytest.mark.parametrize(
    "said, words",
    [
        (Said({"error": {"message": "out of\nmemory"}}, 500), "says 500: out of memory"),
        (Said({"error": "queue is full"}, 503), "says 503: queue is full"),
        (Said({"detail": "Server is pinned to 'x'."}, 400), "says 400: Server is pinned to 'x'."),
        (Said({"detail": [{"msg": "too long"}, {"msg": "too many"}]}, 422), "too long; too many"),
        (Said({"object": "error", "message": "context length"}, 400), "context length"),
        (Said(status=500, kind="text/plain", text="Internal Server Error"), "failed (500) and does not say why"),
        (Said(status=429, kind="text/plain", text="slow down"), "says 429: slow down"),
        (Said({"error": {"message": f"bad key {KEY}"}}, 401), "PSEUDOGD_API_KEY"),
        (Said({}, 302, headers={"location": "http://elsewhere/"}), "leads on to http://elsewhere/"),
        (Said(text="<html>", kind="text/html"), "text/html and not JSON"),
        (Said(text="data: {}\n\n", kind="text/event-stream"), "streams its answer"),
        (Said({"error": {"message": "no such thing"}}), "no such thing"),
        (Said({"choices": []}), "without a reply"),
        (Said([1]), "without a reply"),
        (Said(text="[" * 100_000), "not JSON"),
        (Said({"error": "x" * 5000}, 500), "xxx..."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_is_one_line_that_says_what_the_server_said(photo, said, words):
    assert words in refusal(photo, said, api_key=KEY)


def test_a_redirect_is_not_followed_so_that_the_key_stays_here(photo):
    with answering(reply("stolen")) as other:
        leads = Said({}, 307, headers={"location": f"{other.url}/v1/chat/completions"})
        assert other.url in refusal(photo, leads, api_key=KEY)
    assert other.asked == []


@pytest.mark.parametrize("key", ["a\nb", "schlüssel"])
def test_a_key_that_is_none_is_refused_and_not_repeated(key):
    with pytest.raises(InputError) as caught:
        ChatServer("http://localhost", "m", key)
    assert key not in str(caught.value)


# --- the connection -------------------------------------------------------------------------------------------------


def test_nothing_listens_there(photo):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match=r"no server answers there \(Connection refused\)"):
            ChatServer(url, "m").reply(photo, "?", 1)


def trickle(wfile):
    wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
    for _ in range(200):
        wfile.write(b" ")
        wfile.flush()
        time.sleep(0.05)


def silence(wfile):
    time.sleep(3)


@pytest.mark.parametrize("raw", [trickle, silence])
def test_waiting_ends(photo, raw):
    start = time.monotonic()
    assert "no answer within 0.5 s" in refusal(photo, Said(raw=raw), timeout=0.5)
    assert time.monotonic() - start < 6  # of the ten seconds that the trickle would last


@pytest.mark.parametrize(
    "sent",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\ncontent-type: application/json\r\n\r\n{"],
)
def test_a_connection_that_breaks_off(photo, sent):
    assert "broke off" in refusal(photo, Said(raw=lambda wfile: wfile.write(sent)))


def test_an_endless_answer_is_cut(photo):
    def endless(wfile):
        wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        for _ in range(40):
            wfile.write(bytes(1 << 20))

    assert "more than 16 MiB" in refusal(photo, Said(raw=endless))


def test_a_proxy_is_not_asked_about_this_machine(photo, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with answering(reply("yes")) as server:
        assert ChatServer(server.url, "m").reply(photo, "?", 1) == "yes"


def test_a_timeout_of_nothing_is_refused():
    with pytest.raises(InputError, match="more than 0"):
        ChatServer("http://localhost", "m", timeout=0)


# --- a bench --------------------------------------------------------------------------------------------------------


def test_a_bench_is_asked_several_questions_at_a_time_and_keeps_their_order(bench_folder, tmp_path):
    together = threading.Barrier(3, timeout=20)

    def last_option(request):
        together.wait()  # nobody is answered before three are there
        text = request.body["messages"][0]["content"][1]["text"]
        return reply(text.splitlines()[-1][0])

    with answering(last_option) as server:
        backend = ServedBackend(ChatServer(server.url, "mine"), at_a_time=3)
        summary = evaluate(backend, bench_folder, tmp_path / "run", prompt="plain", quiet=True)
        assert evaluate(backend, bench_folder, tmp_path / "run", prompt="plain", quiet=True) == summary
    rows = pq.read_table(tmp_path / "run" / "eval" / "bench" / "items.parquet").to_pylist()
    assert [row["reply"] for row in rows] == [row["prompt"].splitlines()[-1][0] for row in rows]
    assert len(server.asked) == 24 and len({row["reply"] for row in rows}) == 3
    assert summary["settings"]["model"] == {"name": "mine", "server": f"{server.url}/v1"}


def test_a_reply_of_nothing_counts_as_wrong_and_does_not_end_the_bench(bench_folder, tmp_path):
    with answering(reply(None)) as server:
        backend = ServedBackend(ChatServer(server.url, "mine"))
        summary = evaluate(backend, bench_folder, tmp_path, prompt="plain", limit=3, quiet=True)
    assert summary["accuracy"]["overall"] == 0 and summary["parse_failure_rate"]["lenient"] == 1
