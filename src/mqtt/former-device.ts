/** A device that this machine announced under another name stays in Home Assistant for ever, and says that the gateway is dead. Pure. */

/**
 * @param before The discovery topic of the last announcement, now the one of the configuration; null = not known, or none.
 * @returns null where nothing is left behind. It is only said, not done: a machine that was copied and given a name of its own has the
 * other one's journal, and would take the other one's device away.
 */
export function formerDeviceWords(before: string | null, now: string | null): string | null {
  if (before === null || now === null || before === now) return null;
  const [was, is] = [nodeOf(before), nodeOf(now)];
  if (was === null || was === is)
    return `The device was announced on ${before} before. If Home Assistant still looks there, take it away with: mosquitto_pub -r -n -t ${before}`;
  return `This machine was announced as ${was} before. If no other machine bears that name, its device stays in Home Assistant, off, until you take it away with: sockmon discovery --config FILE --remove --node ${was}`;
}

function nodeOf(topic: string): string | null {
  return /\/device\/sockmon_([\w-]+)\/config$/.exec(topic)?.[1] ?? null;
}
