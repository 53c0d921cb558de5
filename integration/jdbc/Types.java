import java.sql.Array;
import java.sql.Connection;
import java.sql.Date;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Time;
import java.sql.Timestamp;
import java.time.Instant;
import java.util.Arrays;
import java.util.Calendar;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;

/** Reads values of every type by every getter, and writes them by every setter. */
final class Types {
  static final String MOMENTS = "SELECT TIMESTAMP '2024-07-01 12:30:00', TIMESTAMPTZ '2024-07-01 12:30:00+00', TIME '12:30:00'";

  /** Names of types with an expression of each. */
  private static final String[][] VALUES = {
    {"boolean", "true"},
    {"tinyint", "(-128)::TINYINT"},
    {"smallint", "32767::SMALLINT"},
    {"integer", "(-2147483648)::INTEGER"},
    {"bigint", "9223372036854775807"},
    {"hugeint", "99999999999999999999999999999999999999::HUGEINT"},
    {"utinyint", "255::UTINYINT"},
    {"usmallint", "65535::USMALLINT"},
    {"uinteger", "4294967295::UINTEGER"},
    {"ubigint", "18446744073709551615::UBIGINT"},
    {"float", "1.5::FLOAT"},
    {"double", "-0.1::DOUBLE"},
    {"decimal", "-12.345::DECIMAL(10,3)"},
    {"decimal38", "9999999999999999999999999999.9999999999::DECIMAL(38,10)"},
    {"varchar", "'dr\u00f6\u00f6m'"},
    {"json", "'{\"a\": 1}'::JSON"},
    {"enum", "'b'::ENUM('a', 'b')"},
    {"blob", "'\\x00\\xFF'::BLOB"},
    {"uuid", "'00000000-0000-0000-0000-0000000000ff'::UUID"},
    {"date", "DATE '2024-02-29'"},
    {"old date", "DATE '1582-10-04'"},
    {"time", "TIME '23:59:59.123456'"},
    {"timestamp", "TIMESTAMP '2024-07-01 12:30:00.123456'"},
    {"timestamp_s", "TIMESTAMP_S '2024-07-01 12:30:00'"},
    {"timestamp_ms", "TIMESTAMP_MS '2024-07-01 12:30:00.123'"},
    {"timestamp_ns", "TIMESTAMP_NS '2024-07-01 12:30:00.123456789'"},
    {"timestamptz", "TIMESTAMPTZ '2024-07-01 12:30:00.123456+00'"},
    {"interval", "INTERVAL '14 months 3 days 4 seconds'"},
    {"list", "[1, NULL, 3]"},
    {"list of text", "['a', NULL]"},
    {"struct", "{'a': 1, 'b': 'x'}"},
    {"map", "MAP {'k': 1}"},
    {"null", "NULL"},
  };

  private Types() {}

  static void run(Connection connection) throws SQLException {
    for (String[] value : VALUES) {
      Jdbc.step("get " + value[0], () -> get(connection, value[1]));
      Jdbc.step("get null " + value[0], () -> getNull(connection, value[1]));
    }
    Jdbc.step("zone read", () -> readZones(connection));
    Jdbc.step("zone write", () -> writeZones(connection));
    Setters.run(connection);
  }

  private interface Getter {
    Object get(ResultSet rows) throws Exception;
  }

  private static Map<String, Getter> getters() {
    Map<String, Getter> getters = new LinkedHashMap<>();
    getters.put("getObject", r -> text(r.getObject(1)));
    getters.put("class", r -> r.getObject(1) == null ? null : r.getObject(1).getClass().getSimpleName());
    getters.put("getString", r -> r.getString(1));
    getters.put("getBoolean", r -> r.getBoolean(1));
    getters.put("getByte", r -> (int) r.getByte(1));
    getters.put("getShort", r -> (int) r.getShort(1));
    getters.put("getInt", r -> r.getInt(1));
    getters.put("getLong", r -> r.getLong(1));
    getters.put("getFloat", r -> text(r.getFloat(1)));
    getters.put("getDouble", r -> text(r.getDouble(1)));
    getters.put("getBigDecimal", r -> text(r.getBigDecimal(1)));
    getters.put("getBytes", r -> text(r.getBytes(1)));
    getters.put("getDate", r -> text(r.getDate(1)));
    getters.put("getTime", r -> text(r.getTime(1)));
    getters.put("getTimestamp", r -> text(r.getTimestamp(1)));
    getters.put("getArray", r -> text(r.getArray(1)));
    return getters;
  }

  static Object text(Object value) throws SQLException {
    if (value instanceof byte[] bytes) {
      return HexFormat.of().formatHex(bytes);
    }
    if (value instanceof Object[] array) {
      return Arrays.deepToString(array);
    }
    if (value instanceof Array array) {
      return Arrays.deepToString((Object[]) array.getArray());
    }
    return value == null ? null : value.toString();
  }

  /** What each getter gives that does not refuse the type, and how the column describes itself. */
  private static Object get(Connection connection, String expression) throws SQLException {
    Map<String, Object> seen = new LinkedHashMap<>();
    for (Map.Entry<String, Getter> getter : getters().entrySet()) {
      try (Statement statement = connection.createStatement();
          ResultSet rows = statement.executeQuery("SELECT " + expression + " AS v")) {
        rows.next();
        seen.putIfAbsent("type", rows.getMetaData().getColumnTypeName(1));
        try {
          seen.put(getter.getKey(), getter.getValue().get(rows));
        } catch (Exception e) {
          // This getter is not for the type.
        }
      }
    }
    return seen;
  }

  private static Object getNull(Connection connection, String expression) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT CASE WHEN random() > 2 THEN " + expression + " END AS v")) {
      rows.next();
      return Arrays.asList(rows.getString(1), rows.getObject(1), rows.wasNull());
    }
  }

  /** Reads moments in the time zone of the JVM and in another. */
  private static Object readZones(Connection connection) throws SQLException {
    Calendar tokyo = Calendar.getInstance(TimeZone.getTimeZone("Asia/Tokyo"));
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(MOMENTS)) {
      rows.next();
      return Arrays.asList(
          rows.getTimestamp(1).toString(), rows.getTimestamp(1, tokyo).toString(), rows.getTimestamp(2).toInstant().toString(),
          rows.getTime(3).toString());
    }
  }

  private static Object writeZones(Connection connection) throws SQLException {
    Jdbc.execute(connection, "CREATE TABLE zones (a TIMESTAMP, b TIMESTAMPTZ, c TIME, d DATE)");
    try (PreparedStatement statement = connection.prepareStatement("INSERT INTO zones VALUES (?, ?, ?, ?)")) {
      statement.setTimestamp(1, Timestamp.valueOf("2024-07-01 12:30:00"));
      statement.setTimestamp(2, Timestamp.from(Instant.parse("2024-07-01T12:30:00Z")));
      statement.setTime(3, Time.valueOf("12:30:00"));
      statement.setDate(4, Date.valueOf("2024-07-01"));
      statement.executeUpdate();
    }
    List<List<String>> seen = Jdbc.query(connection, "SELECT a::VARCHAR, b::VARCHAR, c::VARCHAR, d::VARCHAR FROM zones");
    Jdbc.execute(connection, "DROP TABLE zones");
    return seen;
  }
}
