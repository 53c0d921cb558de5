"""The pages in docs/clients and README.md's Connect part are true: their code blocks run.

Every fenced block is run by the language that it names, or says in a comment
before it why it is not: `<!-- not run: reason -->`. A comment `<!-- run: ... -->`
says how, where the language does not. The blocks of a page are run in a folder
that holds trips.csv, trips.parquet and certs/, against servers of the page's
own, whose addresses take the place of those in the text: 127.0.0.1:32010 is a
server without users, lake.example:32010 one with TLS on which alice, password
secret, may do everything. In Python, `print(x)  # text` must print that text.
"""

import base64
import dataclasses
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import harness
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy
from test_javascript import MODULES, NODE

DOCS = harness.ROOT / "docs"
PAGES = sorted((DOCS / "clients").glob("*.md"))
HERE = harness.ROOT / "integration"
BLOCK = re.compile(r"(?:^<!-- ((?:not )?run): (.+?) -->\n+)?^```(\S*)\n(.*?)^```$", re.M | re.S)
PLAIN, SECURE = "127.0.0.1:32010", "lake.example:32010"
SECRET = b"a secret of tests that is long enough"
TIMEOUT_SECONDS = 300
JDBC = os.path.abspath(os.environ.get("FLIGHTLAKE_TEST_JDBC", harness.CACHE / "jdbc" / "flight-sql-jdbc-driver-18.3.0.jar"))
JAVA = ["java", "-Duser.timezone=UTC", "--add-opens=java.base/java.nio=ALL-UNNAMED"]
TRIPS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "region": ["EU", "US", "EU"],
        "fare": [10.5, 150.0, 220.0],
    }
)


@dataclasses.dataclass
class Block:
    """One fenced block of a page."""

    page: str
    line: int  # of its first line of code, from 1
    how: str | None  # None, "run" or "not run"
    note: str | None  # what follows the colon
    language: str
    code: str

    @property
    def runner(self):
        """The name of what runs it."""
        return self.note if self.how == "run" else self.language

    def __str__(self):
        return f"{self.page}:{self.line} ({self.language})"


def blocks(path, part=None):
    """The blocks of a page, or of the part of it below one heading."""
    text = path.read_text()
    begin, end = 0, len(text)
    if part:
        begin = text.index(f"\n## {part}\n")
        end = text.index("\n## ", begin + 1)
    found = []
    for match in BLOCK.finditer(text, begin, end):
        line = text.count("\n", 0, match.start(4)) + 1
        found.append(Block(path.name, line, *match.groups()))
    return found


