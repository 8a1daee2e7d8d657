/** A speaker as a program: listening sockets, control socket, and the commands that come over it. */
import { BgpListener } from '../../bgp/net/transport.js';
import { FlowfateError } from '../../errors.js';
import { speakerRequest } from '../control/control-request.js';
import { type ControlAnswer, ControlSocket } from '../control/control-socket.js';
import type { Say } from '../program-log.js';
import { LiveSpeaker } from './live-speaker.js';
import type { SpeakerConfig } from './speaker-config.js';

export class SpeakerProgram {
  private isStopped = false;

  private constructor(
    private readonly live: LiveSpeaker,
    private readonly listener: BgpListener | null,
    private readonly control: ControlSocket,
    private readonly print: Say,
  ) {}

  /** Throws a FlowfateError of code `network` where it cannot listen, or where another one runs already. */
  static async start(config: SpeakerConfig, print: Say): Promise<SpeakerProgram> {
    const live = new LiveSpeaker(config, print);
    const control = await ControlSocket.open(config.control, 'speaker', (request) => answer(live, request));
    try {
      const accept: Parameters<typeof BgpListener.open>[1] = (wire) => live.speaker.accept(wire);
      const listener = config.listen.length === 0 ? null : await BgpListener.open(config.listen, accept);
      live.start();
      return new SpeakerProgram(live, listener, control, print);
    } catch (error) {
      control.close();
      throw error;
    }
  }

  /** `ready`, with where it can be reached. */
  get readyLine(): string {
    const { peers, vips } = this.live.config;
    const listening = this.listener === null ? '' : `, listening on ${this.listener.addresses.join(' ')}`;
    const counts = `${counted(peers.length, 'peer')}, ${counted(vips.length, 'VIP')}`;
    return `ready: ${counts}${listening}, control socket ${this.control.path}`;
  }

  /** Throws a FlowfateError, and changes nothing, for what cannot change while it runs. */
  reload(config: SpeakerConfig): void {
    const { config: old } = this.live;
    refuseChange('asn', old.local.asn, config.local.asn);
    refuseChange('routerId', old.local.bgpIdentifier, config.local.bgpIdentifier);
    refuseChange('listen', old.listen, config.listen);
    refuseChange('control', old.control, config.control);
    refuseChange('dialect', old.dialect, config.dialect);
    this.live.reconfigure(config);
    this.print('speaker: configuration reloaded');
  }

  async stop(): Promise<void> {
    if (this.isStopped) return;
    this.isStopped = true;
    this.control.close();
    this.listener?.close();
    await this.live.stop();
  }
}

/** @param request whatever came over the socket */
function answer(live: LiveSpeaker, request: unknown): ControlAnswer {
  const parsed = speakerRequest.safeParse(request);
  if (!parsed.success) {
    return { ok: false, error: 'the speaker does not know this request; is it of another version?' };
  }
  const { data } = parsed;
  const refusal = data.command === 'status' ? null : live.command(data.command, data.name);
  return refusal === null ? { ok: true, result: live.status() } : { ok: false, error: refusal };
}

function refuseChange(key: string, before: unknown, after: unknown): void {
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  throw new FlowfateError(
    'config',
    `spec.${key} cannot change while the speaker runs; nothing was reloaded, start it anew for that`,
  );
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
