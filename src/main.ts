/** The program: the only file that ends the process. */
import { SockmonError } from './core/errors.js';

export async function main(argv: readonly string[]): Promise<void> {
  try {
    const { run } = await import('./cli/main.js');
    process.exit(await run(argv));
  } catch (error) {
    process.stderr.write(`sockmon: ${words(error)}\n`);
    process.exit(error instanceof SockmonError ? error.exitStatus : 70);
  }
}

function words(error: unknown): string {
  if (error instanceof SockmonError) return error.message;
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `a fault in sockmon itself. Please report it with these lines.\n${trace}`;
}
