import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * Does with the Flight SQL JDBC driver what a database browser does: connects, walks the metadata,
 * changes and queries a table. Prints "ok NAME" for each step; the first failure ends the program.
 * Argument: the JDBC URL.
 */
public final class Jdbc {
  private Jdbc() {}

  public static void main(String[] args) {
    try {
      run(args[0]);
    } catch (Exception | AssertionError e) {
      e.printStackTrace();
      System.exit(1); // the driver's threads would keep the program alive
    }
  }

  private static void run(String url) throws Exception {
    try (Connection connection = DriverManager.getConnection(url)) {
      step("create", () -> create(connection));
      step("update", () -> update(connection));
      step("query", () -> query(connection));
      step("prepared", () -> prepared(connection));
      step("prepared update", () -> preparedUpdate(connection));
      step("batch", () -> batch(connection));
      step("empty result", () -> emptyResult(connection));
      step("metadata", () -> metadata(connection));
      step("columns", () -> columns(connection));
      step("keys", () -> keys(connection));
      step("error", () -> error(connection));
      step("drop", () -> drop(connection));
    }
  }

  private interface Step {
    void run() throws Exception;
  }

  private static void step(String name, Step step) throws Exception {
    step.run();
    System.out.println("ok " + name);
  }

  private static void check(Object got, Object want) {
    if (!String.valueOf(got).equals(String.valueOf(want))) {
      throw new AssertionError("got " + got + ", want " + want);
    }
  }

  private static void create(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.executeUpdate("CREATE SCHEMA jdbc");
      statement.executeUpdate(
          "CREATE TABLE jdbc.t (id BIGINT NOT NULL, name VARCHAR, price DECIMAL(9,2), day DATE, ts TIMESTAMP, on_ BOOLEAN)");
    }
  }

  private static void update(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      int rows =
          statement.executeUpdate(
              "INSERT INTO jdbc.t VALUES (1, 'one', 1.50, DATE '2024-02-29', TIMESTAMP '2024-02-29 12:00:00', true),"
                  + " (2, NULL, NULL, NULL, NULL, NULL)");
      check(rows, 2);
    }
  }

  private static void query(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT * FROM jdbc.t ORDER BY id")) {
      check(rows.getMetaData().getColumnCount(), 6);
      check(rows.getMetaData().getColumnName(3), "price");
      check(rows.next(), true);
      check(rows.getLong("id"), 1L);
      check(rows.getString("name"), "one");
      check(rows.getBigDecimal("price"), "1.50");
      check(rows.getBoolean("on_"), true);
      check(rows.getObject("day") != null && rows.getObject("ts") != null, true);
      check(rows.next(), true);
      rows.getString("name");
      check(rows.wasNull(), true);
      check(rows.next(), false);
    }
  }

  private static void prepared(Connection connection) throws SQLException {
    String sql = "SELECT name FROM jdbc.t WHERE id = ? AND price > ? AND name LIKE ?";
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      check(statement.getParameterMetaData().getParameterCount(), 3);
      for (int run = 0; run < 2; run++) {
        statement.setLong(1, 1);
        statement.setBigDecimal(2, new BigDecimal("1.25"));
        statement.setString(3, "o%");
        try (ResultSet rows = statement.executeQuery()) {
          check(rows.next(), true);
          check(rows.getString(1), "one");
          check(rows.next(), false);
        }
      }
    }
  }

  private static void preparedUpdate(Connection connection) throws SQLException {
    String sql = "INSERT INTO jdbc.t (id, name, day) VALUES (?, ?, ?)";
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setLong(1, 3);
      statement.setString(2, "three's");
      statement.setDate(3, Date.valueOf("2024-03-01"));
      check(statement.executeUpdate(), 1);
    }
    check(count(connection, "id = 3 AND name = 'three''s'"), 1);
  }

  private static void batch(Connection connection) throws SQLException {
    String sql = "INSERT INTO jdbc.t (id) VALUES (?)";
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (long id = 10; id < 15; id++) {
        statement.setLong(1, id);
        statement.addBatch();
      }
      statement.executeBatch();
    }
    check(count(connection, "id >= 10"), 5);
  }

  private static long count(Connection connection, String where) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT count(*) FROM jdbc.t WHERE " + where)) {
      rows.next();
      return rows.getLong(1);
    }
  }

  private static void emptyResult(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT id FROM jdbc.t WHERE id < 0")) {
      check(rows.next(), false);
    }
  }

  private static List<String> column(ResultSet rows, String name) throws SQLException {
    List<String> values = new ArrayList<>();
    try (rows) {
      while (rows.next()) {
        values.add(rows.getString(name));
      }
    }
    return values;
  }

  private static void metadata(Connection connection) throws SQLException {
    DatabaseMetaData data = connection.getMetaData();
    check(data.getDatabaseProductName().toLowerCase(), "flightlake");
    check(data.getIdentifierQuoteString(), "\"");
    check(data.isReadOnly(), false);
    data.getSQLKeywords();
    data.getNumericFunctions();
    data.getStringFunctions();
    data.getTimeDateFunctions();
    data.getSystemFunctions();
    data.getMaxColumnNameLength();
    data.supportsTransactions();
    data.supportsGroupBy();
    data.getDefaultTransactionIsolation();
    check(column(data.getCatalogs(), "TABLE_CAT"), "[lake]");
    check(column(data.getSchemas("lake", "jdbc"), "TABLE_SCHEM"), "[jdbc]");
    check(column(data.getTableTypes(), "TABLE_TYPE").contains("TABLE"), true);
    check(column(data.getTables("lake", "jdbc", "%", new String[] {"TABLE"}), "TABLE_NAME"), "[t]");
    check(column(data.getTables(null, null, "t", null), "TABLE_SCHEM"), "[jdbc]");
    check(column(data.getTables("lake", "jdbc", "nosuch", null), "TABLE_NAME"), "[]");
  }

  private static void columns(Connection connection) throws SQLException {
    try (ResultSet rows = connection.getMetaData().getColumns("lake", "jdbc", "t", "%")) {
      List<String> seen = new ArrayList<>();
      while (rows.next()) {
        seen.add(rows.getString("COLUMN_NAME") + ":" + rows.getInt("NULLABLE"));
        if (rows.getString("COLUMN_NAME").equals("price")) {
          check(rows.getInt("COLUMN_SIZE"), 9);
          check(rows.getInt("DECIMAL_DIGITS"), 2);
        }
        check(rows.getString("TYPE_NAME") != null, true);
      }
      check(seen, "[id:0, name:1, price:1, day:1, ts:1, on_:1]");
    }
  }

  private static void keys(Connection connection) throws SQLException {
    DatabaseMetaData data = connection.getMetaData();
    check(column(data.getPrimaryKeys("lake", "jdbc", "t"), "COLUMN_NAME"), "[]");
    check(column(data.getImportedKeys("lake", "jdbc", "t"), "FKCOLUMN_NAME"), "[]");
    check(column(data.getExportedKeys("lake", "jdbc", "t"), "FKCOLUMN_NAME"), "[]");
  }

  private static void error(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.executeQuery("SELECT nosuch FROM jdbc.t");
    } catch (SQLException expected) {
      check(expected.getMessage().contains("nosuch"), true);
      return;
    }
    throw new AssertionError("a missing column was accepted");
  }

  private static void drop(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.executeUpdate("DROP TABLE jdbc.t");
      statement.executeUpdate("DROP SCHEMA jdbc");
    }
  }
}
