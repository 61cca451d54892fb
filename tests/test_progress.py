"""Progress speaks on a terminal, seldom in a log, and never when quiet."""

import io

import pytest

from pseudogd.progress import format_rate, format_seconds, notice, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_quiet_says_nothing(capsys):
    with track("label", 10, quiet=True) as bar:
        bar.advance(10)
        bar.note("nothing to see")
    notice("nothing either", quiet=True)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_log_gets_plain_lines():
    stream = io.StringIO()
    with track("label", 4, stream=stream, every=0.0, done=1) as bar:
        bar.advance()
        bar.note("half way")
        bar.advance(2)
    first, note, last = stream.getvalue().splitlines()
    assert first.startswith("label: 2/4 photos (50 %), ") and first.endswith(" left")
    assert note == "label: half way"
    assert last.startswith("label: 4/4 photos in 0 s")
    assert "\x1b" not in stream.getvalue()


def test_a_log_is_not_flooded():
    stream = io.StringIO()
    with track("label", 1000, stream=stream) as bar:
        for _ in range(1000):
            bar.advance()
    assert len(stream.getvalue().splitlines()) == 1


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with track("label", 4, stream=stream, unit="steps") as bar:
        bar.advance(3)
        bar.note("[red] is no markup here")
        bar.advance(1)
    said = stream.getvalue()
    assert "4/4" in said and "label" in said and "[red] is no markup here" in said


def test_of_an_unknown_number_what_is_done_is_said(monkeypatch):
    plain, live = io.StringIO(), Terminal()
    for stream in (plain, live):
        monkeypatch.setenv("TERM", "xterm")
        with track("unpack", None, stream=stream, every=0.0) as bar:
            bar.advance(1234)
            bar.advance()
    during, _, last = plain.getvalue().splitlines()
    assert during.startswith("unpack: 1,234 photos, ") and "left" not in during
    assert last.startswith("unpack: 1,235 photos in 0 s")
    assert "1235/?" in live.getvalue()


def test_the_bar_is_closed_when_work_fails():
    stream = io.StringIO()
    with pytest.raises(RuntimeError), track("label", 4, stream=stream) as bar:
        bar.advance()
        raise RuntimeError
    assert stream.getvalue().startswith("label: 1/4")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599, "59 min 59 s"), (7860, "2 h 11 min")],
)
def test_seconds_read_well(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(("rate", "text"), [(1234.6, "1,235"), (99.94, "99.9"), (3.14159, "3.14"), (0.05, "0.05")])
def test_rates_read_well(rate, text):
    assert format_rate(rate) == text