def bearer():
    """A JWT of alice's, good for an hour."""
    claims = {"sub": "alice", "exp": time.time() + 3600}
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    signature = hmac.new(SECRET, text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


class Page:
    """What the blocks of one page run in: a folder, and servers that are started when needed."""

    def __init__(self, folder):
        self.folder = folder
        self.servers = {}
        pyarrow.csv.write_csv(TRIPS, folder / "trips.csv")
        pq.write_table(TRIPS, folder / "trips.parquet")
        (folder / "bin").mkdir()
        (folder / "bin" / "flightlake").symlink_to(pathlib.Path(harness.BINARY).resolve())
        tool("cert", "--out", str(folder / "certs"), "--host", "lake.example", "--client", "alice")

    def server(self, address):
        """The server that stands for an address of the text."""
        if address not in self.servers:
            server = self.plain() if address == PLAIN else self.secure()
            self.servers[address] = server.start()
            with self.connect(address) as lake:
                harness.ingest(lake, "trips", TRIPS)
        return self.servers[address]

    def plain(self):
        return harness.Server(self.folder / "lake")

    def secure(self):
        auth = self.folder / "auth.toml"
        (self.folder / "hmac").write_bytes(SECRET)
        auth.write_text(
            tool("passwd", "alice", stdin="secret\n").replace('"reader"', '"admin"')
            + '[jwt]\nhs256_secret_file = "hmac"\n[mtls]\nuser_from = "cn"\n'
        )
        auth.chmod(0o600)
        certs = self.folder / "certs"
        args = ["--auth-file", auth, "--tls-client-ca", certs / "ca.pem"]
        args += ["--tls-cert", certs / "server.pem", "--tls-key", certs / "server-key.pem"]
        return harness.Server(self.folder / "secure", *map(str, args), listen="localhost:0")

    def connect(self, address):
        if address == PLAIN:
            return self.servers[PLAIN].connect()
        ca = (self.folder / "certs" / "ca.pem").read_text()
        options = {"username": "alice", "password": "secret", "adbc.flight.sql.client_option.tls_root_certs": ca}
        return self.servers[SECURE].connect(**options)

    def real(self, text):
        """The text with the addresses and the token of this run."""
        if PLAIN in text:
            text = text.replace(PLAIN, self.server(PLAIN).uri.split("://")[1])
        if SECURE in text:
            text = text.replace(SECURE, self.server(SECURE).uri.split("://")[1])
        for address in (PLAIN, SECURE):
            host, _, port = address.partition(":")
            if (split := f'host: "{host}", port: {port}') in text:
                host, _, port = self.server(address).uri.split("://")[1].partition(":")
                text = text.replace(split, f'host: "{host}", port: {port}')
        return text.replace("eyJhbGciOi...", bearer()).replace("/path/to/certs", str(self.folder / "certs"))

    def run(self, command, what, stdin=None, **env):
        """Run a program to its end in the page's folder and return its output."""
        path = f"{self.folder / 'bin'}{os.pathsep}{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command, cwd=self.folder, input=stdin, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
            env={**os.environ, "PATH": path, "TZ": "UTC", **env},
        )  # fmt: skip
        assert done.returncode == 0, f"{what}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def close(self):
        for server in self.servers.values():
            server.close()


