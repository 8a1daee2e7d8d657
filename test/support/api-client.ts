/** The HTTP API of a program inside a namespace, asked from outside through one small process that stays there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Host } from './netns.js';

/** Reads a URL a line, writes the body of the answer as a line of JSON; an error as {"unreachable": sentence}. */
const RELAY = `
const lines = require('node:readline').createInterface({ input: process.stdin });
lines.on('line', async (url) => {
  let answer;
  try {
    const response = await fetch(url, { headers: { connection: 'close' } });
    answer = JSON.stringify(JSON.parse(await response.text()));
  } catch (error) {
    answer = JSON.stringify({ unreachable: String(error.cause?.message ?? error.message) });
  }
  process.stdout.write(answer + '\\n');
});`;

export class ApiClient {
  private readonly relay: ChildProcess;
  private readonly waiting: ((line: string) => void)[] = [];

  constructor(
    host: Host,
    readonly address = '127.0.0.1:8179',
  ) {
    this.relay = spawn('ip', ['netns', 'exec', host.namespace, process.execPath, '-e', RELAY], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    createInterface({ input: this.relay.stdout! }).on('line', (line) => this.waiting.shift()?.(line));
    this.relay.on('exit', () => {
      for (const tell of this.waiting.splice(0)) tell('{"unreachable":"the relay has ended"}');
    });
  }

  /** Questions are answered in their order. */
  async get<T>(path: string): Promise<T> {
    const line = await new Promise<string>((resolve) => {
      this.waiting.push(resolve);
      this.relay.stdin!.write(`http://${this.address}${path}\n`);
    });
    const answer = JSON.parse(line) as T & { unreachable?: string };
    if (answer.unreachable !== undefined) throw new Error(`the API does not answer: ${answer.unreachable}`);
    return answer;
  }

  close(): void {
    this.relay.kill('SIGTERM');
  }
}
