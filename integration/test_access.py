"""Users, roles, grants and row filters, as a driver meets them."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import time
from urllib.parse import quote

import adbc_driver_flightsql
import harness
import pyarrow as pa
import pytest
from test_jdbc import JAR, JVM

SECRET = b"a secret of tests that is long enough"


def password_hash(password):
    return subprocess.run(
        [harness.BINARY, "passwd"], input=password, capture_output=True, text=True, check=True
    ).stdout.strip()


class Guarded:
    """A server with users, whose password is secret."""

    def __init__(self, folder):
        self.hash = password_hash("secret")
        self.auth = folder / "auth.toml"
        (folder / "hmac").write_bytes(SECRET + b"\n")
        self.write()
        tls = subprocess.run(
            [harness.BINARY, "cert", "--out", folder / "certs", "--client", "mary"], capture_output=True, text=True, check=False
        )
        assert tls.returncode == 0, tls.stderr
        self.certs = folder / "certs"
        self.server = harness.Server(
            folder / "lake",
            "--auth-file", str(self.auth),
            "--tls-cert", str(self.certs / "server.pem"),
            "--tls-key", str(self.certs / "server-key.pem"),
            "--tls-client-ca", str(self.certs / "ca.pem"),
            listen="localhost:0",
        ).start()  # fmt: skip

    def write(self, tom="", eve='["eu"]'):
        text = "".join(
            f"[users.{name}]\npassword = '{self.hash}'\nroles = {roles}\n"
            for name, roles in {"root": '["admin"]', "eve": eve, "mary": '["reader"]'}.items()
        )
        text += f"""
            {"[users.tom]" if tom is not None else ""}
            {f"password = '{self.hash}'" if tom is not None else ""}
            [roles.eu]
            inherits = ["reader"]
            row_filters = [{{schema = "sales", table = "orders", filter = "region = 'EU'"}}]
            [jwt]
            hs256_secret_file = "hmac"
            issuer = "tests"
            leeway = "0s"
            [mtls]
            user_from = "cn"
        """
        new = self.auth.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o600)
        new.rename(self.auth)

    def connect(self, user=None, password="secret", **options):
        if user:
            options |= {"username": user, "password": password}
        options["adbc.flight.sql.client_option.tls_root_certs"] = (self.certs / "ca.pem").read_text()
        return self.server.connect(**options)

    def bearer(self, **claims):
        claims = {"sub": "zoe", "roles": ["eu"], "iss": "tests", "exp": time.time() + 60} | claims
        parts = [{"alg": "HS256", "typ": "JWT"}, {k: v for k, v in claims.items() if v is not None}]
        text = b".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts)
        signature = base64.urlsafe_b64encode(hmac.new(SECRET, text, hashlib.sha256).digest()).rstrip(b"=")
        return self.connect(**{"adbc.flight.sql.authorization_header": f"Bearer {(text + b'.' + signature).decode()}"})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    g = Guarded(tmp_path_factory.mktemp("guarded"))
    with g.connect("root") as root:
        run(root, "CREATE SCHEMA sales")
        run(root, "CREATE TABLE sales.orders (region VARCHAR, amount BIGINT)")
        run(root, "INSERT INTO sales.orders VALUES ('EU', 1), ('US', 2)")
        run(root, "CREATE TABLE sales.other AS SELECT 7 AS x")
    yield g
    g.server.close()


def run(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def eventually(check):
    harness.wait_until(check, timeout=10, what="a change of the auth file")


@pytest.mark.parametrize(("user", "password"), [("root", "wrong"), ("nobody", "secret"), ("root", "")])
def test_wrong_credentials(guarded, user, password):
    with pytest.raises(adbc_driver_flightsql.dbapi.Error, match=r"(?i)unauthenticated"):
        with guarded.connect(user, password) as connection:
            run(connection, "SELECT 1")


def test_no_credentials(guarded):
    with guarded.connect() as connection, harness.raises("unauthenticated", "credentials are needed"):
        run(connection, "SELECT 1")


def test_row_filter(guarded):
    with guarded.connect("eve") as eve, guarded.connect("root") as root:
        assert run(eve, "FROM sales.orders") == [("EU", 1)]
        assert run(eve, "SELECT count(*), max(amount) FROM sales.orders") == [(1, 1)]
        assert run(root, "SELECT count(*) FROM sales.orders") == [(2,)]
        with harness.raises("forbidden"):
            run(eve, "EXPLAIN ANALYZE FROM sales.orders")
        with harness.raises("forbidden"):
            run(eve, "INSERT INTO sales.orders VALUES ('EU', 5)")
        with eve.cursor() as cursor, harness.raises("forbidden"):
            cursor.adbc_ingest("orders", pa.table({"region": ["EU"]}), mode="append", db_schema_name="sales")


def test_partition_gives_the_rows_of_whoever_reads_it(guarded):
    with guarded.connect("root") as root, guarded.connect("eve") as eve:
        with root.cursor() as mine, eve.cursor() as hers:
            partitions, _ = mine.adbc_execute_partitions("SELECT region FROM sales.orders WHERE amount < 3")
            for cursor, want in ((mine, {("EU",), ("US",)}), (hers, {("EU",)})):
                cursor.adbc_read_partition(partitions[0])
                assert set(cursor.fetchall()) == want


def test_append_tokens_are_their_users_own(guarded):
    with guarded.connect("root") as root, guarded.connect("tom") as tom:
        run(root, "CREATE TABLE sales.loads (i BIGINT)")
        run(root, "GRANT INSERT ON sales.loads TO tom")
        for connection in (tom, tom, root):
            harness.ingest(connection, "loads", pa.table({"i": [1]}), "append", token="load-1", db_schema_name="sales")
        assert run(root, "SELECT count(*) FROM sales.loads") == [(2,)]
        run(root, "REVOKE ALL ON sales.loads FROM tom")


def test_grant_and_revoke_meet_open_connections(guarded):
    with guarded.connect("root") as root, guarded.connect("tom") as tom:
        with harness.raises("not_found"):
            run(tom, "FROM sales.orders")
        assert tables(tom) == []
        run(root, "GRANT SELECT, INSERT ON sales.orders TO tom")
        assert tables(tom) == ["orders"]
        with tom.cursor() as cursor:
            cursor.adbc_ingest("orders", pa.table({"region": ["AU"], "amount": [3]}), mode="append", db_schema_name="sales")
        with tom.cursor() as cursor, tom.cursor() as other:
            cursor.adbc_prepare("FROM sales.orders")
            partitions, _ = other.adbc_execute_partitions("FROM sales.orders")
            run(root, "REVOKE SELECT ON sales.orders FROM tom")
            with harness.raises("forbidden", "tom", "select", "sales.orders"):
                cursor.execute("FROM sales.orders")
            # Of an error of DoGet for a partition the driver keeps the text only.
            with pytest.raises(adbc_driver_flightsql.dbapi.Error, match="no privilege select"):
                other.adbc_read_partition(partitions[0])
                other.fetchall()
        run(root, "REVOKE ALL ON sales.orders FROM tom")
        assert tables(tom) == []


def tables(connection):
    objects = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
    return [t["table_name"] for c in objects for s in c["catalog_db_schemas"] for t in s["db_schema_tables"]]


def test_tokens(guarded):
    with guarded.bearer() as zoe:
        assert run(zoe, "FROM sales.orders WHERE amount < 3") == [("EU", 1)]
    for claims, text in [
        ({"exp": time.time() - 5}, "has expired"),
        ({"exp": None}, "no expiry"),
        ({"iss": "others"}, "another issuer"),
        ({"roles": ["nothing"]}, "not in the auth file"),
    ]:
        with guarded.bearer(**claims) as connection, harness.raises("unauthenticated", text):
            run(connection, "SELECT 1")


def test_a_token_expires_while_it_is_used(guarded):
    with guarded.bearer(exp=time.time() + 3) as zoe:
        run(zoe, "SELECT 1")
        time.sleep(3.5)
        with harness.raises("unauthenticated", "has expired"):
            run(zoe, "SELECT 1")


def test_client_certificate(guarded):
    options = {
        "adbc.flight.sql.client_option.mtls_cert_chain": (guarded.certs / "client-mary.pem").read_text(),
        "adbc.flight.sql.client_option.mtls_private_key": (guarded.certs / "client-mary-key.pem").read_text(),
    }
    with guarded.connect(**options) as mary:
        assert run(mary, "SELECT x FROM sales.other") == [(7,)]
        with harness.raises("forbidden", "mary"):
            run(mary, "DROP TABLE sales.other")


# The server closes the connection; the client may see that before it reads why.
REFUSED = r"(?i)credentials are needed|unknown certificate authority|broken pipe|connection reset"


def test_certificate_of_another_authority(guarded, tmp_path):
    subprocess.run([harness.BINARY, "cert", "--out", tmp_path, "--client", "mary"], capture_output=True, check=True)
    options = {
        "adbc.flight.sql.client_option.mtls_cert_chain": (tmp_path / "client-mary.pem").read_text(),
        "adbc.flight.sql.client_option.mtls_private_key": (tmp_path / "client-mary-key.pem").read_text(),
    }
    with pytest.raises(adbc_driver_flightsql.dbapi.Error, match=REFUSED):
        with guarded.connect(**options) as mary:
            run(mary, "SELECT 1")


def test_server_that_is_not_trusted_or_not_encrypted(guarded):
    for uri in (guarded.server.uri, guarded.server.uri.replace("+tls", "")):
        with pytest.raises(adbc_driver_flightsql.dbapi.Error, match="(?i)unknown authority|server preface"):
            harness.connect(uri, username="root", password="secret")


def test_a_changed_auth_file_meets_open_connections(guarded):
    with guarded.connect("tom") as tom, guarded.connect("eve") as eve:
        assert run(tom, "SELECT 1") == [(1,)]
        guarded.write(tom=None, eve='["reader"]')
        try:
            eventually(lambda: len(run(eve, "FROM sales.orders WHERE amount < 3")) == 2)
            with harness.raises("unauthenticated", "tom"):
                run(tom, "SELECT 1")
        finally:
            guarded.write()
        eventually(lambda: len(run(eve, "FROM sales.orders WHERE amount < 3")) == 1)


def test_grants_survive_a_restart(guarded):
    with guarded.connect("root") as root:
        run(root, "GRANT SELECT ON sales.other TO tom")
    guarded.server.kill()
    guarded.server.start()
    with guarded.connect("tom") as tom:
        assert run(tom, "FROM sales.other") == [(7,)]


def test_a_login_from_before_a_restart_is_refused_and_the_next_works(guarded):
    with guarded.connect("eve") as eve:
        assert run(eve, "SELECT 1") == [(1,)]
        guarded.server.kill()
        guarded.server.listen = guarded.server.uri.split("//")[1]
        guarded.server.start()
        with harness.raises("unauthenticated", "connect again"):
            run(eve, "SELECT 1")
    with guarded.connect("eve") as eve:
        assert run(eve, "SELECT 1") == [(1,)]


@pytest.fixture(scope="module")
def java(guarded, tmp_path_factory):
    """What each step of jdbc/Access.java saw: a value, or the text of an error."""
    classes = tmp_path_factory.mktemp("java")
    folder = harness.ROOT / "integration" / "jdbc"
    sources = [str(folder / name) for name in ("Access.java", "Jdbc.java")]
    subprocess.run(["javac", "-nowarn", "-cp", JAR, "-sourcepath", folder, "-d", classes, *sources], check=True, timeout=120)
    files = [quote(str(guarded.certs / name), safe="") for name in ("ca.pem", "client-mary.pem", "client-mary-key.pem")]
    command = [*JVM, "-cp", os.pathsep.join([JAR, str(classes)]), "Access", guarded.server.uri.split("//")[1], *files, SECRET.decode()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and lines[-1]["step"] == "closed", done.stderr[-4000:]
    return {line["step"]: line.get("message", line.get("value")) for line in lines}


EU = [["EU", "1"]]
ALL = [["EU", "1"], ["US", "2"]]


@pytest.mark.parametrize(
    ("step", "want"),
    [
        ("password", EU),
        ("all rows", ALL),
        ("wrong password", "UNAUTHENTICATED: user or password is wrong"),
        ("unknown user", "UNAUTHENTICATED: user or password is wrong"),
        ("no credentials", "credentials are needed"),
        ("certificate", ALL),
        ("token", EU),
        ("expired token", "has expired"),
        ("unknown authority", "UNAVAILABLE"),
        ("no encryption", "UNAVAILABLE"),
        ("token in time", EU),
        ("token too late", "has expired"),
        ("filtered count", [["1", "1"]]),
        ("filtered error", []),
        ("filtered explain", "a row filter limits"),
        ("insert", 'user "eve" has no privilege insert on table sales.orders'),
        ("before grant", "does not exist"),
        ("granted", ALL),
        ("revoked, prepared", 'user "tom" has no privilege select on table sales.orders'),
        ("revoked", 'user "tom" has no privilege select on table sales.orders'),
        ("not visible", "does not exist"),
    ],
)
def test_jdbc(java, step, want):
    if isinstance(want, str):
        assert want in java[step]
    else:
        assert java[step] == want


def test_no_secret_is_logged(guarded):
    log = "".join(guarded.server.errors + guarded.server.lines)
    for secret in ("$argon2id$", SECRET.decode(), "Bearer ey"):
        assert secret not in log
