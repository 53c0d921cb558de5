"""Fixtures: servers over fresh lakes, and the TPC-H data."""

import os

import harness
import pytest

SCALE = os.environ.get("FLIGHTLAKE_TEST_SF", "0.1")


@pytest.fixture
def lake(tmp_path):
    """The folder of a lake that does not exist yet."""
    return tmp_path / "lake"


@pytest.fixture
def server(lake):
    """A server over a fresh folder."""
    server = harness.Server(lake).start()
    yield server
    server.close()


def memory_server(folder):
    """A server whose objects are in its memory, so that DuckDB cannot open them itself."""
    return harness.Server("mem:", "--catalog", f"duckdb:{folder}/catalog.ducklake")


@pytest.fixture(scope="module", params=["local", "mem"])
def shared(request, tmp_path_factory):
    """One server for a whole module, once per store; tests use tables of their own."""
    folder = tmp_path_factory.mktemp(request.param)
    server = harness.Server(folder / "lake") if request.param == "local" else memory_server(folder)
    yield server.start()
    server.close()


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """One server over a folder for a whole module; tests use names of their own."""
    server = harness.Server(tmp_path_factory.mktemp("one") / "lake").start()
    yield server
    server.close()


@pytest.fixture
def name(request):
    """The test's own name as part of names in the lake."""
    return "".join(c if c.isalnum() else "_" for c in request.node.name.lower())[-60:].strip("_")


@pytest.fixture
def table(request, shared):
    """A table name of the test's own in the shared server, dropped at the end."""
    name = "t_" + "".join(c if c.isalnum() else "_" for c in request.node.name.lower())[:60]
    yield name
    shared.run(f'DROP TABLE IF EXISTS "{name}"')


@pytest.fixture(scope="session")
def tpch():
    """The folder of the generated TPC-H files."""
    return harness.tpch_folder(SCALE)
