import com.hivemq.embedded.EmbeddedExtension;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.extension.sdk.api.ExtensionMain;
import com.hivemq.extension.sdk.api.auth.SimpleAuthenticator;
import com.hivemq.extension.sdk.api.auth.parameter.SimpleAuthInput;
import com.hivemq.extension.sdk.api.auth.parameter.SimpleAuthOutput;
import com.hivemq.extension.sdk.api.auth.parameter.TopicPermission;
import com.hivemq.extension.sdk.api.packets.connect.ConnackReasonCode;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartOutput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopOutput;
import com.hivemq.extension.sdk.api.services.Services;
import com.hivemq.extension.sdk.api.services.builder.Builders;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * HiveMQ Community Edition for test/interop: one user who may do everything but publish to the topics that are named.
 * Usage: Broker PORT FOLDER USER PASSWORD [FORBIDDEN_TOPIC ...]. Ends in order at SIGTERM.
 */
public final class Broker {
  public static void main(String[] args) throws Exception {
    Path folder = Path.of(args[1]);
    for (String part : List.of("conf", "data", "extensions")) Files.createDirectories(folder.resolve(part));
    Files.writeString(
        folder.resolve("conf/config.xml"),
        "<hivemq><listeners><tcp-listener><port>" + args[0] + "</port><bind-address>127.0.0.1</bind-address></tcp-listener></listeners>"
            + "<anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics></hivemq>");
    EmbeddedExtension rights =
        EmbeddedExtension.builder()
            .withId("rights")
            .withName("rights")
            .withVersion("1")
            .withAuthor("test")
            .withExtensionMain(new Rights(args[2], args[3], Arrays.asList(args).subList(4, args.length)))
            .build();
    EmbeddedHiveMQ broker =
        EmbeddedHiveMQ.builder()
            .withConfigurationFolder(folder.resolve("conf"))
            .withDataFolder(folder.resolve("data"))
            .withExtensionsFolder(folder.resolve("extensions"))
            .withEmbeddedExtension(rights)
            .build();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> broker.stop().join()));
    broker.start().join();
    System.out.println("ready");
    Thread.currentThread().join();
  }

  private static final class Rights implements ExtensionMain, SimpleAuthenticator {
    private final String user;
    private final String password;
    private final List<String> forbidden;

    Rights(String user, String password, List<String> forbidden) {
      this.user = user;
      this.password = password;
      this.forbidden = forbidden;
    }

    @Override
    public void extensionStart(ExtensionStartInput input, ExtensionStartOutput output) {
      Services.securityRegistry().setAuthenticatorProvider(ignored -> this);
    }

    @Override
    public void extensionStop(ExtensionStopInput input, ExtensionStopOutput output) {}

    @Override
    public void onConnect(SimpleAuthInput input, SimpleAuthOutput output) {
      Optional<String> name = input.getConnectPacket().getUserName();
      Optional<String> word = input.getConnectPacket().getPassword().map(bytes -> StandardCharsets.UTF_8.decode(bytes).toString());
      if (!name.equals(Optional.of(user)) || !word.equals(Optional.of(password))) {
        // As its own file-based extension does it.
        output.failAuthentication(ConnackReasonCode.NOT_AUTHORIZED);
        return;
      }
      List<TopicPermission> permissions = new ArrayList<>();
      // The first that matches counts.
      for (String topic : forbidden) permissions.add(permission(topic, TopicPermission.PermissionType.DENY, TopicPermission.MqttActivity.PUBLISH));
      permissions.add(permission("#", TopicPermission.PermissionType.ALLOW, TopicPermission.MqttActivity.ALL));
      output.getDefaultPermissions().addAll(permissions);
      output.authenticateSuccessfully();
    }

    private static TopicPermission permission(
        String filter, TopicPermission.PermissionType type, TopicPermission.MqttActivity activity) {
      return Builders.topicPermission().topicFilter(filter).type(type).activity(activity).build();
    }
  }
}
