import { describe, expect, test } from 'vitest';
import { formatAddress, ipv4, parseAddress } from '../../../../src/addr/address.js';
import { hostPrefix } from '../../../../src/addr/prefix.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import { OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import {
  type BgpMessage,
  HEADER_BYTES,
  MESSAGE_TYPE,
  type OpenMessage,
} from '../../../../src/bgp/codec/message.js';
import { encodeMessage } from '../../../../src/bgp/codec/message-codec.js';
import { makeAttribute } from '../../../../src/bgp/codec/update-message.js';
import { HeardRouter, type HeardSettings } from '../../../../src/bgp/watch/heard-router.js';

const NODE = '10.0.0.1';
const VIP = hostPrefix(ipv4(0xcb00710a));
const RESTART_S = 20;

const SETTINGS: HeardSettings = {
  localAsn: 64512,
  order: 'address',
  maxPaths: 64,
  asPaths: 'relax',
  importPolicy: () => 'all',
  isWanted: () => true,
};

class Heard extends HeardRouter {
  message(timeS: number, speaker: string, message: BgpMessage): void {
    if (message.type === MESSAGE_TYPE.open) this.opened(timeS, speaker, message);
    else if (message.type === MESSAGE_TYPE.notification) this.notified(timeS, speaker, message);
    else if (message.type === MESSAGE_TYPE.update) {
      this.update(timeS, speaker, encodeMessage(message, OFFLINE).subarray(HEADER_BYTES), OFFLINE);
    } else this.alive(timeS, speaker);
  }
}

interface Graceful {
  readonly notification?: boolean;
  readonly forwardingPreserved?: boolean;
  readonly family?: number;
}

function open(graceful: Graceful | null): OpenMessage {
  const { notification = false, forwardingPreserved = true, family = IPV4_UNICAST } = graceful ?? {};
  const families = [{ family, forwardingPreserved }];
  const rest = { restarted: false, notification, restartTimeS: RESTART_S, families };
  return {
    ...{ type: MESSAGE_TYPE.open, version: 4, asn16: 64601, asn: 64601, holdTimeS: 9, bgpIdentifier: 1 },
    capabilities: graceful === null ? [] : [{ code: 64, kind: 'graceful-restart', ...rest }],
  };
}

const announce: BgpMessage = {
  type: MESSAGE_TYPE.update,
  withdrawn: [],
  attributes: [
    makeAttribute({ code: 1 }, 0),
    makeAttribute({ code: 2 }, [{ type: 2, asns: [64601] }]),
    makeAttribute({ code: 3 }, parseAddress(NODE)!.w0),
  ],
  nlri: [{ prefix: VIP }],
};
const endOfRib: BgpMessage = { type: MESSAGE_TYPE.update, withdrawn: [], attributes: [], nlri: [] };
const notification = (code: number, subcode: number) =>
  ({ type: MESSAGE_TYPE.notification, code, subcode, data: new Uint8Array(0) }) as const;

/** A route announced at 1 s; what both OPENs say of graceful restart. */
function session(speaker: Graceful | null, router: Graceful | null): Heard {
  const history = new Heard(SETTINGS);
  history.routerOpened(NODE, open(router));
  history.message(0, NODE, open(speaker));
  history.message(1, NODE, announce);
  return history;
}

/** What became of the route after its announcement. */
const since = ({ changes }: Heard): string[] =>
  changes
    .slice(1)
    .map(({ timeS, nextHops, because }) => `${timeS} ${nextHops.map(formatAddress).join()}: ${because}`);

describe('routes of a speaker whose connection ends', () => {
  test('go where one of the two has no graceful restart', () => {
    for (const [speaker, router] of [
      [null, {}],
      [{}, null],
      [{ family: IPV6_UNICAST }, {}],
    ] as const) {
      const history = session(speaker, router);
      history.closed(4, NODE);
      expect(since(history)).toEqual([`4 : the session of ${NODE} ended`]);
    }
  });

  test('stay through the next session where both have it, and both ends of the connection close', () => {
    const history = session({}, {});
    history.closed(4, NODE);
    history.closed(4.1, NODE);
    history.message(15, NODE, open({}));
    history.message(16, NODE, announce);
    history.message(17, NODE, endOfRib);
    history.message(24, NODE, { type: MESSAGE_TYPE.keepalive });
    expect(since(history)).toEqual([]);
  });

  test('go when it is not back within its restart time', () => {
    const history = session({}, {});
    history.closed(4, NODE);
    history.advance(100);
    expect(since(history)).toEqual([
      `${4 + RESTART_S} : ${NODE} did not come back within its restart time of ${RESTART_S} s`,
    ]);
  });

  test('go when it is back without having preserved its forwarding', () => {
    const history = session({}, {});
    history.closed(4, NODE);
    history.message(6, NODE, open({ forwardingPreserved: false }));
    expect(since(history)).toEqual([`6 : ${NODE} opened a new session`]);
  });

  test('go at End-of-RIB when they were not announced again', () => {
    const history = session({}, {});
    history.closed(4, NODE);
    history.message(6, NODE, open({}));
    history.message(7, NODE, endOfRib);
    expect(since(history)).toEqual([`7 : ${NODE} did not announce it again`]);
  });

  test('stay where a new session takes the place of one that nobody closed', () => {
    const history = session({}, {});
    history.message(6, NODE, open({}));
    expect(since(history)).toEqual([]);
  });

  test('go when the next session ends, too, before they were announced again', () => {
    const history = session({}, {});
    history.closed(4, NODE);
    history.message(6, NODE, open({}));
    history.closed(8, NODE);
    expect(since(history)).toEqual([`8 : the session of ${NODE} ended`]);
  });

  test('hear nothing of a NOTIFICATION while it is away, nor of what the router tells others', () => {
    const history = session({}, {});
    history.routerOpened('10.0.0.2', open(null));
    history.closed(4, NODE);
    history.notified(5, NODE, notification(6, 5));
    expect(since(history)).toEqual([]);
    history.advance(100);
    expect(since(history)).toHaveLength(1);
  });

  test('go with a NOTIFICATION or the hold time, but for RFC 8538 on both sides, and always with a hard reset', () => {
    const plain = session({ notification: true }, {});
    plain.notified(4, NODE, notification(6, 2));
    expect(since(plain)).toEqual([`4 : the session of ${NODE} ended`]);

    const both = session({ notification: true }, { notification: true });
    both.message(4, NODE, notification(6, 2));
    expect(since(both)).toEqual([]);

    const hard = session({ notification: true }, { notification: true });
    hard.notified(4, NODE, notification(6, 9));
    expect(since(hard)).toEqual([`4 : the session of ${NODE} ended`]);

    const silent = session({}, {});
    silent.advance(30);
    expect(since(silent)).toEqual([`10 : ${NODE} was silent for its hold time of 9 s`]);

    const patient = session({ notification: true }, { notification: true });
    patient.advance(31);
    expect(since(patient)).toEqual([
      `30 : ${NODE} did not come back within its restart time of ${RESTART_S} s`,
    ]);
  });
});
