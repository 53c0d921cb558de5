import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;

/**
 * Does with the Flight SQL JDBC driver what applications and database browsers do, and prints what
 * it sees: one JSON object a line, {"step": NAME, "value": ...} or {"step": NAME, "error": CLASS,
 * "message": TEXT}. It judges nothing; test_jdbc.py does. Argument: the JDBC URL of an empty lake.
 */
public final class Jdbc {
  private Jdbc() {}

  /** One thing to do, and what was seen. */
  interface Step {
    Object run() throws Exception;
  }

  public static void main(String[] args) throws Exception {
    try (Connection connection = DriverManager.getConnection(args[0])) {
      Statements.run(connection);
      Types.run(connection);
      Metadata.run(connection);
    }
    TimeZone.setDefault(TimeZone.getTimeZone("America/New_York"));
    try (Connection connection = DriverManager.getConnection(args[0])) {
      step("zone New York", () -> query(connection, Types.MOMENTS));
    }
    step("closed", () -> null);
    System.exit(0); // the driver's threads would keep the program alive
  }

  /** Runs a step and prints its outcome. */
  static void step(String name, Step step) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("step", name);
    try {
      line.put("value", step.run());
    } catch (Throwable thrown) {
      line.put("error", thrown.getClass().getSimpleName());
      line.put("message", String.valueOf(thrown.getMessage()));
    }
    Json.print(line);
  }

  /** Runs statements that return nothing. */
  static void execute(Connection connection, String... statements) throws SQLException {
    for (String sql : statements) {
      try (Statement statement = connection.createStatement()) {
        statement.execute(sql);
      }
    }
  }

  /** Runs a query and returns its rows. */
  static List<List<String>> query(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      return rows(statement.executeQuery(sql));
    }
  }

  /** Reads the rows of a result to the end, as texts, and closes it. */
  static List<List<String>> rows(ResultSet result) throws SQLException {
    try (result) {
      List<List<String>> rows = new ArrayList<>();
      int width = result.getMetaData().getColumnCount();
      while (result.next()) {
        List<String> row = new ArrayList<>();
        for (int i = 1; i <= width; i++) {
          row.add(result.getString(i));
        }
        rows.add(row);
      }
      return rows;
    }
  }

  /** Reads some columns of a result to the end, by name, and closes it. */
  static List<Map<String, String>> columns(ResultSet result, String... names) throws SQLException {
    try (result) {
      List<Map<String, String>> rows = new ArrayList<>();
      while (result.next()) {
        Map<String, String> row = new LinkedHashMap<>();
        for (String name : names) {
          row.put(name, result.getString(name));
        }
        rows.add(row);
      }
      return rows;
    }
  }
}
