"""JavaScript: the npm package @gizmodata/gizmosql-client, which is a client for any Flight SQL server."""

import os
import pathlib
import shutil
import subprocess
import sys

import harness
import pytest

SOURCE = pathlib.Path(__file__).parent / "js"
MODULES = harness.CACHE / "js"
NODE = shutil.which("node", path=os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]))

pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not installed: `make tools` installs it"),
    pytest.mark.skipif(not (MODULES / "node_modules").exists(), reason="the client is not installed: `make tools` does it"),
]


@pytest.fixture
def server(lake):
    """A server that divides large results, of which the client would read the first share only."""
    server = harness.Server(lake, "--endpoints-max", "4", "--endpoint-bytes", "1MiB").start()
    yield server
    server.close()


def test_the_client_works(server, tmp_path):
    # Node looks for packages beside the script.
    (tmp_path / "node_modules").symlink_to(MODULES / "node_modules")
    for name in ("package.json", "client.test.js"):
        shutil.copy(SOURCE / name, tmp_path)
    done = subprocess.run(
        [NODE, "--test", "--test-reporter=tap"],
        cwd=tmp_path,
        env={**os.environ, "FLIGHTLAKE_URI": server.uri},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 6" in done.stdout, done.stdout
    with server.connect() as connection, connection.cursor() as cursor:
        assert len(cursor.adbc_execute_partitions("SELECT i, s FROM js_large")[0]) == 4, "nothing was tried"
