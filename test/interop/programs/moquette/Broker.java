import io.moquette.broker.Server;
import io.moquette.broker.config.MemoryConfig;
import io.moquette.broker.security.IAuthenticator;
import io.moquette.broker.security.IAuthorizatorPolicy;
import io.moquette.broker.subscriptions.Topic;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;

/**
 * moquette for test/interop: one user who may do everything but publish to the topics that are named.
 * Usage: Broker PORT FOLDER USER PASSWORD [FORBIDDEN_TOPIC or SETTING=VALUE ...]. Ends in order at SIGTERM.
 */
public final class Broker {
  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    settings.setProperty("host", "127.0.0.1");
    settings.setProperty("port", args[0]);
    settings.setProperty("data_path", args[1]);
    settings.setProperty("allow_anonymous", "false");
    settings.setProperty("telemetry_enabled", "false");
    List<String> forbidden = new java.util.ArrayList<>();
    for (String word : Arrays.asList(args).subList(4, args.length)) {
      String[] parts = word.split("=", 2);
      if (parts.length == 2) settings.setProperty(parts[0], parts[1]);
      else forbidden.add(word);
    }
    IAuthenticator users =
        (client, user, password) ->
            args[2].equals(user) && password != null && args[3].equals(new String(password, StandardCharsets.UTF_8));
    IAuthorizatorPolicy rights =
        new IAuthorizatorPolicy() {
          @Override
          public boolean canWrite(Topic topic, String user, String client) {
            return !forbidden.contains(topic.toString());
          }

          @Override
          public boolean canRead(Topic topic, String user, String client) {
            return true;
          }
        };
    Server server = new Server();
    Runtime.getRuntime().addShutdownHook(new Thread(server::stopServer));
    server.startServer(new MemoryConfig(settings), List.of(), null, users, rights);
    System.out.println("ready");
    Thread.currentThread().join();
  }
}
