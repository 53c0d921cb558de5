import java.sql.Connection;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;

/** Runs statements of every kind: counts, batches, parameters, empty results, errors, cancelling. */
final class Statements {
  private static final long CANCEL_AFTER_MILLIS = 500;
  private static final long WAIT_MILLIS = 30_000;

  private Statements() {}

  static void run(Connection connection) throws SQLException {
    updates(connection);
    queries(connection);
    prepared(connection);
    batches(connection);
    Jdbc.step("cancel", () -> cancel(connection));
    Jdbc.step("close in the middle", () -> closeInTheMiddle(connection));
    errors(connection);
    connection(connection);
    Jdbc.execute(connection, "DROP TABLE app.t", "DROP SCHEMA app");
  }

  private static Object outcome(Statement statement, boolean isResult) throws SQLException {
    Map<String, Object> seen = new LinkedHashMap<>();
    seen.put("result", isResult);
    if (isResult) {
      seen.put("rows", Jdbc.rows(statement.getResultSet()));
    } else {
      seen.put("count", statement.getUpdateCount());
    }
    return seen;
  }

  private static void updates(Connection connection) {
    Jdbc.step("execute ddl", () -> {
      try (Statement statement = connection.createStatement()) {
        return outcome(statement, statement.execute("CREATE SCHEMA app"));
      }
    });
    update(connection, "create", "CREATE TABLE app.t (id BIGINT NOT NULL, name VARCHAR, price DECIMAL(9,2), day DATE)");
    update(connection, "insert", "INSERT INTO app.t VALUES (1, 'one', 1.50, DATE '2024-02-29'), (2, NULL, NULL, NULL)");
    update(connection, "insert nothing", "INSERT INTO app.t SELECT * FROM app.t WHERE id > 5");
    update(connection, "comment", "COMMENT ON TABLE app.t IS 'x'");
    update(connection, "create as", "CREATE TABLE app.copy AS SELECT * FROM app.t");
    update(connection, "drop", "DROP TABLE app.copy");
    Jdbc.step("large update", () -> {
      try (Statement statement = connection.createStatement()) {
        return statement.executeLargeUpdate("INSERT INTO app.t (id) VALUES (3)");
      }
    });
    Jdbc.step("execute insert", () -> {
      try (Statement statement = connection.createStatement()) {
        return outcome(statement, statement.execute("INSERT INTO app.t (id) VALUES (4)"));
      }
    });
  }

  private static void update(Connection connection, String name, String sql) {
    Jdbc.step("update " + name, () -> {
      try (Statement statement = connection.createStatement()) {
        return statement.executeUpdate(sql);
      }
    });
  }

  private static void queries(Connection connection) {
    Jdbc.step("execute select", () -> {
      try (Statement statement = connection.createStatement()) {
        return outcome(statement, statement.execute("SELECT id, name, price, day FROM app.t WHERE id < 3 ORDER BY id"));
      }
    });
    Jdbc.step("explain", () -> !Jdbc.query(connection, "EXPLAIN SELECT * FROM app.t").isEmpty());
    Jdbc.step("empty", () -> {
      try (Statement statement = connection.createStatement();
          ResultSet rows = statement.executeQuery("SELECT id, name FROM app.t WHERE id < 0")) {
        return rows.next();
      }
    });
    Jdbc.step("max rows", () -> {
      try (Statement statement = connection.createStatement()) {
        statement.setMaxRows(2);
        statement.setFetchSize(1);
        return Jdbc.rows(statement.executeQuery("SELECT id FROM app.t ORDER BY id")).size();
      }
    });
    Jdbc.step("many rows", () -> {
      try (Statement statement = connection.createStatement();
          ResultSet rows = statement.executeQuery("SELECT i FROM range(300000) r(i)")) {
        long sum = 0;
        while (rows.next()) {
          sum += rows.getLong(1);
        }
        return sum;
      }
    });
    Jdbc.step("result metadata", () -> {
      try (Statement statement = connection.createStatement();
          ResultSet rows = statement.executeQuery("SELECT id, name AS label, price, day, 1.5::FLOAT AS f FROM app.t")) {
        return describe(rows.getMetaData());
      }
    });
  }

  private static List<List<Object>> describe(ResultSetMetaData data) throws SQLException {
    List<List<Object>> columns = new ArrayList<>();
    for (int i = 1; i <= data.getColumnCount(); i++) {
      columns.add(
          Arrays.asList(
              data.getColumnName(i), data.getColumnLabel(i), data.getColumnTypeName(i), data.getPrecision(i), data.getScale(i),
              data.getColumnClassName(i)));
    }
    return columns;
  }

