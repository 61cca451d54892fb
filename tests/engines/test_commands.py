import os
import signal
import sys
import threading
import time

import pytest

from pseudogd.engines.commands import Command, run_beside
from pseudogd.errors import PseudoGDError


def command(name, code, folder, steps=2):
    mark = folder / name
    return Command(name, [sys.executable, "-c", code, str(mark)], steps, lambda: 2 * mark.exists())


WRITE = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('x')"


def test_all_run_and_a_full_stderr_stops_nobody(tmp_path):
    loud = "import sys; sys.stderr.write('x' * 300_000);" + WRITE
    run_beside(
        [command("a", loud, tmp_path), command("b", WRITE, tmp_path)], at_once=1, env=os.environ, title="t", quiet=True
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_one_that_fails_stops_the_others_and_is_quoted(tmp_path):
    bad = "import sys, time; time.sleep(1); sys.exit('no such thing')"
    wait = "import sys, time, pathlib\ntry: time.sleep(60)\nexcept KeyboardInterrupt: pathlib.Path(sys.argv[1]).touch()"
    start = time.monotonic()
    with pytest.raises(PseudoGDError, match=r"^bad stopped: no such thing$"):
        run_beside(
            [command("bad", bad, tmp_path), command("long", wait, tmp_path)],
            at_once=2,
            env=os.environ,
            title="t",
            quiet=True,
        )
    assert time.monotonic() - start < 30
    assert (tmp_path / "long").exists()  # it was given time to save


def test_ctrl_c_is_handed_on(tmp_path):
    wait = "import sys, time, pathlib\ntry: time.sleep(60)\nexcept KeyboardInterrupt: pathlib.Path(sys.argv[1]).touch()"
    threading.Timer(2.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run_beside([command("long", wait, tmp_path)], at_once=1, env=os.environ, title="t", quiet=True)
    assert (tmp_path / "long").exists()
