/**
 * All clients of a run in one process: makes the planned connections and writes down what each of them saw. Requests
 * carry the connection's number and their own; pod.ts answers with its name and the source it sees.
 *
 *     node client.js <plan.json> <result.json>
 *
 * It stays alive when the result is written: its exit would put packets into the capture that are no part of the run.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { ClientPlan, ClientResult, Outcome } from './client-record.js';
import type { PlannedConnection } from './traffic-plan.js';

/** a request that is younger than this at the end may still be answered */
const UNANSWERED_S = 2.5;

type Phase = 'connecting' | 'open' | 'closing' | 'over';

class Connection {
  readonly result: ClientResult;
  #socket: Socket | null = null;
  #phase: Phase = 'connecting';
  #sequence = 0;
  #pendingS: number | null = null;
  #closedS = 0;
  #rest = '';

  constructor(
    readonly planned: PlannedConnection,
    readonly clock: RunClock,
  ) {
    this.result = {
      ...{ id: planned.id, synS: null, establishedS: null, outcome: null, breakS: null, errno: '' },
      ...{ replies: 0, lastReplyS: null, unansweredS: null, pods: [], sources: [] },
    };
    clock.at(planned.openS, () => this.#open());
  }

  /** What is known at the end of the run. */
  finish(): ClientResult {
    const { result, clock } = this;
    result.unansweredS = this.#pendingS;
    if (result.outcome !== null) return result;
    if (this.#phase === 'connecting') this.#broken('connect-timeout', result.synS);
    else if (this.#phase === 'closing') this.#broken('fin-unacked', this.#closedS);
    else if (this.#pendingS !== null && clock.nowS() - this.#pendingS > UNANSWERED_S) {
      this.#broken('timeout', this.#pendingS);
    } else result.outcome = 'ok';
    return result;
  }

  #open(): void {
    const { planned, result, clock } = this;
    result.synS = clock.nowS();
    const socket = connect({
      ...{ host: planned.dst, port: planned.dstPort, localAddress: planned.src, localPort: planned.srcPort },
      ...{ noDelay: true, allowHalfOpen: true, autoSelectFamily: false },
    });
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('connect', () => this.#established());
    socket.on('data', (text: string | Buffer) => this.#received(String(text)));
    socket.on('end', () => this.#ended());
    socket.on('error', (error: NodeJS.ErrnoException) => this.#failed(error.code ?? error.message));
  }

  #established(): void {
    const { planned, result, clock } = this;
    this.#phase = 'open';
    result.establishedS = clock.nowS();
    this.#send();
    for (const atS of planned.sendAtS) clock.at(atS, () => this.#send());
    if (planned.closeS !== null) clock.at(planned.closeS, () => this.#close());
  }

  #send(): void {
    if (this.#phase !== 'open') return;
    this.#sequence++;
    this.#pendingS ??= this.clock.nowS();
    this.#socket!.write(`${this.planned.id} ${this.#sequence}\n`);
  }

  #close(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'closing';
    this.#closedS = this.clock.nowS();
    this.#socket!.end();
  }

  #received(text: string): void {
    const { result, clock } = this;
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const [, sequence, pod = '', address, port] = line.split(' ');
      result.replies++;
      result.lastReplyS = clock.nowS();
      if (Number(sequence) === this.#sequence) this.#pendingS = null;
      if (!result.pods.includes(pod)) result.pods.push(pod);
      const source = `${address} ${port}`;
      if (!result.sources.includes(source)) result.sources.push(source);
    }
  }

  #ended(): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'closing') {
      this.result.outcome = 'closed';
      this.#phase = 'over';
    } else this.#broken('eof', this.clock.nowS());
    this.#socket!.destroy();
  }

  #failed(code: string): void {
    if (this.#phase === 'over') return;
    const connecting = this.#phase === 'connecting';
    this.result.errno = code;
    const reset = code === 'ECONNRESET' || code === 'EPIPE';
    const outcome: Outcome = connecting
      ? code === 'ECONNREFUSED'
        ? 'connect-refused'
        : reset
          ? 'connect-rst'
          : 'connect-error'
      : reset
        ? 'rst'
        : 'error';
    this.#broken(outcome, this.clock.nowS());
  }

  #broken(outcome: Outcome, atS: number | null): void {
    this.#phase = 'over';
    this.result.outcome = outcome;
    this.result.breakS = atS;
  }
}

/** Seconds after t = 0, finer than the milliseconds of Date. */
class RunClock {
  constructor(readonly plan: ClientPlan) {}

  nowS(): number {
    return (performance.timeOrigin + performance.now()) / 1000 - this.plan.epochS;
  }

  at(atS: number, act: () => void): void {
    setTimeout(act, Math.max(0, (atS - this.nowS()) * 1000));
  }
}

const [planFile = '', resultFile = ''] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8')) as ClientPlan;
const clock = new RunClock(plan);
if (clock.nowS() > 0) throw new Error('the clients came too late: this machine is too busy for the lab');
const connections = plan.connections.map((planned) => new Connection(planned, clock));
clock.at(plan.durationS, () => {
  writeFileSync(`${resultFile}.part`, JSON.stringify(connections.map((connection) => connection.finish())));
  renameSync(`${resultFile}.part`, resultFile);
  setInterval(() => {}, 1000);
});
