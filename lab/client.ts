/**
 * All clients of a run in one process: makes the planned connections and writes down what each of them saw. Requests
 * carry the connection's number and their own; pod.ts answers with its name and the source it sees.
 *
 *     node client.js <plan.json> <result.json>
 *
 * It stays alive when the result is written: its exit would put packets into the capture that are no part of the run.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { ClientPlan, ClientResult, Outcome } from './client-record.js';
import type { PlannedConnection } from './traffic-plan.js';

/** a request that is younger than this at the end may still be answered */
const UNANSWERED_S = 2.5;
/** the same for a datagram, which nobody sends again */
const LOST_S = 1;

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

interface Exchange {
  /** What is known at the end of the run. */
  finish(): ClientResult;
}

const exchanges: Exchange[] = [];

function emptyResult(id: number, life: number): ClientResult {
  return {
    ...{ id, life, synS: null, establishedS: null, outcome: null, breakS: null, errno: '' },
    ...{ replies: 0, lastReplyS: null, unansweredS: null, pods: [], sources: [] },
  };
}

/** Books the answer `id sequence pod address port`; its sequence number. */
function note(result: ClientResult, line: string, nowS: number): string {
  const [, sequence = '', pod = '', address, port] = line.split(' ');
  result.replies++;
  result.lastReplyS = nowS;
  if (!result.pods.includes(pod)) result.pods.push(pod);
  const source = `${address} ${port}`;
  if (!result.sources.includes(source)) result.sources.push(source);
  return sequence;
}

type Phase = 'connecting' | 'open' | 'closing' | 'over';

class Connection implements Exchange {
  private readonly result: ClientResult;
  private socket: Socket | null = null;
  private phase: Phase = 'connecting';
  private sequence = 0;
  private pendingS: number | null = null;
  private receivedS = 0;
  private closedS = 0;
  private rest = '';

  constructor(
    private readonly planned: PlannedConnection,
    private readonly clock: RunClock,
    private readonly life = 0,
  ) {
    this.result = emptyResult(planned.id, life);
    exchanges.push(this);
    clock.at(life === 0 ? planned.openS : clock.nowS() + planned.reuse!.afterS, () => this.open());
  }

  finish(): ClientResult {
    const { result, clock, planned } = this;
    const nowS = clock.nowS();
    result.unansweredS = this.pendingS;
    if (result.outcome !== null || result.synS === null) return result;
    if (this.phase === 'connecting') this.broken('connect-timeout', result.synS);
    else if (planned.push !== null && nowS - this.receivedS > UNANSWERED_S)
      this.broken('stall', this.receivedS);
    else if (this.phase === 'closing' && planned.push === null) this.broken('fin-unacked', this.closedS);
    else if (this.pendingS !== null && nowS - this.pendingS > UNANSWERED_S)
      this.broken('timeout', this.pendingS);
    else result.outcome = 'ok';
    return result;
  }

  private open(): void {
    const { planned, result, clock } = this;
    result.synS = clock.nowS();
    const socket = connect({
      ...{ host: planned.dst, port: planned.dstPort, localAddress: planned.src, localPort: planned.srcPort },
      ...{ noDelay: true, allowHalfOpen: true, autoSelectFamily: false },
    });
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('connect', () => this.established());
    socket.on('data', (text: string | Buffer) => this.received(String(text)));
    socket.on('end', () => this.ended());
    socket.on('error', (error: NodeJS.ErrnoException) => this.failed(error.code ?? error.message));
    socket.on('close', () => this.again());
  }

  private established(): void {
    const { planned, result, clock } = this;
    this.phase = 'open';
    result.establishedS = clock.nowS();
    this.receivedS = result.establishedS;
    const laterS = this.life === 0 ? 0 : result.establishedS - planned.openS;
    if (planned.push === null) this.send();
    else this.socket!.write(`${planned.id} 1 push ${planned.push.everyMs} ${planned.push.count}\n`);
    for (const atS of planned.sendAtS) clock.at(atS + laterS, () => this.send());
    if (planned.closeS !== null) clock.at(planned.closeS + laterS, () => this.close());
  }

  private send(): void {
    if (this.phase !== 'open') return;
    this.sequence++;
    this.pendingS ??= this.clock.nowS();
    this.socket!.write(`${this.planned.id} ${this.sequence}\n`);
  }

  private close(): void {
    if (this.phase !== 'open') return;
    if (this.planned.aborts) {
      this.phase = 'over';
      this.result.outcome = 'closed';
      this.socket!.resetAndDestroy();
      return;
    }
    this.phase = 'closing';
    this.closedS = this.clock.nowS();
    this.socket!.end();
  }

