// The client's calls against the server at FLIGHTLAKE_URI, with the credentials
// FLIGHTLAKE_USER and FLIGHTLAKE_PASSWORD if they are set.
//
// Not tried, because the client does not send them as Flight SQL asks: prepare,
// executePrepared, getQuerySchema, getPrimaryKeys and getForeignKeys.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import gizmosql from "@gizmodata/gizmosql-client";

const [host, port] = process.env.FLIGHTLAKE_URI.replace("grpc://", "").split(":");
const credentials = process.env.FLIGHTLAKE_USER
  ? { username: process.env.FLIGHTLAKE_USER, password: process.env.FLIGHTLAKE_PASSWORD }
  : {};
let client;

before(() => {
  client = new gizmosql.FlightSQLClient({ host, port: Number(port), plaintext: true, ...credentials });
});
after(() => client.close());

const rows = async (sql) => (await client.execute(sql)).toArray().map((row) => row.toJSON());

test("values of many types", async () => {
  const [row] = await rows(
    `SELECT 1::INTEGER AS i, 9007199254740993 AS b, 'it''s \u{1f980}' AS s, 1.5 AS f, true AS t, NULL::VARCHAR AS n,
     TIMESTAMP '2024-02-29 12:00:00' AS ts, [1, NULL] AS l, {'a': 1} AS st, '\\xFF'::BLOB AS x`,
  );
  assert.equal(row.i, 1);
  assert.equal(row.b, 9007199254740993n);
  assert.equal(row.s, "it's \u{1f980}");
  assert.equal(Number(row.f), 15); // an unscaled decimal
  assert.equal(row.t, true);
  assert.equal(row.n, null);
  assert.equal(new Date(row.ts).toISOString(), "2024-02-29T12:00:00.000Z");
  assert.deepEqual([...row.l], [1, null]);
  assert.equal(row.st.a, 1);
  assert.deepEqual([...row.x], [255]);
});

test("changes run once and tell their counts", async () => {
  await client.execute("CREATE TABLE js (i BIGINT, s VARCHAR)");
  assert.deepEqual(await rows("INSERT INTO js VALUES (1, 'a'), (2, NULL)"), [{ Count: 2n }]);
  assert.deepEqual(await rows("SELECT * FROM js ORDER BY i"), [{ i: 1n, s: "a" }, { i: 2n, s: null }]);
  const empty = await client.execute("SELECT * FROM js WHERE false");
  assert.equal(empty.numRows, 0);
  assert.deepEqual(empty.schema.fields.map((field) => field.name), ["i", "s"]);
});

test("a transaction of several statements", async () => {
  await client.execute("BEGIN");
  await client.execute("INSERT INTO js VALUES (3, 'c')");
  assert.deepEqual(await rows("SELECT count(*) AS n FROM js"), [{ n: 3n }]);
  await client.execute("ROLLBACK");
  assert.deepEqual(await rows("SELECT count(*) AS n FROM js"), [{ n: 2n }]);
});

test("a large table is read whole", async () => {
  await client.execute("CREATE TABLE js_large (i BIGINT, s VARCHAR) WITH (row_group_rows = 20000)");
  await client.execute("INSERT INTO js_large SELECT i, md5(i::VARCHAR) FROM range(400000) r(i)");
  const table = await client.execute("SELECT i, s FROM js_large");
  assert.equal(table.numRows, 400000);
});

test("metadata", async () => {
  assert.deepEqual(await client.getCatalogs(), ["lake"]);
  assert.deepEqual(await client.getSchemas("lake"), [{ catalog: "lake", schema: "main" }]);
  const tables = await client.getTables("lake", "main", "j_", ["TABLE"]);
  assert.deepEqual(tables, [{ catalog: "lake", schema: "main", tableName: "js", tableType: "TABLE" }]);
  assert.ok((await client.getTableTypes()).includes("TABLE"));
  const info = await client.getSqlInfo();
  assert.equal(info.get(0), "flightlake");
  assert.ok(info.size > 50);
});

test("errors say what is wrong", async () => {
  await assert.rejects(client.execute("SELECT nosuch"), /nosuch/);
  await assert.rejects(client.execute("SELECT * FROM nosuch"), /"nosuch" does not exist/);
  assert.deepEqual(await rows("SELECT 1::INTEGER AS i"), [{ i: 1 }]);
});
