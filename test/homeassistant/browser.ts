/** A headless Chromium, driven over the DevTools protocol. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { type Started, start } from '../lab/proc.js';
import { until } from '../lab/wait.js';

const options = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--hide-scrollbars',
  '--force-color-profile=srgb',
  '--font-render-hinting=none',
  '--lang=en',
  '--remote-debugging-port=0',
];

/** What stands on a page for a person's eyes, through all shadow roots. */
const textOnPage = `(() => {
  const texts = [];
  const walk = node => {
    if (node.nodeType === Node.TEXT_NODE) texts.push(node.data);
    if (['STYLE', 'SCRIPT', 'TEMPLATE'].includes(node.nodeName)) return;
    if (node.nodeName === 'SLOT') for (const child of node.assignedNodes()) walk(child);
    for (const child of (node.shadowRoot ?? node).childNodes) walk(child);
  };
  if (document.body) walk(document.body);
  return texts.map(text => text.trim()).filter(text => text !== '').join('\\n');
})()`;

/** Logos come from outside, where nobody can be reached: without the sign of a broken image. */
const hideBroken = `(() => {
  const walk = root => {
    for (const node of root.querySelectorAll('*')) {
      if (node.nodeName === 'IMG' && node.complete && node.naturalWidth === 0) node.style.visibility = 'hidden';
      if (node.shadowRoot) walk(node.shadowRoot);
    }
  };
  walk(document);
})()`;

interface Answer {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Generous: it only decides how long a failure takes. */
const answerMs = 60_000;

/** Where its first page is driven from; null while it is not ready to say. */
async function firstPage(folder: string): Promise<string | null> {
  const file = join(folder, 'DevToolsActivePort');
  if (!existsSync(file)) return null;
  const [port] = readFileSync(file, 'utf8').split('\n');
  const answer = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => null);
  const pages = (await answer?.json()) as { type: string; webSocketDebuggerUrl: string }[] | undefined;
  return pages?.find(({ type }) => type === 'page')?.webSocketDebuggerUrl ?? null;
}

/** Its helpers outlive it for a moment, and write. */
async function end(running: Started, folder: string): Promise<void> {
  running.child.kill('SIGTERM');
  await running.ended;
  await until('the end of its helpers', () => {
    try {
      rmSync(folder, { recursive: true, force: true });
      return true;
    } catch {
      return false;
    }
  });
}

export class Browser {
  private lastId = 0;
  private readonly waiting = new Map<number, (answer: Answer) => void>();

  private constructor(
    private readonly running: Started,
    private readonly folder: string,
    private readonly socket: WebSocket,
    output: () => string,
  ) {
    socket.on('message', data => {
      const answer = JSON.parse(String(data)) as Answer;
      if (answer.id !== undefined) this.waiting.get(answer.id)?.(answer);
    });
    socket.on('close', () => {
      for (const tell of this.waiting.values())
        tell({ error: { message: `Chromium has ended:\n${output()}` } });
    });
  }

  /** With one empty page. */
  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), 'sockmon-chromium-'));
    const argv = ['chromium', ...options, `--user-data-dir=${folder}`, 'about:blank'];
    const running = start(argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    running.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    try {
      const socket = new WebSocket(
        await until('a page', () => firstPage(folder), { deadlineMs: 120_000, context: () => output }),
      );
      await once(socket, 'open');
      const browser = new Browser(running, folder, socket, () => output);
      await browser.send('Page.enable');
      return browser;
    } catch (error) {
      await end(running, folder);
      throw error;
    }
  }

  /** @param script Runs before any script of a page does, on every page from now on. */
  beforeEveryPage(script: string): Promise<unknown> {
    return this.send('Page.addScriptToEvaluateOnNewDocument', { source: script });
  }

  /** @param scale Pixels of the picture for one of the page. */
  async resize({ width, height }: Size, scale = 1): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', {
      ...{ width, height, deviceScaleFactor: scale, mobile: false },
    });
  }

  async open(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
  }

  text(): Promise<string> {
    return this.evaluate(textOnPage);
  }

  /** @throws Error that says what stands there in place of it. */
  async untilShown(...texts: readonly string[]): Promise<string> {
    let shown = '';
    const probe = async () => {
      shown = await this.text();
      return texts.every(text => shown.includes(text));
    };
    const context = () => {
      const missing = texts.filter(text => !shown.includes(text));
      return `missing: ${missing.join(' | ')}\nshown:\n${shown}`;
    };
    await until('the page', probe, { deadlineMs: 60_000, pollMs: 200, context });
    return shown;
  }

  async evaluate<Value>(expression: string): Promise<Value> {
    const { result } = await this.send('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    return (result as { value: Value }).value;
  }

  /** Until nothing moves any more: two pictures in a row are the same. */
  async settle(): Promise<void> {
    let last: Buffer = Buffer.alloc(0);
    const probe = async () => {
      await this.evaluate(hideBroken);
      const picture = await this.picture();
      const isSame = picture.equals(last);
      last = picture;
      return isSame;
    };
    await until('a picture that stands still', probe, { pollMs: 700, deadlineMs: 60_000 });
  }

  /** As PNG. */
  async picture(): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(String(data), 'base64');
  }

  async close(): Promise<void> {
    this.socket.close();
    await end(this.running, this.folder);
  }

  private send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      if (this.socket.readyState !== WebSocket.OPEN) throw new Error('Chromium has ended');
      const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), answerMs);
      this.waiting.set(id, ({ result = {}, error }) => {
        clearTimeout(timer);
        this.waiting.delete(id);
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }
}