def tool(*args, stdin=""):
    done = subprocess.run([harness.BINARY, *args], input=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Runners: each takes a page and its blocks of one kind.


def run_python(page, some):
    """All of a page is one program, in which errors have the line numbers of the page."""
    lines, want = [], []
    for block in some:
        lines += [""] * (block.line - 1 - len(lines))
        for line in block.code.splitlines():
            lines.append(line)
            if match := re.match(r"print\(.*\)  # (.+)$", line):
                want.append(match.group(1))
    script = page.folder / f"{some[0].page}.py"
    script.write_text(page.real("\n".join(lines)) + "\n")
    got = page.run([sys.executable, script], str(script)).splitlines()
    rest = iter(got)
    for line in want:
        assert line in rest, f"{script.name} does not print {line!r}, but {got}"


def run_sql(page, some):
    page.server(PLAIN)
    with page.connect(PLAIN) as lake:
        for block in some:
            for statement in statements(block.code):
                with lake.cursor() as cursor:
                    cursor.execute(statement)
                    cursor.fetchall()


def statements(code):
    code = re.sub(r"--.*", "", code)
    return [part.strip() for part in code.split(";") if part.strip()]


def run_duckdb(page, some):
    """SQL for a DuckDB that attaches the lake's files, so the server is stopped."""
    page.server(PLAIN).stop()
    program = ["import duckdb", "lake = duckdb.connect(config={'allow_unsigned_extensions': 'true'})"]
    for block in some:
        for statement in statements(block.code):
            if statement == "INSTALL ducklake":
                statement = f"LOAD '{harness.ducklake_extension()}'"
            program.append(f"print(lake.execute({statement!r}).fetchall())")
    page.run([sys.executable, "-c", "\n".join(program)], some[0])
    page.servers[PLAIN].start()


def run_sh(page, some):
    """Lines of a shell; what would be installed must be what the tests have installed."""
    for block in some:
        lines = block.code.replace("\\\n", " ").splitlines()
        for line in lines:
            if line.startswith(INSTALLERS):
                check_install(line)
        rest = [line for line in lines if not line.startswith(INSTALLERS)]
        if rest:
            page.run(["bash", "-euo", "pipefail", "-c", page.real("\n".join(rest))], block)


INSTALLERS = ("pip install ", "go get ", "npm install ")


def check_install(line):
    """A page tells to install what the tests run with."""
    have = (HERE / "requirements.txt").read_text() + (HERE / "godriver" / "go.mod").read_text().replace(" v", "@v")
    have += "".join(path.read_text() for path in HERE.glob("js*/package.json"))
    for name in line.split()[2:]:
        assert name.strip("\"'").split("[")[0].split("@v")[0] in have, f"{name} is not among what the tests install"


def run_jdbc(page, some):
    """Connection strings of the JDBC driver, one a line."""
    urls = [line for block in some for line in block.code.splitlines() if line.strip()]
    assert all(url.startswith("jdbc:arrow-flight-sql://") for url in urls), urls
    source = page.folder / "Connect.java"
    source.write_text(CONNECT)
    got = page.run([*JAVA, "-cp", JDBC, source, *map(page.real, urls)], some[0])
    assert got.splitlines() == ["42"] * len(urls)


CONNECT = """
import java.sql.*;

class Connect {
    public static void main(String[] urls) throws Exception {
        for (String url : urls) {
            try (Connection c = DriverManager.getConnection(url); Statement s = c.createStatement()) {
                ResultSet rows = s.executeQuery("SELECT 42");
                rows.next();
                System.out.println(rows.getInt(1));
            } catch (SQLException e) {
                throw new SQLException(url, e);
            }
        }
        System.exit(0);
    }
}
"""


def run_sqlalchemy(page, some):
    """Addresses for SQLAlchemy, one a line."""
    for block in some:
        for url in block.code.split():
            with sqlalchemy.create_engine(page.real(url)).connect() as lake:
                assert lake.execute(sqlalchemy.text("SELECT 42")).scalar() == 42, url


def run_java(page, some):
    """Each block is a program in one file, with the JDBC driver or with the client library of Arrow."""
    for block in some:
        source = page.folder / (re.search(r"^(?:public )?class (\w+)", block.code, re.M).group(1) + ".java")
        source.write_text(page.real(block.code))
        path = f"{flight_client()}/*" if "org.apache.arrow.flight" in block.code else JDBC
        page.run([*JAVA, "-cp", path, source], block)


def flight_client():
    """The folder with the Java client library."""
    folder = harness.CACHE / "flight-sql"
    if not (folder / ".complete").exists():
        pytest.skip("the Java client library is not installed: `make tools` does it")
    return folder


def run_javascript(page, some):
    """Each block is a program; an authority of one's own comes to the client by a variable."""
    if NODE is None or not (MODULES / "node_modules").exists():
        pytest.skip("the JavaScript client is not installed: `make tools` does it")
    (page.folder / "node_modules").symlink_to(MODULES / "node_modules")
    for block in some:
        program = page.folder / f"{block.line}.mjs"
        program.write_text(page.real(block.code))
        page.run([NODE, program], block, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH="certs/ca.pem")


def run_xml(page, some):
    """Dependencies for Maven are those of the tests."""
    have = re.sub(r"\s", "", (HERE / "flightclient" / "pom.xml").read_text())
    have += f"<version>{re.search(r'driver-([0-9.]+)[.]jar', JDBC).group(1)}</version>"
    for block in some:
        for item in re.findall(r"<dependency>.*?</dependency>", re.sub(r"\s", "", block.code)):
            version = re.search("<version>.*</version>", item).group()
            assert item in have or ("jdbc" in item and version in have), item


def run_go(page, some):
    """Each block is a program; they are built in a copy of the module of the tests."""
    module = page.folder / "module"
    module.mkdir()
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / "godriver" / name, module)
    for i, block in enumerate(some):
        (module / f"p{i}").mkdir()
        (module / f"p{i}" / "main.go").write_text(page.real(block.code))
    binaries = page.folder / "go"
    page.run(["go", "build", "-C", module, "-o", f"{binaries}/", "./..."], some[0], GOFLAGS="-mod=mod", GOWORK="off")
    for i, block in enumerate(some):
        page.run([binaries / f"p{i}"], block)


