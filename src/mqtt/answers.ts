/** Where a command wants its answers besides the usual topic: MQTT 5's response topic and correlation data. Pure. */
import type { Topics } from './topics.js';

export interface ReplyTo {
  readonly topic: string;
  readonly correlationData?: Buffer;
}

export interface ReplyProperties {
  readonly responseTopic?: string | undefined;
  readonly correlationData?: Buffer | undefined;
}

/** Both are kept in memory for the later fates of a command. */
const maxTopicBytes = 256;
const maxCorrelationBytes = 256;
/** A topic with these says something else than it seems to, or cannot be published to. */
const strange = /[+#$\p{Cc}\ufffe\uffff]/u;

/** null: the command wants none, or wants them where they may not go. They are on the usual topic in any case. */
export function replyToOf(
  properties: ReplyProperties | undefined,
  prefix: string | null,
  topics: Topics,
): ReplyTo | null {
  const topic = properties?.responseTopic;
  const correlationData = properties?.correlationData;
  if (topic === undefined || prefix === null) return null;
  if (!topic.startsWith(prefix) || topic.length === prefix.length || strange.test(topic)) return null;
  if (Buffer.byteLength(topic) > maxTopicBytes || isOurs(topic, topics)) return null;
  // An answer that cannot be told from others is none.
  if (correlationData !== undefined && correlationData.length > maxCorrelationBytes) return null;
  return { topic, ...(correlationData === undefined ? {} : { correlationData }) };
}

/** Whatever prefix is allowed: nobody may make us command ourselves, say that we are online, or announce to Home Assistant what there is not. */
function isOurs(topic: string, { root, discoveryRoot, result }: Topics): boolean {
  if (discoveryRoot !== null && topic.startsWith(`${discoveryRoot}/`)) return true;
  return topic.startsWith(`${root}/`) && !topic.startsWith(result(''));
}
