import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Walks the metadata: every method of DatabaseMetaData, and what DBeaver's navigator asks. */
final class Metadata {
  private static final String[] KEY_COLUMNS = {
    "PKTABLE_CAT", "PKTABLE_SCHEM", "PKTABLE_NAME", "PKCOLUMN_NAME", "FKTABLE_CAT", "FKTABLE_SCHEM", "FKTABLE_NAME",
    "FKCOLUMN_NAME", "KEY_SEQ", "UPDATE_RULE", "DELETE_RULE", "FK_NAME", "PK_NAME", "DEFERRABILITY",
  };

  private Metadata() {}

  static void run(Connection connection) throws SQLException {
    Jdbc.execute(
        connection,
        "CREATE SCHEMA nav",
        "CREATE TABLE nav.order_s (id BIGINT PRIMARY KEY, price DECIMAL(9,2), placed TIMESTAMP)",
        "CREATE TABLE nav.orders (other INTEGER)",
        "CREATE TABLE nav.lines (n INTEGER, order_id BIGINT, note VARCHAR NOT NULL, h HUGEINT, PRIMARY KEY (order_id, n),"
            + " FOREIGN KEY (order_id) REFERENCES nav.order_s (id))",
        "COMMENT ON COLUMN nav.lines.note IS 'what was said'");
    DatabaseMetaData data = connection.getMetaData();
    everyMethod(data);
    navigator(data);
    patterns(data);
    columns(data);
    Jdbc.execute(connection, "DROP TABLE nav.lines", "DROP TABLE nav.orders", "DROP TABLE nav.order_s", "DROP SCHEMA nav");
  }

  private static void everyMethod(DatabaseMetaData data) {
    Method[] methods = DatabaseMetaData.class.getMethods();
    Arrays.sort(methods, Comparator.comparing(Method::getName).thenComparing(Method::getParameterCount));
    for (Method method : methods) {
      String name = "every " + method.getName() + "/" + method.getParameterCount();
      Jdbc.step(
          name,
          () -> {
            try {
              Object value = method.invoke(data, arguments(method));
              if (value instanceof ResultSet rows) {
                return Jdbc.rows(rows);
              }
              return value instanceof Connection ? "connection" : value;
            } catch (InvocationTargetException e) {
              throw e.getCause() instanceof Exception cause ? cause : e;
            }
          });
    }
  }

  /** Arguments that make sense to each method: names in order, constants of the right set. */
  private static Object[] arguments(Method method) {
    String[] names = {"lake", "nav", "order_s"};
    Class<?>[] types = method.getParameterTypes();
    Object[] values = new Object[types.length];
    int texts = 0;
    int numbers = 0;
    for (int i = 0; i < types.length; i++) {
      if (types[i] == String.class) {
        values[i] = texts == 3 && types.length < 6 ? "%" : names[texts % 3];
        texts++;
      } else if (types[i] == int.class) {
        values[i] = number(method.getName(), numbers++);
      } else if (types[i] == boolean.class) {
        values[i] = true;
      } else if (types[i] == Class.class) {
        values[i] = DatabaseMetaData.class;
      } else {
        values[i] = null;
      }
    }
    return values;
  }

  private static int number(String method, int position) {
    return switch (method) {
      case "supportsTransactionIsolationLevel" -> Connection.TRANSACTION_REPEATABLE_READ;
      case "supportsResultSetHoldability" -> ResultSet.CLOSE_CURSORS_AT_COMMIT;
      case "supportsConvert" -> position == 0 ? java.sql.Types.VARCHAR : java.sql.Types.INTEGER;
      case "getBestRowIdentifier" -> DatabaseMetaData.bestRowSession;
      default -> position == 0 ? ResultSet.TYPE_FORWARD_ONLY : ResultSet.CONCUR_READ_ONLY;
    };
  }

  /** What DBeaver asks while its user opens the tree, with the catalog and schema of the answers. */
  private static void navigator(DatabaseMetaData data) {
    Jdbc.step("nav catalogs", () -> Jdbc.columns(data.getCatalogs(), "TABLE_CAT"));
    Jdbc.step("nav schemas", () -> Jdbc.columns(data.getSchemas("lake", null), "TABLE_SCHEM", "TABLE_CATALOG"));
    Jdbc.step("nav types", () -> Jdbc.columns(data.getTableTypes(), "TABLE_TYPE"));
    Jdbc.step(
        "nav tables",
        () ->
            Jdbc.columns(
                data.getTables("lake", "nav", "%", new String[] {"TABLE", "VIEW"}),
                "TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE"));
    for (String table : List.of("lines", "order\\_s")) {
      Jdbc.step(
          "nav columns " + table,
          () -> Jdbc.columns(data.getColumns("lake", "nav", table, "%"), "TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME"));
    }
    for (String table : List.of("lines", "order_s", "orders", "nosuch")) {
      Jdbc.step(
          "nav primary " + table,
          () ->
              Jdbc.columns(
                  data.getPrimaryKeys("lake", "nav", table),
                  "TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME", "KEY_SEQ", "PK_NAME"));
      Jdbc.step("nav imported " + table, () -> Jdbc.columns(data.getImportedKeys("lake", "nav", table), KEY_COLUMNS));
      Jdbc.step("nav exported " + table, () -> Jdbc.columns(data.getExportedKeys("lake", "nav", table), KEY_COLUMNS));
      Jdbc.step("nav indexes " + table, () -> Jdbc.rows(data.getIndexInfo("lake", "nav", table, false, true)));
    }
    Jdbc.step(
        "nav cross",
        () -> Jdbc.columns(data.getCrossReference(null, null, "order_s", null, null, "lines"), "PKCOLUMN_NAME", "FKCOLUMN_NAME"));
  }

  private static void patterns(DatabaseMetaData data) {
    Map<String, String> patterns = new LinkedHashMap<>();
    patterns.put("_", "order_");
    patterns.put("escaped", "order\\_s");
    patterns.put("%", "%s");
    patterns.put("case", "ORDERS");
    patterns.put("nothing", "nosuch%");
    for (Map.Entry<String, String> entry : patterns.entrySet()) {
      Jdbc.step("tables like " + entry.getKey(), () -> Jdbc.columns(data.getTables(null, "nav", entry.getValue(), null), "TABLE_NAME"));
    }
    Jdbc.step("tables without a catalog", () -> Jdbc.rows(data.getTables("", null, "%", null)));
    Jdbc.step("tables of another catalog", () -> Jdbc.rows(data.getTables("nosuch", null, "%", null)));
    Jdbc.step("tables of another schema", () -> Jdbc.rows(data.getTables("lake", "nosuch", "%", null)));
    Jdbc.step("tables of no type", () -> Jdbc.rows(data.getTables("lake", "nav", "%", new String[] {"INDEX"})));
  }

  private static void columns(DatabaseMetaData data) {
    Jdbc.step(
        "columns",
        () ->
            Jdbc.columns(
                data.getColumns("lake", "nav", "lines", "%"),
                "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME", "COLUMN_SIZE", "DECIMAL_DIGITS", "NULLABLE", "IS_NULLABLE", "REMARKS",
                "ORDINAL_POSITION", "IS_AUTOINCREMENT"));
    Jdbc.step("columns like", () -> Jdbc.columns(data.getColumns("lake", "nav", "lines", "order%"), "COLUMN_NAME"));
  }
}
