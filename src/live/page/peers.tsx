/** The BGP peers: state, prefixes, for how long. */
import type { PeerRecord } from '../web/api-records.js';
import { count, short, span } from './figures.js';

interface Props {
  readonly peers: readonly PeerRecord[];
  /** seconds since the records were made */
  readonly aheadS: number;
}

export function Peers({ peers, aheadS }: Props) {
  const up = peers.filter(({ state }) => state === 'Established').length;
  return (
    <section class="card" aria-labelledby="peers-title">
      <h2 id="peers-title">
        Peers{' '}
        <span class="soft">
          {up} of {peers.length} up
        </span>
      </h2>
      {peers.length === 0 ? (
        <p class="empty">No peer is configured, and none has come.</p>
      ) : (
        <div class="tall">
          <table class="peers">
            <thead>
              <tr>
                <th scope="col">peer</th>
                <th scope="col">state</th>
                <th scope="col" class="n" title="prefixes accepted, of those received">
                  prefixes
                </th>
                <th scope="col" class="n">
                  since
                </th>
              </tr>
            </thead>
            <tbody>
              {peers.map((peer) => (
                <Peer key={peer.peer} peer={peer} aheadS={aheadS} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Peer({ peer, aheadS }: { readonly peer: PeerRecord; readonly aheadS: number }) {
  const up = peer.state === 'Established';
  const kind = up ? 'up' : peer.state === 'Idle' || peer.state === 'Active' ? 'down' : 'between';
  return (
    <tr>
      <th scope="row">
        <span class="address">{peer.peer}</span>
        <span class="soft under">
          {peer.asn === null ? 'any AS' : `AS ${peer.asn}`}
          {peer.flaps > 0 && `, down ${count(peer.flaps)}×`}
        </span>
      </th>
      <td>
        <span class={`state ${kind}`}>
          <i aria-hidden="true">{up ? '●' : kind === 'down' ? '○' : '◐'}</i> {peer.state}
        </span>
        {!up && peer.lastError !== null && <span class="soft under">{peer.lastError}</span>}
      </td>
      <td class="n">
        <b>{short(peer.accepted)}</b>
        <span class="soft under">of {short(peer.received)}</span>
      </td>
      <td class="n">{span((up && peer.uptime !== null ? peer.uptime : peer.stateFor) + aheadS)}</td>
    </tr>
  );
}