  private static void prepared(Connection connection) {
    Jdbc.step("prepared", () -> {
      String sql = "SELECT name FROM app.t WHERE id = ? AND price > ? AND name LIKE ?";
      try (PreparedStatement statement = connection.prepareStatement(sql)) {
        List<Object> seen = new ArrayList<>();
        for (long id = 1; id <= 2; id++) {
          statement.setLong(1, id);
          statement.setBigDecimal(2, new java.math.BigDecimal("1.25"));
          statement.setString(3, "o%");
          seen.add(Jdbc.rows(statement.executeQuery()));
        }
        return seen;
      }
    });
    Jdbc.step("parameters", () -> {
      try (PreparedStatement statement = connection.prepareStatement("INSERT INTO app.t VALUES (?, ?, ?, ?)")) {
        ParameterMetaData data = statement.getParameterMetaData();
        List<Object> types = new ArrayList<>();
        for (int i = 1; i <= data.getParameterCount(); i++) {
          types.add(data.getParameterTypeName(i));
        }
        return types;
      }
    });
    Jdbc.step("prepared metadata", () -> {
      try (PreparedStatement statement = connection.prepareStatement("SELECT id, price FROM app.t WHERE id = ?")) {
        return describe(statement.getMetaData());
      }
    });
    Jdbc.step("prepared update", () -> {
      try (PreparedStatement statement = connection.prepareStatement("INSERT INTO app.t (id, name) VALUES (?, ?)")) {
        List<Object> counts = new ArrayList<>();
        for (long id = 5; id <= 6; id++) {
          statement.setLong(1, id);
          statement.setString(2, "it's " + id);
          counts.add(statement.executeUpdate());
        }
        counts.add(Jdbc.query(connection, "SELECT name FROM app.t WHERE id IN (5, 6) ORDER BY id"));
        return counts;
      }
    });
    Jdbc.step("prepared execute", () -> {
      try (PreparedStatement statement = connection.prepareStatement("INSERT INTO app.t (id) VALUES (?)")) {
        statement.setLong(1, 7);
        statement.execute();
        return Jdbc.query(connection, "SELECT count(*) FROM app.t WHERE id = 7");
      }
    });
    Jdbc.step("prepared ddl", () -> {
      try (PreparedStatement statement = connection.prepareStatement("COMMENT ON TABLE app.t IS 'y'")) {
        return outcome(statement, statement.execute());
      }
    });
  }

  private static void batches(Connection connection) {
    Jdbc.step("prepared batch", () -> {
      try (PreparedStatement statement = connection.prepareStatement("INSERT INTO app.t (id, name) VALUES (?, ?)")) {
        for (long id = 10; id < 15; id++) {
          statement.setLong(1, id);
          if (id % 2 == 0) {
            statement.setString(2, "even");
          } else {
            statement.setNull(2, java.sql.Types.VARCHAR);
          }
          statement.addBatch();
        }
        return counts(statement.executeBatch());
      }
    });
    Jdbc.step("prepared batch rows", () -> Jdbc.query(connection, "SELECT count(*), count(name) FROM app.t WHERE id >= 10"));
    Jdbc.step("batch", () -> {
      try (Statement statement = connection.createStatement()) {
        statement.addBatch("INSERT INTO app.t (id) VALUES (20), (21)");
        statement.addBatch("INSERT INTO app.t (id) VALUES (22)");
        return counts(statement.executeBatch());
      }
    });
    Jdbc.step("batch rows", () -> Jdbc.query(connection, "SELECT count(*) FROM app.t WHERE id >= 20"));
  }

  private static List<Integer> counts(int[] counts) {
    List<Integer> list = new ArrayList<>();
    for (int count : counts) {
      list.add(count);
    }
    return list;
  }

  /** Cancels a query from another thread and says how it ended. */
  private static Object cancel(Connection connection) throws Exception {
    AtomicReference<String> end = new AtomicReference<>("it went on");
    try (Statement statement = connection.createStatement()) {
      Thread reader =
          new Thread(() -> {
            try (ResultSet rows = statement.executeQuery("SELECT a.i FROM range(100000000) a(i), range(1000) b(j)")) {
              while (rows.next()) {
                rows.getLong(1);
              }
              end.set("it came to its end");
            } catch (Throwable thrown) {
              end.set("cancelled");
            }
          });
      reader.start();
      Thread.sleep(CANCEL_AFTER_MILLIS);
      statement.cancel();
      reader.join(WAIT_MILLIS);
      return end.get();
    }
  }

  private static Object closeInTheMiddle(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT i FROM range(1000000000) r(i)")) {
      rows.next();
    }
    return Jdbc.query(connection, "SELECT 42");
  }

  private static void errors(Connection connection) {
    Jdbc.step("error column", () -> Jdbc.query(connection, "SELECT nosuch FROM app.t"));
    Jdbc.step("error table", () -> Jdbc.query(connection, "SELECT * FROM app.nosuch"));
    Jdbc.step("error syntax", () -> Jdbc.query(connection, "SELEC 1"));
    Jdbc.step("error while reading", () -> Jdbc.query(connection, "SELECT error('stop here') FROM app.t"));
    Jdbc.step("error update", () -> {
      Jdbc.execute(connection, "INSERT INTO app.t VALUES (NULL, NULL, NULL, NULL)");
      return null;
    });
    Jdbc.step("after errors", () -> Jdbc.query(connection, "SELECT 42"));
  }

  private static void connection(Connection connection) {
    Jdbc.step("valid", () -> connection.isValid(5));
    Jdbc.step("read only", connection::isReadOnly);
    Jdbc.step("auto commit", connection::getAutoCommit);
    Jdbc.step("commit and rollback", () -> {
      connection.setAutoCommit(false);
      connection.commit();
      connection.rollback();
      connection.setAutoCommit(true);
      return null;
    });
    Jdbc.step("catalog", () -> {
      connection.setCatalog("lake");
      return Jdbc.query(connection, "SELECT current_catalog()");
    });
    Jdbc.step("transaction", () -> {
      Jdbc.execute(connection, "BEGIN", "INSERT INTO app.t (id) VALUES (100)");
      List<Object> seen = new ArrayList<>(Jdbc.query(connection, "SELECT count(*) FROM app.t WHERE id = 100"));
      Jdbc.execute(connection, "ROLLBACK");
      seen.addAll(Jdbc.query(connection, "SELECT count(*) FROM app.t WHERE id = 100"));
      return seen;
    });
  }
}
