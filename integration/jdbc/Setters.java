import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Time;
import java.sql.Timestamp;
import java.util.Calendar;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TimeZone;

/** Writes values to columns of every type by every setter that is made for it. */
final class Setters {
  private static final Timestamp MOMENT = Timestamp.valueOf("2024-07-01 12:30:00.123");

  private Setters() {}

  private interface Setter {
    void set(PreparedStatement statement) throws Exception;
  }

  /** The setters to try, by "COLUMN TYPE/SETTER". */
  private static Map<String, Setter> setters() {
    Calendar tokyo = Calendar.getInstance(TimeZone.getTimeZone("Asia/Tokyo"));
    Map<String, Setter> setters = new LinkedHashMap<>();
    setters.put("BOOLEAN/setBoolean", s -> s.setBoolean(1, true));
    setters.put("TINYINT/setByte", s -> s.setByte(1, (byte) -128));
    setters.put("SMALLINT/setShort", s -> s.setShort(1, (short) 32767));
    setters.put("INTEGER/setInt", s -> s.setInt(1, -2147483648));
    setters.put("BIGINT/setInt", s -> s.setInt(1, 7));
    setters.put("BIGINT/setLong", s -> s.setLong(1, Long.MAX_VALUE));
    setters.put("UINTEGER/setLong", s -> s.setLong(1, 4294967295L));
    setters.put("UBIGINT/setLong", s -> s.setLong(1, 7));
    setters.put("HUGEINT/setBigDecimal", s -> s.setBigDecimal(1, new BigDecimal("99999999999999999999999999999999999999")));
    setters.put("FLOAT/setFloat", s -> s.setFloat(1, 1.5f));
    setters.put("DOUBLE/setFloat", s -> s.setFloat(1, 1.5f));
    setters.put("DOUBLE/setDouble", s -> s.setDouble(1, 0.1));
    setters.put("DECIMAL(10,3)/setBigDecimal", s -> s.setBigDecimal(1, new BigDecimal("-12.345")));
    setters.put("DECIMAL(38,10)/setBigDecimal", s -> s.setBigDecimal(1, new BigDecimal("9999999999999999999999999999.0000000001")));
    setters.put("VARCHAR/setString", s -> s.setString(1, "dr\u00f6\u00f6m's"));
    setters.put("VARCHAR/setNString", s -> s.setNString(1, "n"));
    setters.put("VARCHAR/setObject", s -> s.setObject(1, "object"));
    setters.put("JSON/setString", s -> s.setString(1, "[1]"));
    setters.put("UUID/setString", s -> s.setString(1, "00000000-0000-0000-0000-0000000000ff"));
    setters.put("BLOB/setBytes", s -> s.setBytes(1, new byte[] {0, -1}));
    setters.put("DATE/setDate", s -> s.setDate(1, Date.valueOf("2024-02-29")));
    setters.put("DATE/setObject", s -> s.setObject(1, Date.valueOf("1969-12-31")));
    setters.put("TIME/setTime", s -> s.setTime(1, Time.valueOf("23:59:59")));
    setters.put("TIMESTAMP/setTimestamp", s -> s.setTimestamp(1, MOMENT));
    setters.put("TIMESTAMP/setTimestamp of Tokyo", s -> s.setTimestamp(1, MOMENT, tokyo));
    setters.put("TIMESTAMP/setObject", s -> s.setObject(1, MOMENT));
    setters.put("TIMESTAMP_S/setTimestamp", s -> s.setTimestamp(1, Timestamp.valueOf("2024-07-01 12:30:00")));
    setters.put("TIMESTAMP_MS/setTimestamp", s -> s.setTimestamp(1, MOMENT));
    setters.put("TIMESTAMP_NS/setTimestamp", s -> s.setTimestamp(1, MOMENT));
    setters.put("TIMESTAMPTZ/setTimestamp", s -> s.setTimestamp(1, MOMENT));
    setters.put("VARCHAR/setNull", s -> s.setNull(1, java.sql.Types.VARCHAR));
    setters.put("BIGINT/setNull", s -> s.setNull(1, java.sql.Types.BIGINT));
    setters.put("DECIMAL(10,3)/setObject null", s -> s.setObject(1, null));
    setters.put("TIMESTAMP/setTimestamp null", s -> s.setTimestamp(1, null));
    return setters;
  }

  static void run(Connection connection) throws SQLException {
    Jdbc.execute(connection, "CREATE SCHEMA setters");
    for (Map.Entry<String, Setter> entry : setters().entrySet()) {
      String type = entry.getKey().substring(0, entry.getKey().indexOf('/'));
      Jdbc.step("set " + entry.getKey(), () -> {
        Jdbc.execute(connection, "CREATE OR REPLACE TABLE setters.t (v " + type + ")");
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO setters.t VALUES (?)")) {
          entry.getValue().set(statement);
          statement.executeUpdate();
        }
        return Jdbc.query(connection, "SELECT v::VARCHAR FROM setters.t").get(0).get(0);
      });
      Jdbc.step("compare " + entry.getKey(), () -> {
        try (PreparedStatement statement = connection.prepareStatement("SELECT count(*) FROM setters.t WHERE v = ?")) {
          entry.getValue().set(statement);
          return Jdbc.rows(statement.executeQuery()).get(0).get(0);
        }
      });
    }
    Jdbc.execute(connection, "DROP TABLE setters.t", "DROP SCHEMA setters");
  }
}
