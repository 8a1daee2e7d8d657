/**
 * A router as a program: opens what its configuration names, reloads it, and ends. Signals, files and exit statuses
 * are the command line's.
 */
import { BfdGuard } from '../../bgp/bfd/bfd-guard.js';
import { BfdTransport } from '../../bgp/net/bfd-transport.js';
import { BgpListener, dialTcp, SYSTEM_CLOCK } from '../../bgp/net/transport.js';
import { Speaker } from '../../bgp/session/speaker.js';
import { FlowfateError } from '../../errors.js';
import type { ConfigChange } from '../control/control-request.js';
import type { LogLevel, Say } from '../program-log.js';
import type { RouterView } from '../router-view.js';
import { changeSentence, configDiff } from './config-diff.js';
import { LiveRouter } from './live-router.js';
import { DumpLoader, dumpSentence } from './load-dump.js';
import { ownInterfaces } from './own-addresses.js';
import { type PeerPolicy, policyOf, type RouterConfig } from './router-config.js';
import { RouterLog } from './router-log.js';
import { RouterOperator } from './router-operator.js';
import { RouterReader } from './router-reader.js';

/** how long the last words to all peers may take */
const GOODBYE_MS = 1000;

export class RouterProgram {
  private isStopped = false;
  private readonly dumps: DumpLoader;

  private constructor(
    private readonly router: LiveRouter,
    private readonly speaker: Speaker,
    private readonly listener: BgpListener,
    private readonly bfd: BfdTransport,
    private readonly log: RouterLog,
    /** what page, API, metrics and live traffic read */
    readonly view: RouterView,
    readonly operator: RouterOperator,
  ) {
    this.dumps = new DumpLoader(router);
  }

  /** Listens, then connects. Throws a FlowfateError of code `network` where it cannot listen. */
  static async start(config: RouterConfig, print: Say): Promise<RouterProgram> {
    const clock = SYSTEM_CLOCK;
    const log = new RouterLog(print, clock);
    const router = new LiveRouter(config, ownInterfaces(), clock, log);
    const bfd = new BfdTransport({ onTrouble: (sentence) => log.say(`bfd: ${sentence}`) });
    const guard = new BfdGuard(router, {
      bfd,
      settingsOf: (peer) => policyOf(router.config, peer)?.bfd ?? null,
      onEvent: (peer, event) =>
        log.line(`${peer.id}: bfd ${event.kind}${event.kind === 'down' ? `, ${event.reason}` : ''}`),
    });
    const speaker = new Speaker(config.local, clock, dialTcp, guard);
    const listener = await BgpListener.open(config.listen, (wire) => speaker.accept(wire));
    const view = new RouterReader(router, speaker, listener.addresses);
    const operator = new RouterOperator(router, speaker, guard, view, clock.epochMs);
    const program = new RouterProgram(router, speaker, listener, bfd, log, view, operator);
    for (const note of config.notes) log.say(`router: ${note}`);
    speaker.start(config.peers);
    return program;
  }

  get addresses(): readonly string[] {
    return this.listener.addresses;
  }

  say(line: string, level: LogLevel = 'info'): void {
    this.log.say(line, level);
  }

  /** Loads a dump of tables or updates; resolves when its routes are in. */
  async load(file: string): Promise<void> {
    const counts = await this.dumps.load(file, () => !this.isStopped);
    if (!this.isStopped) this.log.say(dumpSentence(file, counts));
  }

  /** What another configuration would change. Throws a FlowfateError for what cannot change while it runs. */
  compare(config: RouterConfig): ConfigChange[] {
    const { config: old } = this.router;
    refuseChange('asn', old.local.asn, config.local.asn);
    refuseChange('routerId', old.local.bgpIdentifier, config.local.bgpIdentifier);
    refuseChange('listen', old.listen, config.listen);
    refuseChange('http', old.http, config.http);
    refuseChange('control', old.control, config.control);
    refuseChange('maxPaths', old.maxPaths, config.maxPaths);
    refuseChange('multipathAs', old.asPaths, config.asPaths);
    refuseChange('ecmp.order', old.ecmp.order, config.ecmp.order);
    return configDiff(old, config);
  }

  /** Sessions for which nothing has changed go on. Throws a FlowfateError for what cannot change while it runs. */
  reload(config: RouterConfig): ConfigChange[] {
    const changes = this.compare(config);
    const { config: old } = this.router;
    for (const note of config.notes) this.log.say(`router: ${note}`);
    this.router.reconfigure(config);
    this.speaker.reconfigure(config.peers);
    // what a session was begun with, beside its OPEN
    for (const { settings, session } of this.speaker.peers()) {
      const [was, is] = [policyOf(old, settings), policyOf(config, settings)];
      if (begunWith(was) !== begunWith(is)) session?.stop({ kind: 'configuration-changed' });
    }
    this.log.say('router: configuration reloaded');
    for (const change of changes) this.log.say(`router: ${changeSentence(change)}`);
    return changes;
  }

  /**
   * Says goodbye: Cease, administrative shutdown; to peers with graceful restart not a word, so that they keep our
   * routes while we are away. Resolves when the last words are out.
   */
  async stop(): Promise<void> {
    if (this.isStopped) return;
    this.isStopped = true;
    this.listener.close();
    for (const { settings, session } of this.speaker.peers()) {
      if (session === null) continue;
      const keeps = settings.gracefulRestart !== null && session.info.gracefulFamilies.length > 0;
      session.stop(keeps ? { kind: 'restart' } : { kind: 'shutdown', text: '' });
    }
    this.speaker.stop({ kind: 'shutdown', text: '' });
    this.router.flush();
    const goodbye = new Promise((resolve) => setTimeout(resolve, GOODBYE_MS).unref());
    await Promise.race([this.bfd.close(), goodbye]);
  }
}

function begunWith(policy: PeerPolicy | null): string {
  return JSON.stringify([policy?.bfd ?? null, policy?.internalNextHop ?? null]);
}

function refuseChange(key: string, before: unknown, after: unknown): void {
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  throw new FlowfateError(
    'config',
    `spec.${key} cannot change while the router runs; nothing was reloaded, start it anew for that`,
  );
}
