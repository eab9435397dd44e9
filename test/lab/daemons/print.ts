/** A row of the table as it was played, for people. */
import type { Row } from './play.js';

export function printed(row: Row): string {
  const { daemon, reloads, death, byUnit, claims } = row;
  const lines = [
    `${daemon.name} ${row.version} (${daemon.unit}, Restart=${row.restartOfUnit})`,
    ...daemon.watch.map(
      (watch, index) => `  watch: ${watch}  → pid ${row.watched[index]}, systemd's main pid ${row.mainPid}`,
    ),
    ...row.processes.map(
      ({ pid, ppid, user, comm, exe, sockets, command }) =>
        `  process ${pid} of ${ppid}, ${user}, comm ${comm}, ${exe}: ${command.slice(0, 90)}; ${sockets.join(', ') || 'no sockets'}`,
    ),
    `  pidfiles: ${row.pidfiles.join(', ') || 'none'}`,
    ...reloads.flatMap(({ name, expected, seen }) => [
      `  ${name}: ${seen.sight}${seen.sight === expected ? '' : ` (the table says ${expected})`}; pid ${seen.pids.join(' → ')}, main ${seen.mainPid}`,
      ...seen.entries.map(entry => `    ${entry}`),
    ]),
    `  kill -KILL: back after ${Math.round(death.backMs)} ms as pid ${death.pid}, main ${death.mainPid}`,
    ...death.entries.map(entry => `    ${entry}`),
    `  by its unit: ${byUnit.bringer}; main ${byUnit.mainPids.join(' → ')}`,
    ...byUnit.entries.map(entry => `    ${entry}`),
    ...claims.flatMap(({ says, holds, output }) => [
      `  ${holds ? 'so' : 'NOT SO'}: ${says}`,
      ...output.split('\n').map(line => `    ${line}`),
    ]),
    ...row.faults.map(fault => `  FAULT: ${fault}`),
  ];
  return `${lines.join('\n')}\n`;
}
