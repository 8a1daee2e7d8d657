import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  askControl,
  type ControlAnswer,
  ControlSocket,
} from '../../../../src/live/control/control-socket.js';

let dir = '';
let path = '';
const opened: ControlSocket[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flowfate-control-'));
  path = join(dir, 'speaker.sock');
});
afterEach(() => {
  for (const socket of opened.splice(0)) socket.close();
  rmSync(dir, { recursive: true, force: true });
});

async function open(answer: (request: unknown) => ControlAnswer): Promise<ControlSocket> {
  const socket = await ControlSocket.open(path, 'speaker', answer);
  opened.push(socket);
  return socket;
}
const echo = (request: unknown): ControlAnswer => ({ ok: true, result: request });

describe('the control socket', () => {
  test('answers a request, and refuses one', async () => {
    await open((request) =>
      (request as { vip?: string }).vip === 'x' ? { ok: false, error: 'no x here' } : echo(request),
    );
    expect(await askControl(path, 'speaker', { command: 'status' })).toEqual({
      ok: true,
      result: { command: 'status' },
    });
    expect(await askControl(path, 'speaker', { vip: 'x' })).toEqual({ ok: false, error: 'no x here' });
  });

  test('belongs to its owner alone', async () => {
    await open(echo);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('replaces one that a killed program has left behind', async () => {
    const left = createServer();
    await new Promise<void>((resolve) => left.listen(path, resolve));
    // closing removes the file: what is left after a kill is a file that nobody listens on
    const copy = join(dir, 'kept.sock');
    const { linkSync, renameSync } = await import('node:fs');
    linkSync(path, copy);
    await new Promise((resolve) => left.close(resolve));
    renameSync(copy, path);
    await open(echo);
    expect(await askControl(path, 'speaker', 1)).toEqual({ ok: true, result: 1 });
  });

  test('does not replace one that somebody answers on, nor a file', async () => {
    await open(echo);
    await expect(ControlSocket.open(path, 'speaker', echo)).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(/another speaker answers/),
    });
    const file = join(dir, 'file');
    writeFileSync(file, 'precious');
    chmodSync(file, 0o600);
    await expect(ControlSocket.open(file, 'speaker', echo)).rejects.toMatchObject({ code: 'network' });
    expect(existsSync(file)).toBe(true);
  });

  test('that is not there is an error that says how to start a speaker', async () => {
    await expect(askControl(path, 'speaker', {})).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(/no speaker runs at .*flowfate speaker --config/),
    });
  });

  test('answers what is no request with a sentence', async () => {
    await open(echo);
    const text = await new Promise<string>((resolve) => {
      let got = '';
      const socket = connect(path, () => socket.write('no json\n'));
      socket.on('data', (more) => {
        got += more;
      });
      socket.on('end', () => resolve(got));
    });
    expect(JSON.parse(text)).toEqual({ ok: false, error: 'the request is no line of JSON' });
  });
});
