/** `/metrics` for Prometheus. Everything is read when it is asked for; nothing is counted twice. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { formatAddress } from '../../addr/address.js';
import { SESSION_STATES } from '../router-view.js';
import { fibRecord, type LiveParts } from './live-status.js';

export class LiveMetrics {
  readonly registry = new Registry();

  constructor(
    private readonly parts: LiveParts,
    private readonly clockMs: () => number,
  ) {
    this.registry.setDefaultLabels({});
    this.process();
    this.peers();
    this.tables();
    if (parts.traffic !== null) this.flows(parts.traffic);
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  private process(): void {
    collectDefaultMetrics({ register: this.registry });
    const { version, view, book } = this.parts;
    this.gauge('flowfate_info', 'Version and identity.', ['version', 'asn', 'router_id'], (set) =>
      set({ version, asn: String(view.asn), router_id: view.routerId }, 1),
    );
    this.counter('flowfate_events_total', 'Events noted.', [], (set) => set({}, book.count));
  }

  private peers(): void {
    const { view } = this.parts;
    const up = 'Whether the session is established.';
    this.gauge('flowfate_bgp_peer_up', up, ['peer'], (set) => {
      for (const { id, state } of view.peers()) set({ peer: id }, state === 'Established' ? 1 : 0);
    });
    const state = 'State of the session (RFC 4271 section 8.2.2): 1 for the one that it is in.';
    this.gauge('flowfate_bgp_peer_state', state, ['peer', 'state'], (set) => {
      for (const peer of view.peers())
        for (const one of SESSION_STATES) set({ peer: peer.id, state: one }, peer.state === one ? 1 : 0);
    });
    const identity = 'AS number and router id of a peer, and what an operator has done to it; always 1.';
    this.gauge(
      'flowfate_bgp_peer_info',
      identity,
      ['peer', 'asn', 'router_id', 'shut_down', 'draining'],
      (set) => {
        for (const { id, asn, routerId, shutDown, draining } of view.peers())
          set(
            {
              peer: id,
              asn: String(asn ?? ''),
              router_id: routerId ?? '',
              shut_down: String(shutDown),
              draining: String(draining),
            },
            1,
          );
      },
    );
    const uptime = 'Seconds since the session came up; 0 while it is down.';
    this.gauge('flowfate_bgp_peer_uptime_seconds', uptime, ['peer'], (set) => {
      for (const { id, establishedMs } of view.peers())
        set({ peer: id }, establishedMs === null ? 0 : Math.max(0, this.clockMs() - establishedMs) / 1000);
    });
    for (const field of ['received', 'accepted', 'sent', 'stale'] as const) {
      const help = `Prefixes ${field}, by peer and family.`;
      this.gauge(`flowfate_bgp_peer_prefixes_${field}`, help, ['peer', 'family'], (set) => {
        for (const { id, families } of view.peers())
          for (const family of families) set({ peer: id, family: family.family }, family[field]);
      });
    }
    const messages = 'BGP messages, by peer and direction.';
    this.counter('flowfate_bgp_peer_messages_total', messages, ['peer', 'direction'], (set) => {
      for (const { id, messagesIn, messagesOut } of view.peers()) {
        set({ peer: id, direction: 'in' }, messagesIn);
        set({ peer: id, direction: 'out' }, messagesOut);
      }
    });
    const updates = 'UPDATE messages, by peer and direction.';
    this.counter('flowfate_bgp_peer_updates_total', updates, ['peer', 'direction'], (set) => {
      for (const { id, updatesIn, updatesOut } of view.peers()) {
        set({ peer: id, direction: 'in' }, updatesIn);
        set({ peer: id, direction: 'out' }, updatesOut);
      }
    });
    const notifications =
      'NOTIFICATION messages, by peer, direction, and code/subcode (RFC 4271 section 4.5).';
    this.counter(
      'flowfate_bgp_peer_notifications_total',
      notifications,
      ['peer', 'direction', 'code'],
      (set) => {
        for (const { id, notificationsIn, notificationsOut } of view.peers()) {
          for (const [code, count] of Object.entries(notificationsIn))
            set({ peer: id, direction: 'in', code }, count);
          for (const [code, count] of Object.entries(notificationsOut))
            set({ peer: id, direction: 'out', code }, count);
        }
      },
    );
    const reset =
      'When the last session that was up ended, in seconds since 1970, with the NOTIFICATION that ended it and who sent it.';
    this.gauge(
      'flowfate_bgp_peer_last_reset_timestamp_seconds',
      reset,
      ['peer', 'code', 'sent_by'],
      (set) => {
        for (const { id, lastReset } of view.peers()) {
          if (lastReset === null) continue;
          const { atMs, notification, sentBy } = lastReset;
          set({ peer: id, code: notification ?? 'none', sent_by: sentBy ?? 'nobody' }, atMs / 1000);
        }
      },
    );
    this.counter('flowfate_bgp_peer_flaps_total', 'Times the session went down.', ['peer'], (set) => {
      for (const { id, flaps } of view.peers()) set({ peer: id }, flaps);
    });
  }

  private tables(): void {
    const { view } = this.parts;
    const rows = [
      ['flowfate_rib_prefixes', 'Prefixes in the RIB.', 'prefixes'],
      ['flowfate_rib_routes', 'Routes in the RIB.', 'routes'],
      ['flowfate_fib_prefixes', 'Prefixes in the FIB.', 'fib'],
    ] as const;
    for (const [name, help, field] of rows) {
      this.gauge(name, help, ['family'], (set) => {
        for (const table of view.tables()) set({ family: table.family }, table[field]);
      });
    }
  }

  private flows(traffic: NonNullable<LiveParts['traffic']>): void {
    this.gauge('flowfate_flows_active', 'Flows that are open.', [], (set) =>
      set({}, traffic.record().flowsActive),
    );
    const stalled = 'Flows that get no answer at this moment.';
    this.gauge('flowfate_flows_stalled', stalled, [], (set) => set({}, traffic.record().flowsStalled));
    this.counter('flowfate_flows_started_total', 'Flows begun.', [], (set) =>
      set({}, traffic.record().flowsStarted),
    );
    this.counter('flowfate_flows_total', 'Flows that are over, by fate.', ['fate'], (set) => {
      for (const [fate, flows] of Object.entries(traffic.record().byFate)) set({ fate }, flows);
    });
    this.counter('flowfate_flows_broken_total', 'Flows that broke, by cause.', ['reason'], (set) => {
      for (const [reason, flows] of Object.entries(traffic.record().byCause)) set({ reason }, flows);
    });
    const skipped = 'Seconds of traffic left out because the machine could not keep up.';
    this.counter('flowfate_traffic_skipped_seconds_total', skipped, [], (set) =>
      set({}, traffic.record().skipped),
    );
    this.vips(traffic);
  }

  private vips(traffic: NonNullable<LiveParts['traffic']>): void {
    const { view } = this.parts;
    this.gauge('flowfate_vip_flows_active', 'Open flows of a VIP.', ['vip'], (set) => {
      for (const { address, active } of traffic.vipLoads()) set({ vip: formatAddress(address) }, active);
    });
    const waiting = 'Flows of a VIP that get no answer at this moment.';
    this.gauge('flowfate_vip_flows_stalled', waiting, ['vip'], (set) => {
      for (const { address, stalled } of traffic.vipLoads()) set({ vip: formatAddress(address) }, stalled);
    });
    const broken = 'Flows that broke, by VIP and cause.';
    this.counter('flowfate_vip_flows_broken_total', broken, ['vip', 'reason'], (set) => {
      for (const { address, brokenBy } of traffic.vipLoads())
        for (const [reason, flows] of brokenBy) set({ vip: formatAddress(address), reason }, flows);
    });
    const share = 'Share of the hash space, by VIP and next hop.';
    this.gauge('flowfate_vip_next_hop_share', share, ['vip', 'next_hop'], (set) => {
      for (const { address, buckets } of traffic.vipLoads()) {
        const entry = view.lookup(address);
        if (entry === null) continue;
        for (const hop of fibRecord({ ...entry, buckets }, traffic).nextHops)
          set({ vip: formatAddress(address), next_hop: hop.nextHop }, hop.share);
      }
    });
    const active = 'Open flows, by VIP and next hop.';
    this.gauge('flowfate_vip_next_hop_flows_active', active, ['vip', 'next_hop'], (set) => {
      for (const { address, onNode } of traffic.vipLoads()) {
        for (const hop of view.lookup(address)?.nextHops ?? [])
          set({ vip: formatAddress(address), next_hop: formatAddress(hop.address) }, onNode(hop.address));
      }
    });
  }

  private gauge(name: string, help: string, labelNames: string[], read: (set: Set) => void): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        read((labels, value) => this.set(labels, value));
      },
    });
  }

  private counter(name: string, help: string, labelNames: string[], read: (set: Set) => void): void {
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        read((labels, value) => this.inc(labels, value));
      },
    });
  }
}

type Set = (labels: Record<string, string>, value: number) => void;