  private received(text: string): void {
    this.receivedS = this.clock.nowS();
    const lines = `${this.rest}${text}`.split('\n');
    this.rest = lines.pop()!;
    for (const line of lines) {
      if (Number(note(this.result, line, this.receivedS)) === this.sequence) this.pendingS = null;
    }
  }

  private ended(): void {
    if (this.phase === 'over') return;
    if (this.phase === 'closing') {
      this.result.outcome = 'closed';
      this.phase = 'over';
    } else this.broken('eof', this.clock.nowS());
    this.socket!.destroy();
  }

  private failed(code: string): void {
    if (this.phase === 'over') return;
    this.result.errno = code;
    this.broken(failure(code, this.phase === 'connecting'), this.clock.nowS());
  }

  private broken(outcome: Outcome, atS: number | null): void {
    this.phase = 'over';
    this.result.outcome = outcome;
    this.result.breakS = atS;
  }

  /** The socket is gone: the next life of its port, if it is to have one. */
  private again(): void {
    const { planned, life, clock } = this;
    if (planned.reuse !== null && life < planned.reuse.times && clock.nowS() < clock.plan.durationS) {
      new Connection(planned, clock, life + 1);
    }
  }
}

function failure(code: string, connecting: boolean): Outcome {
  const reset = code === 'ECONNRESET' || code === 'EPIPE';
  if (!connecting) return reset ? 'rst' : 'error';
  if (code === 'ECONNREFUSED') return 'connect-refused';
  return reset ? 'connect-rst' : 'connect-error';
}

/** One UDP socket that stays connected, as a resolver's. */
class Datagrams implements Exchange {
  private readonly result: ClientResult;
  private readonly socket: DatagramSocket;
  private readonly sentS = new Map<number, number>();
  private sequence = 0;

  constructor(
    private readonly planned: PlannedConnection,
    private readonly clock: RunClock,
  ) {
    this.result = emptyResult(planned.id, 0);
    this.socket = createSocket(planned.family === 'ipv4' ? 'udp4' : 'udp6');
    exchanges.push(this);
    clock.at(planned.openS, () => this.open());
  }

  finish(): ClientResult {
    const { result, clock } = this;
    const lost = [...this.sentS.values()].filter((atS) => clock.nowS() - atS > LOST_S);
    if (lost.length > 0) {
      result.outcome = 'udp-lost';
      result.breakS = Math.min(...lost);
    } else result.outcome = result.pods.length > 1 ? 'misdelivered' : 'ok';
    return result;
  }

  private open(): void {
    const { planned, clock, socket, result } = this;
    socket.on('message', (message) => this.received(message.toString('latin1').trimEnd()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      result.errno = error.code ?? error.message;
    });
    socket.bind({ address: planned.src, port: planned.srcPort }, () => {
      result.synS = clock.nowS();
      socket.connect(planned.dstPort, planned.dst, () => this.send());
      for (const atS of planned.sendAtS) clock.at(atS, () => this.send());
    });
  }

  private send(): void {
    const { planned } = this;
    this.sequence++;
    this.sentS.set(this.sequence, this.clock.nowS());
    const padding = this.sequence % 2 === 0 ? planned.paddingBytes : 0;
    const text = `${planned.id} ${this.sequence}${padding > 0 ? ` ${'y'.repeat(padding)}` : ''}\n`;
    this.socket.send(text, (error) => {
      if (error !== null) this.result.errno = (error as NodeJS.ErrnoException).code ?? error.message;
    });
  }

  /** An answer settles what was asked before it as well: those may have overtaken each other. */
  private received(line: string): void {
    const words = line.split(' ');
    const plain = [...words.slice(0, 2), ...words.slice(-3)].join(' ');
    const sequence = Number(note(this.result, plain, this.clock.nowS()));
    for (const sent of this.sentS.keys()) if (sent <= sequence) this.sentS.delete(sent);
  }
}

const [planFile = '', resultFile = ''] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8')) as ClientPlan;
const clock = new RunClock(plan);
if (clock.nowS() > 0) throw new Error('the clients came too late: this machine is too busy for the lab');
for (const planned of plan.connections) {
  if (planned.protocol === 'udp') new Datagrams(planned, clock);
  else new Connection(planned, clock);
}
clock.at(plan.durationS, () => {
  const results = exchanges.map((one) => one.finish()).filter(({ synS }) => synS !== null);
  writeFileSync(`${resultFile}.part`, JSON.stringify(results));
  renameSync(`${resultFile}.part`, resultFile);
  setInterval(() => {}, 1000);
});
