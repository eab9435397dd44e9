/** What a test needs from the machine. */
import { spawnSync } from 'node:child_process';

/** Network namespaces: root, or a kernel that lets users have them, and the programs that make and fill them. */
export function needsNetworkNamespaces(): string | false {
  return needs('ip', ['-V']) || needs('unshare', ['-n', 'true']);
}

/** A reason to skip, or false. With SOCKMON_TEST_NO_SKIP=1 what is missing makes the test fail instead. */
export function needs(program: string, args: string[]): string | false {
  const { status } = spawnSync(program, args, { stdio: 'ignore' });
  if (status === 0) return false;
  if (process.env.SOCKMON_TEST_NO_SKIP === '1') return false;
  return `${[program, ...args].join(' ')} does not work here`;
}
