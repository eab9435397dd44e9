/*
 * server ADDRESS: a process that accepts whoever comes and holds the connection. Its parent kills it when told to, so that nothing that
 * measures is woken by its death. Lines in: `kill`. Lines out: `alive 0`, `accepted 0` for each connection, `killed MS`.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "address.h"

static void serve(const char *where) {
  address_t address;
  const int on = 1;
  struct rlimit limit;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  socklen_t size = parse_address(where, &address);
  int listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) die("socket");
  if (address.any.sa_family == AF_UNIX) unlink(address.un.sun_path);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, &address.any, size) != 0 || listen(listener, 4096) != 0) die(where);
  tell("alive", 0);
  while (accept(listener, NULL, NULL) >= 0) tell("accepted", 0);
  die("accept");
}

int main(int argc, char **argv) {
  char line[32];
  if (argc < 2) return 64;
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) serve(argv[1]);
  while (fgets(line, sizeof line, stdin) != NULL) {
    double killed_ms = now_ms();
    if (kill(child, SIGKILL) != 0) die("kill");
    waitpid(child, NULL, 0);
    tell("killed", killed_ms);
  }
  return 0;
}
