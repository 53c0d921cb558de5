"""The Flight SQL JDBC driver, as DBeaver and other database browsers use it."""

import os
import subprocess

import harness

JAR = os.environ.get("FLIGHTLAKE_TEST_JDBC", str(harness.CACHE / "jdbc" / "flight-sql-jdbc-driver-18.3.0.jar"))
STEPS = [
    "create", "update", "query", "prepared", "prepared update", "batch", "empty result", "metadata", "columns", "keys",
    "error", "drop",
]  # fmt: skip


def test_jdbc(server):
    url = server.uri.replace("grpc://", "jdbc:arrow-flight-sql://") + "/?useEncryption=false"
    program = harness.ROOT / "integration" / "jdbc" / "Jdbc.java"
    command = ["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-cp", JAR, str(program), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == [f"ok {step}" for step in STEPS], done.stderr[-4000:]
    assert done.returncode == 0
