import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Logs in with the Flight SQL JDBC driver in every way that it has, rightly and wrongly, and prints
 * what it sees as Jdbc does. test_access.py judges. Arguments: host and port; the authority, a
 * client's certificate and its key as the URL wants them; the secret of JWTs.
 */
public final class Access {
  private static final String ROWS = "SELECT region, amount FROM sales.orders WHERE amount < 3 ORDER BY amount";
  private static final int TOKEN_SECONDS = 5;
  private static final long EXPIRY_MILLIS = 30_000;

  private Access() {}

  public static void main(String[] args) throws Exception {
    String plain = "jdbc:arrow-flight-sql://" + args[0] + "/?useEncryption=";
    String tls = plain + "true&tlsRootCerts=" + args[1];
    rows("password", tls + user("eve", "secret"));
    rows("all rows", tls + user("root", "secret"));
    rows("wrong password", tls + user("eve", "wrong"));
    rows("unknown user", tls + user("nobody", "secret"));
    rows("no credentials", tls);
    rows("certificate", tls + "&clientCertificate=" + args[2] + "&clientKey=" + args[3]);
    rows("token", tls + "&token=" + token(args[4], 60));
    rows("expired token", tls + "&token=" + token(args[4], -1));
    rows("unknown authority", plain + "true" + user("eve", "secret"));
    rows("no encryption", plain + "false" + user("eve", "secret"));
    try (Connection token = DriverManager.getConnection(tls + "&token=" + token(args[4], TOKEN_SECONDS))) {
      Jdbc.step("token in time", () -> Jdbc.query(token, ROWS));
      Jdbc.step("token too late", () -> untilItFails(token));
    }
    try (Connection eve = DriverManager.getConnection(tls + user("eve", "secret"))) {
      Jdbc.step("filtered count", () -> Jdbc.query(eve, "SELECT count(*), max(amount) FROM sales.orders"));
      Jdbc.step("filtered error", () -> Jdbc.query(eve, "SELECT error(region) FROM sales.orders WHERE region = 'US'"));
      Jdbc.step("filtered explain", () -> Jdbc.query(eve, "EXPLAIN FROM sales.orders"));
      Jdbc.step("insert", () -> update(eve, "INSERT INTO sales.orders VALUES ('EU', 1)"));
    }
    try (Connection root = DriverManager.getConnection(tls + user("root", "secret"));
        Connection tom = DriverManager.getConnection(tls + user("tom", "secret"))) {
      revoked(root, tom);
    }
    Jdbc.step("closed", () -> null);
    System.exit(0); // the driver's threads would keep the program alive
  }

  private static String user(String name, String password) {
    return "&user=" + name + "&password=" + password;
  }

  /** Returns a JWT of a user with role eu that expires after so many seconds. */
  private static String token(String secret, int seconds) throws GeneralSecurityException {
    long expires = System.currentTimeMillis() / 1000 + seconds;
    String claims = "{\"sub\":\"zoe\",\"roles\":[\"eu\"],\"iss\":\"tests\",\"exp\":" + expires + "}";
    String text = base64("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".getBytes(StandardCharsets.UTF_8)) + "." + base64(claims.getBytes(StandardCharsets.UTF_8));
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
    return text + "." + base64(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static String base64(byte[] bytes) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  private static void rows(String step, String url) {
    Jdbc.step(
        step,
        () -> {
          try (Connection connection = DriverManager.getConnection(url)) {
            return Jdbc.query(connection, ROWS);
          }
        });
  }

  private static int update(Connection connection, String sql) throws SQLException {
    try (var statement = connection.createStatement()) {
      return statement.executeUpdate(sql);
    }
  }

  /** Asks until the server refuses. */
  private static Object untilItFails(Connection connection) throws Exception {
    for (long end = System.currentTimeMillis() + EXPIRY_MILLIS; System.currentTimeMillis() < end; Thread.sleep(100)) {
      Jdbc.query(connection, "SELECT 1");
    }
    return "it was never refused";
  }

  /** Takes a privilege away while a connection and a prepared statement use it. */
  private static void revoked(Connection root, Connection tom) throws SQLException {
    Jdbc.step("before grant", () -> Jdbc.query(tom, ROWS));
    Jdbc.step("grant", () -> update(root, "GRANT SELECT, INSERT ON sales.orders TO tom"));
    try (PreparedStatement prepared = tom.prepareStatement(ROWS)) {
      Jdbc.step("granted", () -> Jdbc.rows(prepared.executeQuery()));
      Jdbc.step("revoke", () -> update(root, "REVOKE SELECT ON sales.orders FROM tom"));
      Jdbc.step("revoked, prepared", () -> Jdbc.rows(prepared.executeQuery()));
    }
    Jdbc.step("revoked", () -> Jdbc.query(tom, ROWS));
    Jdbc.step("revoke all", () -> update(root, "REVOKE ALL ON sales.orders FROM tom"));
    Jdbc.step("not visible", () -> Jdbc.query(tom, ROWS));
  }
}
