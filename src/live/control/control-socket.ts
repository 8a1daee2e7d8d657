/**
 * The Unix socket over which a running router or speaker is asked and told: one line of JSON in, one out, and the
 * connection is over.
 *
 * Only its owner may use it (mode 0600). A socket that a program has left behind when it was killed is replaced; one
 * that somebody answers on is not.
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { FlowfateError } from '../../errors.js';

/** What the running program says: a result of the command, or one sentence about what is wrong with it. */
export type ControlAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: string };

export type ControlledProgram = 'router' | 'speaker';

const MAX_REQUEST_BYTES = 64 * 1024;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const TIMEOUT_MS = 10_000;

export class ControlSocket {
  private constructor(
    readonly path: string,
    private readonly server: Server,
  ) {}

  /** @param answer gets a parsed request, which may be anything */
  static async open(
    path: string,
    program: ControlledProgram,
    answer: (request: unknown) => ControlAnswer,
  ): Promise<ControlSocket> {
    try {
      return new ControlSocket(path, await listen(path, answer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw refusal(path, error);
    }
    if (await isAnswered(path)) {
      throw new FlowfateError(
        'network',
        `another ${program} answers on ${path}; stop it, or give this one a socket of its own (--control)`,
      );
    }
    try {
      if (!lstatSync(path).isSocket()) throw new Error('it is a file, and no socket');
      unlinkSync(path);
      return new ControlSocket(path, await listen(path, answer));
    } catch (error) {
      throw refusal(path, error);
    }
  }

  /** Removes the socket. */
  close(): void {
    this.server.close();
  }
}

function listen(path: string, answer: (request: unknown) => ControlAnswer): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let request = '';
    let isDone = false;
    const reply = (line: string): void => {
      isDone = true;
      socket.end(`${JSON.stringify(lineAnswer(line, answer))}\n`);
    };
    socket.setEncoding('utf8');
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('data', (text: string) => {
      if (isDone) return;
      request += text;
      const end = request.indexOf('\n');
      if (end >= 0) reply(request.slice(0, end));
      else if (request.length > MAX_REQUEST_BYTES) socket.destroy();
    });
    socket.on('end', () => !isDone && socket.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // the socket file is made inside of listen(): nobody else may get at it even before the mode is set
    const mask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.removeListener('error', reject);
        server.on('error', () => {});
        chmodSync(path, 0o600);
        resolve(server);
      });
    } finally {
      process.umask(mask);
    }
  });
}

function lineAnswer(line: string, answer: (request: unknown) => ControlAnswer): ControlAnswer {
  try {
    return answer(JSON.parse(line));
  } catch (error) {
    if (error instanceof SyntaxError) return { ok: false, error: 'the request is no line of JSON' };
    throw error;
  }
}

/**
 * Sends one request to whoever listens. Throws a FlowfateError of code `network` where nobody does; `program` is what
 * should.
 */
export function askControl(
  path: string,
  program: ControlledProgram,
  request: unknown,
): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path);
    const fail = (why: string): void => {
      socket.destroy();
      reject(new FlowfateError('network', why));
    };
    socket.setEncoding('utf8');
    socket.setTimeout(TIMEOUT_MS, () => fail(`the ${program} at ${path} does not answer`));
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on('error', (error: NodeJS.ErrnoException) => fail(askTrouble(path, program, error)));
    socket.on('data', (more: string) => {
      text += more;
      if (text.length > MAX_ANSWER_BYTES) fail(`what answers at ${path} is no ${program} of flowfate`);
    });
    socket.on('end', () => {
      socket.end();
      const answer = parseAnswer(text);
      if (answer === null) fail(`what answers at ${path} is no ${program} of flowfate`);
      else resolve(answer);
    });
  });
}

function parseAnswer(text: string): ControlAnswer | null {
  try {
    const answer = JSON.parse(text) as Partial<ControlAnswer> | null;
    return typeof answer?.ok === 'boolean' ? (answer as ControlAnswer) : null;
  } catch {
    return null;
  }
}

export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      socket.destroy();
      // EAGAIN: somebody listens and has no time
      resolve(error.code === 'EAGAIN' || error.code === 'EACCES');
    });
  });
}

function askTrouble(
  path: string,
  program: ControlledProgram,
  { code, message }: NodeJS.ErrnoException,
): string {
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return `no ${program} runs at ${path}; start it with flowfate ${program} --config, or name its socket with --control`;
    case 'EACCES':
    case 'EPERM':
      return `no right to talk to the ${program} at ${path}; do it as the user who started it`;
    default:
      return `cannot talk to the ${program} at ${path}: ${message}`;
  }
}

function refusal(path: string, error: unknown): FlowfateError {
  const { code, message } = error as NodeJS.ErrnoException;
  const why =
    code === 'ENOENT'
      ? 'its directory does not exist'
      : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
        ? 'no right to make it there'
        : message;
  return new FlowfateError('network', `no control socket at ${path}: ${why}; name another with --control`);
}