RUNNERS = {
    "python": run_python,
    "sql": run_sql,
    "duckdb": run_duckdb,
    "sh": run_sh,
    "jdbc": run_jdbc,
    "java": run_java,
    "xml": run_xml,
    "go": run_go,
    "javascript": run_javascript,
    "sqlalchemy": run_sqlalchemy,
}


@pytest.fixture
def page(tmp_path):
    page = Page(tmp_path)
    yield page
    page.close()


def check(page, some):
    """Run the blocks by kind, in the order in which the kinds come first."""
    some = [block for block in some if block.how != "not run"]
    for block in some:
        assert block.runner in RUNNERS, f"{block} is neither run nor says why not"
    for kind in dict.fromkeys(block.runner for block in some):
        RUNNERS[kind](page, [block for block in some if block.runner == kind])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_blocks_of_a_page_run(page, path):
    check(page, blocks(path))


def test_the_connect_part_of_the_readme_runs(page):
    check(page, blocks(harness.ROOT / "README.md", "Connect"))


def test_links_between_pages_lead_somewhere():
    for path in [harness.ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            file = (path.parent / name).resolve() if name else path
            assert file.exists(), f"{path.name} links to {target}"
            if anchor:
                assert anchor in anchors(file), f"{path.name} links to {target}"


def anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_page_is_in_the_index():
    index = (DOCS / "clients" / "README.md").read_text()
    for path in PAGES:
        assert path.name == "README.md" or f"({path.name})" in index, path.name


def test_every_pain_point_has_a_test_or_says_why_not():
    rows = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", (DOCS / "clients" / "pain-points.md").read_text(), re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 49))
    sources = [*HERE.glob("*.py"), *harness.ROOT.glob("*/*_test.go"), *HERE.glob("*/*_test.go")]
    code = "\n".join(path.read_text() for path in sources)
    tests = set(re.findall(r"^(?:def|func) (test_\w+|Test\w+)\(", code, re.M))
    for number, answer in rows:
        named = re.findall(r"`(test_\w+|Test\w+)`", answer)
        assert named or answer.startswith("cannot be met: "), number
        assert set(named) <= tests, (number, set(named) - tests)


def test_the_sql_part_of_the_readme_runs(page):
    with page.server(PLAIN).connect() as lake:
        lake.execute("DROP TABLE trips").close()  # it makes its own
    check(page, blocks(harness.ROOT / "README.md", "SQL"))


def test_commands_in_the_documents_have_flags_that_exist():
    known = {command: set(re.findall(r"--[\w-]+", tool(command, "--help"))) for command in ("serve", "cert", "passwd", "sql")}
    for path in [harness.ROOT / "README.md", *DOCS.glob("*.md"), *PAGES]:
        text = path.read_text().replace("\\\n", " ")
        for command, rest in re.findall(r"\bflightlake (serve|cert|passwd|sql)\b([^`\n#]*)", text):
            used = set(re.findall(r"(?<=\s)--[\w-]+", rest))
            assert used <= known[command], f"{path.name}: flightlake {command}{rest}"


def test_the_settings_in_the_documents_are_those_of_the_server():
    text = (DOCS / "configuration.md").read_text().split("## Metrics")[0]
    told = {f"--{name.replace('_', '-')}" for name in re.findall(r"^\| `(\w+)` \|", text, re.M)}
    have = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", tool("serve", "--help"), re.M)) - {"--config", "--help"}
    assert told == have
