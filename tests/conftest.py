"""One thread and no network for every test: two threads beside another busy process can be a hundred times slower."""

import gc
import os
import signal
import sys
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# so that every test can say `from helpers.tiny_llava import save_tiny_llava`
sys.path.insert(0, str(Path(__file__).parent))

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no flaw of the code under test.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# A shell that starts the tests in the background has them ignore Ctrl-C, and every process they start with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread():
    import torch

    torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    """Modules with slow tests first, those with most of them before others.

    Several workers share whole modules out in this order: what is quick fills the gaps at the end, where a long module
    would keep one worker busy and the others waiting.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish():
    """Leave what is imported by now out of every later garbage collection.

    Half a million objects of torch, transformers and the tests stay anyway, and to look at all of them takes a third of
    a second: every training run asks for a collection when it ends, and is itself not much longer here.
    """
    gc.collect()
    gc.freeze()


# ------------------------------------------------------------------------- the table of docs/families.md
def pytest_addoption(parser):
    parser.addoption("--write-families", action="store_true", help="write the table of docs/families.md")


CELL = "cell of the table of families"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    marker = item.get_closest_marker("column")
    said_here = report.when == "call" or report.outcome != "passed"
    if marker is not None and said_here and "name" in getattr(item, "callspec", ()).params:
        reason = report.longrepr[2].removeprefix("Skipped: ") if report.outcome == "skipped" else ""
        # with the report, because several workers may run the tests and one process writes the table
        report.user_properties.append((CELL, [item.callspec.params["name"], marker.args[0], report.outcome, reason]))
    return report


def pytest_configure(config):
    from helpers.families_table import Outcomes

    class Collect:
        outcomes = Outcomes()

        def pytest_runtest_logreport(self, report):
            for name, value in report.user_properties:
                if name == CELL:
                    self.outcomes.add(*value)

    config.pluginmanager.register(Collect(), "families")


def pytest_sessionfinish(session):
    from helpers import families_table
    from helpers.tiny import FAMILIES

    outcomes, names = session.config.pluginmanager.get_plugin("families").outcomes, sorted(FAMILIES)
    if hasattr(session.config, "workerinput") or not outcomes.complete(names):
        return
    table = outcomes.table(names)
    if session.config.getoption("--write-families"):
        families_table.write(table)
    elif table != families_table.written():
        session.exitstatus = 1
        session.config.get_terminal_writer().line("docs/families.md is not what the tests say: make families", red=True)
