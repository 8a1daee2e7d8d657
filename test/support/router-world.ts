/**
 * A whole router without sockets: peers speak through made-up wires, an operator over what would be the control socket.
 * Time is the test's.
 */
import { parseAddress } from '../../src/addr/address.js';
import { parsePrefix } from '../../src/addr/prefix.js';
import type { PathAttribute } from '../../src/bgp/attribute/descriptor.js';
import { BfdGuard } from '../../src/bgp/bfd/bfd-guard.js';
import { IPV4_UNICAST } from '../../src/bgp/codec/address-family.js';
import { ByteWriter } from '../../src/bgp/codec/byte-writer.js';
import type { Capability } from '../../src/bgp/codec/capability.js';
import { type CodecContext, OFFLINE } from '../../src/bgp/codec/codec-context.js';
import { encodeMessage, KEEPALIVE_BYTES } from '../../src/bgp/codec/message-codec.js';
import { makeOpen } from '../../src/bgp/codec/open-message.js';
import { encodeAttribute, makeAttribute } from '../../src/bgp/codec/update-message.js';
import { UpdatePacker } from '../../src/bgp/codec/update-packer.js';
import { Speaker } from '../../src/bgp/session/speaker.js';
import type { RouterAnswer, RouterRequest } from '../../src/live/control/control-request.js';
import { LiveService } from '../../src/live/live-service.js';
import { configDiff } from '../../src/live/router/config-diff.js';
import { LiveRouter } from '../../src/live/router/live-router.js';
import { type RouterConfig, routerConfig } from '../../src/live/router/router-config.js';
import { RouterControl } from '../../src/live/router/router-control.js';
import { RouterLog } from '../../src/live/router/router-log.js';
import { RouterOperator } from '../../src/live/router/router-operator.js';
import { RouterReader } from '../../src/live/router/router-reader.js';
import { FakeClock, type FakeWire, wirePair } from '../unit/bgp/session/fake-world.js';

export const OWN_ADDRESS = '10.0.0.254';
const CONTEXT: CodecContext = { ...OFFLINE, extendedMessages: false };

/** A `kind: Router` with these lines under `spec`. */
export function routerYaml(lines: readonly string[]): RouterConfig {
  const head = [
    'apiVersion: flowfate.dev/v1',
    'kind: Router',
    'spec:',
    '  asn: 65000',
    `  routerId: ${OWN_ADDRESS}`,
  ];
  const text = `${[...head, ...lines.map((line) => `  ${line}`)].join('\n')}\n`;
  return routerConfig({ name: 'r.yaml', text }, { start: 'fresh', ownAddresses: [], usualTtl: null });
}

export class RouterWorld {
  readonly clock = new FakeClock();
  readonly router: LiveRouter;
  readonly speaker: Speaker;
  readonly view: RouterReader;
  readonly control: RouterControl;
  readonly service: LiveService;
  /** what `reload` reads */
  written: RouterConfig;

  constructor(config: RouterConfig) {
    this.written = config;
    this.router = new LiveRouter(config, [], this.clock, new RouterLog(() => {}, this.clock));
    const bfd = { watch: () => ({ report: () => null as never, stop: () => {} }), close: async () => {} };
    const guard = new BfdGuard(this.router, { bfd, settingsOf: () => null });
    this.speaker = new Speaker(config.local, this.clock, () => () => {}, guard);
    this.view = new RouterReader(this.router, this.speaker, ['127.0.0.1:1790']);
    const epochMs = (): number => this.clock.epochMs();
    const operator = new RouterOperator(this.router, this.speaker, guard, this.view, epochMs);
    this.service = new LiveService(this.view, null, '0.0.0', epochMs);
    this.service.start();
    this.control = new RouterControl({
      operator,
      service: this.service,
      reload: (apply) => this.reload(apply),
    });
    this.speaker.start(config.peers);
  }

  /** A connection over which nothing is ever said. */
  silent(address: string): void {
    const [, far] = wirePair(this.clock, address, OWN_ADDRESS);
    this.speaker.accept(far);
  }

  /** A session with a peer that has this address; without a hold time, nothing happens by itself. */
  connect(address: string, asn: number, more: readonly Capability[] = []): FarPeer {
    const [near, far] = wirePair(this.clock, address, OWN_ADDRESS);
    this.speaker.accept(far);
    const families: Capability = { code: 1, kind: 'multiprotocol', family: IPV4_UNICAST };
    near.write(encodeMessage(makeOpen(asn, parseAddress(address)!.w0, 0, [families, ...more]), OFFLINE));
    near.write(KEEPALIVE_BYTES);
    this.clock.settle();
    return new FarPeer(this.clock, near, address, asn);
  }

  /** What the control socket answers; throws the sentence of a refusal. */
  ask(request: RouterRequest): RouterAnswer {
    const answer = this.control.answer(request);
    this.clock.settle();
    if (!answer.ok) throw new Error(answer.error);
    return answer.result as RouterAnswer;
  }

  private reload(apply: boolean) {
    const changes = configDiff(this.router.config, this.written);
    if (apply) {
      this.router.reconfigure(this.written);
      this.speaker.reconfigure(this.written.peers);
    }
    return changes;
  }
}

/** The other end of a session. */
export class FarPeer {
  constructor(
    private readonly clock: FakeClock,
    readonly wire: FakeWire,
    readonly address: string,
    readonly asn: number,
  ) {}

  /** Announces IPv4 prefixes with the peer as next hop, and AS_PATH as its AS unless `more` has another. */
  announce(prefixes: readonly string[], more: readonly PathAttribute[] = []): void {
    const usual = [
      makeAttribute({ code: 1 }, 0),
      makeAttribute({ code: 2 }, [{ type: 2, asns: [this.asn] }]),
      makeAttribute({ code: 3 }, parseAddress(this.address)!.w0),
    ].filter(({ code }) => !more.some((one) => one.code === code));
    const out = new ByteWriter();
    for (const attribute of [...usual, ...more].sort((a, b) => a.code - b.code)) {
      encodeAttribute(attribute, out, CONTEXT);
    }
    const packer = new UpdatePacker(CONTEXT, (messages) => this.wire.write(messages.slice()));
    packer.announce(IPV4_UNICAST, out.bytes(), null);
    for (const text of prefixes) {
      const { address, length } = parsePrefix(text)!;
      packer.add(address.w0, 0, 0, 0, length, 0);
    }
    packer.flush();
    this.clock.settle();
  }
}
